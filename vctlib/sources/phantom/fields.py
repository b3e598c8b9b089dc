"""Fields over a body: smooth noise on a lattice, and how deep under the skin every voxel lies."""

from functools import lru_cache

import numpy as np
import scipy.ndimage as ndi

NOISE_TILE = (40, 40, 56)  # lattice points after which a noise field repeats


def noise_tile(rng: np.random.Generator) -> np.ndarray:
    """A periodic random field of unit variance, `NOISE_TILE` lattice points."""
    field = rng.standard_normal(NOISE_TILE, dtype=np.float32)
    sideways, backwards, upwards = (_smoothing(n) for n in NOISE_TILE)
    field = backwards @ (sideways @ field.reshape(len(sideways), -1)).reshape(NOISE_TILE) @ upwards
    return field / field.std()


@lru_cache(maxsize=4)
def _smoothing(n: int) -> np.ndarray:
    """The matrix (n, n) that smoothes n lattice points, the last one before the first: quicker than a filter here."""
    return ndi.gaussian_filter1d(np.eye(n, dtype=np.float32), 1.5, axis=0, mode="wrap")


def skin_depth(coverage: np.ndarray, spacing: float, index: np.ndarray) -> np.ndarray:
    """Depth (n,) in mm of the centres of voxels (n, 3) under the skin, which cuts surface voxels by their share."""
    first = np.maximum(index.min(0) - 1, 0)  # the grid's margins of air take a third of it
    coverage = coverage[tuple(slice(low, high) for low, high in zip(first, index.max(0) + 2, strict=True))]
    coverage, index = np.ascontiguousarray(coverage), (index - first).T
    nearest = ndi.distance_transform_edt(coverage > 0.98, return_distances=False, return_indices=True)
    nearest = nearest.reshape(3, -1)[:, np.ravel_multi_index(tuple(index), coverage.shape)]
    away = np.sqrt(sum(np.square(there - here, dtype=np.float32) for there, here in zip(nearest, index, strict=True)))
    return (away + coverage[tuple(nearest)] - 0.5) * np.float32(spacing)
