import numpy as np
import pandas as pd
import pytest

from vctlib.anatomy import PAPER16
from vctlib.errors import InputError
from vctlib.metrics.matched import FIGURES, average_correlation, matched_organs, nearest_people


def _measured(rng, n=80, follow=None, noise=1.0):
    """A table of `measure_body`: random organs, or `follow`'s with noise of `noise` SD."""
    columns = {}
    for name in PAPER16.values():
        for figure, column in FIGURES.items():
            column = column.format(name)
            values = rng.normal(0, 1, n) if follow is None else follow[column] + noise * rng.normal(0, 1, n)
            columns[column] = values + (100 if figure == "volume" and follow is None else 0)
    return pd.DataFrame(columns, index=[f"P{i}" for i in range(n)])


def test_r_is_that_of_pairs_and_follows_the_noise():
    rng = np.random.default_rng(0)
    first = _measured(rng, 400)
    table = matched_organs(first, _measured(rng, 400, first, noise=1.0).iloc[::-1])  # the order does not matter
    expected = 1 / np.sqrt(2)
    assert table.loc["average", [f"{figure}_r" for figure in FIGURES]].tolist() == pytest.approx(
        [expected] * 4, abs=0.03
    )
    inside = (table["volume_r_low"] <= expected) & (expected <= table["volume_r_high"])
    assert inside[:16].sum() >= 13 and table.loc["liver", "n"] == 400


def test_bodies_of_other_people_do_not_correlate():
    rng = np.random.default_rng(1)
    estimate = average_correlation(_measured(rng), _measured(rng), n_resamples=200)
    assert estimate.ci95[0] < 0 < estimate.ci95[1] and estimate.n == 80


def test_average_is_the_mean_of_pearsons_r_and_its_interval_holds_it():
    rng = np.random.default_rng(2)
    first = _measured(rng)
    second = _measured(rng, follow=first)
    second.loc["P3", "liver_centroid_r_mm_measured"] = np.nan
    for figure in FIGURES:
        estimate = average_correlation(first, second, [figure], n_resamples=200)
        assert estimate.value == pytest.approx(matched_organs(first, second).loc["average", f"{figure}_r"])
        assert estimate.ci95[0] < estimate.value < estimate.ci95[1] < 1


def test_people_who_lack_a_class_in_both_tables_are_left_out_of_it():
    rng = np.random.default_rng(3)
    first = _measured(rng)
    second = _measured(rng, follow=first, noise=0.0)
    women = first.index[:30]
    for table in (first, second):
        table.loc[women, "prostate_volume_ml_measured"] = 0.0
        table.loc[women, [FIGURES[f].format("prostate") for f in FIGURES if f != "volume"]] = np.nan
    row = matched_organs(first, second).loc["prostate"]
    assert row["n"] == 50 and row["volume_r"] == pytest.approx(1) and row["centroid_right_r"] == pytest.approx(1)


def test_nearest_person_is_of_the_same_sex_and_alike_in_units_of_the_spread():
    training = pd.DataFrame(
        {
            "sex": ["male", "male", "female", "male"],
            "age_years": [40.0, 60, 40, np.nan],
            "height_cm": [180.0, 170, 180, 180],
            "weight_kg": [80.0, 82, 80, 80],
        },
        index=list("abcd"),
    )
    people = training.loc[["a", "c"]].rename({"a": "x", "c": "y"})
    assert nearest_people(people, training).to_dict() == {"x": "a", "y": "c"}
    people["sex"] = "male"
    assert nearest_people(people, training).to_dict() == {"x": "a", "y": "a"}
    assert nearest_people(people.assign(sex=None), training).empty


def test_tables_of_strangers_are_an_error():
    first = _measured(np.random.default_rng(0), 5)
    with pytest.raises(InputError, match="share no person"):
        matched_organs(first, first.rename(lambda name: name + "x"))
