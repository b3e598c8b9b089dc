"""The people that phantoms are made of, beside NHANES 2017-2018."""

import numpy as np
import pandas as pd
import pytest

from vctlib.errors import InputError
from vctlib.sources.phantom.population import (
    ADIPOSE_PER_FAT,
    BMI_RANGE,
    HEIGHT_RANGE_CM,
    MUSCLE_MINIMUM,
    draw_people,
    gallagher_fat_percent,
    person_from_row,
)

# What two samples of a few thousand leave to chance, plus what the age distributions differ by (uniform against
# NHANES'): (tolerance of the mean, tolerance of the standard deviation).
TOLERANCES = {"height_cm": (0.8, 0.6), "weight_kg": (2.0, 2.0), "bmi": (0.7, 0.6), "fat_percent": (1.8, 1.5)}


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    frame = draw_people(4000, 1, age_range=(18, 80))
    frame["bmi"] = frame["weight_kg"] / (frame["height_cm"] / 100) ** 2
    frame["fat_percent"] = frame["body_fat_percent_target"] / ADIPOSE_PER_FAT
    return frame


@pytest.fixture(scope="module")
def nhanes(data_dir) -> pd.DataFrame:
    frame = pd.read_csv(data_dir / "body" / "nhanes_2017_2018_anthro_dxa.csv").rename(
        columns={
            "Gender": "sex",
            "AgeInYearsAtScreening": "age_years",
            "StandingHeightCm": "height_cm",
            "WeightKg": "weight_kg",
            "BodyMassIndexKgm2": "bmi",
            "TotalPercentFat": "fat_percent",
        }
    )
    frame["sex"] = frame["sex"].str.lower()
    adults = frame["age_years"].between(18, 79)  # 80 stands for 80 and over
    return frame[adults & frame["height_cm"].between(*HEIGHT_RANGE_CM) & frame["bmi"].between(*BMI_RANGE)]


@pytest.mark.parametrize("quantity", TOLERANCES)
@pytest.mark.parametrize("sex", ["female", "male"])
def test_moments_are_those_of_nhanes(people, nhanes, sex, quantity):
    drawn, real = (frame[frame["sex"] == sex] for frame in (people, nhanes))
    if quantity == "fat_percent":  # NHANES' DXA ends at 59 years
        drawn, real = drawn[drawn["age_years"] < 60], real.dropna(subset="fat_percent")
    mean_tolerance, sd_tolerance = TOLERANCES[quantity]
    assert len(real) > 1000
    assert abs(drawn[quantity].mean() - real[quantity].mean()) < mean_tolerance
    assert abs(drawn[quantity].std() - real[quantity].std()) < sd_tolerance


def test_muscle_is_that_of_468_adults_by_magnetic_resonance(people):
    """Janssen 2000: 38.4 % of body mass in men, 30.6 % in women, who were lighter than NHANES' (69 kg)."""
    by_sex = people.groupby("sex")
    assert by_sex["muscle_percent_target"].mean()["male"] == pytest.approx(38.4, abs=2.0)
    light = people[(people["sex"] == "female") & people["bmi"].between(20, 30)]
    assert light["muscle_percent_target"].mean() == pytest.approx(30.6, abs=2.0)
    correlation = by_sex[["age_years", "muscle_percent_target"]].corr().unstack().iloc[:, 1]
    assert (correlation < -0.2).all()  # relative muscle falls with age


def test_muscle_is_not_the_mirror_image_of_fat(people):
    for _, one_sex in people.groupby("sex"):
        correlation = one_sex["body_fat_percent_target"].corr(one_sex["muscle_percent_target"])
        assert -0.92 < correlation < -0.6


def test_gallagher_by_hand():
    # 64.5 - 848/25 + 0.079*40 = 33.74; men: - 16.4 + 0.05*40 + 39/25 = 20.90
    assert gallagher_fat_percent("female", 40, 25) == pytest.approx(33.74)
    assert gallagher_fat_percent("male", 40, 25) == pytest.approx(20.90)


def test_everybody_is_possible(people):
    assert people["height_cm"].between(*HEIGHT_RANGE_CM).all()
    assert people["bmi"].between(*BMI_RANGE).all()
    assert (people["muscle_percent_target"] >= 100 * MUSCLE_MINIMUM).all()
    for row in people.head(300).to_dict("records"):
        person = person_from_row(row)  # raises for what the phantom cannot be
        assert person.weight_kg == row["weight_kg"]
        assert person.body_fat_percent == row["body_fat_percent_target"]
    assert people.attrs["rejected"] > 0


def test_few_people_are_the_first_of_many():
    few, many = draw_people(10, 7), draw_people(100, 7)
    pd.testing.assert_frame_equal(few, many.head(10), check_exact=True)
    assert list(few["subject_id"][:2]) == ["P0001", "P0002"]
    assert not np.allclose(few["height_cm"], draw_people(10, 8)["height_cm"])
    assert few.attrs["rejected"] <= many.attrs["rejected"]


def test_ages_and_sexes_are_even(people):
    assert people["age_years"].mean() == pytest.approx(49, abs=1)
    assert people["age_years"].std() == pytest.approx(62 / 12**0.5, abs=0.5)
    assert (people["sex"] == "male").mean() == pytest.approx(0.5, abs=0.03)


def test_trabecular_bone_varies_as_measured(people):
    """Jang 2019: standard deviations of 44 HU (under 30 years) to 38 HU (90 and over) at a given age."""
    assert people["trabecular_residual_hu"].mean() == pytest.approx(0, abs=2)
    assert 38 <= people["trabecular_residual_hu"].std() <= 44


def test_bad_requests_are_refused():
    with pytest.raises(InputError, match="ages within"):
        draw_people(3, 0, age_range=(5, 10))
    with pytest.raises(InputError, match="no column 'lung_hu'"):
        person_from_row(draw_people(1, 0).drop(columns="lung_hu").iloc[0])
    assert list(draw_people(0, 0).columns) == list(draw_people(1, 0).columns)
