"""A cohort: a folder of full-body CTs with label maps and a table of people.

cohort.json         what it is; written last, so a half-written folder is never taken for a cohort
subjects.csv        one row a subject
ct/<id>.nii.gz      int16 Hounsfield units, RAS+
labels/<id>.nii.gz  uint8, numbers of the label table in cohort.json
rows/<id>.json      a subject's row while the cohort is being made
"""

import gzip
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import nibabel
import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from vctlib.anatomy import HU_RANGE
from vctlib.attributes import SEX
from vctlib.errors import InputError
from vctlib.files import write_text, written_whole

SCHEMA_VERSION = 1
REQUIRED_COLUMNS = ("sex", "age_years", "height_cm", "weight_kg", "split")
_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class CohortInfo(BaseModel):
    model_config = ConfigDict(extra="forbid")
    schema_version: Literal[1] = SCHEMA_VERSION
    name: str
    kind: Literal["reference", "reconstructed", "synthetic"]
    spacing_mm: tuple[float, float, float]
    grid: tuple[int, int, int]
    labels: dict[int, str] | None  # label number -> name; None: no label maps
    source: str
    code_version: str
    seed: int


def check_subject_id(subject_id: str) -> str:
    """Return the id, or raise InputError where it could not be a plain file name."""
    if not _SAFE_ID.fullmatch(subject_id):
        raise InputError(f"subject id {subject_id!r}: use letters, digits, dot, dash and underscore only")
    return subject_id


def write_volume(path: Path, array: np.ndarray, affine: np.ndarray) -> None:
    """Write a NIfTI whole; the same array gives the same bytes (no time stamp in the gzip header)."""
    image = nibabel.Nifti1Image(array, affine)
    image.header.set_xyzt_units("mm")
    with (
        written_whole(path) as temporary,
        open(temporary, "wb") as raw,
        gzip.GzipFile("", "wb", compresslevel=1, fileobj=raw, mtime=0) as packed,
    ):
        packed.write(image.to_bytes())


def read_volume(path: Path, dtype: type) -> tuple[np.ndarray, np.ndarray]:
    """Read a NIfTI as (array, affine). Raises InputError for a file that is absent, damaged or not 3-D."""
    try:
        image = nibabel.load(path)
        array = np.asanyarray(image.dataobj)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; make the cohort again, it will fill in what is missing") from None
    except (nibabel.filebasedimages.ImageFileError, OSError, EOFError, ValueError, gzip.zlib.error) as error:
        raise InputError(f"{path}: not a readable NIfTI ({error}); delete it and make the cohort again") from None
    if array.ndim != 3:
        raise InputError(f"{path}: expected a 3-D volume, found {array.ndim} dimensions")
    if not np.isfinite(array).all():
        raise InputError(f"{path}: the volume holds NaN or infinite voxels")
    return array.astype(dtype, copy=False), image.affine


class Cohort:
    """A finished cohort on disk. Volumes are read when asked for."""

    def __init__(self, path: Path, info: CohortInfo, table: pd.DataFrame) -> None:
        self.path, self.info, self.table = path, info, table

    @classmethod
    def open(cls, path: Path | str) -> "Cohort":
        """Open a folder. Raises InputError where it is no whole cohort."""
        path = Path(path)
        try:
            info = CohortInfo.model_validate_json((path / "cohort.json").read_text())
            table = pd.read_csv(path / "subjects.csv", dtype={"subject_id": str}).set_index("subject_id")
        except FileNotFoundError:
            raise InputError(
                f"{path}: no finished cohort here; the notebook that makes it, or vct synthesize, ends with one"
            ) from None
        except (ValidationError, ValueError, KeyError) as error:
            raise InputError(f"{path}: damaged cohort ({' '.join(str(error).split())[:200]})") from None
        check_table(table, path / "subjects.csv")
        return cls(path, info, table)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def subjects(self) -> list[str]:
        return list(self.table.index)

    @property
    def has_labels(self) -> bool:
        return self.info.labels is not None

    def ct(self, subject_id: str) -> tuple[np.ndarray, np.ndarray]:
        """Hounsfield units (int16, x y z) and the affine (4x4, mm)."""
        return self._volume("ct", subject_id, np.int16)

    def labels(self, subject_id: str) -> np.ndarray:
        """Label map (uint8, x y z)."""
        if not self.has_labels:
            raise InputError(f"{self.path}: this cohort has no label maps")
        return self._volume("labels", subject_id, np.uint8)[0]

    def _volume(self, kind: str, subject_id: str, dtype: type) -> tuple[np.ndarray, np.ndarray]:
        if subject_id not in self.table.index:
            raise InputError(f"{self.path}: no subject {subject_id!r}")
        path = self.path / kind / f"{subject_id}.nii.gz"
        array, affine = read_volume(path, dtype)
        if array.shape != self.info.grid:
            raise InputError(f"{path}: shape {array.shape}, but the cohort's grid is {self.info.grid}")
        return array, affine

    def select(self, subjects: Iterable[str]) -> "Cohort":
        """The same cohort restricted to some subjects, in the order given."""
        return Cohort(self.path, self.info, self.table.loc[list(subjects)])

    def subset(self, split: str) -> "Cohort":
        """The subjects whose column `split` has this value."""
        return self.select(self.table.index[self.table["split"] == split])

    def add_columns(self, frame: pd.DataFrame) -> "Cohort":
        """Write further columns (indexed by subject_id) into subjects.csv and return the wider cohort."""
        missing = self.table.index.difference(frame.index)
        if len(missing):
            raise InputError(f"{self.path}: the new columns lack {len(missing)} subjects, first {missing[0]!r}")
        kept = self.table.drop(columns=[name for name in frame.columns if name in self.table])
        table = kept.join(frame)
        write_text(self.path / "subjects.csv", table.to_csv())
        return Cohort(self.path, self.info, table)


def check_table(table: pd.DataFrame, path: Path) -> None:
    """Raise InputError for missing columns, repeated or unsafe ids, unknown sexes."""
    missing = [name for name in REQUIRED_COLUMNS if name not in table]
    if missing:
        raise InputError(f"{path}: missing column {', '.join(missing)}")
    if table.index.has_duplicates:
        raise InputError(f"{path}: subject {table.index[table.index.duplicated()][0]!r} stands twice")
    for subject_id in table.index:
        check_subject_id(str(subject_id))
    odd = sorted(set(table["sex"].dropna()) - set(SEX))
    if odd:
        raise InputError(f"{path}: sex {odd[0]!r}; use {' or '.join(SEX)}, or leave the cell empty")


class CohortWriter:
    """Makes a cohort subject by subject; may be killed at any time and started again on the same folder.

    A folder begun with other settings is refused with InputError, or, with `restart`, emptied of what it holds of that
    other cohort: for cohorts that are made from others and cost nothing but time.
    """

    def __init__(self, path: Path | str, info: CohortInfo, *, restart: bool = False) -> None:
        self.path, self.info = Path(path), info
        begun = self.path / "begun.json"
        if begun.exists() and CohortInfo.model_validate_json(begun.read_text()) != info:
            if not restart:
                raise InputError(
                    f"{self.path}: holds a cohort of other people, settings, weights or seed; remove it, or name "
                    "another folder"
                )
            for stale in (*self.path.glob("*.json"), *self.path.glob("*.csv"), *self.path.glob("rows/*.json")):
                stale.unlink()
        self.path.mkdir(parents=True, exist_ok=True)
        for leftover in self.path.rglob(".*.tmp"):
            leftover.unlink()
        write_text(begun, info.model_dump_json(indent=1) + "\n")

    def done(self, subject_id: str) -> bool:
        """Whether the subject is already whole on disk (its row is written last)."""
        return (self.path / "rows" / f"{subject_id}.json").exists()

    def add(self, subject_id: str, row: Mapping, hu: np.ndarray, labels: np.ndarray | None, affine: np.ndarray) -> None:
        """Write one subject. Raises InputError for a wrong shape, NaN, or labels where the cohort has none."""
        check_subject_id(subject_id)
        if tuple(hu.shape) != self.info.grid or (labels is not None and labels.shape != hu.shape):
            raise InputError(f"{subject_id}: image {hu.shape}, grid {self.info.grid}, labels {np.shape(labels)} differ")
        if (labels is None) != (self.info.labels is None):
            raise InputError(f"{subject_id}: label maps are either in every subject of a cohort or in none")
        if not np.isfinite(hu).all():
            raise InputError(f"{subject_id}: the volume holds NaN or infinite voxels")
        clipped = np.clip(np.rint(hu), HU_RANGE.low, HU_RANGE.high).astype(np.int16)
        write_volume(self.path / "ct" / f"{subject_id}.nii.gz", clipped, affine)
        if labels is not None:
            write_volume(self.path / "labels" / f"{subject_id}.nii.gz", labels.astype(np.uint8), affine)
        write_text(self.path / "rows" / f"{subject_id}.json", json.dumps(dict(row), default=float))

    def finish(self, subjects: Iterable[str]) -> Cohort:
        """Assemble the table of these subjects, in this order, and declare the cohort whole.

        Raises InputError where one of them has not been added.
        """
        rows = {}
        for subject_id in subjects:
            if not self.done(subject_id):
                raise InputError(f"{self.path}: subject {subject_id!r} has not been made yet")
            rows[subject_id] = json.loads((self.path / "rows" / f"{subject_id}.json").read_text())
        table = pd.DataFrame.from_dict(rows, orient="index")
        table.index.name = "subject_id"
        check_table(table, self.path / "subjects.csv")
        write_text(self.path / "subjects.csv", table.to_csv())
        write_text(self.path / "cohort.json", self.info.model_dump_json(indent=1) + "\n")
        return Cohort.open(self.path)
