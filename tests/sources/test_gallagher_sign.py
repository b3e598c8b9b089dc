"""The signs of gallagher2000's two interactions with sex: the figures of decision 12."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from vctlib.sources.phantom.composition import gallagher_fat_percent

SIGNS = list(product((1, -1), (1, -1)))  # of sex and age, of sex and 1/BMI


def fat_percent(men: pd.DataFrame, age_sign: int, bmi_sign: int) -> pd.Series:
    """The equation for men, with the signs of its interactions as given."""
    age, bmi = men["age_years"], men["bmi"]
    return 64.5 - 848 / bmi + 0.079 * age - 16.4 + age_sign * 0.05 * age + bmi_sign * 39 / bmi


@pytest.fixture(scope="module")
def excess(nhanes_with_dxa) -> dict:
    """DXA less equation (percentage points): women under None, men under the two signs."""
    women, men = (nhanes_with_dxa[nhanes_with_dxa["sex"] == sex] for sex in ("female", "male"))
    equation = [
        gallagher_fat_percent("female", age, bmi) for age, bmi in zip(women["age_years"], women["bmi"], strict=True)
    ]
    found = {signs: men.assign(excess=men["fat_percent"] - fat_percent(men, *signs)) for signs in SIGNS}
    return found | {None: women.assign(excess=women["fat_percent"] - equation)}


def test_the_code_adds_both():
    man = pd.DataFrame({"age_years": [50.0], "bmi": [30.0]})
    assert fat_percent(man, 1, 1)[0] == pytest.approx(gallagher_fat_percent("male", 50, 30))


@pytest.mark.parametrize(("signs", "worst"), zip(SIGNS, (1.2, 4.4, 6.6, 10.8), strict=True))
def test_only_two_plus_signs_give_the_reprinted_ranges(signs, worst):
    """Healthy ranges for men of 18-39, 40-59 and 60-79 years (BMI 18.5 to 25): 8-19, 11-21 and 13-24 % of fat."""
    reprinted = [(8, 19), (11, 21), (13, 24)]
    ages, bmis = np.repeat([30.0, 50.0, 70.0], 2), np.tile([18.5, 25.0], 3)
    ours = fat_percent(pd.DataFrame({"age_years": ages, "bmi": bmis}), *signs)
    assert np.abs(ours - np.ravel(reprinted)).max() == pytest.approx(worst, abs=0.1)


FIGURES = {  # mean, root mean square and standard deviation of DXA less equation, its slope by age (points a year)
    None: (2.3, 4.9, 4.3, -0.05),
    (1, 1): (3.8, 5.9, 4.5, -0.11),
    (1, -1): (6.6, 8.1, 4.7, -0.12),
    (-1, 1): (7.6, 8.7, 4.3, -0.01),
    (-1, -1): (10.4, 11.3, 4.4, -0.02),
}


@pytest.mark.parametrize("signs", FIGURES)
def test_figures_of_the_decision(excess, signs):
    values, ages = excess[signs]["excess"], excess[signs]["age_years"]
    measured = values.mean(), np.sqrt((values**2).mean()), values.std(), np.polyfit(ages, values, 1)[0]
    assert measured[:3] == pytest.approx(FIGURES[signs][:3], abs=0.06)
    assert measured[3] == pytest.approx(FIGURES[signs][3], abs=0.006)


def test_bias_by_age_of_the_decision(excess):
    """Under 30 and from 50 years: the equation with two plus signs ages men faster than NHANES does."""
    for signs, young, old in ((None, 3.2, 2.1), ((1, 1), 5.7, 2.3), ((-1, 1), 8.0, 7.7)):
        frame = excess[signs]
        assert frame.loc[frame["age_years"] < 30, "excess"].mean() == pytest.approx(young, abs=0.06)
        assert frame.loc[frame["age_years"] >= 50, "excess"].mean() == pytest.approx(old, abs=0.06)


def test_nhanes_own_interactions_of_the_decision(nhanes_with_dxa):
    """Least squares with free interactions: -0.02 +- 0.01 points a year for men, -36 +- 21 by 1/BMI."""
    male, age, per_bmi = nhanes_with_dxa["sex"] == "male", nhanes_with_dxa["age_years"], 1 / nhanes_with_dxa["bmi"]
    design = np.column_stack([np.ones(len(age)), per_bmi, age, male, male * age, male * per_bmi])
    coefficients, *_ = np.linalg.lstsq(design, nhanes_with_dxa["fat_percent"], rcond=None)
    residual = nhanes_with_dxa["fat_percent"] - design @ coefficients
    errors = np.sqrt(np.diag(np.linalg.inv(design.T @ design)) * (residual**2).sum() / (len(age) - 6))
    assert coefficients[4] == pytest.approx(-0.019, abs=0.001) and errors[4] == pytest.approx(0.013, abs=0.001)
    assert coefficients[5] == pytest.approx(-35.5, abs=0.5) and errors[5] == pytest.approx(21.2, abs=0.5)
