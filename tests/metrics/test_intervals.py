import numpy as np
import pytest

from vctlib.metrics.intervals import bootstrap, clopper_pearson, half_sample_interval, pearson


def test_bootstrap_of_a_mean_agrees_with_the_normal_interval():
    values = np.random.default_rng(1).normal(10, 2, size=400)
    estimate = bootstrap(np.mean, values)
    half = 1.96 * values.std(ddof=1) / 20
    assert estimate.value == pytest.approx(values.mean()) and estimate.n == 400
    assert estimate.ci95 == pytest.approx((values.mean() - half, values.mean() + half), abs=0.03)


def test_bootstrap_covers_the_truth_about_19_times_in_20():
    rng = np.random.default_rng(2)
    hits = 0
    for seed in range(200):
        low, high = bootstrap(np.mean, rng.normal(size=60), n_resamples=300, seed=seed).ci95
        hits += low <= 0 <= high
    assert 0.88 <= hits / 200 <= 0.99


def test_interval_from_halves_is_that_of_a_mean():
    rng = np.random.default_rng(4)
    values = rng.normal(10, 2, size=400)
    halves = np.array([values[rng.permutation(400)[:200]].mean() for _ in range(2000)])
    low, high = half_sample_interval(values.mean(), halves)
    assert (low + high) / 2 == pytest.approx(values.mean())
    assert high - low == pytest.approx(2 * 1.96 * values.std(ddof=1) / 20, rel=0.08)


def test_interval_from_halves_keeps_to_the_value_where_a_statistic_is_biased_at_small_n():
    rng = np.random.default_rng(5)
    values = rng.normal(size=60)
    halves = np.array([np.ptp(values[rng.permutation(60)[:30]]) for _ in range(200)])  # a range only shrinks
    low, high = half_sample_interval(np.ptp(values), halves)
    assert low < np.ptp(values) < high and halves.mean() < np.ptp(values)


def test_bootstrap_is_reproducible_and_honest_about_small_samples():
    values = [1.0, 2.0, 4.0]
    assert bootstrap(np.mean, values, seed=3) == bootstrap(np.mean, values, seed=3)
    one = bootstrap(np.mean, [5.0])
    assert one.value == 5.0 and np.isnan(one.ci95).all()
    assert np.isnan(bootstrap(np.mean, []).value)


def test_pearson_by_hand_with_fishers_interval():
    x, y = np.array([1.0, 2, 3, 4, 5]), np.array([2.0, 1, 4, 3, 5])  # covariance 8, both sums of squares 10
    estimate = pearson(x, y)
    assert estimate.value == pytest.approx(0.8)
    expected = np.tanh(np.arctanh(0.8) + np.array([-1, 1]) * 1.959964 / np.sqrt(5 - 3))
    assert estimate.ci95 == pytest.approx(tuple(expected), rel=1e-5)


def test_pearson_leaves_out_unknown_pairs_and_says_how_many_are_left():
    estimate = pearson([1, 2, 3, np.nan, 5], [2, 4, 6, 0, np.nan])
    assert estimate.value == pytest.approx(1) and estimate.n == 3 and np.isnan(estimate.ci95).all()
    assert np.isnan(pearson([1, 1, 1], [1, 2, 3]).value)
    assert np.isnan(pearson([1, 2], [1, 2]).value)


def test_exact_interval_by_hand():
    assert clopper_pearson(0, 160) == pytest.approx((0, 1 - 0.025 ** (1 / 160)))
    low, high = clopper_pearson(4, 160)
    assert (low, high) == pytest.approx((0.00685, 0.06279), abs=2e-4)
    assert np.isnan(clopper_pearson(0, 0)).all()
