import numpy as np
import pandas as pd
import pytest
from scipy import stats

from vctlib.errors import InputError
from vctlib.metrics.conditioning import (
    agreement,
    by_category,
    categories,
    mean_difference,
    z_score,
)


def _people(heights, measured):
    n = len(heights)
    table = {"sex": ["female"] * n, "age_years": [50.0] * n, "height_cm": heights, "weight_kg": [70.0] * n}
    return pd.DataFrame(table | {"height_measured_cm": measured})


def test_categories_of_a_table():
    table = _people([145, 150, 175, np.nan, 190], 5 * [0.0])
    assert categories(table, "height").tolist() == [1, 2, 4, 0, 6]


def test_z_is_the_papers_gives_its_table_1_back():
    """MAE 1.34 [1.15, 1.60] of reconstructed against 1.20 [1.04, 1.40] of real, 75 each: the paper prints Z 0.97."""
    sd = [np.sqrt(75) * (high - low) / (2 * 1.96) for low, high in ((1.15, 1.60), (1.04, 1.40))]
    assert z_score(1.34, sd[0], 75, 1.20, sd[1], 75) == pytest.approx(0.97, abs=0.03)
    sd = [np.sqrt(75) * (high - low) / (2 * 1.96) for low, high in ((3.47, 4.76), (3.10, 4.31))]
    assert z_score(4.07, sd[0], 75, 3.66, sd[1], 75) == pytest.approx(0.90, abs=0.03)


def test_hand_values_by_category():
    reference = _people([172, 174, 176, 182, 184], [170.0, 172, 174, 180, 184])
    synthetic = _people([171, 173, 175, 181, 250], [173.0, 175, 177, np.nan, 200])
    table = by_category({"reference": reference, "synthetic": synthetic}, "height", "height_measured_cm")
    row = table[(table["label"] == "170-180 cm") & (table["cohort"] == "synthetic")].iloc[0]
    assert (row["n"], row["mean"], row["sd"]) == (3, 175, 2)
    assert row["standardized_difference"] == pytest.approx(3 / 2)
    assert row["z_score"] == pytest.approx(3 / np.sqrt(4 / 3 + 4 / 3))
    own = table[(table["label"] == "170-180 cm") & (table["cohort"] == "reference")].iloc[0]
    assert own["mean"] == 172 and np.isnan(own["z_score"])
    empty = table[(table["label"] == "180-190 cm") & (table["cohort"] == "synthetic")].iloc[0]
    assert empty["n"] == 0 and np.isnan(empty["z_score"])  # the only one was not measured


def test_mean_difference_takes_absolute_values_and_drops_rare_categories():
    reference = _people([172, 174, 182, 184, 192, 194], [0.0, 2, 0, 2, 0, 2])
    synthetic = _people([172, 174, 182, 184, 192], [1.0, 3, -2, 0, 50])  # +1 and -2 HU of SD sqrt 2; one alone
    table = by_category({"reference": reference, "synthetic": synthetic}, "height", "height_measured_cm")
    mean = mean_difference(table, "synthetic", "standardized_difference", minimum_n=2)
    assert mean.n == 2 and mean.value == pytest.approx(1.5 / np.sqrt(2))
    assert np.isnan(mean_difference(table, "synthetic", "z_score", minimum_n=3).value)


def test_where_nothing_differs_z_averages_080_and_the_standardized_difference_shrinks_with_n():
    rng = np.random.default_rng(0)
    means = {}
    for n in (20, 200):
        z, d = [], []
        for _ in range(60):
            tables = {name: _people([175] * n, rng.normal(size=n)) for name in ("reference", "synthetic")}
            table = by_category(tables, "height", "height_measured_cm")
            z.append(mean_difference(table, "synthetic", "z_score").value)
            d.append(mean_difference(table, "synthetic", "standardized_difference").value)
        means[n] = np.mean(z), np.mean(d)
    assert means[20][0] == pytest.approx(0.80, abs=0.2) and means[200][0] == pytest.approx(0.80, abs=0.2)
    assert means[200][1] < means[20][1] / 2


def test_agreement_by_hand():
    asked = np.array([150.0, 160, 170, 180, 190, np.nan])
    result = agreement(asked, np.array([167.0, 172, 177, 182, 187, 0]))  # 0.5 * asked + 92
    assert (result.slope, result.intercept) == pytest.approx((0.5, 92))
    assert result.bias == pytest.approx(7) and result.spread_ratio == pytest.approx(0.5)
    assert result.mean_absolute_error == pytest.approx(np.mean([17, 12, 7, 2, 3]))
    assert result.correlation.value == pytest.approx(1) and result.n == 5


def test_agreement_of_perfect_and_of_too_few_pairs():
    asked = np.linspace(150, 190, 9)
    perfect = agreement(asked, asked)
    assert (perfect.slope, perfect.bias, perfect.spread_ratio) == pytest.approx((1, 0, 1))
    few = agreement([1, 2], [1, 2])
    assert few.n == 2 and np.isnan(few.slope) and np.isnan(few.correlation.value)


def test_intervals_of_slope_bias_and_spread_hold_the_truth_about_19_times_in_20():
    rng, hits = np.random.default_rng(0), np.zeros(3)
    for _ in range(200):
        asked = rng.normal(170, 8, 40)
        result = agreement(asked, 0.5 * asked + 88 + rng.normal(0, 3, 40))  # slope 0.5, bias 3, SD 5 over 8
        truths = {"slope_ci95": 0.5, "bias_ci95": 3, "spread_ci95": 5 / 8}
        hits += [low <= truth <= high for (low, high), truth in ((getattr(result, k), v) for k, v in truths.items())]
    assert (hits >= 178).all() and (hits <= 199).all()


def test_interval_of_the_spread_agrees_with_the_test_of_equal_variances():
    """At the lower end k, measured and k times asked have variances that differ with p = 0.05: r(sum, difference)."""
    rng = np.random.default_rng(1)
    asked = rng.normal(size=30)
    measured = 0.8 * asked + rng.normal(size=30)
    for k in agreement(asked, measured).spread_ci95:
        test = stats.pearsonr(measured + k * asked, measured - k * asked)
        assert test.pvalue == pytest.approx(0.05, rel=1e-6)


def test_missing_reference_or_column_is_named():
    people = _people([170], [1.0])
    with pytest.raises(InputError, match="reference"):
        by_category({"synthetic": people}, "height", "height_measured_cm")
    with pytest.raises(InputError, match="no column 'mass_kg'"):
        by_category({"reference": people}, "height", "mass_kg")
