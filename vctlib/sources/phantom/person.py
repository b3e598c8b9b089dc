"""The person a phantom is made of: what is asked for, checked against what the body template can shape."""

import math
from dataclasses import dataclass

from vctlib.attributes import SEX
from vctlib.errors import InputError

# What the template and its tissues are made for; outside, shapes or compositions stop being human.
LIMITS = {
    "age_years": (16.0, 100.0, "years"),
    "height_cm": (120.0, 215.0, "cm"),
    "weight_kg": (30.0, 250.0, "kg"),
    "body_fat_percent": (3.0, 65.0, "%"),
    "muscle_percent": (10.0, 65.0, "%"),
    "trabecular_residual_hu": (-250.0, 250.0, "HU"),
    "lung_hu": (-950.0, -300.0, "HU"),
}
FAT_AND_MUSCLE_LIMIT_PERCENT = 90.0  # bones and organs take at least a tenth of the body's mass


@dataclass(frozen=True)
class Person:
    """One adult. Raises InputError for anything outside `LIMITS`.

    `body_fat_percent` and `muscle_percent` are masses of adipose tissue and skeletal muscle as percentages of body
    mass; `trabecular_residual_hu` is the person's deviation from the trabecular density expected at their age;
    `lung_hu` the mean density of their lungs.
    """

    sex: str
    age_years: float
    height_cm: float
    weight_kg: float
    body_fat_percent: float
    muscle_percent: float
    trabecular_residual_hu: float = 0.0
    lung_hu: float = -770.0

    def __post_init__(self):
        if self.sex not in SEX:
            raise InputError(f"a phantom's sex must be one of {', '.join(SEX)}, not {self.sex!r}")
        for name, (low, high, unit) in LIMITS.items():
            value = getattr(self, name)
            if not (math.isfinite(value) and low <= value <= high):
                raise InputError(f"a phantom's {name} must be between {low:g} and {high:g} {unit}, not {value:g}")
        both = self.body_fat_percent + self.muscle_percent
        if both > FAT_AND_MUSCLE_LIMIT_PERCENT:
            raise InputError(
                f"body_fat_percent and muscle_percent sum to {both:.1f}; bones and organs need their share, "
                f"so keep the sum at or below {FAT_AND_MUSCLE_LIMIT_PERCENT:g}"
            )

    @property
    def male(self) -> bool:
        return self.sex == "male"

    @property
    def bmi(self) -> float:
        """Body mass index, kg/m2."""
        return self.weight_kg / (self.height_cm / 100) ** 2
