"""Volumes on other grids: by a matrix for each axis where axes stay straight, at any points where they do not.

Beyond a volume there is what its corner shows, air; beyond a label map there is background.
"""

from collections.abc import Sequence

import numpy as np
import torch
from scipy.interpolate import make_interp_spline
from scipy.ndimage import map_coordinates
from torch import Tensor
from torch.nn import functional as F

_MARGIN = 8  # voxels that an edge is continued by for the spline


def spline(size: int, positions: np.ndarray, order: int) -> np.ndarray:
    """(positions, size): values of the interpolating spline through `size` samples; 0 beyond them."""
    samples = np.arange(-_MARGIN, size + _MARGIN)
    values = make_interp_spline(samples, np.eye(size)[samples.clip(0, size - 1)], k=order)
    return (inside(size, positions)[:, None] * values(positions.clip(-0.5, size - 0.5))).astype(np.float32)


def inside(size: int, positions: np.ndarray) -> np.ndarray:
    """Which positions lie within an axis of `size` voxels."""
    return (positions > -0.5) & (positions < size - 0.5)


def resample(volume: Tensor, matrices: Sequence[Tensor]) -> Tensor:
    """(..., x, y, z) by one matrix (new, old) an axis, in float32."""
    with torch.autocast(volume.device.type, enabled=False):
        outside = volume[..., :1, :1, :1].float()
        out = volume.float() - outside
        for axis, matrix in zip((-3, -2, -1), matrices, strict=True):
            out = torch.tensordot(out, matrix.to(out.device), dims=([axis], [1])).movedim(-1, axis)
    return (out + outside).contiguous()


def at_points(volume: Tensor, points: np.ndarray, order: int) -> Tensor:
    """Values of (..., x, y, z) at points (3, x', y', z') in voxels -> (..., x', y', z'), in float32; `order` 1 or 3."""
    if order == 1:
        return _linear(volume.float(), points)
    own = volume.float().cpu().numpy()
    flat = own.reshape(-1, *own.shape[-3:])
    found = [map_coordinates(one, points, order=order, mode="grid-constant", cval=one[0, 0, 0]) for one in flat]
    return torch.from_numpy(np.stack(found).reshape(*own.shape[:-3], *points.shape[1:])).to(volume.device)


def vote(labels: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Linear interpolation of every class of a label map (x, y, z) at points (3, x', y', z') in voxels, and the
    largest; most points have but one class about them."""
    low, part, known = [], [], True
    for size, along in zip(labels.shape, points, strict=True):
        within = along.clip(0, size - 1)
        low.append(np.minimum(within.astype(int), size - 2))
        part.append(within - low[-1])
        known = known & inside(size, along)
    corners = np.array(np.meshgrid(*[[0, 1]] * 3, indexing="ij")).reshape(3, -1).T
    near = [labels[tuple(lo + c for lo, c in zip(low, corner, strict=True))] for corner in corners]
    found = near[0].copy()
    mixed = np.nonzero(np.any([other != found for other in near[1:]], axis=0))
    votes = np.zeros((len(mixed[0]), int(labels.max()) + 1), np.float32)
    for corner, numbers in zip(corners, near, strict=True):
        weight = np.ones(len(mixed[0]), np.float32)
        for axis in range(3):
            share = part[axis][mixed]
            weight *= share if corner[axis] else 1 - share
        votes[np.arange(len(votes)), numbers[mixed]] += weight
    found[mixed] = votes.argmax(1)
    return np.where(known, found, 0).astype(labels.dtype)


def straight(positions: Sequence[np.ndarray]) -> np.ndarray:
    """Positions along each axis -> the points of their grid (3, x, y, z)."""
    return np.stack(np.meshgrid(*positions, indexing="ij"))


def _linear(volume: Tensor, points: np.ndarray) -> Tensor:
    sizes = np.array(volume.shape[-3:]).reshape(3, 1, 1, 1)
    scaled = torch.from_numpy((2 * points / (sizes - 1) - 1).astype(np.float32)).to(volume.device)
    grid = scaled.flip(0).movedim(0, -1)[None]  # grid_sample counts axes from the last
    with torch.autocast(volume.device.type, enabled=False):
        outside = volume[..., :1, :1, :1]
        flat = (volume - outside).reshape(1, -1, *volume.shape[-3:])
        found = F.grid_sample(flat, grid, align_corners=True)  # beyond: 0
    return found.reshape(*volume.shape[:-3], *points.shape[1:]) + outside
