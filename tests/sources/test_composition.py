"""Fat and muscle of the phantoms' people beside magnetic resonance: means, spread, and what they go with."""

import numpy as np
import pandas as pd
import pytest

from vctlib.sources.phantom.composition import (
    ADIPOSE_PER_FAT,
    CONSTANTS,
    dxa_fat_percent,
    expected_muscle_kg,
    gallagher_fat_percent,
)
from vctlib.sources.phantom.population import BMI_RANGE, draw_people, draw_people_like

SEXES = ["female", "male"]


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    frame = draw_people(4000, 1)
    return frame.assign(
        bmi=frame["weight_kg"] / (frame["height_cm"] / 100) ** 2,
        muscle_kg=frame["muscle_percent_target"] / 100 * frame["weight_kg"],
    )


def test_gallagher_by_hand():
    # 64.5 - 848/25 + 0.079*40 = 33.74; men: - 16.4 + 0.05*40 + 39/25 = 20.90
    assert gallagher_fat_percent("female", 40, 25) == pytest.approx(33.74)
    assert gallagher_fat_percent("male", 40, 25) == pytest.approx(20.90)


@pytest.mark.parametrize("sex", SEXES)
def test_adipose_tissue_per_fat_is_that_of_magnetic_resonance(nhanes_with_dxa, sex):
    """Al-Gindan 2015's equations for adipose tissue (kg) in NHANES' people, against the mass of fat that DXA found."""
    real = nhanes_with_dxa[(nhanes_with_dxa["sex"] == sex) & (nhanes_with_dxa["bmi"] < 41)].dropna(subset="waist_cm")
    if sex == "male":
        adipose_kg = 0.198 * real["weight_kg"] + 0.478 * real["waist_cm"] - 0.147 * real["height_cm"] - 12.8
    else:
        adipose_kg = 0.789 * real["weight_kg"] + 0.0786 * real["age_years"] - 0.342 * real["height_cm"] + 24.5
    fat_kg = real["fat_percent"] / 100 * real["weight_kg"]
    assert adipose_kg.sum() / fat_kg.sum() == pytest.approx(ADIPOSE_PER_FAT, abs=0.02)


def sample_like_janssen(sex: str, n: int = 3000) -> pd.DataFrame:
    """Ages and sizes of Janssen 2000's sample as far as they are known.

    Known: 18-88 years, and mean weights of about 86 and 69 kg, which the means of muscle in kg and in percent imply.
    Assumed: ages of 43 +- 16 years and the spread of BMI, in samples of the same two laboratories 41-46 +- 15-19 years
    and 3.5-5.5 kg/m2 (Ross 1992, Gallagher 2005); heights of the time and place.
    """
    rng = np.random.default_rng(9)
    height, height_sd, bmi, bmi_sd = {"female": (163, 6.5, 26.0, 5.2), "male": (176.5, 7.0, 27.6, 4.4)}[sex]
    ages = rng.normal(43, 16, 3 * n)
    heights, log_sd = rng.normal(height, height_sd, n), np.sqrt(np.log(1 + (bmi_sd / bmi) ** 2))
    bmis = np.clip(bmi * np.exp(rng.normal(-(log_sd**2) / 2, log_sd, n)), *BMI_RANGE)
    ages = ages[(ages >= 18) & (ages <= 88)][:n]
    return pd.DataFrame({"sex": sex, "age_years": ages, "height_cm": heights, "weight_kg": bmis * (heights / 100) ** 2})


@pytest.mark.parametrize(("sex", "mean", "sd"), [("male", 38.4, 5.1), ("female", 30.6, 5.5)])
def test_muscle_is_that_of_468_adults_by_magnetic_resonance(sex, mean, sd):
    """Janssen 2000: muscle in percent of body mass, of 268 men and 200 women."""
    muscle = draw_people_like(sample_like_janssen(sex), 3)["muscle_percent_target"]
    assert muscle.mean() == pytest.approx(mean, abs=1.5)
    assert muscle.std() == pytest.approx(sd, abs=1.0)


@pytest.mark.parametrize("sex", SEXES)
def test_muscle_follows_lees_equation(people, sex):
    """Lee 2000, the same method in 244 people who were not obese: kg by weight, height and age, SEE 2.8 kg."""
    slim = people[(people["sex"] == sex) & (people["bmi"] < 30)]
    lee = 0.244 * slim["weight_kg"] + 7.80 * slim["height_cm"] / 100 - 0.098 * slim["age_years"] - 3.3
    difference = slim["muscle_kg"] - lee - 6.6 * (sex == "male")
    assert abs(difference.mean()) < 1.5
    assert difference.std() < 3.0
    assert abs(np.polyfit(slim["age_years"], difference, 1)[0]) < 0.06  # kg a year


def test_muscle_of_the_reference_by_hand():
    # At the reference height and age its own lean mass gives its own muscle ...
    assert expected_muscle_kg("male", 43, 176.5, 61.5) == pytest.approx(33.0)
    assert expected_muscle_kg("female", 43, 163, 41.4) == pytest.approx(21.0)
    # ... somebody taller by the square root of two with twice the lean mass has twice of it ...
    assert expected_muscle_kg("male", 43, 176.5 * 2**0.5, 2 * 61.5) == pytest.approx(66.0)
    # ... with the height alone unchanged 2 ** 0.7 = 1.6245 times, and 40 years on a tenth less.
    assert expected_muscle_kg("male", 43, 176.5, 2 * 61.5) == pytest.approx(33.0 * 1.6245, rel=1e-4)
    assert expected_muscle_kg("female", 83, 163, 41.4) == pytest.approx(18.9)


@pytest.mark.parametrize(("sex", "weight"), [("female", 21.0 / 0.306), ("male", 33.0 / 0.384)])
def test_reference_is_janssens_mean_person(sex, weight):
    """The weight that the means in kg and in percent imply, less the adipose tissue of that weight at 43 years."""
    reference = CONSTANTS[sex]
    bmi = weight / (reference.reference_height_cm / 100) ** 2
    fat = dxa_fat_percent(sex, 43, reference.reference_height_cm, bmi) / 100
    assert reference.reference_lean_kg == pytest.approx(weight * (1 - ADIPOSE_PER_FAT * fat), abs=0.15)


@pytest.mark.parametrize(
    ("sex", "height", "lean", "muscle"), [("female", 163, 60 - 22.5, 17.5), ("male", 176, 73 - 18.2, 29.0)]
)
def test_muscle_of_the_reference_adults_of_radiation_protection(sex, height, lean, muscle):
    """ICRP 89: skeletal muscle of the reference adults, 20-50 years old, was not used for the fit."""
    assert expected_muscle_kg(sex, 35, height, lean) == pytest.approx(muscle, rel=0.15)


def test_muscle_is_not_the_mirror_image_of_fat(people):
    for _, one_sex in people.groupby("sex"):
        correlation = one_sex["body_fat_percent_target"].corr(one_sex["muscle_percent_target"])
        assert -0.92 < correlation < -0.6
        assert one_sex["age_years"].corr(one_sex["muscle_percent_target"]) < -0.2  # relative muscle falls with age
