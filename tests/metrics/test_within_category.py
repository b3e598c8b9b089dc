import numpy as np
import pandas as pd
import pytest

from vctlib.errors import InputError
from vctlib.metrics.within_category import (
    category_slope,
    category_table,
    combinations,
    residuals,
    spread_ratio,
)

N = 600
WEIGHT = ["weight"]


def _people(rng, n=N):
    table = {"sex": rng.choice(["female", "male"], n), "age_years": 50.0, "height_cm": 172.0}
    return pd.DataFrame(table | {"weight_kg": rng.uniform(40, 130, n)})


@pytest.fixture
def reference():
    """Fat grows with weight, 4 percentage points within a kilogram."""
    rng = np.random.default_rng(0)
    people = _people(rng)
    return people.assign(fat=0.3 * people["weight_kg"] + rng.normal(0, 4, N))


def _means(reference):
    return reference.groupby(combinations(reference, WEIGHT))["fat"].transform("mean")


def test_a_sound_generator_has_slope_and_spread_of_one(reference):
    rng = np.random.default_rng(1)
    people = _people(rng)
    other = people.assign(fat=0.3 * people["weight_kg"] + rng.normal(0, 4, N))
    for estimate in (category_slope(reference, other, "fat", WEIGHT), spread_ratio(reference, other, "fat", WEIGHT)):
        assert estimate.ci95[0] < 1 < estimate.ci95[1] and estimate.ci95[1] - estimate.ci95[0] < 0.3


def test_a_generator_that_ignores_the_category_has_slope_0_and_too_wide_a_category(reference):
    other = reference.assign(fat=np.random.default_rng(2).permutation(reference["fat"].to_numpy()))
    slope = category_slope(reference, other, "fat", WEIGHT)
    assert slope.value == pytest.approx(0, abs=0.15) and slope.ci95[0] < 0 < slope.ci95[1]
    assert spread_ratio(reference, other, "fat", WEIGHT).ci95[0] > 1.3


def test_a_generator_of_category_means_has_slope_1_and_no_spread(reference):
    other = reference.assign(fat=_means(reference))
    assert category_slope(reference, other, "fat", WEIGHT).value == pytest.approx(1)
    ratio = spread_ratio(reference, other, "fat", WEIGHT)
    assert (ratio.value, *ratio.ci95) == (0, 0, 0)


def test_half_the_spread_is_found_whatever_the_bias(reference):
    means = _means(reference)
    other = reference.assign(fat=5 + means + (reference["fat"] - means) / 2)
    assert spread_ratio(reference, other, "fat", WEIGHT).value == pytest.approx(0.5)
    assert category_slope(reference, other, "fat", WEIGHT).value == pytest.approx(1)


def test_residuals_by_hand():
    table = _people(np.random.default_rng(0), 6).assign(
        sex="male", weight_kg=[71, 72, 81, 82, 83, 95], fat=[10.0, 14.0, 20.0, 23.0, 26.0, 99.0]
    )
    values, freedom = residuals(table, "fat", WEIGHT)  # the last is alone
    assert freedom == 3  # 2 - 1 and 3 - 1
    assert values == pytest.approx([-2, 2, -3, 0, 3])
    assert spread_ratio(table, table.assign(fat=2 * table["fat"]), "fat", WEIGHT).value == pytest.approx(2)
    other = table.assign(fat=[10.0, 14.0, 20.0, 20.0, 20.0, 99.0])
    assert spread_ratio(table, other, "fat", WEIGHT).value == pytest.approx(np.sqrt(8 / (8 + 18)))  # pooled variances


@pytest.mark.parametrize("draw", [lambda rng, n: rng.normal(size=n), lambda rng, n: rng.gamma(4, size=n)])
def test_interval_covers_one_about_19_times_in_20_for_skewed_values_too(draw):
    rng, hits = np.random.default_rng(3), 0
    people = _people(rng, 160)
    for _ in range(60):
        first, second = (people.assign(fat=draw(rng, 160)) for _ in range(2))
        low, high = spread_ratio(first, second, "fat", WEIGHT).ci95
        hits += low <= 1 <= high
    assert hits >= 51


def test_per_category_by_hand(reference):
    table = _people(np.random.default_rng(0), 6).assign(weight_kg=[71, 72, 73, 81, 82, 83])
    first = table.assign(fat=[1.0, 2, 3, 10, 20, 30])
    rows = category_table(first, table.assign(fat=[3.0, 4, 5, 10, 20, 30]), "weight", "fat").set_index("label")
    assert rows.loc["70-80 kg", ["n", "reference_n", "mean", "reference_mean", "bias"]].tolist() == [3, 3, 4, 2, 2]
    half = 2.776445 * np.sqrt(2 / 3)  # t of 4 degrees of freedom, both SDs 1
    assert rows.loc["70-80 kg", ["bias_low", "bias_high"]].tolist() == pytest.approx([2 - half, 2 + half], rel=1e-5)
    assert rows.loc["80-90 kg", "sd_ratio"] == pytest.approx(1) and np.isnan(rows.loc["80-90 kg", "sd_ratio_low"])


def test_too_few_to_say_anything(reference):
    few = reference.iloc[:1]
    assert np.isnan(spread_ratio(reference, few, "fat", WEIGHT).value)
    assert np.isnan(category_slope(reference, few, "fat", WEIGHT).value)
    with pytest.raises(InputError, match="no column 'muscle'"):
        spread_ratio(reference, few, "muscle", WEIGHT)


def test_people_of_unknown_category_belong_to_none(reference):
    unknown = reference.assign(weight_kg=np.nan)
    assert combinations(unknown, WEIGHT).isna().all() and spread_ratio(unknown, reference, "fat", WEIGHT).n == N
