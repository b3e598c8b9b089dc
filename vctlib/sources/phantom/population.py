"""Whom the phantoms stand for: adults with the heights, weights and body compositions of a real survey.

Height and body mass index follow the adults of NHANES 2017-2018 (unweighted, ages 18-79, heights 140-200 cm, BMI
17-48); body fat follows Gallagher's regression with the offset and spread that NHANES' DXA shows around it; skeletal
muscle is what mass balance leaves once adipose tissue, skeleton, organs and everything else lean have their share.

Source: NHANES 2017-2018 (National Center for Health Statistics); gallagher2000 (percentage of fat from BMI, age and
sex); janssen2000 (skeletal muscle of 468 adults, which the balance reproduces); jang2019 (trabecular attenuation).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, log
from types import MappingProxyType

import numpy as np
import pandas as pd

from vctlib.errors import InputError
from vctlib.sources.phantom.person import FAT_AND_MUSCLE_LIMIT_PERCENT, Person

COLUMNS = (
    "subject_id sex age_years height_cm weight_kg body_fat_percent_target muscle_percent_target "
    "trabecular_residual_hu lung_hu"
).split()

AGE_RANGE_YEARS = (18, 90)
HEIGHT_RANGE_CM = (140.0, 200.0)
BMI_RANGE = (17.0, 48.0)  # kg/m2


@dataclass(frozen=True)
class SexConstants:
    """What differs between the sexes, fitted to NHANES 2017-2018 unless a comment says otherwise.

    Heights by least squares; BMI by the maximum likelihood of a log-normal truncated to `BMI_RANGE`.
    """

    height_cm: float  # mean up to 40 years
    height_loss_cm_per_year: float  # after 40 years; includes that older people were born shorter
    height_sd_cm: float
    bmi_at_50: float  # geometric mean at 50 years, kg/m2
    log_bmi_curvature: float  # log BMI falls by this 30 years to either side of 50
    log_bmi_sd: float
    fat_offset_percent: float  # NHANES' DXA percentage of fat less gallagher2000
    fat_sd_percent: float  # spread of NHANES' DXA around its own line in 1/BMI and age
    fat_range_percent: tuple[float, float]  # just wider than NHANES' DXA: 12-44 men, 18-54 women, up to 59 years
    skeleton_and_organs_kg: float  # what the phantom carries at the reference height
    reference_height_cm: float


CONSTANTS = MappingProxyType(
    {
        "female": SexConstants(161.3, 0.121, 6.8, 29.9, 0.116, 0.251, 2.3, 3.8, (14.0, 56.0), 12.3, 163.0),
        "male": SexConstants(175.0, 0.108, 7.5, 29.7, 0.121, 0.204, 3.8, 4.1, (6.0, 50.0), 15.2, 177.0),
    }
)
# CT shows adipose tissue, whereas DXA and gallagher2000 weigh the lipid in it. The factor is calibrated: with it the
# balance below leaves men the share of muscle of janssen2000 (38 % of body mass) and women 2 points less (31 %).
ADIPOSE_PER_FAT = 1.10
# Lean tissue that is neither skeletal muscle nor skeleton nor solid organ: skin, gut with its contents, vessels,
# connective tissue. Mean, spread and ageing are choices: without the spread muscle would be fat's mirror image.
OTHER_LEAN = 0.11  # share of body mass at 50 years
OTHER_LEAN_SD = 0.032
OTHER_LEAN_PER_YEAR = 0.0007  # connective tissue takes the place of muscle with age
OTHER_LEAN_RANGE = (0.045, 0.20)  # the skin alone is 4.5 % of the reference man of ICRP publication 89
MUSCLE_MINIMUM = 0.15  # share of body mass; a choice, half of janssen2000's mean of women
TRABECULAR_SD_HU = 40.0  # jang2019: 44 HU under 30 years, 38 HU from 90 years
LUNG_HU, LUNG_SD_HU = -770.0, 50.0  # a choice: between full inspiration (about -850) and expiration (about -700)


def gallagher_fat_percent(sex: str, age_years: float, bmi: float) -> float:
    """Percentage of body mass that is fat, for BMI in kg/m2. Source: gallagher2000, without its Asian terms."""
    male = float(sex == "male")
    return 64.5 - 848.0 / bmi + 0.079 * age_years - 16.4 * male + 0.05 * male * age_years + 39.0 * male / bmi


def _draw_size(rng: np.random.Generator, sex: str, age: float) -> tuple[float, float, int]:
    """Height (cm), BMI (kg/m2), and how many draws fell outside the ranges."""
    constants, rejected = CONSTANTS[sex], 0
    while True:
        mean_height = constants.height_cm - constants.height_loss_cm_per_year * max(0.0, age - 40.0)
        height = rng.normal(mean_height, constants.height_sd_cm)
        mean_log_bmi = log(constants.bmi_at_50) - constants.log_bmi_curvature * ((age - 50.0) / 30.0) ** 2
        bmi = exp(rng.normal(mean_log_bmi, constants.log_bmi_sd))
        if HEIGHT_RANGE_CM[0] <= height <= HEIGHT_RANGE_CM[1] and BMI_RANGE[0] <= bmi <= BMI_RANGE[1]:
            return height, bmi, rejected
        rejected += 1


def _draw_composition(
    rng: np.random.Generator, sex: str, age: float, height: float, bmi: float
) -> tuple[float, float, int]:
    """Shares of body mass that are adipose tissue and skeletal muscle, and how many draws could not be a body."""
    constants, rejected = CONSTANTS[sex], 0
    weight = bmi * (height / 100.0) ** 2
    skeleton_and_organs = constants.skeleton_and_organs_kg * (height / constants.reference_height_cm) ** 2 / weight
    while True:
        expected = gallagher_fat_percent(sex, age, bmi) + constants.fat_offset_percent
        fat_percent = rng.normal(expected, constants.fat_sd_percent)
        adipose = ADIPOSE_PER_FAT * fat_percent / 100.0
        other_lean = rng.normal(OTHER_LEAN, OTHER_LEAN_SD) + OTHER_LEAN_PER_YEAR * (age - 50.0)
        muscle = 1.0 - adipose - skeleton_and_organs - other_lean
        if (
            constants.fat_range_percent[0] <= fat_percent <= constants.fat_range_percent[1]
            and OTHER_LEAN_RANGE[0] <= other_lean <= OTHER_LEAN_RANGE[1]
            and muscle >= MUSCLE_MINIMUM
            and adipose + muscle <= FAT_AND_MUSCLE_LIMIT_PERCENT / 100.0
        ):
            return adipose, muscle, rejected
        rejected += 1


def draw_people(n: int, seed: int, *, age_range: tuple[float, float] = AGE_RANGE_YEARS) -> pd.DataFrame:
    """Draw n adults, half of them women on average, ages uniform in `age_range` (years).

    Columns: subject_id, sex, age_years, height_cm, weight_kg, body_fat_percent_target and muscle_percent_target
    (adipose tissue and skeletal muscle, percent of body mass), trabecular_residual_hu, lung_hu. Every person has a
    random stream of their own, so the first of many people are the same as a few people of the same seed.
    `frame.attrs["rejected"]` counts the draws thrown away because nobody is built like that; sex and age are kept
    when a draw is repeated. Raises InputError for a negative n or an age range outside 16-100 years.
    """
    low, high = age_range
    if n < 0 or not 16 <= low < high <= 100:
        raise InputError(f"cannot draw {n} people of {low:g}-{high:g} years; use n >= 0 and ages within 16-100")
    rows, rejected = [], 0
    for index in range(n):
        rng = np.random.default_rng([seed, index])
        sex = "male" if rng.random() < 0.5 else "female"
        age = rng.uniform(low, high)
        height, bmi, unusual_size = _draw_size(rng, sex, age)
        adipose, muscle, impossible = _draw_composition(rng, sex, age, height, bmi)
        rejected += unusual_size + impossible
        rows.append(
            {
                "subject_id": f"P{index + 1:04d}",
                "sex": sex,
                "age_years": age,
                "height_cm": height,
                "weight_kg": bmi * (height / 100.0) ** 2,
                "body_fat_percent_target": 100.0 * adipose,
                "muscle_percent_target": 100.0 * muscle,
                "trabecular_residual_hu": rng.normal(0.0, TRABECULAR_SD_HU),
                "lung_hu": rng.normal(LUNG_HU, LUNG_SD_HU),
            }
        )
    frame = pd.DataFrame(rows, columns=COLUMNS)
    frame.attrs["rejected"] = rejected
    return frame


def person_from_row(row: Mapping) -> Person:
    """The person that a row of `draw_people` describes. Raises InputError for a missing column."""
    missing = [name for name in COLUMNS[1:] if name not in row]
    if missing:
        raise InputError(f"the table of people has no column {missing[0]!r}; draw_people makes the columns needed")
    values = {name.removesuffix("_target"): row[name] for name in COLUMNS[1:]}
    return Person(**{name: value if name == "sex" else float(value) for name, value in values.items()})
