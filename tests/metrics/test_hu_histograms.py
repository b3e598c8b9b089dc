import numpy as np
import pytest

from vctlib.metrics.hu_histograms import (
    BIN_HU,
    MIDDLE,
    N_BINS,
    band_percent,
    cohort_histograms,
    hu_histogram,
    hu_histograms,
    peak_hu,
    total_variation,
    valley_percent,
    wasserstein_hu,
)
from vctlib.metrics.partial_scans import DENSITY_BANDS


def group(*values, n=1):
    """People whose bodies are of these HU in equal parts."""
    hu = np.array(values, float)
    return np.repeat(hu_histograms([(hu, np.ones(len(hu), bool))]), n, axis=0)


def test_only_the_body_counts_and_shares_sum_to_one():
    hu, body = np.array([-2000, -1000, 40, 40, 5000]), np.array([True, False, True, True, True])
    found = hu_histogram(hu, body)
    assert found.sum() == pytest.approx(1) and found[0] == found[-1] == 0.25
    assert found[np.abs(MIDDLE - 40).argmin()] == 0.5


def test_bands_share_out_all_bins():
    everything = np.full((1, N_BINS), 1 / N_BINS)
    assert sum(band_percent(everything, band)[0] for band in DENSITY_BANDS) == pytest.approx(100)
    assert band_percent(group(-100, -100, 40, 1000), "fat") == pytest.approx(50)


def test_peaks_lie_where_most_voxels_are_and_between_bins():
    soft = np.random.default_rng(0).normal((-108, 33), (15, 12), (40_000, 2)).ravel()
    people = hu_histograms([(soft, np.ones(soft.shape, bool))])
    assert peak_hu(people, "fat") == pytest.approx(-108, abs=3) and peak_hu(people, "lean") == pytest.approx(33, abs=3)
    rng = np.random.default_rng(1)
    flank = np.concatenate([rng.normal(-105, 10, 50_000), rng.normal(20, 40, 950_000)])  # higher at -40 than at -105
    assert peak_hu(hu_histograms([(flank, np.ones(flank.shape, bool))]), "fat") == pytest.approx(-105, abs=6)
    assert np.isnan(peak_hu(group(500), "fat"))
    even = group(25, 35, 35, 45)  # as high on both sides of the peak
    assert peak_hu(even, "lean") == pytest.approx(MIDDLE[np.abs(MIDDLE - 35).argmin()])


def test_the_valley_is_between_fat_and_soft_tissue():
    assert valley_percent(group(-100, -20, 40, 40)) == pytest.approx(25) and valley_percent(group(-50, 10)) == 0


def test_total_variation_by_hand():
    assert total_variation(group(40), group(40)) == 0
    assert total_variation(group(40), group(-100)) == 1
    assert total_variation(group(40, 40, 40, -100), group(40, -100)) == pytest.approx(0.25)


def test_wasserstein_is_the_shift():
    assert wasserstein_hu(group(0), group(30)) == pytest.approx(30, abs=BIN_HU)
    assert wasserstein_hu(group(0, 0), group(0, 100)) == pytest.approx(50, abs=BIN_HU)
    assert wasserstein_hu(group(0, n=3), group(0, n=5)) == 0


def test_within_a_band_amounts_do_not_matter():
    first, second = group(-100, 40), group(-100, -100, -100, 40)
    assert wasserstein_hu(first, second, "fat") == 0 and wasserstein_hu(first, second) > 20
    assert np.isnan(wasserstein_hu(first, second, "bone"))


def test_a_cohort_has_a_histogram_a_person_without_air(tiny_people):
    histograms = cohort_histograms(tiny_people)
    assert histograms.shape == (len(tiny_people), N_BINS) and histograms.sum(axis=1) == pytest.approx(1)
    hu, _ = tiny_people.ct(tiny_people.subjects[0])
    muscle = np.abs(MIDDLE - 50).argmin()
    assert histograms[0, muscle] == pytest.approx(np.mean(hu[hu > -500] == 50))
    assert histograms[:, MIDDLE < -800].sum() == 0
