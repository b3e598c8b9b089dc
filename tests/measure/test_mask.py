"""The body mask, from the image alone."""

import numpy as np
import pytest

from vctlib.errors import InputError
from vctlib.measure import body_mask


def disk(shape, centre, radius):
    x, y = np.ogrid[: shape[0], : shape[1]]
    return (x - centre[0]) ** 2 + (y - centre[1]) ** 2 <= radius**2


def test_lungs_and_gas_are_inside_and_rooms_air_is_not():
    hu = np.full((40, 40, 20), -1000, np.int16)
    hu[disk(hu.shape, (20, 20), 15)] = 30
    chest = hu.copy()
    chest[disk(hu.shape, (14, 20), 4), 3:17] = -850  # a lung, open to no side in any axial slice
    chest[20, 20:, 8] = -1000  # a slit that lets air in does not make a hole
    mask = body_mask(chest, np.diag([8.0, 8.0, 8.0, 1.0]))
    expected = hu > -500
    expected[20, 20:, 8] = False
    np.testing.assert_array_equal(mask, expected)


def test_holes_are_filled_in_axial_slices_only():
    """A tube that runs along the body is inside; a tube across it is open in its slice and stays outside."""
    hu = np.full((20, 20, 20), -1000, np.int16)
    hu[2:18, 2:18] = 0
    hu[10, 10, :] = -1000
    hu[5, :, 5] = -1000
    mask = body_mask(hu, np.diag([8.0, 8.0, 8.0, 1.0]))
    assert mask[10, 10, :].all()
    assert not mask[5, :, 5].any()
    turned = np.diag([8.0, 8.0, 8.0, 1.0])[[0, 2, 1, 3]]  # array axis 1 now runs to the head
    across = body_mask(hu.transpose(0, 2, 1), turned)
    np.testing.assert_array_equal(across.transpose(0, 2, 1), mask)


def test_only_the_largest_part_is_the_body():
    hu = np.full((30, 30, 10), -1000, np.int16)
    hu[2:20, 2:20] = 0
    hu[25:28, 25:28] = 200  # something else on the table
    assert body_mask(hu, np.eye(4) * 8).sum() == 18 * 18 * 10


def test_a_table_that_touches_is_cut_off():
    """3 mm voxels: a body of 10 cm radius on a sheet one voxel thick, in contact over a third of its width."""
    hu = np.full((110, 90, 30), -1000, np.int16)
    body = disk(hu.shape, (55, 50), 33)
    body[:, :20] = False  # it lies flat
    hu[body] = 40
    volume = int(body.sum()) * 30
    hu[:, 19] = 100
    mask = body_mask(hu, np.diag([3.0, 3.0, 3.0, 1.0]))
    assert mask[body].mean() > 0.999
    assert volume <= mask.sum() < 1.02 * volume
    assert (hu > -500).sum() > 1.02 * volume


def test_labels_add_what_the_threshold_misses():
    hu = np.full((12, 12, 12), -1000, np.int16)
    hu[3:9, 3:9, 3:9] = 0
    labels = np.zeros(hu.shape, np.uint8)
    labels[3:9, 9, 3:9] = 1
    assert body_mask(hu, np.eye(4) * 8, labels).sum() == 6 * 7 * 6


def test_air_holds_no_body():
    with pytest.raises(InputError, match="no body"):
        body_mask(np.full((5, 5, 5), -1000, np.int16), np.eye(4))
