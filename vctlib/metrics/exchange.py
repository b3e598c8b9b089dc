"""A CT and its reconstruction with parts of one put into the other: which part does a model read?

If a model errs otherwise on reconstructions, the part that brings the error into the CT is enough for it, and the part
that takes it out of the reconstruction is needed for it.
"""

from collections.abc import Iterator

import numpy as np
from scipy.ndimage import binary_erosion

from vctlib.measure.mask import body_mask

PARTS = ("surface", "bone", "gas", "fat", "soft tissue")
CT, RECONSTRUCTION = "CT", "reconstruction"
_DEPTH = 2  # voxels below the skin that still count as surface
_BONE_HU, _GAS_HU, _FAT_HU = 150.0, -200.0, -30.0  # from where on, up to where


def body_parts(ct: np.ndarray, reconstruction: np.ndarray, affine: np.ndarray) -> dict[str, np.ndarray]:
    """Where each of the `PARTS` lies, boolean (x, y, z) in the order of the names; every voxel is in one of them.

    Both volumes in HU, (x, y, z), of the same grid; `affine` 4x4, mm. The surface is all that lies at most two
    voxels deep in one of the two bodies, and all beyond. Below it, bone and gas are where one of the two has them, fat
    is where the CT has it, and soft tissue is what is left. Raises InputError where one of the two shows no body.
    """
    inside = body_mask(ct, affine) & body_mask(reconstruction, affine)
    parts = {"surface": ~binary_erosion(inside, iterations=_DEPTH)}
    for name, found in (
        ("bone", np.maximum(ct, reconstruction) >= _BONE_HU),
        ("gas", np.minimum(ct, reconstruction) < _GAS_HU),
        ("fat", ct < _FAT_HU),
        ("soft tissue", np.ones(ct.shape, bool)),
    ):
        parts[name] = found & ~np.logical_or.reduce(list(parts.values()))
    return parts


def picture_names() -> dict[str, str]:
    """Every picture that `exchanged` makes and the one that it was made from; the CT is its own."""
    mixed = {f"{RECONSTRUCTION}, {part} of the {CT}": RECONSTRUCTION for part in PARTS}
    return {CT: CT, RECONSTRUCTION: CT} | mixed | {f"{CT}, {part} of the {RECONSTRUCTION}": CT for part in PARTS}


def exchanged(ct: np.ndarray, reconstruction: np.ndarray, affine: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Names of pictures, as `picture_names` has them, and their HU (x, y, z): both as they are, and with each part of
    the one put into the other. Arguments and errors as of `body_parts`."""
    parts = body_parts(ct, reconstruction, affine).values()
    volumes = [ct, reconstruction]
    volumes += [np.where(part, ct, reconstruction) for part in parts]
    volumes += [np.where(part, reconstruction, ct) for part in parts]
    yield from zip(picture_names(), volumes, strict=True)
