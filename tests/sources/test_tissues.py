"""Densities of tissues between people and by age, beside what was published."""

import numpy as np
import pandas as pd
import pytest

from vctlib.sources.phantom.balance import _intermuscular_share, _visceral_share
from vctlib.sources.phantom.canvas import LABEL
from vctlib.sources.phantom.population import draw_people, draw_people_like, person_from_row
from vctlib.sources.phantom.tissues import (
    HU,
    HU_PER_LIVER_FAT_PERCENT,
    LIVER_HU,
    MUSCLE_IDS,
    SPREAD_HU,
    liver_hu,
    mean_hu,
    muscle_hu,
    trabecular_hu,
)

SEXES = ["female", "male"]


def persons(frame: pd.DataFrame) -> list:
    return [person_from_row(row) for row in frame.to_dict("records")]


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return draw_people(1500, 4, age_range=(40, 75))


@pytest.fixture(scope="module")
def tables(people) -> np.ndarray:
    """Mean HU, (people, 256), everybody with a seed of their own."""
    return np.stack([mean_hu(person, seed) for seed, person in enumerate(persons(people))])


def test_densities_vary_about_the_usual(tables, people):
    men = (people["sex"] == "male").to_numpy()
    for spread, names in SPREAD_HU.values():
        values = tables[men][:, LABEL[names[0]]]
        assert values.mean() == pytest.approx(HU[names[0]], abs=4 * spread / len(values) ** 0.5)
        assert values.std() == pytest.approx(spread, rel=0.12)
    aorta = tables[:, LABEL["aorta"]]
    assert aorta[men].mean() - aorta[~men].mean() == pytest.approx(3.0, abs=1.0)
    assert (tables[:, LABEL["kidney_left"]] == tables[:, LABEL["kidney_right"]]).all()
    assert (tables[:, MUSCLE_IDS] == tables[:, MUSCLE_IDS[:1]]).all()


def test_tissues_vary_independently(tables):
    columns = [LABEL[names[0]] for _, names in SPREAD_HU.values() if names[0] not in ("heart",)]
    correlation = np.corrcoef(tables[:, columns].T) - np.eye(len(columns))
    assert np.abs(correlation).max() < 4 / len(tables) ** 0.5


def test_a_persons_densities_hang_on_the_seed_alone(people, tables):
    someone = persons(people.head(1))[0]
    np.testing.assert_array_equal(mean_hu(someone, 0), tables[0])
    assert (mean_hu(someone, 0) != mean_hu(someone, 1)).sum() > 10


def test_livers_are_those_of_a_screening_cohort(people, tables):
    """Graffy 2019, 11 669 CTs: 55 +- 10 HU; under 5 % of fat in 48 %, 15 % or more in 10 %; r2 with BMI 0.14."""
    liver = tables[:, LABEL["liver"]]
    fat_percent = (liver - LIVER_HU) / HU_PER_LIVER_FAT_PERCENT
    assert liver.mean() == pytest.approx(55, abs=2)
    assert liver.std() == pytest.approx(10, abs=1.5)
    assert np.mean(fat_percent < 5) == pytest.approx(0.48, abs=0.06)
    assert np.mean(fat_percent >= 15) == pytest.approx(0.10, abs=0.04)
    bmi = people["weight_kg"] / (people["height_cm"] / 100) ** 2
    assert np.corrcoef(liver, bmi)[0, 1] ** 2 == pytest.approx(0.14, abs=0.07)
    assert liver_hu(persons(people.head(1))[0], 0) == pytest.approx(liver[0])


def of_age(sex: str, ages: np.ndarray, mean_bmi: float = 27.0) -> list:
    """Persons of one sex, with the BMI of a cohort of volunteers."""
    rng = np.random.default_rng(1)
    bmi = np.clip(rng.normal(mean_bmi, 4.8, len(ages)), 18, 42)
    height = rng.normal(176 if sex == "male" else 162, 6, len(ages))
    sized = pd.DataFrame({"sex": sex, "age_years": ages, "height_cm": height, "weight_kg": bmi * (height / 100) ** 2})
    return persons(draw_people_like(sized, 2))


@pytest.mark.parametrize(
    ("ages", "mean", "sd"),
    [((35, 45), 42.6, 5.5), ((45, 55), 38.1, 7.2), ((55, 65), 33.4, 6.8), ((65, 75), 29.3, 6.6), ((75, 85), 25.2, 6.8)],
)
def test_womens_muscle_loses_density_as_measured(ages, mean, sd):
    """Tonnesen 2024, table 2: third lumbar level, 1859 women."""
    hounsfield = [muscle_hu(person, i) for i, person in enumerate(of_age("female", np.linspace(*ages, 400)))]
    assert np.mean(hounsfield) == pytest.approx(mean, abs=1.5)
    assert np.std(hounsfield) == pytest.approx(sd, abs=1.5)


@pytest.mark.parametrize(("age", "fifth"), [(25, 35.5), (35, 33.5), (45, 31.4), (55, 29.4), (65, 27.3)])
def test_mens_muscle_has_the_fifth_percentile_measured(age, fifth):
    """Van der Werf 2018, table 3: third lumbar level, donors of a kidney, all BMIs."""
    hounsfield = [muscle_hu(person, i) for i, person in enumerate(of_age("male", np.full(800, age)))]
    assert np.percentile(hounsfield, 5) == pytest.approx(fifth, abs=1.5)


@pytest.fixture(scope="module")
def bones() -> pd.DataFrame:
    frame = draw_people(4000, 6, age_range=(18, 100))
    return frame.assign(trabecular_hu=[trabecular_hu(person) for person in persons(frame)])


def test_spongy_bone_loses_density_as_measured(bones):
    """Jang 2019: 2.5 HU a year in 20 374 adults of 60 +- 12 years; here within a fifth of that, at any ages."""
    assert np.polyfit(bones["age_years"], bones["trabecular_hu"], 1)[0] == pytest.approx(-2.5, rel=0.2)
    age = bones["age_years"]
    as_published = np.exp(-(((age - 60) / 12) ** 2) / 2)
    slope = np.polyfit(age, bones["trabecular_hu"], 1, w=np.sqrt(as_published))[0]
    assert slope == pytest.approx(-2.5, rel=0.2)


@pytest.mark.parametrize(("ages", "mean", "sd"), [((18, 30), 226, 44), ((90, 100), 89, 38)])
def test_spongy_bone_varies_as_measured(bones, ages, mean, sd):
    decade = bones.loc[bones["age_years"].between(*ages), "trabecular_hu"]
    assert decade.mean() == pytest.approx(mean, abs=8)
    assert decade.std() == pytest.approx(sd, rel=0.12)


def test_spread_of_spongy_bone_lies_between_the_ends_in_every_decade(bones):
    for _, decade in bones.groupby(bones["age_years"] // 10):
        assert 33 < decade["trabecular_residual_hu"].std() < 49
        assert decade["trabecular_residual_hu"].mean() == pytest.approx(0, abs=8)


def visceral_percent(frame: pd.DataFrame) -> pd.Series:
    return pd.Series([100 * _visceral_share(person, i) for i, person in enumerate(persons(frame))], index=frame.index)


def test_visceral_fat_is_that_of_magnetic_resonance():
    """Ross 1992: 18.3 % of adipose tissue in men of 41 +- 15 years; Wajchenberg 2000: 10-20 % and 5-8 %."""
    ages = np.clip(np.random.default_rng(0).normal(40.8, 14.5, 600), 18, 80)
    assert visceral_percent(
        draw_people_like(pd.DataFrame({"sex": "male", "age_years": ages}), 1)
    ).mean() == pytest.approx(18.3, abs=2.0)
    adults = draw_people(3000, 2, age_range=(20, 65))
    shares = visceral_percent(adults).groupby(adults["sex"])
    assert 10 < shares.mean()["male"] < 20 and 5 < shares.mean()["female"] < 8.5
    for sex, one_sex in adults.groupby("sex"):
        assert one_sex["age_years"].corr(visceral_percent(one_sex)) > 0.4, sex


def test_fat_between_muscles_is_that_of_magnetic_resonance():
    """Gallagher 2005: 44-58 g in a kg of adipose tissue at 45 +- 17 years; Yoshiko 2017: about twice from 21 to 71."""
    ages = np.clip(np.random.default_rng(0).normal(45, 17, 800), 18, 88)
    frame = draw_people_like(
        pd.DataFrame({"sex": np.where(np.arange(800) % 3, "female", "male"), "age_years": ages}), 1
    )
    grams = []
    for seed, person in enumerate(persons(frame)):
        muscle_kg = person.muscle_percent / 100 * person.weight_kg
        fat_between_kg = _intermuscular_share(person, seed) * muscle_kg / 1.04 * 0.925
        grams.append(1000 * fat_between_kg / (person.body_fat_percent / 100 * person.weight_kg))
    assert 44 < np.mean(grams) < 58
    young, old = np.array(grams)[ages < 30].mean(), np.array(grams)[ages > 62].mean()
    assert 1.4 < old / young < 2.4
