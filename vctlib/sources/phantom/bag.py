"""A body bag: a thin sheet that lies loosely round the body and on the table.

All numbers are choices: no source gives a bag's thickness or drape. The label map stays 0 there.
"""

import numpy as np
from scipy import ndimage

from vctlib.anatomy import AIR_HU
from vctlib.sources.phantom.table import surface_mm

SHEET_MM = 0.3
SHEET_HU = 100.0  # of the plastic itself; in a voxel it is diluted by air: -670 at 1 mm, -959 at 8 mm
BRIDGED_MM = 200.0  # gaps between limbs up to twice as wide are spanned
LOOSE_MM, LOOSE_SD_MM = 25.0, 8.0  # distance from the body
WRINKLE_MM = 120.0  # size of its waves and folds
MOST_LAYERS = 3.0  # where it is folded
COARSE_MM = 16.0  # the drape is found on voxels so large


def _waves(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """A smooth random field of mean 0 and standard deviation 1 on the coarse grid."""
    field = ndimage.gaussian_filter(rng.standard_normal(shape), WRINKLE_MM / COARSE_MM / 2, mode="wrap")
    return field / field.std()


def _outside_mm(body: np.ndarray, mm: float) -> np.ndarray:
    """Distance (mm, negative inside) from a body whose narrow gaps are bridged, on voxels of `mm`."""
    reach = int(np.ceil(BRIDGED_MM / mm)) + 1
    padded = np.pad(body, reach)
    bridged = ndimage.distance_transform_edt(~padded, sampling=mm) <= BRIDGED_MM
    bridged = ndimage.distance_transform_edt(bridged, sampling=mm) > BRIDGED_MM
    bridged |= padded
    distance = ndimage.distance_transform_edt(~bridged, sampling=mm) - ndimage.distance_transform_edt(
        bridged, sampling=mm
    )
    return ndimage.gaussian_filter(distance, 1.0)[(slice(reach, -reach),) * 3]


def add_bag(hu: np.ndarray, body: np.ndarray, spacing_mm: float, seed: int, offset_x_mm: float = 0.0) -> np.ndarray:
    """A body (x, y, z in RAS+; Hounsfield units) in a bag; float32. `body`: boolean, what the bag goes round.

    The sheet never enters the body, hangs down at its sides and lies on the table's surface below. A voxel gets the
    plastic's share of its volume. The same seed gives the same drape.
    """
    rng = np.random.default_rng(seed)
    block = max(1, round(COARSE_MM / spacing_mm))
    padded = np.pad(body, [(0, -n % block) for n in body.shape])
    blocks = padded.reshape([m for n in padded.shape for m in (n // block, block)]).any(axis=(1, 3, 5))
    blocks = np.logical_or.accumulate(blocks[:, ::-1], axis=1)[:, ::-1]  # its sides hang down to the table
    loose = np.maximum(LOOSE_MM + LOOSE_SD_MM * _waves(blocks.shape, rng), LOOSE_MM / 4)
    drape = _outside_mm(blocks, block * spacing_mm) - loose
    layers = 1 + np.clip(2 * _waves(blocks.shape, rng) - 2, 0, MOST_LAYERS - 1)
    # from blocks to voxels: a block's centre lies (block - 1) / 2 voxels behind its first
    to_block = np.full(3, 1 / block)
    shift = -(block - 1) / 2 / block

    def fine(field: np.ndarray) -> np.ndarray:
        return ndimage.affine_transform(
            field.astype(np.float32), to_block, shift, output_shape=body.shape, order=1, mode="nearest"
        )

    y = ((np.arange(body.shape[1]) + 0.5) * spacing_mm).astype(np.float32)
    above_table = surface_mm(body, spacing_mm, offset_x_mm).astype(np.float32)[:, None] - y  # negative above it
    distance = np.maximum(fine(drape), above_table[:, :, None])
    film = np.clip(1 - np.abs(distance) / spacing_mm, 0, None) * fine(layers)
    film[body] = 0
    return np.asarray(hu, np.float32) + film * np.float32(SHEET_MM / spacing_mm * (SHEET_HU - AIR_HU))
