"""Hounsfield units to network input and back: the only place that knows the scale.

The scale is linear: water 0, air -1, dense cortex about 1.5. Values are clipped to [-1000, 2000] HU, which keeps all
tissue and caps metal. Works on NumPy arrays and torch tensors alike.
"""

from itertools import pairwise

from vctlib.anatomy import Window

NETWORK_HU = Window(-1000.0, 2000.0)
_HU_PER_UNIT = 1000.0


def normalise_hu(hu):
    """Hounsfield units (any shape) -> network scale [-1, 2]."""
    return hu.clip(NETWORK_HU.low, NETWORK_HU.high) / _HU_PER_UNIT


def denormalise_hu(value):
    """Network scale -> Hounsfield units, clipped to what the network can mean."""
    return (value * _HU_PER_UNIT).clip(NETWORK_HU.low, NETWORK_HU.high)


# Companded, an HU of soft tissue weighs 1.5 times as much as one of bone and 4 times as much as one of lung or air.
_KNOTS = ((-1.0, -1.0), (-0.2, -0.5), (0.2, 0.5), (2.0, 3.5))  # network scale, companded


def compand(value):
    """Network scale -> companded scale [-1, 3.5]: piecewise linear, steepest between -200 and 200 HU."""
    return _piecewise_linear(value, _KNOTS)


def expand(value):
    """The inverse of `compand`; what lies outside the companded range is clipped."""
    return _piecewise_linear(value, [(companded, network) for network, companded in _KNOTS])


def _piecewise_linear(value, knots):
    total = knots[0][1]
    for (low, start), (high, end) in pairwise(knots):
        total = total + (value.clip(low, high) - low) * ((end - start) / (high - low))
    return total
