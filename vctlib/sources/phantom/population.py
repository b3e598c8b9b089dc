"""Whom the phantoms stand for: adults with the heights, weights and body compositions of a real survey.

Height and body mass index follow the adults of NHANES 2017-2018 (unweighted, ages 18-79, heights 140-200 cm, BMI
17-48); `composition.py` gives them fat and muscle, `tissues.py` the density of their bones by age.

Source: nhanes2018, our fit by least squares (height) and maximum likelihood (BMI).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, log, sqrt
from types import MappingProxyType

import numpy as np
import pandas as pd

from vctlib.attributes import SEX
from vctlib.errors import InputError
from vctlib.sources.phantom.composition import draw_composition
from vctlib.sources.phantom.person import Person
from vctlib.sources.phantom.tissues import trabecular_sd_hu

COLUMNS = (
    "subject_id sex age_years height_cm weight_kg body_fat_percent_target muscle_percent_target "
    "trabecular_residual_hu lung_hu"
).split()

AGE_RANGE_YEARS = (18, 90)
HEIGHT_RANGE_CM = (140.0, 200.0)
BMI_RANGE = (17.0, 48.0)  # kg/m2
LUNG_HU, LUNG_SD_HU = -770.0, 50.0  # a choice: between full inspiration (about -850) and expiration (about -700)


@dataclass(frozen=True)
class SizeConstants:
    """What differs between the sexes, fitted to NHANES 2017-2018.

    Heights by least squares; BMI by the maximum likelihood of a log-normal truncated to `BMI_RANGE`.
    """

    height_cm: float  # mean up to 40 years
    height_loss_cm_per_year: float  # after 40 years; includes that older people were born shorter
    height_sd_cm: float
    bmi: float  # geometric mean from 40 to 50 years, kg/m2
    log_bmi_of_youth: float  # log BMI is this much less at 18; the difference goes with the square of the years to 40
    log_bmi_loss_per_year: float  # after 50 years
    log_bmi_sd: float
    height_bmi_correlation: float  # of height and log BMI at an age


CONSTANTS = MappingProxyType(
    {
        "female": SizeConstants(161.3, 0.121, 6.8, 29.3, 0.155, 0.0, 0.251, 0.0),
        "male": SizeConstants(175.0, 0.108, 7.5, 29.6, 0.170, 0.0020, 0.204, 0.06),
    }
)


def _draw_size(rng: np.random.Generator, sex: str, age: float) -> tuple[float, float, int]:
    """Height (cm), weight (kg), and how many draws fell outside the ranges."""
    constants, rejected = CONSTANTS[sex], 0
    while True:
        mean_height = constants.height_cm - constants.height_loss_cm_per_year * max(0.0, age - 40.0)
        tall, correlation = rng.standard_normal(), constants.height_bmi_correlation
        height = mean_height + constants.height_sd_cm * tall
        mean_log_bmi = log(constants.bmi) - constants.log_bmi_of_youth * (max(0.0, 40.0 - age) / 22.0) ** 2
        mean_log_bmi -= constants.log_bmi_loss_per_year * max(0.0, age - 50.0)
        heavy = correlation * tall + sqrt(1 - correlation**2) * rng.standard_normal()
        bmi = exp(mean_log_bmi + constants.log_bmi_sd * heavy)
        if HEIGHT_RANGE_CM[0] <= height <= HEIGHT_RANGE_CM[1] and BMI_RANGE[0] <= bmi <= BMI_RANGE[1]:
            return height, bmi * (height / 100.0) ** 2, rejected
        rejected += 1


def _draw_person(
    rng: np.random.Generator, sex: str, age: float, size: tuple[float, float] | None = None
) -> tuple[dict, int]:
    """A row without its id, and how many draws were thrown away. `size` is a known height (cm) and weight (kg)."""
    height, weight, unusual = _draw_size(rng, sex, age) if size is None else (*size, 0)
    fat, muscle, impossible = draw_composition(rng, sex, age, height, weight)
    row = {
        "sex": sex,
        "age_years": age,
        "height_cm": height,
        "weight_kg": weight,
        "body_fat_percent_target": fat,
        "muscle_percent_target": muscle,
        "trabecular_residual_hu": rng.normal(0.0, trabecular_sd_hu(age)),
        "lung_hu": LUNG_HU + LUNG_SD_HU * float(np.clip(rng.standard_normal(), -3, 3)),
    }
    return row, unusual + impossible


def _frame(people: list[tuple[dict, int]]) -> pd.DataFrame:
    rows = [{"subject_id": f"P{number:04d}"} | row for number, (row, _) in enumerate(people, start=1)]
    frame = pd.DataFrame(rows, columns=COLUMNS)
    frame.attrs["rejected"] = sum(rejected for _, rejected in people)
    return frame


def draw_people(
    n: int, seed: int, *, age_range: tuple[float, float] = AGE_RANGE_YEARS, share_of_men: float = 0.5
) -> pd.DataFrame:
    """Draw n adults, `share_of_men` of them men on average, ages uniform in `age_range` (years).

    Columns: subject_id, sex, age_years, height_cm, weight_kg, body_fat_percent_target and muscle_percent_target
    (adipose tissue and skeletal muscle, percent of body mass), trabecular_residual_hu, lung_hu. Every person has a
    random stream of their own, so the first of many people are the same as a few people of the same seed.
    `frame.attrs["rejected"]` counts the draws thrown away because nobody is built like that; sex and age are kept
    when a draw is repeated. Raises InputError for a negative n, ages outside 16-100 years or a share outside 0-1.
    """
    if not 0 <= share_of_men <= 1:
        raise InputError(f"share_of_men is {share_of_men}; it must lie between 0 and 1")
    low, high = age_range
    if n < 0 or not 16 <= low < high <= 100:
        raise InputError(f"cannot draw {n} people of {low:g}-{high:g} years; use n >= 0 and ages within 16-100")
    people = []
    for index in range(n):
        rng = np.random.default_rng([seed, index])
        sex = "male" if rng.random() < share_of_men else "female"
        people.append(_draw_person(rng, sex, rng.uniform(low, high)))
    return _frame(people)


def draw_people_like(people: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Draw an adult of the sex and age of every row, and of its height and weight where the table has them.

    people: columns sex ("female" or "male") and age_years, or these with height_cm and weight_kg. Returns the columns
    of `draw_people`, in the order of the rows. Raises InputError for a missing column, an unknown sex or an age outside
    16-100 years.
    """
    missing = [name for name in ("sex", "age_years") if name not in people]
    if missing:
        raise InputError(f"the table of people has no column {missing[0]!r}; sex and age_years are needed")
    if not people["sex"].isin(list(SEX)).all() or not people["age_years"].between(16, 100).all():
        raise InputError(f"people must be of sex {' or '.join(SEX)} and 16-100 years old")
    sized = {"height_cm", "weight_kg"} <= set(people)
    drawn = []
    for index, row in enumerate(people.to_dict("records")):
        size = (float(row["height_cm"]), float(row["weight_kg"])) if sized else None
        drawn.append(_draw_person(np.random.default_rng([seed, index]), row["sex"], float(row["age_years"]), size))
    return _frame(drawn)


def person_from_row(row: Mapping) -> Person:
    """The person that a row of `draw_people` describes. Raises InputError for a missing column."""
    missing = [name for name in COLUMNS[1:] if name not in row]
    if missing:
        raise InputError(f"the table of people has no column {missing[0]!r}; draw_people makes the columns needed")
    values = {name.removesuffix("_target"): row[name] for name in COLUMNS[1:]}
    return Person(**{name: value if name == "sex" else float(value) for name, value in values.items()})
