"""Profiles: one strict, typed YAML file that holds every size and step count of a run.

A key that the schema does not know is an error, and so is a value of another type. Nothing in the library or in a
notebook asks for a profile by name: what differs between a laptop and a data centre is numbers in these files.
"""

from pathlib import Path
from typing import Literal

import yaml
from pydantic import PositiveFloat, PositiveInt, ValidationError, model_validator

from vctlib.cohort_config import CohortConfig, Fraction, Strict, Triple
from vctlib.errors import InputError
from vctlib.files import REPOSITORY
from vctlib.network_config import (
    BodyFrameConfig,
    ImageAutoencoderConfig,
    LatentDiffusionConfig,
    LesionDetectorConfig,
    PostProcessorConfig,
    SegmentationAutoencoderConfig,
    SegmenterConfig,
    SliceRegressorConfig,
)

PROFILES = REPOSITORY / "notebooks" / "profiles"


class SynthesisConfig(Strict):
    steps: PositiveInt
    guidance_scale: PositiveFloat
    batch_size: PositiveInt
    draws_per_person: PositiveInt  # the paper draws two


class TrialConfig(Strict):
    n_train: PositiveInt
    n_test: PositiveInt  # each of in- and out-of-distribution
    in_distribution_share: Fraction
    bootstrap: PositiveInt


class ComparisonConfig(Strict):
    """Phantoms that are held against real CT of head and neck."""

    n_people: PositiveInt = 76  # on each side, at most
    spacing_mm: PositiveFloat = 5.0  # no finer than the patients' voxels, which are up to 5.1 mm in the axial plane


class SlidingWindow(Strict):
    image_patch: Triple  # voxels; decoding walks the same windows in latent space
    overlap: Fraction


class Profile(Strict):
    name: str
    meaningful: bool  # false marks every figure as a test of the machinery
    cohort: CohortConfig
    precision: Literal["auto", "bf16", "no"]  # auto: bf16 where the processor has it
    checkpoint_minutes: PositiveFloat
    sliding_window: SlidingWindow
    body_frame: BodyFrameConfig | None = None
    image_autoencoder: ImageAutoencoderConfig
    segmentation_autoencoder: SegmentationAutoencoderConfig
    latent_diffusion: LatentDiffusionConfig
    post_processor: PostProcessorConfig
    segmenter: SegmenterConfig
    slice_regressor: SliceRegressorConfig
    synthesis: SynthesisConfig
    trial: TrialConfig
    # weights released before these were there do not name them
    comparison: ComparisonConfig = ComparisonConfig()
    lesion_detector: LesionDetectorConfig = LesionDetectorConfig()

    @model_validator(mode="after")
    def _latent_grids_agree(self):
        factor = 1
        for stage in self.image_autoencoder.stages:
            factor *= stage.downsampling
        other = self.segmentation_autoencoder.downsampling
        if factor != other:
            raise ValueError(f"the image autoencoder shrinks {factor}x and the segmentation autoencoder {other}x")
        for name, sizes in (("grid", self.cohort.grid), ("sliding window", self.sliding_window.image_patch)):
            if any(size % factor for size in sizes):
                raise ValueError(f"the {name} {sizes} must be divisible by the compression of {factor}")
        return self

    @model_validator(mode="after")
    def _patches_fit_their_unets(self):
        for name, folding in (("post_processor", 1), ("segmenter", 2)):
            config = getattr(self, name)
            factor = folding * 2 ** (len(config.channels) - 1)
            patches = (config.optimization.patch or self.cohort.grid, self.sliding_window.image_patch)
            for patch in patches:
                if any(size % factor for size in patch):
                    raise ValueError(
                        f"the {name}'s patch {patch} must be divisible by {factor}, or have fewer channels"
                    )
                # of a grid two voxels wide, oneDNN's bfloat16 gradients of a kernel of three are not computed but read
                # from memory that nobody wrote (PyTorch 2.13; book/decisions/0007)
                if patch[0] // factor < 3:
                    raise ValueError(f"the {name}'s patch {patch} must be at least {3 * factor} voxels wide along x")
        return self

    @model_validator(mode="after")
    def _patches_are_cubes_put_together(self):
        config = self.post_processor
        patch, side = config.optimization.patch or self.cohort.grid, config.histogram_side
        if config.histogram_weight and any(size % side for size in patch):
            raise ValueError(f"the post_processor's patch {patch} must be divisible by its histogram_side of {side}")
        return self

    @model_validator(mode="after")
    def _bodies_fit_their_frame(self):
        frame = self.body_frame
        if frame is not None and frame.lowest_voxel + frame.length_voxels > self.cohort.grid[2]:
            raise ValueError(f"body_frame: {frame.lowest_voxel} + {frame.length_voxels} voxels exceed the grid")
        return self

    @property
    def compression(self) -> int:
        """Voxels per latent along each axis."""
        return self.segmentation_autoencoder.downsampling


def _merge(base: dict, overrides: dict) -> dict:
    merged = dict(base)
    for key, value in overrides.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def load_profile(name_or_path: str | Path, overrides: dict | None = None) -> Profile:
    """Read a profile by name (`laptop`) or path, with nested overrides. Raises InputError in one line."""
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        path = PROFILES / f"{name_or_path}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in PROFILES.glob("*.yaml")))
        raise InputError(f"no profile {str(name_or_path)!r}; known profiles: {known}, or give the path of a YAML file")
    try:
        content = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not readable as YAML ({' '.join(str(error).split())})") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a mapping of settings")
    where = f"the overrides of {path.name}" if overrides and _is_profile(content) else str(path)
    return _validated(_merge(content, overrides or {}), where)


def changed(profile: Profile, overrides: dict) -> Profile:
    """A profile with nested settings replaced. Raises InputError in one line."""
    return _validated(_merge(profile.model_dump(mode="json"), overrides), f"profile {profile.name}, changed")


def _validated(content: dict, where: str) -> Profile:
    try:
        return Profile.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{where}: {first_problem(error)}") from None


def _is_profile(content: dict) -> bool:
    """Whether a file's settings are right as they stand, so that overrides are to blame."""
    try:
        Profile.model_validate(content)
    except ValidationError:
        return False
    return True


def _whereabouts(key: str) -> str:
    """Where a profile has a key of that name, as a hint."""
    sections = {name: field.annotation for name, field in Profile.model_fields.items()}
    found = [f"{name}.{key}" for name, kind in sections.items() if key in getattr(kind, "model_fields", ())]
    return f"; is it {' or '.join(found)}?" if found else ""


def first_problem(error: ValidationError) -> str:
    """The first of pydantic's complaints, in one line a person can act on."""
    problem = error.errors()[0]
    place = ".".join(str(part) for part in problem["loc"]) or "the whole file"
    if problem["type"] == "extra_forbidden":
        return f"unknown key {place!r}{_whereabouts(str(problem['loc'][-1]))}"
    if problem["type"] == "missing":
        return f"missing key {place!r}"
    more = len(error.errors()) - 1
    return f"{place}: {problem['msg'].removeprefix('Value error, ')}" + (f" (and {more} more)" if more else "")
