"""Wrong input through the command line: one clear line on stderr, an exit status that is not 0, nothing half-written.

Unknown parameters and other mistakes of usage are in test_cli.py, every way in which a folder of NIfTIs or a table of
people can be wrong in sources/test_nifti.py, downloads in test_manifest.py.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
import yaml

from vctlib.anatomy import TOTAL
from vctlib.cohort import CohortInfo, CohortWriter
from vctlib.commands import graph
from vctlib.config import PROFILES, load_profile
from vctlib.errors import InputError
from vctlib.manifest import load_manifest

ROOT = Path(__file__).parents[1]
SHAPE = (6, 6, 8)
ROW = {"sex": "female", "age_years": 40.0, "height_cm": 165.0, "weight_kg": 60.0, "split": "train"}


def vct(*arguments: object, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "vctlib", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, env=os.environ | environment)


def complaint(done: subprocess.CompletedProcess, status: int) -> str:
    """The only line on stderr, progress bars left out."""
    assert done.returncode == status, done.stderr
    (line,) = (line for line in done.stderr.splitlines() if line and not re.match(r"[^:]+: +\d+%\|", line))
    assert line.startswith("vct: ")
    return line


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def cohort(tmp_path) -> Path:
    """A finished cohort of one small body."""
    about = {"name": "reference", "kind": "reference", "source": "test", "code_version": "0", "seed": 0}
    info = CohortInfo(spacing_mm=(8, 8, 8), grid=SHAPE, labels=dict(TOTAL), **about)
    writer = CohortWriter(tmp_path / "cohort", info)
    hu, labels = np.full(SHAPE, -1000), np.zeros(SHAPE, np.uint8)
    hu[1:5, 1:5, 1:7], labels[1:5, 1:5, 1:7] = 40, 5
    writer.add("A", ROW, hu, labels, np.diag([8.0, 8, 8, 1]))
    return writer.finish(["A"]).path


def truncate(cohort: Path) -> None:
    path = cohort / "ct" / "A.nii.gz"
    path.write_bytes(path.read_bytes()[:100])


def replace(kind: str, array: np.ndarray):
    return lambda cohort: nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), cohort / kind / "A.nii.gz")


def drop_column(cohort: Path) -> None:
    pd.read_csv(cohort / "subjects.csv").drop(columns="weight_kg").to_csv(cohort / "subjects.csv", index=False)


WRONG = {
    "unreadable NIfTI": (truncate, "ct/A.nii.gz: not a readable NIfTI"),
    "no NIfTI at all": (lambda c: (c / "ct/A.nii.gz").write_bytes(b"text"), "ct/A.nii.gz: not a readable NIfTI"),
    "NaN volume": (replace("ct", np.full(SHAPE, np.nan, np.float32)), "ct/A.nii.gz: the volume holds NaN"),
    "label map of another shape": (replace("labels", np.ones((5, 6, 8), np.uint8)), "labels/A.nii.gz: shape (5, 6, 8)"),
    "unknown label": (replace("labels", np.full(SHAPE, 250, np.uint8)), "subject A: label numbers [250]"),
    "missing column": (drop_column, "subjects.csv: missing column weight_kg"),
    "missing volume": (lambda c: (c / "labels/A.nii.gz").unlink(), "labels/A.nii.gz: no such file"),
    "unfinished cohort": (lambda c: (c / "cohort.json").unlink(), "no finished cohort here"),
}


@pytest.mark.parametrize("name", WRONG)
def test_damaged_cohort_is_named_and_left_alone(cohort, name):
    spoil, message = WRONG[name]
    spoil(cohort)
    before = contents(cohort)
    assert message in complaint(vct("measure", cohort), 2)
    assert contents(cohort) == before


def test_unknown_key_of_a_profile(tmp_path):
    profile = yaml.safe_load((PROFILES / "smoke.yaml").read_text()) | {"name": "misspelt"}
    profile["cohort"]["n_peopel"] = 3
    path = tmp_path / "misspelt.yaml"
    path.write_text(yaml.safe_dump(profile))
    for command in ("run", "train", "book"):
        assert f"{path}: unknown key 'cohort.n_peopel'" in complaint(vct(command, "--profile", path), 2)
    assert not (ROOT / "runs" / "misspelt").exists()


def test_notebook_whose_input_is_missing_names_the_one_that_makes_it(tmp_path):
    out, executed = tmp_path / "out", tmp_path / "executed" / "02.ipynb"
    done = vct(
        "notebook", "02_measure_reference_cohort", "-p", "profile", "smoke", "-p", "out", out, "--output", executed
    )
    line = complaint(done, 1)
    assert f"{out}/cohorts/reference is not there yet; it is made by notebooks/01_make_reference_cohort.ipynb" in line
    assert not out.exists() and [path.name for path in executed.parent.iterdir()] == ["02.failed.ipynb"]


def test_nifti_folder_with_a_nan_volume_through_the_notebook(tmp_path):
    profile = yaml.safe_load((PROFILES / "smoke.yaml").read_text())
    profile["cohort"] |= {"source": "nifti", "n_more": 0}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(profile))
    (tmp_path / "ct").mkdir()
    image = nibabel.Nifti1Image(np.full((20, 20, 20), np.nan, np.float32), np.diag([16.0, 16, 16, 1]))
    nibabel.save(image, tmp_path / "ct" / "a.nii.gz")
    (tmp_path / "people.csv").write_text("subject_id,sex,age_years,height_cm,weight_kg\na,male,40,170,70\n")
    given = {"profile": "mine.yaml", "ct_dir": "ct", "people_csv": "people.csv", "out": "out"}
    parameters = [word for name, place in given.items() for word in ("-p", name, tmp_path / place)]
    done = vct("notebook", "01_make_reference_cohort", *parameters, "--output", tmp_path / "01.ipynb")
    assert "ct/a.nii.gz: holds NaN" in complaint(done, 1)
    left = set(contents(tmp_path)) - {"mine.yaml", "people.csv", "ct/a.nii.gz"}
    assert left == {"01.failed.ipynb"}


def test_wrong_checksum_of_a_local_copy(tmp_path):
    entry = load_manifest()["totalsegmentator_slab_subcutaneous_fat"]
    copy = tmp_path / "data" / entry.local
    copy.parent.mkdir(parents=True)
    copy.write_bytes(b"\0" * entry.bytes)  # of the right size
    places = {"VCTLIB_DATA": str(tmp_path / "data"), "VCTLIB_CACHE": str(tmp_path / "cache")}
    for arguments in (("fetch", entry.name), ("verify",)):
        line = complaint(vct("data", *arguments, **places), 2)
        assert str(copy) in line and entry.sha256 in line
    assert copy.read_bytes() == b"\0" * entry.bytes and contents(tmp_path / "cache") == {}


def test_wrong_checksum_of_released_weights(tmp_path, monkeypatch):
    member = "models/smoke/segmenter.safetensors"
    template = load_manifest()["phantom_template"]
    entry = template.model_copy(update={"name": "weights", "source": f"repo:{member}", "local": None})
    monkeypatch.setattr(graph, "load_manifest", lambda: {"weights": entry})
    (tmp_path / member).parent.mkdir(parents=True)
    (tmp_path / member).write_bytes(b"\0" * entry.bytes)
    with pytest.raises(InputError, match=f"{entry.sha256}.*git checkout -- {member}") as error:
        graph.check_released_weights(load_profile("smoke"), tmp_path)
    assert "\n" not in str(error.value)
