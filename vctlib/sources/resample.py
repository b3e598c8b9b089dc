"""Put a volume onto a cohort's voxels: resampling to a spacing in RAS, and centring the body on a fixed grid."""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from vctlib.errors import InputError

Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]  # first and one past the last voxel along x, y, z


class BodyDoesNotFit(InputError):
    """A body is larger than the grid that it should be put on."""


def spacing_of(affine: np.ndarray) -> np.ndarray:
    """Voxel size (mm) along each array axis."""
    return np.linalg.norm(affine[:3, :3], axis=0)


def _target_frame(shape: Sequence[int], affine: np.ndarray, spacing: np.ndarray) -> tuple[tuple[int, ...], np.ndarray]:
    """Shape and affine of the RAS grid that covers a volume, voxel edges included, and is centred on it."""
    corners = np.array(np.meshgrid(*((-0.5, n - 0.5) for n in shape), indexing="ij")).reshape(3, 8)
    world = affine[:3, :3] @ corners + affine[:3, 3:]
    low, high = world.min(axis=1), world.max(axis=1)
    size = np.maximum(np.ceil((high - low) / spacing - 1e-3), 1).astype(int)  # 1e-3: not a voxel more for rounding
    target = np.diag([*spacing, 1.0])
    target[:3, 3] = (low + high) / 2 - spacing * (size - 1) / 2
    return tuple(int(n) for n in size), target


def resample_to_spacing(
    array: np.ndarray, affine: np.ndarray, spacing_mm: Sequence[float], *, labels: bool, fill: float
) -> tuple[np.ndarray, np.ndarray]:
    """Resample a volume of any orientation, tilted ones included, to RAS voxels of `spacing_mm`.

    Images (float32 out) are interpolated linearly, after smoothing along each axis that becomes coarser, so that a new
    voxel averages what it covers; label maps (same type out) take the nearest voxel. What the volume does not reach
    becomes `fill`. Returns (array, affine).
    """
    spacing = np.asarray(spacing_mm, float)
    if spacing.shape != (3,) or not (spacing > 0).all():
        raise InputError(f"spacing_mm is {spacing_mm}; give three positive numbers in mm")
    shape, target = _target_frame(array.shape, affine, spacing)
    to_source = np.linalg.inv(affine) @ target
    matrix, offset = to_source[:3, :3], to_source[:3, 3]
    if labels:
        out = ndimage.affine_transform(array, matrix, offset, shape, order=0, mode="grid-constant", cval=fill)
        return out, target
    # A Gaussian as wide as the new voxel less the old one's own width; 2.355: full width at half maximum.
    coarser = np.sqrt(np.maximum(np.sum(matrix**2, axis=1) - 1.0, 0.0)) / 2.355
    smooth = np.asarray(array, np.float32)
    if coarser.max() > 0.05:
        smooth = ndimage.gaussian_filter(smooth, coarser, mode="constant", cval=fill)
    out = ndimage.affine_transform(smooth, matrix, offset, shape, order=1, mode="grid-constant", cval=fill)
    return out, target


def box_of(inside: np.ndarray) -> Box:
    """Smallest box around the true voxels of a 3-D mask. Raises InputError for an empty mask."""
    box = []
    for axis in range(3):
        where = np.flatnonzero(inside.any(axis=tuple(other for other in range(3) if other != axis)))
        if not where.size:
            raise InputError("the volume holds no body: every voxel is air")
        box.append((int(where[0]), int(where[-1]) + 1))
    return tuple(box)


def body_mask(hu: np.ndarray, threshold_hu: float = -300.0) -> np.ndarray:
    """The largest connected part of a CT that is denser than `threshold_hu`: the body without table and noise."""
    dense = hu > threshold_hu
    parts, n_parts = ndimage.label(ndimage.binary_opening(dense))
    if n_parts == 0:
        return dense
    largest = 1 + np.argmax(np.bincount(parts.ravel())[1:])
    # The opening also took fingers and ears; they grow back, a table that only touches the body does not.
    return ndimage.binary_dilation(parts == largest, iterations=3, mask=dense)


def fit_to_grid(
    array: np.ndarray, affine: np.ndarray, grid: Sequence[int], box: Box, *, fill: float, allow_cut: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Pad and crop a volume to `grid` voxels so that `box` lies in the middle; the affine moves along.

    Raises BodyDoesNotFit, telling how large a grid is needed, where the box is larger than the grid, unless
    `allow_cut`.
    """
    needed = [high - low for low, high in box]
    if any(n > size for n, size in zip(needed, grid, strict=True)) and not allow_cut:
        raise BodyDoesNotFit(
            f"the body is {' x '.join(map(str, needed))} voxels and the grid {' x '.join(map(str, grid))}; "
            f"choose a larger grid or a coarser spacing"
        )
    starts = [(low + high - size) // 2 for (low, high), size in zip(box, grid, strict=True)]
    out = np.full(tuple(grid), fill, array.dtype)
    source, target = [], []
    for start, size, available in zip(starts, grid, array.shape, strict=True):
        low, high = max(start, 0), min(start + size, available)
        source.append(slice(low, max(low, high)))
        target.append(slice(low - start, max(low, high) - start))
    out[tuple(target)] = array[tuple(source)]
    moved = affine.copy()
    moved[:3, 3] += affine[:3, :3] @ np.array(starts, float)
    return out, moved
