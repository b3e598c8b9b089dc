"""A grid that goes with the body: people of every size as long and about as wide, so that like lies near like.

Bodies of one grid differ most by their size: two heads lie 20 cm apart. In the frame, the lowest and the highest bone
of everybody lie on the same two slices, the centroid of the axial skeleton in the same column, and the width of voxels
follows the body.
Where the profile has shapes (`vctlib.networks.body_shapes`), everybody is then deformed to one template, and like lies
on like. What the networks learn of bodies they learn there; the numbers that lead back are learned beside, in a
`Placement`, and with them two that a sum of bodies loses.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vctlib.config import Profile
from vctlib.errors import InputError
from vctlib.measure.mask import BODY_THRESHOLD_HU
from vctlib.network_config import BodyFrameConfig
from vctlib.networks.amounts import BONES, bone_hu, fat_share
from vctlib.networks.body_shapes import BodyShapes
from vctlib.networks.resampling import at_points, resample, spline, straight, vote

_AXIAL_BONE = BONES[0]
NUMBERS = 7  # of a placement, beside its shape


class Placement(NamedTuple):
    """Size of a body, its place in mm from the middle of the cohort's grid along its axes, its `amounts`, its shape."""

    length: float  # from the lowest to the highest bone
    girth: float  # root of the body's volume over its length
    x: float  # of the axial skeleton's centroid
    y: float
    z: float  # of the lowest bone
    fat: float  # of its soft tissue, in percent
    bone: float  # its bones' mean, in HU
    shape: tuple[float, ...] = ()  # coefficients of `BodyShapes`, where the profile has them

    @classmethod
    def of(cls, numbers: Sequence[float]) -> "Placement":
        """From what `numbers` gives."""
        return cls(*numbers[:NUMBERS], tuple(numbers[NUMBERS:]))

    @property
    def numbers(self) -> list[float]:
        """All of it in a row (7 + shapes)."""
        return [*self[:NUMBERS], *self.shape]


def placement(profile: Profile, hu: np.ndarray, labels: np.ndarray, shapes: BodyShapes | None = None) -> Placement:
    """Of a CT in HU and its label map in numbers of `PAPER16`, both (x, y, z) on the grid of the profile's cohort.

    With `shapes`, the body is deformed to their template, which takes seconds. Without a frame in the profile, the same
    for everybody. Raises InputError where there is no axial bone, or nothing
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
    found = Placement(float(length), float(np.sqrt(volume / length)), *map(float, where), *amounts)
    return found if shapes is None else found._replace(shape=shapes.coefficients(BodyFrame(profile, found).into(hu)))


class BodyFrame:
    """To and from the frame of one body, by a matrix for each axis; with `shapes`, to and from their template.

    Where the profile has no frame, or the body no placement (part of one, say), both grids are one; where the placement
    has no shape, the body is not deformed. Raises ValueError for a shape without `shapes`.
    """

    def __init__(self, profile: Profile, where: Placement | None, shapes: BodyShapes | None = None):
        self._identity = profile.body_frame is None or where is None
        if self._identity:
            return
        if where.shape and shapes is None:
            raise ValueError("a placement with a shape needs the shapes that it is of")
        self._grid = profile.cohort.grid
        self._shape, self._shapes = where.shape, shapes if where.shape else None
        steps, origins = _axes(profile.body_frame, self._grid, profile.cohort.spacing_mm, where)
        self._steps, self._origins = steps, origins
        axes = list(zip(steps, origins, map(np.arange, self._grid), strict=True))
        self._to = [origin + step * voxels for step, origin, voxels in axes]  # where the frame's voxels lie
        self._back = [(voxels - origin) / step for step, origin, voxels in axes]  # where the grid's lie in the frame

    def into(self, hu: np.ndarray) -> np.ndarray:
        """CT (x, y, z) of the cohort's grid -> the same in the frame, by cubic splines, float32."""
        if self._identity:
            return np.asarray(hu, np.float32)
        volume = torch.from_numpy(np.asarray(hu, np.float32))
        if self._shapes is not None:
            return at_points(volume, self._points_to(), 3).numpy()
        return resample(volume, self._matrices(self._to, 3)).numpy()

    def labels_into(self, labels: np.ndarray) -> np.ndarray:
        """Label map (x, y, z) -> in the frame: at every voxel the number that linear interpolation favours."""
        if self._identity:
            return labels
        return vote(labels, straight(self._to) if self._shapes is None else self._points_to())

    def out_of(self, volume: Tensor, order: int = 3) -> Tensor:
        """Frame -> the cohort's grid: (..., x, y, z), by splines of an `order`: cubic images, linear logits (1)."""
        if self._identity:
            return volume
        if self._shapes is not None:
            return at_points(volume, self._points_back, order)
        return resample(volume, self._matrices(self._back, order))

    def _matrices(self, positions: list[np.ndarray], order: int) -> list[Tensor]:
        return [torch.from_numpy(spline(n, p, order)) for n, p in zip(self._grid, positions, strict=True)]

    def _points_to(self) -> np.ndarray:
        """Where the template's voxels lie in the grid (3, x, y, z)."""
        in_frame = straight(list(map(np.arange, self._grid))) + self._shapes.displacements_at(self._shape)
        return self._origins.reshape(3, 1, 1, 1) + self._steps.reshape(3, 1, 1, 1) * in_frame

    @cached_property
    def _points_back(self) -> np.ndarray:
        """Where the grid's voxels lie in the template (3, x, y, z)."""
        return self._shapes.back_from(self._shape, self._back)


def _axes(config: BodyFrameConfig, grid: Sequence[int], spacing_mm: Sequence[float], where: Placement):
    """Steps of the frame in voxels of the grid, and the grid's position of the frame's first voxel; (3,) each."""
    spacing, middle = np.asarray(spacing_mm, float), (np.array(grid) - 1) / 2
    wide = np.sqrt(where.length / config.mean_length_mm * where.girth / config.mean_girth_mm)
    steps = np.array([wide, wide, where.length / spacing[2] / config.length_voxels])
    anchor = np.array([middle[0], middle[1] + config.y_mm / spacing[1], config.lowest_voxel - 0.5])
    return steps, np.array(where[2:5]) / spacing + middle - steps * anchor
