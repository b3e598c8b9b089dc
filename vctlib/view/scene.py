"""What a viewer shows: a volume in RAS+ with its affine, its window, and labels with their colours."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import nibabel
import numpy as np
from matplotlib.colors import to_hex

from vctlib.anatomy import DISPLAY_WINDOW, LabelTable, Window
from vctlib.cohort import Cohort
from vctlib.errors import InputError
from vctlib.plots.style import label_colours

# HU (x, y, z; RAS+); HU and the affine of their file; or a cohort and the id of one of its subjects
Volume = np.ndarray | tuple[np.ndarray, np.ndarray] | tuple[Cohort, str]
Labels = np.ndarray | bool | None
_UNNAMED = mpl.colormaps["tab20"]  # colours of labels that come without their table


@dataclass(frozen=True)
class Scene:
    """`hu` and `labels` (uint8) are (x, y, z) in RAS+, `affine` is in mm, `window` in HU; `table` may be missing."""

    hu: np.ndarray
    affine: np.ndarray
    window: Window
    labels: np.ndarray | None = None
    table: LabelTable | None = None

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        return tuple(float(mm) for mm in nibabel.affines.voxel_sizes(self.affine))

    @property
    def numbers(self) -> list[int]:
        """The labels that are there, without 0."""
        return [] if self.labels is None else [int(number) for number in np.unique(self.labels) if number]

    @property
    def colours(self) -> dict[int, str]:
        """A colour for each of `numbers`: the book's for what the table names, else one that only tells it apart."""
        named = label_colours(self.table) if self.table else {}
        return {number: named.get(number) or to_hex(_UNNAMED((number - 1) % _UNNAMED.N)) for number in self.numbers}

    @property
    def names(self) -> dict[int, str]:
        """A name for each of `numbers`: the table's, else the number itself."""
        return {number: (self.table or {}).get(number, str(number)).replace("_", " ") for number in self.numbers}


def make_scene(
    volume: Volume,
    labels: Labels = None,
    spacing_mm: Sequence[float] | None = None,
    window: Window | None = None,
    table: LabelTable | None = None,
) -> Scene:
    """Settle what `show` was given; its arguments and errors."""
    labels = None if labels is False else labels
    affine, cohort = None, None
    if not isinstance(volume, tuple):
        hu = volume
    elif isinstance(volume[1], str):
        cohort, subject_id = volume
        hu, affine = cohort.ct(subject_id)
        affine = nibabel.affines.from_matvec(np.diag(cohort.info.spacing_mm), affine[:3, 3])
    else:
        hu, affine = volume
    if labels is True:
        if cohort is None:
            raise InputError("labels=True shows a cohort's own label map; give the label map itself with other volumes")
        labels, table = cohort.labels(subject_id), table or cohort.info.labels
    hu = np.asarray(hu)
    if hu.ndim != 3:
        raise InputError(f"a volume has three axes (x, y, z); this one has the shape {hu.shape}")
    if affine is None and spacing_mm is None:
        raise InputError("give spacing_mm, the voxel size (x, y, z) in mm; an array does not know it")
    labels = None if labels is None else _checked(labels, hu)
    if affine is None:
        affine = np.diag([*map(float, spacing_mm), 1.0])
    hu, labels, affine = _in_ras(hu, labels, np.asarray(affine, float))
    return Scene(hu, affine, window or DISPLAY_WINDOW["body"], labels, table)


def _checked(labels: np.ndarray, hu: np.ndarray) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.shape != hu.shape:
        raise InputError(f"the label map {labels.shape} and the volume {hu.shape} must have one shape")
    small = labels.astype(np.uint8)
    if not np.array_equal(small, labels):
        raise InputError("a label map holds whole numbers from 0 to 255; this one holds others")
    return small


def _in_ras(hu: np.ndarray, labels: np.ndarray | None, affine: np.ndarray) -> tuple:
    """Turn the axes of a file towards right, anterior and superior, without resampling."""
    turn = nibabel.orientations.io_orientation(affine)
    affine = affine @ nibabel.orientations.inv_ornt_aff(turn, hu.shape)
    turned = (v if v is None else nibabel.orientations.apply_orientation(v, turn) for v in (hu, labels))
    return *turned, affine
