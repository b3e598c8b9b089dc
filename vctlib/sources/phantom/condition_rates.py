"""Who has which condition: every person's are drawn at rates that are published for their age, or given."""

from collections.abc import Mapping

import numpy as np

from vctlib.errors import InputError
from vctlib.sources.phantom.canvas import random_stream
from vctlib.sources.phantom.conditions import (
    AMPUTATIONS,
    FRACTURE_LEVELS,
    FRACTURE_SHAPES,
    GRADE_LOSS_PERCENT,
    LOBES,
    Conditions,
    Fracture,
    LiverLesion,
    LungNodule,
)
from vctlib.sources.phantom.person import Person

RATE_NAMES = ("amputation", "hip_implant", "vertebral_fracture", "liver_lesions", "lung_nodules", "ascites")

# Share of people by age in years, linear between the ages.
# Limb loss: zieglergraham2008 counts 1.6 million people, of whom some 0.62 million lack a large part of a leg, half of
# them from 65 years on; over the adults of 2005 that is 0.17 and 0.85 %. The sexes are alike here: a choice.
AMPUTATION = ((64, 65), (0.0017, 0.0085))
# 5.3 % at 80 years: maraditkremers2015. The other ages are choices on a rise like the published one.
HIP_IMPLANT = ((40, 50, 60, 70, 80), (0.002, 0.007, 0.017, 0.034, 0.053))
# 11 % at 70-79 and 18 % from 80, under 5 % before 60, women and men alike: cosman2017. 1 % before 40, 3.5 % to 59 and
# 6 % at 60-69 are choices that go with it.
FRACTURE_BY_DECADE = ((40, 60, 70, 80), (0.01, 0.035, 0.06, 0.11, 0.18))
# Choices near recalled ranges: cysts in 11-18 % and haemangiomas in 2-5 % of adults; nodules of 4 mm and more in
# 8-15 % of chest CTs; ascites in less than 1 %.
LIVER_LESIONS = ((20, 80), (0.08, 0.20))
LUNG_NODULES = ((20, 80), (0.05, 0.15))
ASCITES = 0.005

# How the conditions vary among those who have them: choices, near what atlases and surveys describe.
BELOW_KNEE_SHARE = 0.55
GRADE_SHARES = (0.5, 0.35, 0.15)
SHAPE_SHARES = (0.6, 0.25, 0.15)
LEVEL_SHARES = np.array([2.0, 2.0, 1.0, 1.0, 1.5, 3.0, 3.5, 2.0, 1.0, 0.8])  # peaks at T7-T8 and T12-L1
FEW = 0.45  # the number of lesions is one more than a geometric draw: how often there is another
CYST_SHARE, CYST_CONTRAST_HU, SOLID_CONTRAST_HU = 0.75, (-55.0, -45.0), (-35.0, -15.0)
LESION_MM, NODULE_MM = (12.0, 0.5, 5.0, 60.0), (6.0, 0.45, 4.0, 30.0)  # median, SD of its logarithm, range
LOBE_SHARES = (0.28, 0.08, 0.24, 0.20, 0.20)
ASCITES_ML = (300.0, 4000.0)


def published_rates(person: Person) -> dict[str, float]:
    """Chance of each of `RATE_NAMES` for a person of that age, 0 to 1. Source: zieglergraham2008,
    maraditkremers2015, cosman2017; the rest is a choice, see the constants above."""
    age, (ages, rates) = person.age_years, FRACTURE_BY_DECADE
    return {
        "amputation": float(np.interp(age, *AMPUTATION)),
        "hip_implant": float(np.interp(age, *HIP_IMPLANT)) if age >= HIP_IMPLANT[0][0] else 0.0,
        "vertebral_fracture": rates[sum(age >= start for start in ages)],
        "liver_lesions": float(np.interp(age, *LIVER_LESIONS)),
        "lung_nodules": float(np.interp(age, *LUNG_NODULES)),
        "ascites": ASCITES,
    }


def draw_conditions(person: Person, seed: int, rates: Mapping[str, float] | str) -> Conditions:
    """What a person has: `rates` is "published", or chances (0 to 1) by names of `RATE_NAMES`, absent ones 0.

    Every condition has a random stream of its own, so one rate does not change who has another condition. Raises
    InputError for an unknown name or a chance outside 0 to 1.
    """
    rates = check_rates(rates)
    if rates == "published":
        rates = published_rates(person)
    has = {name: random_stream(seed, f"condition {name}") for name in RATE_NAMES}
    has = {name: rng for name, rng in has.items() if rng.random() < rates.get(name, 0.0)}
    side = {name: rng.choice(["left", "right"]) for name, rng in has.items()}
    return Conditions(
        amputation=_amputation(has["amputation"], side["amputation"]) if "amputation" in has else "none",
        hip_implant=str(side.get("hip_implant", "none")),
        fracture=_fracture(has["vertebral_fracture"]) if "vertebral_fracture" in has else None,
        liver_lesions=_liver_lesions(has["liver_lesions"]) if "liver_lesions" in has else (),
        lung_nodules=_lung_nodules(has["lung_nodules"]) if "lung_nodules" in has else (),
        ascites_ml=float(has["ascites"].uniform(*ASCITES_ML)) if "ascites" in has else 0.0,
        ascites_hu=float(has["ascites"].uniform(5, 15)) if "ascites" in has else 10.0,
    )


def check_rates(rates: Mapping[str, float] | str) -> Mapping[str, float] | str:
    """The rates as they are. Raises InputError where they are neither "published" nor chances by known names."""
    if isinstance(rates, str):
        if rates != "published":
            raise InputError(f'rates of conditions are "published" or chances by name, not {rates!r}')
        return rates
    for name, rate in rates.items():
        if name not in RATE_NAMES:
            raise InputError(f"no condition is called {name!r}; there are {', '.join(RATE_NAMES)}")
        if not 0 <= rate <= 1:
            raise InputError(f"the rate of {name} must be between 0 and 1, not {rate:g}")
    return rates


def _amputation(rng: np.random.Generator, side: str) -> str:
    name = f"{'below' if rng.random() < BELOW_KNEE_SHARE else 'above'}_knee_{side}"
    assert name in AMPUTATIONS
    return name


def _fracture(rng: np.random.Generator) -> Fracture:
    level = str(rng.choice(FRACTURE_LEVELS, p=LEVEL_SHARES / LEVEL_SHARES.sum()))
    shape = str(rng.choice(FRACTURE_SHAPES, p=SHAPE_SHARES))
    grade = int(rng.choice(list(GRADE_LOSS_PERCENT), p=GRADE_SHARES))
    return Fracture(level, shape, float(rng.uniform(*GRADE_LOSS_PERCENT[grade])))


def _size_mm(rng: np.random.Generator, median: float, spread: float, low: float, high: float) -> float:
    return float(np.clip(median * np.exp(rng.normal(0, spread)), low, high))


def _liver_lesions(rng: np.random.Generator) -> tuple[LiverLesion, ...]:
    contrast = CYST_CONTRAST_HU if rng.random() < CYST_SHARE else SOLID_CONTRAST_HU
    number = min(rng.geometric(1 - FEW), 8)
    return tuple(LiverLesion(_size_mm(rng, *LESION_MM), float(rng.uniform(*contrast))) for _ in range(number))


def _lung_nodules(rng: np.random.Generator) -> tuple[LungNodule, ...]:
    number = min(rng.geometric(1 - FEW), 8)
    return tuple(LungNodule(_size_mm(rng, *NODULE_MM), str(rng.choice(LOBES, p=LOBE_SHARES))) for _ in range(number))
