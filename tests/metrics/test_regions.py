"""Borders between regions: where the labels say, where stature says, and unmoved by a few stray voxels."""

import numpy as np
import pytest

from vctlib.anatomy import PAPER16, TOTAL, ids_of, reduce_labels
from vctlib.errors import InputError
from vctlib.metrics.regions import region_bounds


def body(feet=10, crown=110, length=120):
    hu = np.full((12, 12, length), -1000, np.int16)
    hu[3:9, 3:9, feet:crown] = 40
    return hu


def labelled(table, lungs, bone):
    """A label map of `table` with a lung in the slices `lungs` and a bone of the trunk in `bone`, both half-open."""
    labels = np.zeros((12, 12, 120), np.uint8)
    named = ("lung_upper_lobes", "bone") if table is PAPER16 else ("lung_upper_lobe_left", "hip_right")
    for number, (first, end) in zip(ids_of(table, *named), (lungs, bone), strict=True):
        columns = slice(3, 6) if first == lungs[0] else slice(6, 9)
        labels[columns, 3:9, first:end] = number
    return labels


@pytest.mark.parametrize("table", [PAPER16, TOTAL], ids=["generated", "reference"])
def test_borders_are_the_top_of_the_lungs_and_the_bottom_of_the_pelvis(table):
    labels = reduce_labels(labelled(table, lungs=(70, 90), bone=(55, 95)), table, PAPER16)
    assert region_bounds(body(), labels) == {
        "full_body": (10, 110),
        "head_and_neck": (90, 110),
        "torso": (55, 90),
        "lower_extremities": (10, 55),
    }


def test_stray_voxels_move_no_border():
    labels = labelled(PAPER16, lungs=(70, 90), bone=(50, 95))
    clean = region_bounds(body(), labels)
    lung, bone = ids_of(PAPER16, "lung_upper_lobes", "bone")
    labels[4, 4, 108], labels[7, 7, 15] = lung, bone  # of 360 and 810 voxels
    assert region_bounds(body(), labels) == clean


def test_without_labels_stature_decides():
    by_share = {
        "full_body": (10, 110),
        "head_and_neck": (96, 110),  # C7 at 86 % of stature
        "torso": (57, 96),  # the crotch at 47 %
        "lower_extremities": (10, 57),
    }
    assert region_bounds(body()) == by_share
    assert region_bounds(body(), np.zeros((12, 12, 120), np.uint8)) == by_share
    upside_down = labelled(PAPER16, lungs=(20, 30), bone=(55, 95))
    assert region_bounds(body(), upside_down) == by_share


def test_one_missing_structure_leaves_the_other_border():
    labels = labelled(PAPER16, lungs=(70, 90), bone=(50, 95))
    labels[labels == ids_of(PAPER16, "bone")[0]] = 0
    assert region_bounds(body(), labels)["torso"] == (57, 90)


def test_no_body():
    with pytest.raises(InputError, match="no body"):
        region_bounds(np.full((4, 4, 4), -1000))
