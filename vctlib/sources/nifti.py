"""A folder of CTs and label maps with a table of people, as a cohort."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
from tqdm.std import tqdm

from vctlib import __version__
from vctlib.anatomy import AIR_HU, HU_RANGE, TOTAL, LabelTable
from vctlib.attributes import Attributes
from vctlib.cohort import Cohort, CohortInfo, CohortWriter, check_subject_id
from vctlib.errors import InputError
from vctlib.sources.resample import body_mask, box_of, fit_to_grid, resample_to_spacing
from vctlib.sources.split import assign_split

COLUMNS = ("subject_id", "sex", "age_years", "height_cm", "weight_kg")
SUFFIXES = (".nii.gz", ".nii")
# The darkest voxel of a CT in Hounsfield units is air, near -1000; without a rescale intercept it is 0 or more.
DARKEST_PLAUSIBLE_HU = -300.0


@dataclass(frozen=True)
class _Subject:
    subject_id: str
    row: dict
    ct: Path
    labels: Path | None


def read_people(path: Path | str, test_fraction: float) -> pd.DataFrame:
    """Read and check a table of people (CSV). Further columns are kept; `split` is added where it is missing.

    Raises InputError for a missing file or column, repeated or unsafe ids, and values that are no attributes.
    """
    path = Path(path)
    try:
        people = pd.read_csv(path, dtype={"subject_id": str}, keep_default_na=True)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; give a CSV with the columns {', '.join(COLUMNS)}") from None
    except (ValueError, OSError) as error:
        raise InputError(f"{path}: not a readable CSV ({' '.join(str(error).split())[:120]})") from None
    missing = [name for name in COLUMNS if name not in people]
    if missing:
        raise InputError(f"{path}: missing column {', '.join(missing)}; needed are {', '.join(COLUMNS)}")
    if people.empty:
        raise InputError(f"{path}: the table has no rows")
    for line, row in enumerate(people.to_dict("records"), start=2):
        try:
            check_subject_id(row["subject_id"] if isinstance(row["subject_id"], str) else "")
            Attributes.from_row(row)
        except ValueError as error:
            raise InputError(f"{path}, line {line}: {error}") from None
    repeated = people["subject_id"][people["subject_id"].str.lower().duplicated()]
    if len(repeated):
        raise InputError(f"{path}: subject {repeated.iloc[0]!r} stands twice; ids must differ by more than case")
    if "split" not in people:
        people["split"] = assign_split(len(people), test_fraction)
    elif not people["split"].isin(["train", "test"]).all():
        raise InputError(f"{path}: the column 'split' must say train or test in every row; or leave the column out")
    return people


def _find(folder: Path, subject_id: str) -> Path:
    for suffix in SUFFIXES:
        if (folder / (subject_id + suffix)).is_file():
            return folder / (subject_id + suffix)
    missing = folder / (subject_id + SUFFIXES[0])
    raise InputError(f"{missing}: no such file; add it or take {subject_id} out of the table of people")


def _load(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Voxels and affine, axes turned to the nearest of RAS. Raises InputError for anything that is no 3-D NIfTI."""
    try:
        image = nibabel.load(path)
        placed = int(image.header["qform_code"]) > 0 or int(image.header["sform_code"]) > 0
        array = np.asanyarray(nibabel.as_closest_canonical(image).dataobj) if image.ndim == 3 else None
        affine = nibabel.as_closest_canonical(image).affine if image.ndim == 3 else None
    except Exception as error:  # nibabel, gzip and zlib raise a dozen kinds for damaged files
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputError(f"{path}: not a readable NIfTI ({reason}); export it again") from None
    if array is None:
        raise InputError(f"{path}: {image.ndim}-dimensional; give one 3-D volume a file")
    if not placed:
        raise InputError(f"{path}: neither qform nor sform is set, so left and right are unknown; export it with one")
    if array.size == 0 or abs(np.linalg.det(affine)) < 1e-9 or not np.isfinite(affine).all():
        raise InputError(f"{path}: the volume is empty or its affine is singular; export it again")
    if not np.isfinite(array).all():
        raise InputError(f"{path}: holds NaN or infinite voxels; replace them by -1000 (air) or leave the file out")
    return array, affine


def _load_ct(subject: _Subject) -> tuple[np.ndarray, np.ndarray]:
    hu, affine = _load(subject.ct)
    if hu.min() > DARKEST_PLAUSIBLE_HU:
        raise InputError(
            f"{subject.ct}: the darkest voxel is {hu.min():g}, but air is -1000 in Hounsfield units; "
            f"apply the rescale slope and intercept"
        )
    return hu, affine


def _load_labels(subject: _Subject, shape: tuple, affine: np.ndarray, table: LabelTable) -> np.ndarray:
    labels, labels_affine = _load(subject.labels)
    if labels.shape != shape or not np.allclose(labels_affine, affine, atol=1e-2):
        raise InputError(
            f"{subject.labels}: {labels.shape} voxels, but its CT has {shape}, or the two affines differ; "
            f"resample the label map onto the CT"
        )
    unknown = [float(number) for number in np.unique(labels) if number != 0 and number not in table]
    if unknown:
        raise InputError(f"{subject.labels}: label {unknown[0]:g} is not in the label table; give its label_table")
    return labels.astype(np.uint8)


def _convert(
    subject: _Subject, table: LabelTable, spacing_mm: Sequence[float], grid: Sequence[int], allow_cut: bool
) -> tuple[dict, np.ndarray, np.ndarray | None, np.ndarray]:
    """Row, HU, labels and affine of a subject on the cohort's grid."""
    hu, affine = _load_ct(subject)
    labels = None if subject.labels is None else _load_labels(subject, hu.shape, affine, table)
    clipped = np.clip(hu, HU_RANGE.low, HU_RANGE.high)
    resampled, frame = resample_to_spacing(clipped, affine, spacing_mm, labels=False, fill=AIR_HU)
    body = body_mask(resampled)
    if labels is not None:
        labels, _ = resample_to_spacing(labels, affine, spacing_mm, labels=True, fill=0)
        body |= labels > 0
    try:
        box = box_of(body)
        image, placed = fit_to_grid(resampled, frame, grid, box, fill=AIR_HU, allow_cut=allow_cut)
    except InputError as error:
        raise InputError(f"{subject.ct}: {error}") from None
    if labels is not None:
        labels, _ = fit_to_grid(labels, frame, grid, box, fill=0, allow_cut=allow_cut)
    cut = any(high - low > size for (low, high), size in zip(box, grid, strict=True))
    row = {name: None if value != value else value for name, value in subject.row.items()}
    return row | ({"body_cut": cut} if allow_cut else {}), image, labels, placed


def import_nifti_cohort(
    ct_dir: Path | str,
    people_csv: Path | str,
    out: Path | str,
    *,
    label_dir: Path | str | None = None,
    label_table: LabelTable = TOTAL,
    spacing_mm: float | Sequence[float],
    grid: Sequence[int],
    name: str = "imported",
    test_fraction: float = 0.25,
    allow_cut: bool = False,
) -> Cohort:
    """Make a cohort of `ct_dir/<subject_id>.nii.gz` (or .nii), `label_dir` likewise, and a CSV of people.

    CTs are in Hounsfield units, in any orientation; they are resampled to `spacing_mm` in RAS and the body is centred
    on `grid` voxels. Columns of the CSV are carried over. Every file is read and checked before the first is written;
    where one is wrong an InputError names it in one line. A body larger than the grid is an error too, or with
    `allow_cut` it is cut and marked in the column `body_cut`. After an error a folder that was not there before is
    taken away again; after a kill the same call goes on where it stopped.
    """
    ct_dir, out = Path(ct_dir), Path(out)
    spacing = tuple(float(s) for s in np.broadcast_to(spacing_mm, 3))
    people = read_people(people_csv, test_fraction)
    subjects = []
    for row in people.to_dict("records"):
        subject_id = row.pop("subject_id")
        labels = None if label_dir is None else _find(Path(label_dir), subject_id)
        subjects.append(_Subject(subject_id, row, _find(ct_dir, subject_id), labels))
    for subject in tqdm(subjects, desc="checking", unit="CT"):
        hu, affine = _load_ct(subject)
        if subject.labels is not None:
            _load_labels(subject, hu.shape, affine, label_table)

    new = not out.exists()
    info = CohortInfo(
        name=name,
        kind="reference",
        spacing_mm=spacing,
        grid=tuple(int(n) for n in grid),
        labels=None if label_dir is None else dict(label_table),
        source="nifti",
        code_version=__version__,
        seed=0,
    )
    writer = CohortWriter(out, info)
    try:
        for subject in tqdm(subjects, desc=f"making {name}", unit="CT"):
            if not writer.done(subject.subject_id):
                row, hu, labels, affine = _convert(subject, label_table, spacing, info.grid, allow_cut)
                writer.add(subject.subject_id, row, hu, labels, affine)
        return writer.finish(subject.subject_id for subject in subjects)
    except InputError:
        if new:
            shutil.rmtree(out)
        raise
