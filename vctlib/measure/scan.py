"""One body as every measurement sees it: an image, its labels and its geometry, checked and brought to one order."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation
from scipy import ndimage

from vctlib.anatomy import AIR_HU, LabelTable
from vctlib.errors import InputError
from vctlib.measure.mask import body_mask, check_affine


def to_canonical(array: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Permute and flip (x, y, z) to the order nearest to RAS+; returns the view and its affine (mm)."""
    orientation = io_orientation(affine)
    return apply_orientation(array, orientation), affine @ inv_ornt_aff(orientation, array.shape)


@dataclass(frozen=True)
class Scan:
    """A checked body: `hu` and `labels` (x, y, z) in the order nearest to RAS+, label `table`, `affine` (4x4, mm).

    Make one with `Scan.of`. What several measurements need (mask, surface field) is computed once, when asked for.
    """

    hu: np.ndarray
    labels: np.ndarray
    table: LabelTable
    affine: np.ndarray

    @classmethod
    def of(cls, hu: np.ndarray, labels: np.ndarray, table: LabelTable, affine: np.ndarray) -> "Scan":
        """Check and reorient. `hu`: HU, int16 or float (x, y, z); `labels`: integers of `table`, same shape.

        Raises InputError for NaN, a label map of another shape, unknown label numbers, or a singular affine.
        """
        hu, labels, affine = np.asarray(hu), np.asarray(labels), check_affine(affine)
        if hu.ndim != 3 or labels.shape != hu.shape:
            raise InputError(f"label map {labels.shape} and image {hu.shape} must be 3-D and of one shape")
        if hu.dtype.kind == "f" and not np.isfinite(hu).all():
            raise InputError(f"the image holds {int((~np.isfinite(hu)).sum())} voxels that are NaN or infinite")
        if labels.dtype.kind not in "ui" or labels.min() < 0 or labels.max() > 255:
            raise InputError(f"the label map must hold integers from 0 to 255, not {labels.dtype} up to {labels.max()}")
        labels = labels.astype(np.uint8, copy=False)
        unknown = set(np.flatnonzero(np.bincount(labels.ravel(), minlength=256)).tolist()) - {0} - set(table)
        if unknown:
            raise InputError(f"label numbers {sorted(unknown)} are not in the label table ({len(table)} names)")
        hu, canonical_affine = to_canonical(hu, affine)
        return cls(hu, to_canonical(labels, affine)[0], table, canonical_affine)

    @property
    def spacing_mm(self) -> np.ndarray:
        """Voxel size along each array axis (3,), mm."""
        return np.linalg.norm(self.affine[:3, :3], axis=0)

    @property
    def voxel_ml(self) -> float:
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000.0

    @cached_property
    def mask(self) -> np.ndarray:
        """The body mask, boolean (x, y, z)."""
        return body_mask(self.hu, self.affine, self.labels)

    @cached_property
    def surface(self) -> np.ndarray:
        """A field (x, y, z) of 0 outside and 1 inside that crosses 0.5 at the skin, finer than a voxel.

        At the skin it is the partial volume of the image, (HU + 1000) / 1000; other objects and inner air are removed.
        """
        field = np.clip((self.hu.astype(np.float32) - AIR_HU) / 1000.0, 0.0, 1.0)
        field[self.mask & (field <= 0.5)] = 1.0
        field[~self.mask & (field > 0.5)] = 0.0
        return field

    @cached_property
    def boxes(self) -> list[tuple[slice, ...] | None]:
        """The bounding box of each label number, from 1 on."""
        return ndimage.find_objects(self.labels)

    def world(self, indices: np.ndarray) -> np.ndarray:
        """Voxel indices (n, 3) to millimetres in RAS+ (n, 3)."""
        return indices @ self.affine[:3, :3].T + self.affine[:3, 3]

    def numbers(self, name: str) -> list[int]:
        """Label numbers of a structure of this name: one, or none where the table does not have it."""
        return [number for number, named in self.table.items() if named == name]

    def parts(self, name: str, smallest_share: float = 0.1) -> list[np.ndarray]:
        """World positions (n, 3) in mm of the voxels of each connected part of a structure, largest first.

        Parts below `smallest_share` of the largest are stray voxels of a segmenter and are left out.
        """
        for number in self.numbers(name):
            box = self.boxes[number - 1] if number <= len(self.boxes) else None
            if box is None:
                break
            parts, count = ndimage.label(self.labels[box] == number, structure=np.ones((3, 3, 3)))
            sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:]
            corner = np.array([side.start for side in box])
            order = [i for i in np.argsort(-sizes, kind="stable") if sizes[i] >= smallest_share * sizes.max()]
            return [self.world(np.argwhere(parts == 1 + i) + corner) for i in order]
        return []

    def centroid(self, name: str, smallest_share: float = 1.0) -> np.ndarray | None:
        """Centroid (3,) in mm of a structure's largest part, or None where it is absent.

        Parts that have at least `smallest_share` of the largest one's voxels count with it.
        """
        parts = self.parts(name, smallest_share)
        if not parts:
            return None
        return (parts[0] if smallest_share >= 1 else np.concatenate(parts)).mean(axis=0)
