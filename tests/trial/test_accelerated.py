"""BCa replicates: against SciPy's interval, by hand, and where nothing needs correction."""

import numpy as np
import pytest
from scipy import stats

from vctlib.trial.accelerated import accelerated, acceleration
from vctlib.trial.bootstrap import bootstrap_difference, bootstrap_mae
from vctlib.trial.statistics import equivalence


def test_acceleration_of_a_mean_is_a_sixth_of_its_skew():
    values = np.random.default_rng(0).gamma(1, size=30)
    without = (values.sum() - values) / 29
    assert acceleration([without]) == pytest.approx(stats.skew(values) / (6 * np.sqrt(30)))
    assert acceleration([np.ones(5)]) == 0
    assert acceleration([without, -without]) == pytest.approx(0)  # what two like samples do cancels out


def test_interval_agrees_with_scipys_where_patients_are_many():
    absolute = np.random.default_rng(1).gamma(1, size=400)
    theirs = stats.bootstrap(
        (absolute,), np.mean, n_resamples=9999, method="BCa", rng=np.random.default_rng(2)
    ).confidence_interval
    ours, plain = (bootstrap_mae(absolute, method=method) for method in ("bca", "percentile"))
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.01)
    assert ours.low > plain.low and ours.high > plain.high  # errors are skewed to the right
    assert (ours.value, ours.standard_error) == (plain.value, plain.standard_error)


def test_few_patients_get_the_width_of_students_interval():
    absolute = 10 + stats.norm.ppf((np.arange(10) + 0.5) / 10)  # nothing is skewed
    found = bootstrap_mae(absolute, n_resamples=40_000, method="bca")
    reach = stats.t.ppf(0.975, 9) * absolute.std(ddof=1) / np.sqrt(10)
    assert (found.high - found.low) / 2 == pytest.approx(reach, rel=0.05)
    plain = bootstrap_mae(absolute, n_resamples=40_000, method="percentile")
    narrower = np.sqrt(9 / 10) * stats.norm.ppf(0.975) / stats.t.ppf(0.975, 9)
    assert (plain.high - plain.low) / 2 == pytest.approx(reach * narrower, rel=0.05)


def test_share_beyond_a_limit_is_the_level_whose_interval_ends_there():
    rng = np.random.default_rng(3)
    arm, real, patients = rng.gamma(1, size=60), rng.gamma(1, size=60), np.arange(60)
    difference = bootstrap_difference(arm, patients, real, patients, level=0.9, method="bca")
    margin = max(-difference.low, difference.high)  # the interval of 90 % just touches it
    assert equivalence(difference, margin).p == pytest.approx(0.05, abs=0.001)
    assert np.mean(difference.replicates <= difference.low) == pytest.approx(0.05, abs=0.001)


def test_difference_changes_sign_with_the_reference():
    rng = np.random.default_rng(4)
    first, second = rng.gamma(1, size=40), rng.gamma(2, size=40)
    for patients in (np.arange(40), None):
        ours = bootstrap_difference(first, patients, second, patients, method="bca", n_resamples=4000)
        theirs = bootstrap_difference(second, patients, first, patients, method="bca", n_resamples=4000)
        assert (ours.low, ours.high) == pytest.approx((-theirs.high, -theirs.low), abs=0.08 * (patients is None) + 1e-3)


def test_nothing_that_does_not_vary_is_moved():
    assert accelerated(np.full(100, 2.0), 2.0, [np.full(5, 2.0)]).tolist() == [2.0] * 100
    replicates = accelerated(np.random.default_rng(5).normal(size=500), 9.0, [np.array([0.0, 0, 0, 5])])
    assert np.isfinite(replicates).all() and (np.diff(replicates) >= 0).all()
