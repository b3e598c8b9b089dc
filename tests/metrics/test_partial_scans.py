"""Figures of a region: they look at it alone, and agree with those of the whole where the region is the whole."""

import numpy as np
import pytest

from vctlib.errors import InputError
from vctlib.metrics.partial_scans import DENSITY_BANDS, between_heights, compare_regions, error_by_density
from vctlib.metrics.reconstruction import compare


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    original = rng.normal(0, 200, (14, 12, 16)).round().astype(np.int16)
    return original, original + rng.normal(0, 30, original.shape).astype(np.float32)


def test_heights_are_shares_below_the_crown():
    body = np.zeros((4, 4, 30), bool)
    body[1:3, 1:3, 5:25] = True  # twenty slices, the crown in slice 24
    part = between_heights(body, 0.1, 0.5)
    assert np.flatnonzero(part.any(axis=(0, 1))).tolist() == list(range(15, 23))
    assert part[1:3, 1:3, 15:23].all() and part.sum() == 4 * 8
    assert (between_heights(body, 0.0, 1.0) == body).all()
    with pytest.raises(InputError, match="no body"):
        between_heights(np.zeros((2, 2, 2), bool), 0, 1)


def test_body_figures_are_those_of_the_reconstruction_metrics(pair):
    body = np.zeros(pair[0].shape, bool)
    body[2:12, 2:10, 2:14] = True
    expected = compare(*pair, np.eye(4), body)
    row = compare_regions(*pair, {"body": body}).loc["body"]
    assert row.psnr_db == pytest.approx(expected["psnr_body_db"])
    assert row.ssim == pytest.approx(expected["ssim_body"])
    assert row.mae_hu == pytest.approx(expected["mae_body_hu"])


def test_a_region_does_not_see_errors_elsewhere(pair):
    original, _ = pair
    spoilt = original.astype(np.float32)
    spoilt[:, :, :3] += 100
    far, near = np.zeros(original.shape, bool), np.zeros(original.shape, bool)
    far[:, :, 10:], near[:, :, :3] = True, True
    rows = compare_regions(original, spoilt, {"far": far, "near": near})
    assert rows.loc["far"].tolist() == [np.inf, pytest.approx(1.0), 0.0]
    assert rows.at["near", "mae_hu"] == pytest.approx(100)


def test_error_by_density_by_hand():
    original = np.array([-1000, -500, -100, -50, 40, 40, 300, 1500])
    decoded = original + np.array([100, 300, 0, -10, 5, -5, -60, -700])
    table = error_by_density(original, decoded)
    assert table["voxels"].tolist() == [2, 2, 2, 1, 1]
    assert table["mae_hu"].tolist() == [200, 5, 5, 60, 700]
    assert table["bias_hu"].tolist() == [200, -5, 0, -60, -700]
    assert error_by_density(original[:1], decoded[:1]).loc["dense"].isna().sum() == 2


def test_every_voxel_that_a_ct_stores_is_in_one_band():
    values = np.arange(-1024, 3072)
    assert error_by_density(values, values)["voxels"].sum() == len(values)
    ends = [(band.low, band.high) for band in DENSITY_BANDS.values()]
    assert all(first[1] == second[0] for first, second in zip(ends, ends[1:], strict=False))
