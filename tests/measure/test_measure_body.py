"""All measurements of one body: the same answer for any array order, voxel shape and label table."""

import itertools
import math

import nibabel
import numpy as np
import pytest

from vctlib.anatomy import MEASURE, PAPER16, TOTAL, reduce_labels
from vctlib.errors import InputError
from vctlib.measure import measure_body


@pytest.fixture(scope="module")
def body(figure):
    hu, labels, affine = figure.draw(figure.standing())
    rng = np.random.default_rng(0)
    hu = np.where(hu > -1000, hu + rng.integers(-20, 21, hu.shape), hu).astype(np.int16)
    return hu, labels, affine


@pytest.fixture(scope="module")
def row(body):
    hu, labels, affine = body
    return measure_body(hu, labels, TOTAL, affine)


def test_columns(row):
    named = [
        "mass_kg", "body_volume_l", "height_cm", "body_fat_percent", "muscle_percent", "bone_density_g_per_cm3",
        "l1_trabecular_hu", "body_fat_percent_windows", "muscle_percent_windows",
    ]  # fmt: skip
    named += [f"{name}_volume_ml" for name in PAPER16.values()]
    named += [f"{name}_centroid_{axis}_mm" for name in PAPER16.values() for axis in "ras"]
    assert set(row) == {f"{name}_measured" for name in named}
    assert all(type(value) is float for value in row.values())


def test_values_known_by_construction(row):
    legs, torso, neck, head = 2 * 0.08 * 0.08 * 0.8, 0.32 * 0.16 * 0.6, 0.08 * 0.08 * 0.104, 0.16 * 0.16 * 0.216
    assert row["body_volume_l_measured"] == pytest.approx(1000 * (legs + torso + neck + head))
    assert row["height_cm_measured"] == pytest.approx(172.0, abs=0.1)
    assert row["liver_volume_ml_measured"] == pytest.approx(96 * 96 * 96 / 1000)
    assert row["spleen_volume_ml_measured"] == 0.0
    assert math.isnan(row["spleen_centroid_r_mm_measured"])
    assert row["l1_trabecular_hu_measured"] == pytest.approx(500, abs=10)
    assert row["bone_density_g_per_cm3_measured"] == pytest.approx(1500 / 1178.05, rel=2e-3)


def test_organs_lie_on_their_side(row):
    """The liver's block is centred 80 mm to the right, 16 mm behind the middle and 1048 mm above the soles."""
    moments = [(2 * 64 * 80, 400), (32 * 16 * 60, 1100), (64 * 10.4, 1452), (16 * 16 * 21.6, 1612)]
    middle = sum(size * height for size, height in moments) / sum(size for size, _ in moments)
    place = [row[f"liver_centroid_{axis}_mm_measured"] for axis in "ras"]
    assert place == pytest.approx([80, -16, 1048 - middle], abs=2.0)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, 1, -1), (1, -1, -1)])
def test_any_array_order_gives_the_same(body, row, order, flips):
    hu, labels, affine = body
    orientation = np.stack([order, flips], axis=1).astype(float)
    stored = [np.ascontiguousarray(nibabel.apply_orientation(array, orientation)) for array in (hu, labels)]
    stored_affine = affine @ nibabel.orientations.inv_ornt_aff(orientation, hu.shape)
    assert measure_body(*stored, TOTAL, stored_affine) == pytest.approx(row, rel=1e-6, abs=1e-6, nan_ok=True)


@pytest.mark.parametrize("spacing", [(4, 4, 4), (4, 8, 2), (8, 2, 8)])
def test_any_voxel_shape_gives_the_same(figure, spacing):
    """Smooth quantities, whose boundaries lie on voxel faces of every grid."""
    found, expected = (measure_body(hu, lab, TOTAL, affine) for hu, lab, affine in
                       (figure.draw(figure.standing(), grid) for grid in (spacing, (8, 8, 8))))  # fmt: skip
    for name, value in expected.items():
        tolerance = {"abs": 1.0} if "_mm_" in name else {"rel": 2e-3}
        assert found[name] == pytest.approx(value, nan_ok=True, **tolerance), name


def test_segmenters_table_gives_the_same(body, row):
    """`MEASURE` merges structures but keeps every one that a measurement rests on."""
    hu, labels, affine = body
    coarse = measure_body(hu, reduce_labels(labels, TOTAL, MEASURE), MEASURE, affine)
    assert coarse == pytest.approx(row, rel=1e-3, abs=0.5, nan_ok=True)


def test_integers_and_floats_give_the_same(body, row):
    hu, labels, affine = body
    found = measure_body(hu.astype(np.float64), labels.astype(np.int64), TOTAL, affine)
    assert found == pytest.approx(row, rel=1e-6, abs=1e-6, nan_ok=True)


def test_input_is_left_alone(body):
    hu, labels, affine = (array.copy() for array in body)
    measure_body(hu, labels, TOTAL, affine)
    for before, after in zip(body, (hu, labels, affine), strict=True):
        np.testing.assert_array_equal(before, after)


def test_bad_input_is_named(body):
    hu, labels, affine = body
    with_nan = hu.astype(np.float32)
    with_nan[0, 0, 0] = np.nan
    singular = affine.copy()
    singular[:, 1] = 0
    unknown = labels.copy()
    unknown[0, 0, 0] = 250
    for arguments, message in (
        ((with_nan, labels, TOTAL, affine), "1 voxels that are NaN"),
        ((hu, labels[1:], TOTAL, affine), r"label map \(47, .* and image \(48, "),
        ((hu[0], labels[0], TOTAL, affine), "3-D"),
        ((hu, labels, TOTAL, singular), "singular"),
        ((hu, labels, TOTAL, np.eye(3)), "singular"),
        ((hu, unknown, TOTAL, affine), r"label numbers \[250\]"),
        ((hu, labels.astype(float), TOTAL, affine), "integers"),
        ((np.full_like(hu, -1000), np.zeros_like(labels), TOTAL, affine), "no body"),
    ):
        with pytest.raises(InputError, match=message):
            measure_body(*arguments)


def test_real_abdomen(data_dir):
    """A CT of the abdomen with TotalSegmentator's labels: no head, no shins, no fat labels; known volumes."""
    image = nibabel.load(data_dir / "ct" / "totalseg_example_ct_abdomen_pelvis_3mm.nii.gz")
    labels = nibabel.load(data_dir / "ct" / "totalseg_example_seg_117.nii.gz")
    hu, numbers = np.asarray(image.dataobj).astype(np.int16), np.asarray(labels.dataobj).astype(np.uint8)
    found = measure_body(hu, numbers, TOTAL, image.affine)
    assert math.isnan(found["height_cm_measured"]) and math.isnan(found["body_fat_percent_measured"])
    liver = 27e-3 * np.count_nonzero(numbers == {name: i for i, name in TOTAL.items()}["liver"])
    assert found["liver_volume_ml_measured"] == pytest.approx(liver)
    assert found["liver_centroid_r_mm_measured"] > 40 > -40 > found["spleen_centroid_r_mm_measured"]
    assert 80 < found["l1_trabecular_hu_measured"] < 200
    assert found["mass_kg_measured"] / found["body_volume_l_measured"] == pytest.approx(0.95, abs=0.05)
