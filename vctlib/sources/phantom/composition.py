"""Fat and muscle of an adult: body mass shared out among adipose tissue, skeletal muscle and everything else.

Fat is what DXA finds in NHANES, by gallagher2000's variables; CT shows the adipose tissue that holds it. The rest is
lean. The mean man and woman of janssen2000 have a known mass of muscle in a known lean mass; others have muscle by
their height and lean mass relative to these two. What remains is skeleton, organs, skin, gut, blood and connective
tissue, so that mass closes.

Source: nhanes2018 (DXA at 18-59 years); gallagher2000 (equation without the Asian terms; change with age after 59);
algindan2015 (adipose tissue by MRI); janssen2000 (skeletal muscle of 468 adults by MRI); lee2000 (its relation to
weight and age). icrp89's reference adults are left for tests.
"""

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from vctlib.errors import InputError
from vctlib.sources.phantom.person import FAT_AND_MUSCLE_LIMIT_PERCENT


@dataclass(frozen=True)
class BodyConstants:
    """What differs between the sexes.

    Percentage of fat by least squares on 1/BMI, BMI, age and height among NHANES' 1239 women and 1157 men of 18-59
    years; the spread about that, which is narrower in heavy people, by maximum likelihood.
    """

    fat_percent: float  # intercept
    fat_percent_times_bmi: float
    fat_percent_per_bmi: float
    fat_percent_per_year: float
    fat_percent_per_cm: float
    fat_sd_percent: float  # spread at a BMI of 28 kg/m2 ...
    fat_sd_power: float  # ... and the power of BMI that it goes with
    fat_range_percent: tuple[float, float]  # just wider than NHANES' 17.7-56.1 and 12.1-47.0
    reference_height_cm: float
    reference_lean_kg: float  # janssen2000's mean weight less the adipose tissue that the regression gives it
    reference_muscle_kg: float  # janssen2000: mean of 200 women, 268 men


CONSTANTS = MappingProxyType(
    {
        "female": BodyConstants(72.13, -689.2, -0.1054, 0.0507, -0.0441, 3.66, -0.66, (14.0, 57.0), 163.0, 41.4, 21.0),
        "male": BodyConstants(37.37, -390.2, 0.3245, 0.0385, -0.0380, 4.05, -0.27, (8.0, 48.0), 176.5, 61.5, 33.0),
    }
)
OLDEST_WITH_DXA = 59.0  # years; later, fat changes with age as in gallagher2000
# Mass of adipose tissue (MRI; algindan2015's equations, standard error of estimate 3.0 kg in women, 3.8 kg in men) per
# mass of fat (DXA) of the same adults of NHANES.
ADIPOSE_PER_FAT = 1.05
# Muscle goes with this power of lean mass: the heavier somebody is, the less of a further kilogram is muscle, as
# janssen2000 found. Power and spread are calibrated: with them the percentage of muscle spreads as in janssen2000, and
# weight and height explain about half of muscle's variance, as there.
MUSCLE_POWER = 0.70
MUSCLE_SD = 0.08  # of the expected mass
# Connective tissue takes the place of muscle with age, so that muscle falls by about lee2000's 0.098 kg a year at a
# given height and weight; the rest of that fall is the fat that comes with age.
MUSCLE_LOSS_PER_YEAR, REFERENCE_AGE = 0.0025, 43.0
# Of the reference's rest at the person's height: skeleton, skin and organs alone of icrp89's man are 0.69 of it; gut
# content, vessels and sheaths need room too, and a phantom whose rest is less than this falls short of its muscle.
REST_MINIMUM = 0.76
MUSCLE_MINIMUM = 0.15  # share of body mass; a choice, half of janssen2000's mean of women
MAX_DRAWS = 1000


def gallagher_fat_percent(sex: str, age_years: float, bmi: float) -> float:
    """Percentage of body mass that is fat, for BMI in kg/m2; standard error of estimate 5 points.

    Source: gallagher2000, the equation without its Asian terms. Both interactions with sex are positive: decision 12.
    """
    male = float(sex == "male")
    return 64.5 - 848.0 / bmi + 0.079 * age_years - 16.4 * male + 0.05 * male * age_years + 39.0 * male / bmi


def dxa_fat_percent(sex: str, age_years: float, height_cm: float, bmi: float) -> float:
    """Percentage of body mass that DXA finds to be fat, on average, for BMI in kg/m2; residual 3.8 (women), 4.1 (men).

    Source: nhanes2018, our fit; gallagher2000's change with age where NHANES has no DXA.
    """
    constants, measured_age = CONSTANTS[sex], min(age_years, OLDEST_WITH_DXA)
    fitted = constants.fat_percent + constants.fat_percent_times_bmi / bmi + constants.fat_percent_per_bmi * bmi
    fitted += constants.fat_percent_per_year * measured_age + constants.fat_percent_per_cm * height_cm
    later = gallagher_fat_percent(sex, age_years, bmi) - gallagher_fat_percent(sex, measured_age, bmi)
    return fitted + later


def expected_muscle_kg(sex: str, age_years: float, height_cm: float, lean_kg: float) -> float:
    """Mass of skeletal muscle (kg) in `lean_kg` of body mass without adipose tissue. Source: janssen2000, lee2000."""
    constants = CONSTANTS[sex]
    size = (height_cm / constants.reference_height_cm) ** 2
    muscle_kg = constants.reference_muscle_kg * (1 - MUSCLE_LOSS_PER_YEAR * (age_years - REFERENCE_AGE)) * size
    return muscle_kg * (lean_kg / (constants.reference_lean_kg * size)) ** MUSCLE_POWER


def draw_composition(
    rng: np.random.Generator, sex: str, age_years: float, height_cm: float, weight_kg: float
) -> tuple[float, float, int]:
    """Adipose tissue and skeletal muscle in percent of body mass, and how many draws could not be a body.

    Raises InputError for a height and weight that no composition within the ranges above fits.
    """
    constants = CONSTANTS[sex]
    bmi = weight_kg / (height_cm / 100) ** 2
    expected_fat = dxa_fat_percent(sex, age_years, height_cm, bmi)
    fat_sd = constants.fat_sd_percent * (bmi / 28) ** constants.fat_sd_power
    size = (height_cm / constants.reference_height_cm) ** 2
    reference_rest = (constants.reference_lean_kg - constants.reference_muscle_kg) * size
    for rejected in range(MAX_DRAWS):
        fat_percent = rng.normal(expected_fat, fat_sd)
        adipose = ADIPOSE_PER_FAT * fat_percent / 100 * weight_kg
        lean = weight_kg - adipose
        muscle = expected_muscle_kg(sex, age_years, height_cm, lean) * rng.normal(1, MUSCLE_SD)
        if (
            constants.fat_range_percent[0] <= fat_percent <= constants.fat_range_percent[1]
            and lean - muscle >= REST_MINIMUM * reference_rest
            and muscle >= MUSCLE_MINIMUM * weight_kg
            and adipose + muscle <= FAT_AND_MUSCLE_LIMIT_PERCENT / 100 * weight_kg
        ):
            return 100 * adipose / weight_kg, 100 * muscle / weight_kg, rejected
    raise InputError(f"nobody of {height_cm:.0f} cm and {weight_kg:.0f} kg is built like a {sex}; give another weight")
