import numpy as np
import pandas as pd
import pytest

from vctlib.errors import InputError
from vctlib.trial.weighting import attribute_categories, importance_weights, weighted_estimate


def group(n: int, sex: str, weight: float) -> pd.DataFrame:
    return pd.DataFrame({"sex": sex, "age_years": 45.0, "height_cm": 175.0, "weight_kg": weight}, index=range(n))


def test_equation_6_by_hand():
    weights = importance_weights(np.array([0.0, 0.5, 0.8]), id_share=0.75)
    assert weights == pytest.approx([0.0, 3.0, 12.0])  # p / (1 - p) * 0.75 / 0.25


def test_certain_ood_gets_a_finite_weight_beyond_every_counted_one():
    certain, counted = importance_weights(np.array([1.0, 0.99]), id_share=0.5)
    assert np.isfinite(certain)
    assert certain == pytest.approx(199)  # half a tree of a hundred: 0.995 / 0.005
    assert certain > counted == pytest.approx(99)


def test_categories_are_those_of_the_generator():
    categories = attribute_categories(group(2, "male", 72.0))
    assert categories.tolist() == [[2, 3, 4, 4]] * 2


def test_people_who_look_ood_count_for_more():
    """ID: 60 light people with error 1, 20 heavy ones with error 5. OOD: all heavy."""
    id_people = pd.concat([group(60, "male", 65.0), group(20, "male", 105.0)])
    errors = np.repeat([1.0, 5.0], [60, 20])
    result = weighted_estimate(id_people, group(60, "male", 105.0), errors, 0.5, n_resamples=200)
    assert result.mae.value > 4.5  # unweighted: 2
    assert result.weights[-1] > 10 * result.weights[0]
    assert result.accuracy == pytest.approx(120 / 140)  # the 20 heavy ID people are taken for OOD
    assert 19 < result.effective_sample_size < 30


def test_equal_populations_leave_the_mean_alone():
    people = group(80, "female", 65.0)
    errors = np.random.default_rng(0).exponential(size=80)
    result = weighted_estimate(people, people, errors, 0.5, n_resamples=200)
    assert result.mae.value == pytest.approx(errors.mean())
    assert result.effective_sample_size == pytest.approx(80)
    assert result.accuracy == 0.5


def test_too_few_people_to_tell_apart_are_weighted_alike():
    result = weighted_estimate(group(6, "male", 65.0), group(6, "male", 105.0), np.arange(6.0), 0.5, n_resamples=200)
    assert result.mae.value == pytest.approx(2.5)
    assert result.effective_sample_size == pytest.approx(6)
    assert result.accuracy == 0.5


def test_effective_sample_size_and_mean_follow_their_formulas():
    rng = np.random.default_rng(1)
    id_people = pd.concat([group(30, "male", 65.0), group(30, "female", 75.0), group(30, "male", 85.0)])
    ood_people = pd.concat([group(10, "male", 65.0), group(30, "female", 75.0), group(60, "male", 85.0)])
    errors = rng.normal(size=90)
    result = weighted_estimate(id_people, ood_people, errors, 0.6, n_resamples=200)
    weights = result.weights
    assert result.mae.value == pytest.approx((weights * np.abs(errors)).sum() / weights.sum())
    assert result.effective_sample_size == pytest.approx(weights.sum() ** 2 / (weights**2).sum())
    assert result.effective_sample_size <= 90


def test_hopeless_cases_are_refused():
    with pytest.raises(InputError, match="at least two"):
        weighted_estimate(group(1, "male", 65.0), group(50, "male", 65.0), np.ones(1), 0.5)
    with pytest.raises(InputError, match="resembles"):
        weighted_estimate(group(50, "male", 55.0), group(50, "male", 115.0), np.ones(50), 0.5)
    with pytest.raises(InputError, match="no column 'sex'"):
        people = group(50, "male", 65.0)
        weighted_estimate(people.drop(columns="sex"), people, np.ones(50), 0.5)
    with pytest.raises(InputError, match="id_share"):
        importance_weights(np.array([0.5]), 1.0)
