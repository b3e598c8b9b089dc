import numpy as np
import pytest

from vctlib.anatomy import MEASURE, PAPER16, ids_of
from vctlib.metrics.anatomy_figures import EXPECTED_PARTS, SIDE, anatomy_figures, detached_percent

AFFINE = np.diag([10.0, 10.0, 10.0, 1.0])  # 1 ml a voxel
BOXES = {
    "bone": np.s_[14:17, 4:6, 2:28],  # the midline at x = 15
    "liver": np.s_[17:25, 6:12, 12:18],
    "spleen": np.s_[3:7, 4:8, 13:17],
    "heart": np.s_[10:16, 8:12, 20:24],
    "kidney": (np.s_[18:22, 1:4, 8:12], np.s_[8:12, 1:4, 8:12]),
    "brain": np.s_[12:19, 2:9, 28:30],
}


def _map(table=PAPER16, **changes):
    labels = np.zeros((30, 16, 30), np.uint8)
    for name, boxes in (BOXES | changes).items():
        for box in boxes if isinstance(boxes, tuple) and isinstance(boxes[0], tuple) else (boxes,):
            if box is not None:
                labels[box] = ids_of(table, name)[0]
    return labels


def test_a_sound_body_by_hand():
    found = anatomy_figures(_map(), PAPER16, AFFINE)
    assert (found["liver/volume_ml"], found["kidney/volume_ml"]) == pytest.approx((8 * 6 * 6, 2 * 4 * 3 * 4))
    assert found["liver/own_side_mm"] == pytest.approx(10 * (20.5 - 15))
    assert found["spleen/own_side_mm"] == pytest.approx(10 * (15 - 4.5))
    assert found["heart/own_side_mm"] == pytest.approx(10 * (15 - 12.5))
    assert found["kidney/weaker_side_percent"] == pytest.approx(50)
    assert all(found[f"{name}/extra_part_percent"] == 0 for name in ("liver", "spleen", "kidney", "brain"))


def test_an_absent_structure_has_no_volume_and_no_place():
    found = anatomy_figures(_map(spleen=None), PAPER16, AFFINE)
    assert found["spleen/volume_ml"] == 0
    assert np.isnan(found["spleen/own_side_mm"]) and np.isnan(found["spleen/extra_part_percent"])


def test_a_second_liver_is_a_part_too_many_and_a_third_kidney_too():
    second = np.s_[17:21, 12:14, 2:8]  # 48 voxels beside 288
    found = anatomy_figures(_map(liver=(BOXES["liver"], second)), PAPER16, AFFINE)
    assert found["liver/extra_part_percent"] == pytest.approx(100 * 48 / (288 + 48))
    third = np.s_[14:17, 8:12, 5:8]
    found = anatomy_figures(_map(kidney=(*BOXES["kidney"], third)), PAPER16, AFFINE)
    assert found["kidney/extra_part_percent"] == pytest.approx(100 * 36 / (96 + 36))


@pytest.mark.parametrize("apart, percent", [(1, 0), (3, 0), (4, 50)])
def test_parts_up_to_two_voxels_apart_are_one(apart, percent):
    labels = np.zeros((8, 8, 8), np.uint8)
    labels[1, 1, 1] = labels[1 + apart, 1 + apart, 1 + apart] = ids_of(PAPER16, "liver")[0]
    assert anatomy_figures(labels, PAPER16, AFFINE)["liver/extra_part_percent"] == percent


def test_a_mirrored_body_has_every_organ_on_the_wrong_side():
    sound, mirrored = (anatomy_figures(labels, PAPER16, AFFINE) for labels in (_map(), _map()[::-1]))
    for name in ("liver", "spleen", "heart"):
        assert (
            mirrored[f"{name}/own_side_mm"] == pytest.approx(-sound[f"{name}/own_side_mm"])
            and sound[f"{name}/own_side_mm"] > 0
        )


def test_neither_the_order_of_the_axes_nor_the_place_in_the_scanner_matters():
    labels, moved = _map(), AFFINE.copy()
    moved[:3, 3] = (300.0, -50.0, 900.0)
    flipped = AFFINE.copy()
    flipped[0, 0], flipped[0, 3] = -10.0, 290.0
    expected = anatomy_figures(labels, PAPER16, AFFINE)
    for array, affine in ((labels, moved), (labels[::-1], flipped)):
        assert anatomy_figures(array, PAPER16, affine) == pytest.approx(expected, nan_ok=True)


def test_one_kidney_is_one_sided_and_each_side_is_its_own_in_the_segmenters_table():
    found = anatomy_figures(_map(kidney=BOXES["kidney"][0]), PAPER16, AFFINE)
    assert found["kidney/weaker_side_percent"] == 0
    boxes = dict(zip(("kidney_right", "kidney_left"), BOXES["kidney"], strict=True))
    labels = np.zeros((30, 16, 30), np.uint8)
    for name, box in ({"bone": BOXES["bone"]} | boxes).items():
        labels[box] = ids_of(MEASURE, name)[0]
    found = anatomy_figures(labels, MEASURE, AFFINE)
    assert found["kidney_right/own_side_mm"] == pytest.approx(45) and found["kidney_left/own_side_mm"] == pytest.approx(
        55
    )
    swapped = labels.copy()
    for name, box in zip(("kidney_left", "kidney_right"), boxes.values(), strict=True):
        swapped[box] = ids_of(MEASURE, name)[0]
    assert anatomy_figures(swapped, MEASURE, AFFINE)["kidney_right/own_side_mm"] == pytest.approx(-55)


def test_the_midline_is_that_of_the_structures_own_slices():
    bent = _map(bone=(np.s_[14:17, 4:6, 2:19], np.s_[9:12, 4:6, 19:28]))  # the upper spine 50 mm to the left
    assert anatomy_figures(bent, PAPER16, AFFINE)["heart/own_side_mm"] == pytest.approx(10 * (10 - 12.5))
    assert anatomy_figures(bent, PAPER16, AFFINE)["liver/own_side_mm"] == pytest.approx(55)


def test_a_map_without_anything_has_only_volumes():
    found = anatomy_figures(np.zeros((4, 4, 4), np.uint8), PAPER16, AFFINE)
    assert all(value == 0 if name.endswith("volume_ml") else np.isnan(value) for name, value in found.items())


def test_both_tables_name_what_is_expected():
    names = set(PAPER16.values()) | set(MEASURE.values())
    assert set(EXPECTED_PARTS) <= names and set(SIDE) <= set(EXPECTED_PARTS)


def test_detached_part_in_percent_of_the_largest():
    hu = np.full((20, 20, 20), -1000, np.int16)
    assert np.isnan(detached_percent(hu))
    hu[:10, :10, :10] = 0
    assert detached_percent(hu) == 0
    hu[15:17, 15:17, 15:20] = 0
    assert detached_percent(hu) == pytest.approx(100 * 20 / 1000)
