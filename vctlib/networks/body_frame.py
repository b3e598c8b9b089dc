"""A grid that goes with the body: people of every size as long and about as wide, so that like lies on like.

Bodies of one grid differ most by their size: two heads lie 20 cm apart. In the frame, the lowest and the highest bone
of everybody lie on the same two slices, the centroid of the axial skeleton in the same column, and the width of voxels
follows the body.
What the networks learn of bodies they learn there; the five numbers that lead back are learned beside, in a
`Placement`, and with them two that a sum of bodies loses.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.interpolate import make_interp_spline
from torch import Tensor

from vctlib.config import Profile
from vctlib.errors import InputError
from vctlib.measure.mask import BODY_THRESHOLD_HU
from vctlib.network_config import BodyFrameConfig
from vctlib.networks.amounts import BONES, bone_hu, fat_share

_AXIAL_BONE = BONES[0]
_MARGIN = 8  # voxels that an edge is continued by for the spline


class Placement(NamedTuple):
    """Size of a body, its place in mm from the middle of the cohort's grid along its axes, and its `amounts`."""

    length: float  # from the lowest to the highest bone
    girth: float  # root of the body's volume over its length
    x: float  # of the axial skeleton's centroid
    y: float
    z: float  # of the lowest bone
    fat: float  # of its soft tissue, in percent
    bone: float  # its bones' mean, in HU


def placement(profile: Profile, hu: np.ndarray, labels: np.ndarray) -> Placement:
    """Of a CT in HU and its label map in numbers of `PAPER16`, both (x, y, z) on the grid of the profile's cohort.

    Without a frame in the profile, the same for everybody. Raises InputError where there is no axial bone, or nothing
    but what is labelled.
    """
    if profile.body_frame is None:
        return Placement(1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    if not (labels == _AXIAL_BONE).any():
        raise InputError("the label map holds no axial bone, by which bodies are aligned")
    slices = np.flatnonzero(np.isin(labels, BONES).any((0, 1)))
    spacing, middle = np.array(profile.cohort.spacing_mm), (np.array(hu.shape) - 1) / 2
    lowest, highest = slices[0], slices[-1]
    length = (highest - lowest + 1) * spacing[2]
    volume = np.count_nonzero(hu > BODY_THRESHOLD_HU) * spacing.prod()
    columns = np.argwhere(labels == _AXIAL_BONE)[:, :2].mean(0)
    where = (np.append(columns, lowest - 0.5) - middle) * spacing
    amounts = fat_share(hu, labels), bone_hu(hu, labels)
    if np.isnan(amounts[0]):
        raise InputError("beside what is labelled the image holds neither fat nor muscle; is it in Hounsfield units?")
    return Placement(float(length), float(np.sqrt(volume / length)), *map(float, where), *amounts)


class BodyFrame:
    """To and from the frame of one body, by a matrix for each axis.

    Where the profile has no frame, or the body no placement (part of one, say), both grids are one.
    """

    def __init__(self, profile: Profile, where: Placement | None):
        self._identity = profile.body_frame is None or where is None
        if self._identity:
            return
        self._grid = profile.cohort.grid
        steps, origins = _axes(profile.body_frame, self._grid, profile.cohort.spacing_mm, where)
        axes = list(zip(steps, origins, map(np.arange, self._grid), strict=True))
        self._to = [origin + step * voxels for step, origin, voxels in axes]  # where the frame's voxels lie
        self._back = [(voxels - origin) / step for step, origin, voxels in axes]  # where the grid's lie in the frame

    def into(self, hu: np.ndarray) -> np.ndarray:
        """CT (x, y, z) of the cohort's grid -> the same in the frame, by cubic splines, float32."""
        if self._identity:
            return np.asarray(hu, np.float32)
        return _resample(torch.from_numpy(np.asarray(hu, np.float32)), self._matrices(self._to, 3)).numpy()

    def labels_into(self, labels: np.ndarray) -> np.ndarray:
        """Label map (x, y, z) -> in the frame: at every voxel the number that linear interpolation favours."""
        return labels if self._identity else _vote(labels, self._to)

    def out_of(self, volume: Tensor, order: int = 3) -> Tensor:
        """Frame -> the cohort's grid: (..., x, y, z), by splines of an `order`: cubic images, linear logits (1)."""
        return volume if self._identity else _resample(volume, self._matrices(self._back, order))

    def _matrices(self, positions: list[np.ndarray], order: int) -> list[Tensor]:
        return [torch.from_numpy(_spline(n, p, order)) for n, p in zip(self._grid, positions, strict=True)]


def _axes(config: BodyFrameConfig, grid: Sequence[int], spacing_mm: Sequence[float], where: Placement):
    """Steps of the frame in voxels of the grid, and the grid's position of the frame's first voxel; (3,) each."""
    spacing, middle = np.asarray(spacing_mm, float), (np.array(grid) - 1) / 2
    wide = np.sqrt(where.length / config.mean_length_mm * where.girth / config.mean_girth_mm)
    steps = np.array([wide, wide, where.length / spacing[2] / config.length_voxels])
    anchor = np.array([middle[0], middle[1] + config.y_mm / spacing[1], config.lowest_voxel - 0.5])
    return steps, np.array(where[2:5]) / spacing + middle - steps * anchor


def _spline(size: int, positions: np.ndarray, order: int) -> np.ndarray:
    """(positions, size): values of the interpolating spline through `size` samples; 0 beyond them."""
    samples = np.arange(-_MARGIN, size + _MARGIN)
    spline = make_interp_spline(samples, np.eye(size)[samples.clip(0, size - 1)], k=order)
    return (_inside(size, positions)[:, None] * spline(positions.clip(-0.5, size - 0.5))).astype(np.float32)


def _resample(volume: Tensor, matrices: Sequence[Tensor]) -> Tensor:
    """(..., x, y, z) by one matrix (new, old) an axis, in float32; beyond the volume there is what its corner shows."""
    with torch.autocast(volume.device.type, enabled=False):
        outside = volume[..., :1, :1, :1].float()
        out = volume.float() - outside
        for axis, matrix in zip((-3, -2, -1), matrices, strict=True):
            out = torch.tensordot(out, matrix.to(out.device), dims=([axis], [1])).movedim(-1, axis)
    return (out + outside).contiguous()


def _vote(labels: np.ndarray, positions: Sequence[np.ndarray]) -> np.ndarray:
    """Linear interpolation of every class, and the largest; most voxels have but one class about them. Beyond the
    volume there is background (0), as there is air beyond an image that ends in the body."""
    low, part = [], []
    for axis, points in enumerate(positions):
        inside = points.clip(0, labels.shape[axis] - 1)
        low.append(np.minimum(inside.astype(int), labels.shape[axis] - 2))
        part.append(inside - low[-1])
    corners = np.array(np.meshgrid(*[[0, 1]] * 3, indexing="ij")).reshape(3, -1).T
    near = [labels[np.ix_(*(lo + c for lo, c in zip(low, corner, strict=True)))] for corner in corners]
    found = near[0].copy()
    mixed = np.nonzero(np.any([other != found for other in near[1:]], axis=0))
    votes = np.zeros((len(mixed[0]), int(labels.max()) + 1), np.float32)
    for corner, numbers in zip(corners, near, strict=True):
        weight = np.ones(len(mixed[0]), np.float32)
        for axis in range(3):
            share = part[axis][mixed[axis]]
            weight *= share if corner[axis] else 1 - share
        votes[np.arange(len(votes)), numbers[mixed]] += weight
    found[mixed] = votes.argmax(1)
    for axis, points in enumerate(positions):
        np.moveaxis(found, axis, 0)[~_inside(labels.shape[axis], points)] = 0
    return found


def _inside(size: int, positions: np.ndarray) -> np.ndarray:
    return (positions > -0.5) & (positions < size - 0.5)
