import numpy as np
import pytest
from scipy import integrate, stats

from vctlib.errors import InputError
from vctlib.trial.bootstrap import bootstrap_difference
from vctlib.trial.paper_tables import paper_table
from vctlib.trial.statistics import (
    bland_altman,
    distribution_distances,
    equivalence,
    paper_z,
    smallest_margin,
    welch_equivalence,
)


def mean_p(z: float, spread: float) -> float:
    """Mean two-sided p-value of a normal Z with this mean and standard deviation."""
    return integrate.quad(
        lambda x: 2 * stats.norm.sf(abs(x)) * stats.norm.pdf(x, z, spread), -15, 15, points=sorted((0, z))
    )[0]


def printed_arms():
    """Rows of the paper's Table 1 with a Z-score, each with the real row of its task and population."""
    table = paper_table("1")
    real = table[table["arm"] == "real"].set_index(["task", "population"])
    for row in table.dropna(subset=["z"]).itertuples():
        yield row, real.loc[(row.task, row.population)]


def standard_error(row) -> float:
    return (row.mae_high - row.mae_low) / (2 * stats.norm.ppf(0.975))


def test_printed_p_is_a_mean_of_p_values():
    for row, _ in printed_arms():
        spread = (row.z_high - row.z_low) / (2 * stats.norm.ppf(0.975))
        assert mean_p(row.z, spread) == pytest.approx(row.p, abs=0.0045)


def test_printed_z_divides_both_variances_by_the_arms_own_n():
    ours, usual = [], []
    for row, real in printed_arms():
        variance, real_variance = standard_error(row) ** 2 * row.n, standard_error(real) ** 2 * real.n
        difference = row.mae - real.mae
        ours.append(difference / np.sqrt((variance + real_variance) / row.n) - row.z)
        usual.append(difference / np.sqrt(variance / row.n + real_variance / real.n) - row.z)
    assert np.abs(ours).max() < 0.12
    assert np.abs(usual).max() > 0.4


def stand_in(row) -> np.ndarray:
    """Gamma distributed absolute errors with the mean and the standard error that a row prints."""
    spread = standard_error(row) * np.sqrt(row.n)
    values = stats.gamma.ppf((np.arange(row.n) + 0.5) / row.n, (row.mae / spread) ** 2)
    return row.mae + spread * (values - values.mean()) / values.std()


def test_procedure_gives_what_the_table_prints():
    for row, real in printed_arms():
        found = paper_z(stand_in(row), stand_in(real), n_resamples=5000)
        assert found.z == pytest.approx(row.z, abs=0.12)
        assert found.p == pytest.approx(row.p, abs=0.035)
        assert (found.low, found.high) == pytest.approx((row.z_low, row.z_high), abs=0.4)


def test_z_of_equal_sizes_follows_the_welch_statistic():
    rng = np.random.default_rng(0)
    arm, real = rng.exponential(size=200), rng.exponential(1.2, size=200)
    expected = stats.ttest_ind(arm, real, equal_var=False).statistic
    for denominator in ("printed", "welch"):
        assert paper_z(arm, real, denominator=denominator).z == pytest.approx(expected, abs=0.08)


def test_printed_and_usual_denominators_differ_by_the_ratio_of_sizes():
    rng = np.random.default_rng(1)
    arm, real = rng.exponential(size=800), rng.exponential(2, size=200)
    ratio = np.sqrt((arm.var() / 800 + real.var() / 200) / ((arm.var() + real.var()) / 800))
    assert paper_z(arm, real).z / paper_z(arm, real, denominator="welch").z == pytest.approx(ratio, rel=0.02)


def test_mean_p_hides_differences_as_the_docstring_says():
    assert mean_p(2.75, 1) == pytest.approx(0.05, abs=0.001)
    assert 2 * stats.norm.sf(2.75) == pytest.approx(0.006, abs=0.0005)
    assert mean_p(0, 1) == pytest.approx(0.5)
    errors = np.abs(np.random.default_rng(2).normal(size=75))
    assert paper_z(errors, errors).p == pytest.approx(0.5, abs=0.02)


def test_z_does_not_depend_on_order_scale_or_sign():
    rng = np.random.default_rng(3)
    arm, real = rng.normal(size=80), rng.normal(0, 2, size=70)
    ours = paper_z(arm, real)
    other = paper_z(-3 * arm, 3 * real)
    assert (other.z, other.low, other.high, other.p) == pytest.approx((ours.z, ours.low, ours.high, ours.p))
    assert paper_z(rng.permutation(arm), real).z == pytest.approx(ours.z, abs=0.05)


def test_z_of_errors_without_spread_is_refused():
    with pytest.raises(InputError, match="vary"):
        paper_z(np.ones(10), np.ones(10))
    with pytest.raises(InputError, match="two finite"):
        paper_z(np.array([1.0, np.nan]), np.ones(10))


def test_welch_equivalence_agrees_with_statsmodels():
    from statsmodels.stats.weightstats import ttost_ind

    rng = np.random.default_rng(4)
    arm, real = rng.exponential(size=60), rng.exponential(1.1, size=90)
    for margin in (0.1, 0.5, 1.0):
        p, lower, upper = ttost_ind(arm, real, -margin, margin, usevar="unequal")
        ours = welch_equivalence(arm, real, margin)
        assert ours.p == pytest.approx(p)
        assert (ours.p_lower, ours.p_upper) == pytest.approx((lower[1], upper[1]))


def test_bootstrap_equivalence_agrees_with_welch_where_nothing_is_clustered():
    rng = np.random.default_rng(5)
    arm, real = rng.exponential(size=150), rng.exponential(size=150)
    difference = bootstrap_difference(arm, None, real, None)
    assert equivalence(difference, 0.3).p == pytest.approx(welch_equivalence(arm, real, 0.3).p, abs=0.01)


def test_smallest_margin_is_where_equivalence_begins():
    rng = np.random.default_rng(8)
    difference = bootstrap_difference(rng.exponential(size=90) + 0.2, None, rng.exponential(size=90), None)
    margin = smallest_margin(difference)
    assert equivalence(difference, 1.02 * margin).p < 0.05 < equivalence(difference, 0.98 * margin).p


def test_equivalence_needs_a_small_difference_and_enough_people():
    rng = np.random.default_rng(6)

    def p(shift: float, n: int) -> float:
        real = rng.exponential(size=n)
        return equivalence(bootstrap_difference(rng.exponential(size=n) + shift, None, real, None), 0.5).p

    assert p(0.0, 200) < 0.05
    assert p(0.0, 6) > 0.05
    assert p(0.6, 200) > 0.5
    with pytest.raises(InputError, match="margin"):
        welch_equivalence(np.ones(3), np.ones(3), 0.0)


def test_distances_of_a_shift():
    values = np.arange(100.0)
    distances = distribution_distances(values + 10, values)
    assert distances.wasserstein == pytest.approx(10)
    assert distances.kolmogorov_smirnov == pytest.approx(0.10)
    same = distribution_distances(values, values)
    assert (same.wasserstein, same.kolmogorov_smirnov) == (0, 0)


def test_limits_of_agreement_by_hand():
    agreement = bland_altman(np.array([2.0, 4.0, 6.0]), np.array([1.0, 2.0, 3.0]))
    assert agreement.bias == 2.0
    assert (agreement.low, agreement.high) == pytest.approx((2 - 1.96, 2 + 1.96))
