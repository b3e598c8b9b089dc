"""Importing NIfTI: a round trip through other axes and spacings, and every way in which a folder can be wrong."""

import gzip
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest

from vctlib.anatomy import TOTAL, ids_of
from vctlib.errors import InputError
from vctlib.sources.nifti import import_nifti_cohort

LABELS = {1: "liver", 2: "spleen"}
SETTINGS = {"label_table": LABELS, "spacing_mm": 8.0, "grid": (48, 32, 72)}
LIVER_MM, SPLEEN_MM, BODY_MM = np.array([60.0, 20.0, 50.0]), np.array([-80.0, -10.0, 80.0]), np.array([150.0, 100, 250])
ORGAN_RADIUS_MM = 45.0


def body_at(affine: np.ndarray, shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """An ellipsoid of a body with a liver (60 HU) on its right and a spleen (120 HU) on its left, in any frame."""
    voxels = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    world = voxels @ affine[:3, :3].T + affine[:3, 3]
    hu = np.where(np.linalg.norm(world / BODY_MM, axis=-1) < 1, 0, -1024).astype(np.int16)
    labels = np.zeros(shape, np.uint8)
    for number, (centre, value) in enumerate(((LIVER_MM, 60), (SPLEEN_MM, 120)), start=1):
        inside = np.linalg.norm(world - centre, axis=-1) < ORGAN_RADIUS_MM
        hu[inside], labels[inside] = value, number
    return hu, labels


def lps_frame() -> tuple[np.ndarray, tuple[int, int, int]]:
    """Voxels of 3 x 3 x 5 mm whose axes run to the left, to the back and up."""
    shape = (110, 76, 110)
    affine = np.diag([-3.0, -3.0, 5.0, 1.0])
    affine[:3, 3] = [165.0, 114.0, -275.0]
    return affine, shape


def save(path: Path, array: np.ndarray, affine: np.ndarray) -> None:
    path.parent.mkdir(exist_ok=True, parents=True)
    nibabel.save(nibabel.Nifti1Image(array, affine), path)


@pytest.fixture(scope="module")
def good_folder(tmp_path_factory) -> Path:
    """Two subjects: `a` in LPS, `b` the same voxels with axes stored foot-left-back."""
    folder = tmp_path_factory.mktemp("good")
    affine, shape = lps_frame()
    hu, labels = body_at(affine, shape)
    image = nibabel.Nifti1Image(hu, affine)
    assert nibabel.aff2axcodes(image.affine) == ("L", "P", "S")
    to_ilp = nibabel.orientations.ornt_transform(
        nibabel.io_orientation(affine), nibabel.orientations.axcodes2ornt(("I", "L", "P"))
    )
    for name, array in (("ct", hu), ("labels", labels)):
        save(folder / name / "a.nii.gz", array, affine)
        nibabel.save(nibabel.Nifti1Image(array, affine).as_reoriented(to_ilp), folder / name / "b.nii")
    people = pd.DataFrame(
        {
            "subject_id": ["a", "b"],
            "sex": ["female", None],
            "age_years": [40.0, 50],
            "height_cm": [160, 170.5],
            "weight_kg": [60.0, None],
            "site": ["north", "south"],
        }
    )
    people.to_csv(folder / "people.csv", index=False)
    return folder


@pytest.fixture
def folder(good_folder, tmp_path) -> Path:
    return Path(shutil.copytree(good_folder, tmp_path / "folder"))


def run(folder: Path, **changes):
    arguments = {"label_dir": folder / "labels"} | SETTINGS | changes
    return import_nifti_cohort(folder / "ct", folder / "people.csv", folder / "out", **arguments)


def test_round_trip_keeps_volumes_places_and_units(folder):
    cohort = run(folder)
    for subject_id in cohort.subjects:
        hu, affine = cohort.ct(subject_id)
        labels = cohort.labels(subject_id)
        assert nibabel.aff2axcodes(affine) == ("R", "A", "S")
        np.testing.assert_allclose(np.diag(affine)[:3], 8.0)
        ball_ml = 4 / 3 * np.pi * ORGAN_RADIUS_MM**3 / 1000
        for number, (centre, value) in enumerate(((LIVER_MM, 60), (SPLEEN_MM, 120)), start=1):
            organ = labels == number
            assert organ.sum() * 0.8**3 == pytest.approx(ball_ml, rel=0.03)
            found = affine[:3, :3] @ np.argwhere(organ).mean(axis=0) + affine[:3, 3]
            np.testing.assert_allclose(found, centre, atol=1.5)
            assert np.median(hu[organ]) == value
        body_litres = 4 / 3 * np.pi * BODY_MM.prod() / 1e6
        assert ((hu + 1000).astype(float).sum() / 1000) * 0.08**3 == pytest.approx(body_litres, rel=0.05)
        box = np.argwhere(hu > -500)
        np.testing.assert_allclose((box.min(axis=0) + box.max(axis=0)) / 2, (np.array(hu.shape) - 1) / 2, atol=1.01)


def test_storage_order_makes_no_difference(folder):
    cohort = run(folder)
    np.testing.assert_array_equal(cohort.ct("a")[0], cohort.ct("b")[0])
    np.testing.assert_array_equal(cohort.labels("a"), cohort.labels("b"))


def test_a_real_ct_with_its_117_structures(data_dir, tmp_path):
    """TotalSegmentator's example, 3 mm: organs keep their volumes and attenuation at 6 mm."""
    source = data_dir / "ct"
    for kind, name in (("ct", "totalseg_example_ct_abdomen_pelvis_3mm"), ("labels", "totalseg_example_seg_117")):
        (tmp_path / kind).mkdir()
        shutil.copy(source / f"{name}.nii.gz", tmp_path / kind / "real.nii.gz")
    (tmp_path / "people.csv").write_text("subject_id,sex,age_years,height_cm,weight_kg\nreal,,,,\n")
    cohort = run(tmp_path, label_table=TOTAL, spacing_mm=6.0, grid=(72, 56, 64))
    hu, labels = cohort.ct("real")[0], cohort.labels("real")
    original = nibabel.as_closest_canonical(nibabel.load(tmp_path / "labels" / "real.nii.gz"))
    original_hu = nibabel.as_closest_canonical(nibabel.load(tmp_path / "ct" / "real.nii.gz")).get_fdata()
    voxel_ml = np.prod(original.header.get_zooms()) / 1000
    for number in ids_of(TOTAL, "liver", "spleen", "kidney_left", "gluteus_maximus_right"):
        before, after = np.asarray(original.dataobj) == number, labels == number
        assert after.sum() * 0.6**3 == pytest.approx(before.sum() * voxel_ml, rel=0.05)
        assert np.median(hu[after]) == pytest.approx(np.median(original_hu[before]), abs=8)
    liver, spleen = (np.argwhere(labels == n)[:, 0].mean() for n in ids_of(TOTAL, "liver", "spleen"))
    assert liver > spleen + 10  # the liver is on the right, where x is large


def test_columns_are_carried_over_and_split_is_added(folder):
    table = run(folder, test_fraction=0.5).table
    assert list(table["site"]) == ["north", "south"] and list(table["split"]) == ["train", "test"]
    assert table.loc["b", "height_cm"] == 170.5 and pd.isna(table.loc["b", "sex"])


def test_without_label_maps(folder):
    cohort = run(folder, label_dir=None)
    assert not cohort.has_labels and len(cohort) == 2


def test_goes_on_where_it_was_stopped(folder):
    whole = {path.name: path.read_bytes() for path in run(folder).path.rglob("*") if path.is_file()}
    (folder / "out" / "cohort.json").unlink()
    (folder / "out" / "rows" / "b.json").unlink()
    (folder / "out" / "ct" / "b.nii.gz").write_bytes(b"torn")
    assert {path.name: path.read_bytes() for path in run(folder).path.rglob("*") if path.is_file()} == whole


def test_body_that_does_not_fit_is_an_error_or_marked(folder):
    with pytest.raises(InputError, match=r"a\.nii\.gz: the body is \d+ x \d+ x \d+ voxels and the grid 24 x 32 x 72"):
        run(folder, grid=(24, 32, 72))
    assert not (folder / "out").exists()
    table = run(folder, grid=(24, 32, 72), allow_cut=True).table
    assert list(table["body_cut"].astype(bool)) == [True, True]


def people_with(folder: Path, **columns) -> None:
    pd.read_csv(folder / "people.csv").assign(**columns).to_csv(folder / "people.csv", index=False)


def truncate(folder: Path) -> None:
    raw = (folder / "ct" / "a.nii.gz").read_bytes()
    (folder / "ct" / "a.nii.gz").write_bytes(raw[: len(raw) // 2])


def truncate_uncompressed(folder: Path) -> None:
    raw = (folder / "ct" / "b.nii").read_bytes()
    (folder / "ct" / "b.nii").write_bytes(raw[:-1000])


def put(folder: Path, change, which: str = "ct", dtype=np.float32) -> None:
    image = nibabel.load(folder / which / "a.nii.gz")
    array = image.get_fdata().astype(dtype)
    save(folder / which / "a.nii.gz", *change(array, image.affine))


def with_nan(array: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    array[5, 5, 5] = np.nan
    return array, affine


def unplaced(folder: Path) -> None:
    image = nibabel.load(folder / "ct" / "a.nii.gz")
    image.set_sform(image.affine, code=0)
    image.set_qform(image.affine, code=0)
    nibabel.save(image, folder / "ct" / "a.nii.gz")


WRONG = {
    "missing file": (lambda f: (f / "ct" / "b.nii").unlink(), r"b\.nii\.gz: no such file"),
    "missing label map": (lambda f: (f / "labels" / "a.nii.gz").unlink(), r"labels/a\.nii\.gz: no such file"),
    "truncated": (truncate, r"a\.nii\.gz: not a readable NIfTI"),
    "truncated, not compressed": (truncate_uncompressed, r"b\.nii: not a readable NIfTI"),
    "no NIfTI": (lambda f: (f / "ct" / "a.nii.gz").write_bytes(gzip.compress(b"text")), r"a\.nii\.gz: not a readable"),
    "NaN": (lambda f: put(f, with_nan), r"ct/a\.nii\.gz: holds NaN"),
    "four dimensions": (lambda f: put(f, lambda a, m: (a[..., None].repeat(2, 3), m)), r"a\.nii\.gz: 4-dimensional"),
    "no Hounsfield units": (lambda f: put(f, lambda a, m: (a + 1024, m)), r"a\.nii\.gz: the darkest voxel is 0"),
    "labels of another shape": (lambda f: put(f, lambda a, m: (a[1:], m), "labels"), r"labels/a\.nii\.gz.*resample"),
    "labels in another place": (
        lambda f: put(f, lambda a, m: (a, m + np.eye(4, k=3) * 30), "labels"),
        r"labels/a\.nii\.gz.*affines differ",
    ),
    "unknown label": (lambda f: put(f, lambda a, m: (a * 3, m), "labels"), r"labels/a\.nii\.gz: label 3 is not"),
    "label between two": (lambda f: put(f, lambda a, m: (a / 2, m), "labels"), r"labels/a\.nii\.gz: label 0\.5 is"),
    "no orientation": (unplaced, r"a\.nii\.gz: neither qform nor sform"),
    "only air": (lambda f: put(f, lambda a, m: (a * 0 - 1000, m)), r"ct/a\.nii\.gz: .*every voxel is air"),
    "repeated id": (lambda f: people_with(f, subject_id="a"), r"people\.csv: subject 'a' stands twice"),
    "path in an id": (lambda f: people_with(f, subject_id=["a", "../../b"]), r"people\.csv, line 3: .*'\.\./\.\./b'"),
    "absolute path": (lambda f: people_with(f, subject_id=["/etc/passwd", "b"]), r"people\.csv, line 2"),
    "no id": (lambda f: people_with(f, subject_id=["a", None]), r"people\.csv, line 3"),
    "height in metres": (lambda f: people_with(f, height_cm=[170, 1.54]), r"line 3: height_cm is 1.54, .*in metres"),
    "too tall": (lambda f: people_with(f, height_cm=[273, 170]), r"line 2: height_cm is 273, not between 50 and 272"),
    "weight in grams": (lambda f: people_with(f, weight_kg=70_000), r"line 2: weight_kg is 70000.*grams"),
    "unknown sex": (lambda f: people_with(f, sex="F"), r"people\.csv, line 2: sex is 'F'"),
    "age in words": (lambda f: people_with(f, age_years="old"), r"people\.csv, line 2.*old"),
    "unknown split": (lambda f: people_with(f, split="validation"), r"people\.csv: the column 'split'"),
    "no table": (lambda f: (f / "people.csv").unlink(), r"people\.csv: no such file"),
    "empty table": (lambda f: (f / "people.csv").write_text(""), r"people\.csv: not a readable CSV"),
    "missing column": (
        lambda f: (f / "people.csv").write_text("subject_id,sex\na,male\n"),
        r"missing column age_years",
    ),
    "table without rows": (
        lambda f: (f / "people.csv").write_text("subject_id,sex,age_years,height_cm,weight_kg\n"),
        "has no rows",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named_in_one_line_and_leaves_nothing(folder, name):
    spoil, message = WRONG[name]
    spoil(folder)
    before = sorted(folder.rglob("*"))
    with pytest.raises(InputError, match=message) as caught:
        run(folder, label_dir=None if name == "only air" else folder / "labels")
    assert "\n" not in str(caught.value)
    assert sorted(folder.rglob("*")) == before
