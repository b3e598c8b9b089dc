"""CTs disturbed as decoded images are: half of them blurred, mottled and noised, each by amounts of its own.

A network that reads only perfect CTs takes a mottled belly for organs; one that never reads a perfect CT measures it
less well. Nothing here comes from a generator, so that who learns from it can still judge one.
"""

import numpy as np
from scipy import ndimage

from vctlib.intensity import compand, expand, normalise_hu
from vctlib.network_config import SegmenterConfig

_DISTURBED = 0.5  # of all CTs
_MOTTLE_VOXELS = (1.0, 3.0)  # least and largest standard deviation of the filter that makes a smooth error


def disturbed(hu: np.ndarray, config: SegmenterConfig, rng: np.random.Generator) -> np.ndarray:
    """A CT (x, y, z) in HU -> the network's scale, float32.

    Every second one, at random, is disturbed by amounts between 0 and those of the profile: blurred as companded
    intensities, then a smooth error and a rough one are added, both in proportion to the intensity above air.
    """
    chosen = rng.random() < _DISTURBED
    blur, mottle, noise = rng.uniform(0.0, (config.blur, config.mottle_hu, config.noise_hu))
    width = rng.uniform(*_MOTTLE_VOXELS)
    x = normalise_hu(hu.astype(np.float32))
    if not chosen:
        return x
    if config.blur:
        x = expand(ndimage.gaussian_filter(compand(x), blur, mode="nearest"))
    error = np.zeros_like(x)
    if config.mottle_hu:
        smooth = ndimage.gaussian_filter(rng.standard_normal(x.shape, np.float32), width)
        error += mottle / smooth.std() * smooth
    if config.noise_hu:
        error += noise * rng.standard_normal(x.shape, np.float32)
    return x + normalise_hu(error) * (x + 1.0).clip(0.0, 1.0)
