"""Slices along the body: how thick they are, how far apart, and their place on the grid."""

import numpy as np
from scipy import sparse
from scipy.special import ndtr

from vctlib.errors import InputError

FWHM_PER_SD = 2.3548  # of a Gaussian
NEGLIGIBLE = 1e-3  # a voxel that weighs so little beside the heaviest is left out


def slice_matrix(
    n: int, spacing_mm: float, thickness_mm: float, interval_mm: float, *, profile: str = "gaussian"
) -> sparse.csr_array:
    """Matrix (n, n) from voxels along z to what a scan's slices show of them on the same grid; rows sum to one.

    A slice averages the body under its sensitivity profile, a `gaussian` or a `box` of full width at half maximum
    `thickness_mm`. Slices lie `interval_mm` apart from the first voxel's centre on and are interpolated linearly; where
    voxels are larger than the interval, a slice is laid on each voxel's centre. Raises InputError for sizes that are
    not positive.
    """
    if not (spacing_mm > 0 and thickness_mm > 0 and interval_mm > 0):
        raise InputError(f"slices need positive mm, not {spacing_mm:g}, {thickness_mm:g} and {interval_mm:g}")
    voxels = np.arange(n) * spacing_mm
    apart = interval_mm if interval_mm > spacing_mm else spacing_mm
    slices = np.arange(0.0, voxels[-1] + apart - 1e-6, apart)
    edges = (np.arange(n + 1) - 0.5) * spacing_mm - slices[:, None]
    left = (
        ndtr(edges / (thickness_mm / FWHM_PER_SD))
        if profile == "gaussian"
        else np.clip(edges / thickness_mm + 0.5, 0, 1)
    )
    weights = np.diff(left, axis=1)
    weights[:, [0, -1]] += np.stack([left[:, 0], 1 - left[:, -1]], axis=1)  # beyond the volume it goes on as at its end
    position = voxels / apart
    low = np.minimum(position.astype(int), slices.size - 1)
    high = np.minimum(low + 1, slices.size - 1)
    share = (position - low)[:, None]
    dense = (1 - share) * weights[low] + share * weights[high]
    dense[dense < NEGLIGIBLE * dense.max(axis=1, keepdims=True)] = 0
    return sparse.csr_array(dense / dense.sum(axis=1, keepdims=True))


def through_slices(image: np.ndarray, matrix: sparse.csr_array) -> np.ndarray:
    """Apply a slice matrix along z of an image (x, y, z); float32.

    Reconstruction is linear, so that the noise of neighbouring slices is mixed, and weakened, as in thick slices.
    """
    if matrix.nnz == matrix.shape[0]:
        return image
    columns = np.ascontiguousarray(image.reshape(-1, image.shape[2]).T)
    return np.ascontiguousarray((matrix.astype(np.float32) @ columns).T).reshape(image.shape)
