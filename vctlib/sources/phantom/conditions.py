"""Conditions that a person may have, each with a known truth: amputation, hip implant, vertebral fracture, liver
lesions, lung nodules, ascites."""

from dataclasses import dataclass

from vctlib.errors import InputError

AMPUTATIONS = tuple(f"{level}_knee_{side}" for level in ("below", "above") for side in ("left", "right"))
FRACTURE_LEVELS = ("T7", "T8", "T9", "T10", "T11", "T12", "L1", "L2", "L3", "L4")
FRACTURE_SHAPES = ("wedge", "biconcave", "crush")
# Loss of height of the vertebral body by grade. Source: genant1993; where grade 3 ends is a choice.
GRADE_LOSS_PERCENT = {1: (20.0, 25.0), 2: (25.0, 40.0), 3: (40.0, 60.0)}
LOBES = (
    "lung_upper_lobe_right lung_middle_lobe_right lung_lower_lobe_right lung_upper_lobe_left lung_lower_lobe_left"
).split()
LARGEST_LESION_MM, LARGEST_NODULE_MM, MOST_ASCITES_ML = 80.0, 40.0, 6000.0  # what fits into most bodies; choices


def _check(good: bool, text: str) -> None:
    if not good:
        raise InputError(text)


@dataclass(frozen=True)
class Fracture:
    """A vertebra that has lost `height_loss_percent` of its height: at the front (wedge), in the middle (biconcave) or
    everywhere (crush). `level` is one of `FRACTURE_LEVELS`."""

    level: str
    shape: str
    height_loss_percent: float

    def __post_init__(self) -> None:
        _check(self.level in FRACTURE_LEVELS, f"a fracture's level is T7 to L4, not {self.level!r}")
        _check(self.shape in FRACTURE_SHAPES, f"a fracture's shape is wedge, biconcave or crush, not {self.shape!r}")
        _check(
            20 <= self.height_loss_percent <= 60,
            f"a fracture takes 20 to 60 % of a vertebra's height, not {self.height_loss_percent:g}",
        )

    @property
    def grade(self) -> int:
        """1 mild, 2 moderate, 3 severe. Source: genant1993."""
        return sum(self.height_loss_percent >= low for low, _ in GRADE_LOSS_PERCENT.values())


@dataclass(frozen=True)
class LiverLesion:
    """A round lesion: `contrast_hu` is what it adds to the liver's own HU, negative for cysts and most tumours."""

    diameter_mm: float
    contrast_hu: float

    def __post_init__(self) -> None:
        _check(
            2 <= self.diameter_mm <= LARGEST_LESION_MM,
            f"a liver lesion measures 2 to {LARGEST_LESION_MM:g} mm, not {self.diameter_mm:g}",
        )
        _check(-150 <= self.contrast_hu <= 150, f"a liver lesion adds -150 to 150 HU, not {self.contrast_hu:g}")


@dataclass(frozen=True)
class LungNodule:
    """A round solid nodule in a lobe (a name of `LOBES`)."""

    diameter_mm: float
    lobe: str

    def __post_init__(self) -> None:
        _check(
            2 <= self.diameter_mm <= LARGEST_NODULE_MM,
            f"a lung nodule measures 2 to {LARGEST_NODULE_MM:g} mm, not {self.diameter_mm:g}",
        )
        _check(self.lobe in LOBES, f"a lung nodule lies in one of {', '.join(LOBES)}, not {self.lobe!r}")


@dataclass(frozen=True)
class Conditions:
    """What one person has; the default is nothing. Raises InputError for anything that cannot be drawn.

    `amputation` is none or one of `AMPUTATIONS`, `hip_implant` none, left or right, `ascites_ml` the free fluid in the
    abdomen, `ascites_hu` its attenuation.
    """

    amputation: str = "none"
    hip_implant: str = "none"
    fracture: Fracture | None = None
    liver_lesions: tuple[LiverLesion, ...] = ()
    lung_nodules: tuple[LungNodule, ...] = ()
    ascites_ml: float = 0.0
    ascites_hu: float = 10.0

    def __post_init__(self) -> None:
        known = ("none", *AMPUTATIONS)
        _check(self.amputation in known, f"amputation is one of {', '.join(known)}, not {self.amputation!r}")
        _check(
            self.hip_implant in ("none", "left", "right"),
            f"hip_implant is none, left or right, not {self.hip_implant!r}",
        )
        _check(
            0 <= self.ascites_ml <= MOST_ASCITES_ML,
            f"ascites_ml must be between 0 and {MOST_ASCITES_ML:g} ml, not {self.ascites_ml:g}",
        )
        _check(5 <= self.ascites_hu <= 15, f"ascites_hu must be between 5 and 15 HU, not {self.ascites_hu:g}")


HEALTHY = Conditions()


def condition_columns(conditions: Conditions, truth: dict[str, float], findings: tuple[dict, ...]) -> dict:
    """A subject's columns: what the person has, and what a phantom's `truth` and `findings` say of it.

    `weight_kg` is the mass of what is left after an amputation, `ascites_ml` the fluid that found room. A fracture's
    numbers are 0 and its level "none" where there is none.
    """
    fracture = conditions.fracture
    columns = {
        "amputation": conditions.amputation,
        "hip_implant": conditions.hip_implant,
        "vertebral_fracture_level": fracture.level if fracture else "none",
        "vertebral_fracture_shape": fracture.shape if fracture else "none",
        "vertebral_fracture_grade": fracture.grade if fracture else 0,
        "vertebral_fracture_height_loss_percent": fracture.height_loss_percent if fracture else 0.0,
        "liver_lesions": len(conditions.liver_lesions),
        "liver_lesion_largest_mm": max((lesion.diameter_mm for lesion in conditions.liver_lesions), default=0.0),
        "lung_nodules": len(conditions.lung_nodules),
        "lung_nodule_largest_mm": max((nodule.diameter_mm for nodule in conditions.lung_nodules), default=0.0),
        "ascites_ml": sum(finding["volume_ml"] for finding in findings if finding["kind"] == "ascites"),
    }
    if conditions.amputation != "none":
        columns["weight_kg"] = truth["mass_kg_true"]
    return columns
