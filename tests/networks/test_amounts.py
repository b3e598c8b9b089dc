"""A body's share of fat and its bones' mean: measured by hand, and kept when an image is brought to them."""

import numpy as np
import pytest

from vctlib.anatomy import PAPER16, ids_of
from vctlib.networks.amounts import bone_hu, fat_share, with_bone_hu, with_fat_share

BONE, LIMB_BONE, LIVER = ids_of(PAPER16, "bone", "appendicular_bones", "liver")


@pytest.fixture
def body() -> tuple[np.ndarray, np.ndarray]:
    """A soft image: air, a ramp from fat to muscle, a liver at 60 HU and two bones."""
    hu = np.full((12, 10, 10), -1000.0, np.float32)
    hu[2:10] = np.linspace(-120, 60, 8, dtype=np.float32)[:, None, None]
    labels = np.zeros(hu.shape, np.uint8)
    hu[4:6, 4:6, 4:6], labels[4:6, 4:6, 4:6] = 60, LIVER
    hu[7, 2:4, 2:4], labels[7, 2:4, 2:4] = (50, 300), BONE
    hu[7, 6:8, 6:8], labels[7, 6:8, 6:8] = 500, LIMB_BONE
    return hu, labels


def test_the_share_counts_fat_among_what_has_no_label(body):
    hu, labels = body
    soft = (labels == 0) & (hu > -500)
    expected = 100 * np.count_nonzero(hu[soft] < -30) / np.count_nonzero(soft)
    assert fat_share(hu, labels) == pytest.approx(expected)
    hu[0] = -400  # neither fat nor muscle
    assert fat_share(hu, labels) == pytest.approx(expected)


@pytest.mark.parametrize("percent", [25.0, 50.0, 74.0])
def test_an_image_gets_the_share_that_is_told(body, percent):
    hu, labels = body
    rng = np.random.default_rng(0)
    hu += rng.uniform(-5, 5, hu.shape).astype(np.float32)
    moved = with_fat_share(hu, labels, percent)
    assert fat_share(moved, labels) == pytest.approx(percent, abs=0.3)
    soft = (labels == 0) & (hu >= -190) & (hu < 150)
    np.testing.assert_array_equal(moved[~soft], hu[~soft])  # organs, bones and air stay
    order = np.argsort(hu[soft], kind="stable")
    assert (np.diff(moved[soft][order]) >= 0).all()  # and nobody overtakes anybody
    assert moved.dtype == np.float32 and moved is not hu


def test_a_share_that_nobody_has_moves_the_border_only_so_far(body):
    hu, labels = body
    assert fat_share(with_fat_share(hu, labels, -40.0), labels) < fat_share(with_fat_share(hu, labels, 140.0), labels)
    for percent in (-40.0, 140.0):
        moved = with_fat_share(hu, labels, percent)
        assert np.isfinite(moved).all() and np.abs(moved - hu).max() < 125


def test_bones_get_the_mean_that_is_told_and_marrow_stays(body):
    hu, labels = body
    assert bone_hu(hu, labels) == pytest.approx((2 * 50 + 2 * 300 + 4 * 500) / 8)
    scaled = with_bone_hu(hu, labels, 400.0)
    assert bone_hu(scaled, labels) == pytest.approx(400.0)
    assert (scaled[7, 2:4, 2] == 50).all() and scaled[7, 2, 3] > 300
    np.testing.assert_array_equal(scaled[labels == 0], hu[labels == 0])


def test_bones_are_at_most_twice_as_dense(body):
    hu, labels = body
    assert with_bone_hu(hu, labels, 5000.0)[7, 6, 6] == pytest.approx(100 + 2 * 400)
    assert with_bone_hu(hu, labels, -5000.0)[7, 6, 6] == pytest.approx(100 + 0.5 * 400)


def test_where_there_is_nothing_to_measure_nothing_changes():
    hu, labels = np.full((4, 4, 4), -1000.0, np.float32), np.zeros((4, 4, 4), np.uint8)
    assert np.isnan(fat_share(hu, labels)) and np.isnan(bone_hu(hu, labels))
    np.testing.assert_array_equal(with_bone_hu(with_fat_share(hu, labels, 50.0), labels, 400.0), hu)
