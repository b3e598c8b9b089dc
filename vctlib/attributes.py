"""The conditioning attributes sex, age, height and weight, and their categories.

The paper conditions on categories with an additional "none" for attributes that are unknown or dropped
(killeen2025 section 4.1.2); its examples are decades of age, 10 cm of height and 10 kg of weight (Fig. 3).
Category 0 is "none"; 1 and up are the bins, the first and the last open-ended.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan
from types import MappingProxyType

from vctlib.errors import InputError

SEX = ("female", "male")
AGE_EDGES = (30, 40, 50, 60, 70, 80)  # years
HEIGHT_EDGES = (150, 160, 170, 180, 190)  # cm
WEIGHT_EDGES = (50, 60, 70, 80, 90, 100, 110, 120)  # kg
ATTRIBUTES = ("sex", "age", "height", "weight")

_EDGES = MappingProxyType({"age": AGE_EDGES, "height": HEIGHT_EDGES, "weight": WEIGHT_EDGES})
_UNITS = MappingProxyType({"age": "years", "height": "cm", "weight": "kg"})
# Nobody was older, smaller or taller, lighter or heavier; what lies outside is a wrong unit or a slip of the pen.
_PLAUSIBLE = MappingProxyType(
    {"age_years": (0, 125, "months"), "height_cm": (50, 272, "metres"), "weight_kg": (2, 650, "grams or tonnes")}
)
N_CATEGORIES = MappingProxyType({"sex": len(SEX)} | {name: len(edges) + 1 for name, edges in _EDGES.items()})


def _bin(value: float | None, edges: tuple[int, ...]) -> int:
    if value is None or isnan(value):
        return 0
    return 1 + sum(value >= edge for edge in edges)


def _number(name: str, value: object) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InputError(f"{name} is {value!r}; it must be a number or left empty") from None


@dataclass(frozen=True)
class Attributes:
    """What a body is conditioned on; None where unknown. Units stand in the names."""

    sex: str | None = None
    age_years: float | None = None
    height_cm: float | None = None
    weight_kg: float | None = None

    def __post_init__(self) -> None:
        if self.sex is not None and self.sex not in SEX:
            raise InputError(f"sex is {self.sex!r}; it must be one of {', '.join(SEX)} or left empty")
        for name, (low, high, unit) in _PLAUSIBLE.items():
            value = getattr(self, name)
            if value is not None and not isnan(value) and not low <= value <= high:
                raise InputError(f"{name} is {value:g}, not between {low} and {high}; is it in {unit}?")

    def categories(self) -> tuple[int, int, int, int]:
        """Category indices (sex, age, height, weight); 0 is "none"."""
        return (
            0 if self.sex is None else 1 + SEX.index(self.sex),
            _bin(self.age_years, AGE_EDGES),
            _bin(self.height_cm, HEIGHT_EDGES),
            _bin(self.weight_kg, WEIGHT_EDGES),
        )

    def values(self) -> tuple[float, float, float, float]:
        """Sex (0 female, 1 male), age, height and weight as numbers; NaN where unknown."""
        sex = None if self.sex is None else SEX.index(self.sex)
        return tuple(
            float("nan") if v is None else float(v) for v in (sex, self.age_years, self.height_cm, self.weight_kg)
        )

    @classmethod
    def from_row(cls, row: Mapping) -> "Attributes":
        """From a row of `subjects.csv`; empty cells become None. Raises InputError for a missing column."""
        values = {}
        for name in ("sex", "age_years", "height_cm", "weight_kg"):
            if name not in row:
                raise InputError(f"the table of people has no column {name!r}")
            value = row[name]
            empty = value is None or value != value or value == ""
            values[name] = None if empty else (value if name == "sex" else _number(name, value))
        return cls(**values)


def category_label(attribute: str, index: int) -> str:
    """A category for people to read: `170-180 cm`, `under 50 kg`, `80 years and over`, `any`."""
    if attribute not in N_CATEGORIES or not 0 <= index <= N_CATEGORIES[attribute]:
        raise InputError(f"{attribute!r} has no category {index}")
    if index == 0:
        return "any"
    if attribute == "sex":
        return SEX[index - 1]
    edges, unit = _EDGES[attribute], _UNITS[attribute]
    if index == 1:
        return f"under {edges[0]} {unit}"
    if index > len(edges):
        return f"{edges[-1]} {unit} and over"
    return f"{edges[index - 2]}-{edges[index - 1]} {unit}"
