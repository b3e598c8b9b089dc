"""The people that phantoms are made of, beside NHANES 2017-2018."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from vctlib.errors import InputError
from vctlib.sources.phantom.composition import (
    ADIPOSE_PER_FAT,
    CONSTANTS,
    MUSCLE_MINIMUM,
    REST_MINIMUM,
)
from vctlib.sources.phantom.population import (
    BMI_RANGE,
    HEIGHT_RANGE_CM,
    draw_people,
    draw_people_like,
    person_from_row,
)

QUANTITIES = ["age_years", "height_cm", "weight_kg", "bmi", "fat_percent"]
SEXES = ["female", "male"]


def with_ratios(people: pd.DataFrame) -> pd.DataFrame:
    """Adds BMI, the fat that DXA would find, and the drawn masses of muscle and of what is neither fat nor muscle."""
    weight = people["weight_kg"]
    return people.assign(
        bmi=weight / (people["height_cm"] / 100) ** 2,
        fat_percent=people["body_fat_percent_target"] / ADIPOSE_PER_FAT,
        muscle_kg=people["muscle_percent_target"] / 100 * weight,
        rest_kg=(1 - people["body_fat_percent_target"] / 100 - people["muscle_percent_target"] / 100) * weight,
    )


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return with_ratios(draw_people(4000, 1))


@pytest.fixture(scope="module")
def alike(nhanes) -> pd.DataFrame:
    """Four people of the sex and age of everybody in the survey; `dxa` says whether DXA measured their original."""
    originals = pd.concat([nhanes] * 4)
    drawn = draw_people_like(originals[["sex", "age_years"]], 2)
    return with_ratios(drawn).assign(dxa=(originals["fat_percent"].notna() & (originals["age_years"] < 60)).to_numpy())


def comparable(drawn: pd.DataFrame, real: pd.DataFrame, sex: str, quantity: str) -> list[pd.DataFrame]:
    """One sex of both; for fat only those with DXA, which ends at 59 years."""
    if quantity == "fat_percent":
        drawn, real = drawn[drawn["dxa"]], real[(real["age_years"] < 60) & real["fat_percent"].notna()]
    frames = [frame[frame["sex"] == sex] for frame in (drawn, real)]
    assert len(frames[0]) == 4 * len(frames[1]) > 4000
    return frames


@pytest.mark.parametrize("quantity", QUANTITIES[1:])
@pytest.mark.parametrize("sex", SEXES)
def test_distributions_are_those_of_nhanes(alike, nhanes, sex, quantity):
    drawn, real = comparable(alike, nhanes, sex, quantity)
    assert ks_2samp(drawn[quantity], real[quantity]).statistic <= 0.08


@pytest.mark.parametrize("sex", SEXES)
def test_correlations_are_those_of_nhanes(alike, nhanes, sex):
    for names, asked in ((QUANTITIES[:-1], "weight_kg"), (QUANTITIES, "fat_percent")):
        drawn, real = comparable(alike, nhanes, sex, asked)
        assert np.abs(drawn[names].corr() - real[names].corr()).to_numpy().max() <= 0.1


def test_mass_closes_and_everybody_is_possible(people):
    assert people["height_cm"].between(*HEIGHT_RANGE_CM).all()
    assert people["bmi"].between(*BMI_RANGE).all()
    assert (people["muscle_percent_target"] >= 100 * MUSCLE_MINIMUM).all()
    for sex, one_sex in people.groupby("sex"):
        reference = CONSTANTS[sex]
        size = (one_sex["height_cm"] / reference.reference_height_cm) ** 2
        rest = one_sex["rest_kg"] / (size * (reference.reference_lean_kg - reference.reference_muscle_kg))
        assert (rest >= REST_MINIMUM - 1e-9).all()
        assert one_sex["fat_percent"].between(*reference.fat_range_percent).all()
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


def test_people_like_others_keep_what_is_given():
    asked = draw_people(20, 1)[["sex", "age_years", "height_cm", "weight_kg"]]
    drawn = draw_people_like(asked, 5)
    pd.testing.assert_frame_equal(drawn[asked.columns.to_list()], asked, check_exact=True)
    free = draw_people_like(asked[["sex", "age_years"]], 5)
    assert list(free["age_years"]) == list(asked["age_years"])
    assert not np.allclose(free["weight_kg"], asked["weight_kg"])


def test_ages_and_sexes_are_even(people):
    assert people["age_years"].mean() == pytest.approx(54, abs=1)
    assert people["age_years"].std() == pytest.approx(72 / 12**0.5, abs=0.5)
    assert (people["sex"] == "male").mean() == pytest.approx(0.5, abs=0.03)
    assert (draw_people(1000, 2, share_of_men=0.66)["sex"] == "male").mean() == pytest.approx(0.66, abs=0.04)


def test_bad_requests_are_refused():
    with pytest.raises(InputError, match="ages within"):
        draw_people(3, 0, age_range=(5, 10))
    with pytest.raises(InputError, match="share_of_men is 66"):
        draw_people(3, 0, share_of_men=66)
    with pytest.raises(InputError, match="no column 'age_years'"):
        draw_people_like(pd.DataFrame({"sex": ["male"]}), 0)
    with pytest.raises(InputError, match="16-100 years old"):
        draw_people_like(pd.DataFrame({"sex": ["male"], "age_years": [12.0]}), 0)
    giant = {"sex": ["male"], "age_years": [40.0], "height_cm": [200.0], "weight_kg": [40.0]}
    with pytest.raises(InputError, match="nobody of 200 cm and 40 kg"):
        draw_people_like(pd.DataFrame(giant), 0)
    with pytest.raises(InputError, match="no column 'lung_hu'"):
        person_from_row(draw_people(1, 0).drop(columns="lung_hu").iloc[0])
    assert list(draw_people(0, 0).columns) == list(draw_people(1, 0).columns)
