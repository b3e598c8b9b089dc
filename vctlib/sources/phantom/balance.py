"""How much of every soft tissue gives the body its fat and muscle percentages."""

from dataclasses import dataclass

import numpy as np

from vctlib.sources.phantom.canvas import LABEL, random_stream
from vctlib.sources.phantom.person import Person
from vctlib.sources.phantom.tissues import density_g_per_ml, mean_hu

GAS_ML = (60.0, 240.0)  # range of the gas in the bowel
MAX_CAVITY_FAT = 0.8  # share of the abdominal cavity that fat may take


@dataclass(frozen=True)
class FixedParts:
    """What is painted already: its mass, the mediastinal and the other fat within that, room still free and that in
    the cavity."""

    mass_g: float
    fat_g: float
    other_fat_g: float
    free_ml: float
    free_in_cavity_ml: float


@dataclass(frozen=True)
class Balance:
    """Volumes (ml) of the tissues that share the free room, and the body's mass."""

    subcutaneous: float
    visceral: float
    intermuscular: float
    muscle: float
    gas: float
    other: float
    mass_kg: float
    free_density: float  # mean of the free room, g/ml


def solve_balance(fixed: FixedParts, person: Person, seed: int) -> Balance:
    """Share out the free room so that fat and muscle take their percentages of the mass that results.

    Everything but fat and muscle ("other": bowel and connective tissue) takes the rest; where there is no rest, the
    percentages cannot both be met and muscle falls short.
    """
    density = density_g_per_ml(mean_hu(person, seed))
    names = ("subcutaneous_fat", "torso_fat", "intermuscular_fat", "skeletal_muscle", "bowel_gas", "small_bowel")
    g_subcutaneous, g_visceral, g_between, g_muscle, g_gas, g_other = (density[LABEL[name]] for name in names)
    fat_share, muscle_share = person.body_fat_percent / 100, person.muscle_percent / 100
    visceral_share, between_share = _visceral_share(person, seed), _intermuscular_share(person, seed)
    gas = min(random_stream(seed, "bowel gas").uniform(*GAS_ML), 0.15 * fixed.free_in_cavity_ml)
    mass = fixed.mass_g + fixed.free_ml * g_muscle
    for _ in range(30):
        muscle = muscle_share * mass / g_muscle
        between = between_share * muscle
        visceral = np.clip(visceral_share * fat_share * mass / g_visceral, 0, MAX_CAVITY_FAT * fixed.free_in_cavity_ml)
        rest_of_fat = fat_share * mass - fixed.fat_g - fixed.other_fat_g - visceral * g_visceral - between * g_between
        subcutaneous = max(rest_of_fat, 0) / g_subcutaneous
        other = fixed.free_ml - gas - muscle - between - visceral - subcutaneous
        if other < 0:
            muscle, other = muscle + other, 0.0
        soft_g = subcutaneous * g_subcutaneous + visceral * g_visceral + between * g_between
        soft_g += muscle * g_muscle + gas * g_gas + other * g_other
        mass = fixed.mass_g + soft_g
    volumes = [float(max(ml, 0)) for ml in (subcutaneous, visceral, between, muscle, gas, other)]
    return Balance(*volumes, mass / 1000, soft_g / fixed.free_ml)


def _visceral_share(person: Person, seed: int) -> float:
    """Share of all fat that lies in the trunk's cavities: more in men and in age.

    Source: ross1992 (18.3 % in 27 men of 41 years), wajchenberg2000 (10-20 % in men, 5-8 % in women). The increase with
    age and the spread are choices.
    """
    middle, per_year, sd = (0.18, 0.0020, 0.035) if person.male else (0.08, 0.0015, 0.02)
    expected = middle + per_year * (person.age_years - 45)
    return float(np.clip(expected + sd * random_stream(seed, "visceral fat").standard_normal(), 0.03, 0.36))


def _intermuscular_share(person: Person, seed: int) -> float:
    """Volume of fat between muscles per volume of muscle: more in fat people, and twice as much 50 years on.

    Source: gallagher2005 (44-58 g in every kg of adipose tissue), yoshiko2017 (by age). The spread is a choice.
    """
    share_of_fat = 0.048 * 2 ** ((person.age_years - 45) / 50)
    share_of_fat *= np.exp(0.25 * random_stream(seed, "intermuscular fat").standard_normal())
    muscle_per_fat_g_per_ml = 1.04 / 0.925  # at 40 and -75 HU
    share = share_of_fat * person.body_fat_percent / person.muscle_percent * muscle_per_fat_g_per_ml
    return float(np.clip(share, 0.005, 0.18))
