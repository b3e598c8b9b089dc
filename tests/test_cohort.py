import numpy as np
import pandas as pd
import pytest

from vctlib.cohort import Cohort, CohortInfo, CohortWriter
from vctlib.errors import InputError

AFFINE = np.diag([8.0, 8.0, 8.0, 1.0])
ROW = {"sex": "female", "age_years": 40.0, "height_cm": 165.0, "weight_kg": 60.0, "split": "train"}


def info(**changes):
    values = dict(
        name="reference", kind="reference", spacing_mm=(8, 8, 8), grid=(4, 3, 5), labels={1: "liver"},
        source="test", code_version="0", seed=0,
    )  # fmt: skip
    return CohortInfo(**(values | changes))


def body(seed):
    rng = np.random.default_rng(seed)
    return rng.integers(-1000, 1500, (4, 3, 5)).astype(np.int16), rng.integers(0, 2, (4, 3, 5)).astype(np.uint8)


def make(path, ids=("A", "B")):
    writer = CohortWriter(path, info())
    for i, subject_id in enumerate(ids):
        if not writer.done(subject_id):
            writer.add(subject_id, ROW, *body(i), AFFINE)
    return writer.finish(ids)


def files(path):
    return {p.relative_to(path): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def test_what_is_written_is_read(tmp_path):
    cohort = make(tmp_path / "c")
    hu, affine = cohort.ct("B")
    assert np.array_equal(hu, body(1)[0]) and np.array_equal(cohort.labels("B"), body(1)[1])
    assert np.array_equal(affine, AFFINE) and hu.dtype == np.int16
    assert cohort.subjects == ["A", "B"] and len(cohort.subset("train")) == 2 and len(cohort.subset("test")) == 0


def test_interrupted_and_resumed_gives_the_same_bytes(tmp_path):
    make(tmp_path / "whole")
    writer = CohortWriter(tmp_path / "broken", info())
    writer.add("A", ROW, *body(0), AFFINE)
    with pytest.raises(InputError, match="no finished cohort"):
        Cohort.open(tmp_path / "broken")
    (tmp_path / "broken" / "ct" / ".B.nii.gz.1.tmp").write_bytes(b"half")
    make(tmp_path / "broken")
    assert files(tmp_path / "whole") == files(tmp_path / "broken")


def test_other_settings_do_not_mix(tmp_path):
    CohortWriter(tmp_path / "c", info())
    with pytest.raises(InputError, match="other people, settings"):
        CohortWriter(tmp_path / "c", info(seed=1))


def test_values_are_clipped_to_what_ct_stores(tmp_path):
    writer = CohortWriter(tmp_path / "c", info())
    hu = np.full((4, 3, 5), 9000.0)
    hu[0] = -5000
    writer.add("A", ROW, hu, body(0)[1], AFFINE)
    stored = writer.finish(["A"]).ct("A")[0]
    assert stored.max() == 3071 and stored.min() == -1024


@pytest.mark.parametrize("subject_id", ["../evil", "a/b", "", ".hidden", "a b"])
def test_no_path_leaves_the_folder(tmp_path, subject_id):
    writer = CohortWriter(tmp_path / "c", info())
    with pytest.raises(InputError, match="subject id"):
        writer.add(subject_id, ROW, *body(0), AFFINE)


def test_bad_volumes_are_refused_whole(tmp_path):
    writer = CohortWriter(tmp_path / "c", info())
    hu, labels = body(0)
    with pytest.raises(InputError, match="differ"):
        writer.add("A", ROW, hu[:2], labels[:2], AFFINE)
    with pytest.raises(InputError, match="differ"):
        writer.add("A", ROW, hu, labels[:2], AFFINE)
    with pytest.raises(InputError, match="NaN"):
        writer.add("A", ROW, np.full(hu.shape, np.nan), labels, AFFINE)
    with pytest.raises(InputError, match="every subject"):
        writer.add("A", ROW, hu, None, AFFINE)
    assert not writer.done("A") and not list((tmp_path / "c").glob("ct/*"))


def test_damage_is_named(tmp_path):
    cohort = make(tmp_path / "c")
    file = tmp_path / "c" / "ct" / "A.nii.gz"
    file.write_bytes(file.read_bytes()[:60])
    with pytest.raises(InputError, match="A.nii.gz: not a readable NIfTI"):
        cohort.ct("A")
    file.unlink()
    with pytest.raises(InputError, match="A.nii.gz: no such file"):
        cohort.ct("A")
    with pytest.raises(InputError, match="no subject 'Z'"):
        cohort.ct("Z")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="weight_kg"), "missing column weight_kg"),
        (lambda t: t.assign(sex="M"), "sex 'M'"),
        (lambda t: pd.concat([t, t.iloc[:1]]), "stands twice"),
    ],
)
def test_bad_tables_are_named(tmp_path, change, message):
    cohort = make(tmp_path / "c")
    change(cohort.table).to_csv(tmp_path / "c" / "subjects.csv")
    with pytest.raises(InputError, match=message):
        Cohort.open(tmp_path / "c")


def test_columns_are_added_for_everybody_or_not_at_all(tmp_path):
    cohort = make(tmp_path / "c")
    with pytest.raises(InputError, match="lack 1 subjects"):
        cohort.add_columns(pd.DataFrame({"mass_kg_measured": [1.0]}, index=["A"]))
    cohort.add_columns(pd.DataFrame({"mass_kg_measured": [1.0, 2.0]}, index=["B", "A"]))
    assert Cohort.open(tmp_path / "c").table["mass_kg_measured"].to_dict() == {"A": 2.0, "B": 1.0}
