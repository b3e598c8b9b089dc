"""What a profile says of the reference cohort, and of the scanner that looks at it."""

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, field_validator, model_validator

Triple = tuple[PositiveInt, PositiveInt, PositiveInt]
Fraction = Annotated[float, Field(ge=0, le=1)]
Condition = Literal["amputation", "hip_implant", "vertebral_fracture", "liver_lesions", "lung_nodules", "ascites"]
ScannerName = Literal["standard_120kv", "smooth_100kv", "sharp_140kv"]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TubeCurrentConfig(Strict):
    """Exponents of the attenuation that photons follow: 0 none, 0.5 the square root rule, 1 even noise."""

    angular: Fraction = 0.0  # from view to view
    longitudinal: Fraction = 0.0  # from slice to slice
    reference_water_cm: PositiveFloat | None = None  # thickness that gets the photons set; None: the scan's mean is set
    most: PositiveFloat = 5.0  # the tube's limit with a reference, in photons set


class ScannerConfig(Strict):
    """The CT simulation of phantoms."""

    angles: PositiveInt  # projections over 180 degrees
    photons: PositiveFloat  # per detector bin and view, in air
    models: tuple[ScannerName, ...] = Field(default=("standard_120kv",), min_length=1)  # each person meets one
    tube_current: TubeCurrentConfig = TubeCurrentConfig()
    table: bool = False
    bag: bool = False
    three_scans: bool = False  # head and arms, torso, legs, fused again


class CohortConfig(Strict):
    source: Literal["phantom", "nifti"]
    n_people: PositiveInt
    n_more: Annotated[int, Field(ge=0)] = 0  # phantoms of other people that teach the latent diffusion, beside these
    test_fraction: Fraction  # people whom no generator network ever sees
    spacing_mm: tuple[PositiveFloat, PositiveFloat, PositiveFloat]  # phantoms are isotropic
    grid: Triple  # voxels (x, y, z)
    scanner: ScannerConfig | None  # None leaves the CT simulation out
    conditions: Literal["none", "published"] | dict[Condition, Fraction] = "none"  # of phantoms; published: by age

    @field_validator("conditions", mode="before")
    @classmethod
    def _of_known_names(cls, conditions):
        """Name what there is, where a name is wrong: pydantic would speak of both kinds of value at once."""
        names = get_args(Condition)
        if isinstance(conditions, dict):
            if unknown := [name for name in conditions if name not in names]:
                raise ValueError(f"no condition is named {unknown[0]!r}; there are: {', '.join(names)}")
            for name, rate in conditions.items():
                if not isinstance(rate, int | float) or not 0 <= rate <= 1:
                    raise ValueError(f"the rate of {name} is {rate!r}; it must be a number from 0 to 1")
        elif conditions not in ("none", "published"):
            raise ValueError(f"must be none, published, or a rate from 0 to 1 for any of: {', '.join(names)}")
        return conditions

    @model_validator(mode="after")
    def _only_phantoms_are_made(self):
        if self.n_more and self.source != "phantom":
            raise ValueError("n_more: only phantoms can be made in any number; set it to 0")
        return self
