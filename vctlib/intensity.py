"""Hounsfield units to network input and back: the only place that knows the scale.

The scale is linear: water 0, air -1, dense cortex about 1.5. Values are clipped to [-1000, 2000] HU, which keeps all
tissue and caps metal. Works on NumPy arrays and torch tensors alike.
"""

from vctlib.anatomy import Window

NETWORK_HU = Window(-1000.0, 2000.0)
_HU_PER_UNIT = 1000.0


def normalise_hu(hu):
    """Hounsfield units (any shape) -> network scale [-1, 2]."""
    return hu.clip(NETWORK_HU.low, NETWORK_HU.high) / _HU_PER_UNIT


def denormalise_hu(value):
    """Network scale -> Hounsfield units, clipped to what the network can mean."""
    return (value * _HU_PER_UNIT).clip(NETWORK_HU.low, NETWORK_HU.high)
