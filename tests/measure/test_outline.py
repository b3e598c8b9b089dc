import numpy as np
import pytest

from vctlib.measure.outline import UNITS, outline_sizes


def test_sizes_of_boxes_by_hand():
    body = np.zeros((40, 30, 40), bool)
    body[4:36, 5:25, :5] = True  # shoulders: 160 x 100 mm
    body[14:26, 9:21, 5:20] = True  # neck: 60 x 60 mm
    body[12:28, 7:27, 30:38] = True  # head: 80 x 100 mm
    found = outline_sizes(body, neck=12, spacing_mm=5.0)
    assert set(found) == set(UNITS)
    assert found == {
        "head_breadth_mm": 80, "head_length_mm": 100, "neck_breadth_mm": 60, "neck_depth_mm": 60, "neck_area_cm2": 36,
        "lowest_depth_mm": 100, "lowest_area_cm2": 160,
        "volume_l": pytest.approx((160 * 100 * 25 + 60 * 60 * 75 + 80 * 100 * 40) / 1e6),
    }  # fmt: skip


def test_extent_spans_a_gap():
    body = np.zeros((10, 4, 30), bool)
    body[1, 1:3, :] = body[8, 1:3, :] = True
    found = outline_sizes(body, neck=2, spacing_mm=10.0)
    assert found["neck_breadth_mm"] == 80 and found["neck_area_cm2"] == 4
