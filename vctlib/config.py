"""Profiles: one strict, typed YAML file that holds every size and step count of a run.

A key that the schema does not know is an error, and so is a value of another type. Nothing in the library or in a
notebook asks for a profile by name: what differs between a laptop and a data centre is numbers in these files.
"""

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, ValidationError, model_validator

from vctlib.cohort_config import BodyFrameConfig, CohortConfig, Fraction, Strict, Triple
from vctlib.errors import InputError
from vctlib.files import REPOSITORY

PROFILES = REPOSITORY / "notebooks" / "profiles"

Weight = Annotated[float, Field(ge=0)]


class Optimization(Strict):
    """What every trained component needs."""

    steps: PositiveInt
    batch_size: PositiveInt
    learning_rate: PositiveFloat
    patch: Triple | None = None  # voxels of the component's own input; None takes whole volumes
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0  # 0 keeps no average
    warmup_steps: Annotated[int, Field(ge=0)] = 50
    decay: Literal["cosine", "step"] = "cosine"  # step: a tenth at 50 % and again at 90 % of the steps
    final_learning_rate_fraction: Fraction = 0.02  # where the cosine ends
    gradient_clip: PositiveFloat = 1.0


class VectorQuantised(Strict):
    """Encoder and decoder around a codebook (killeen2025 section 4.1.1)."""

    kind: Literal["vq"] = "vq"
    channels: tuple[PositiveInt, ...]  # one entry for each factor of two of downsampling
    residual_layers: PositiveInt
    latent_channels: PositiveInt
    codebook_size: NonNegativeInt  # 0: no codebook, the latents stay continuous
    codebook_warmup: Annotated[int, Field(ge=0)] = 0  # steps without quantisation, before codes are drawn from latents
    optimization: Optimization

    @property
    def downsampling(self) -> int:
        return 2 ** len(self.channels)


class BlockPCA(Strict):
    """Principal components of cubic blocks, and a decoder that learns what they leave out."""

    kind: Literal["block_pca"] = "block_pca"
    block: PositiveInt  # voxels along an axis: the downsampling
    latent_channels: PositiveInt  # principal components that are kept
    channels: tuple[PositiveInt, ...]  # of the decoder: on the latents' grid, on one twice as fine, and so on
    residual_layers: PositiveInt
    latent_noise: Weight = 0.1  # in training, in standard deviations of each component
    optimization: Optimization

    @property
    def downsampling(self) -> int:
        return self.block

    @model_validator(mode="after")
    def _of_whole_blocks(self):
        if not self.channels or self.block % 2 ** (len(self.channels) - 1):
            raise ValueError("channels needs one entry or more, and block a factor of two for each but the first")
        if any(size % self.block for size in self.optimization.patch or ()):
            raise ValueError(f"the patch {self.optimization.patch} must be of whole blocks of {self.block}")
        return self


class VectorQuantisedStageConfig(VectorQuantised):
    """One stage of the stacked VQ-VAE."""

    perceptual_weight: Weight
    adversarial_weight: Weight
    adversarial_start: Annotated[int, Field(ge=0)]  # step from which the discriminator counts


class BlockStageConfig(BlockPCA):
    """A first stage by principal components; its loss is L1 and squared error of companded intensities."""

    squared_weight: Weight = 2.0


class MultiWindow(Strict):
    """Weights of equation 3. The paper names no numbers; these are ours."""

    soft_hu: tuple[float, float] = (-200.0, 200.0)
    hard_hu: tuple[float, float] = (200.0, 1500.0)
    soft_weight: Weight = 4.0
    hard_weight: Weight = 1.5
    other_weight: Weight = 1.0


StageConfig = Annotated[VectorQuantisedStageConfig | BlockStageConfig, Field(discriminator="kind")]


class ImageAutoencoderConfig(Strict):
    stages: tuple[StageConfig, ...] = Field(min_length=1)  # first the one that sees the image
    multi_window: MultiWindow | None = MultiWindow()  # of a vq stage that sees the image; None is plain L1

    @model_validator(mode="after")
    def _blocks_come_first(self):
        if any(stage.kind == "block_pca" for stage in self.stages[1:]):
            raise ValueError("only the first stage may be of kind block_pca")
        if self.stages[0].kind == "block_pca" and self.multi_window is not None:
            raise ValueError("a block_pca stage weighs windows by companding: set multi_window to null")
        return self


class VectorQuantisedSegmentationConfig(VectorQuantised):
    cross_entropy_weight: Weight = 0.0  # beside the paper's Dice loss


class BlockSegmentationConfig(BlockPCA):
    cross_entropy_weight: Weight = 0.0
    reads_image: bool = False  # the decoder sees the image's latents beside its own


SegmentationAutoencoderConfig = Annotated[
    VectorQuantisedSegmentationConfig | BlockSegmentationConfig, Field(discriminator="kind")
]


class LatentDiffusionConfig(Strict):
    schedule: Literal["rectified_flow", "ddpm"]
    conditioning: Literal["categories", "values"] = "categories"  # what is known of an attribute: its bin, or all of it
    mean: Literal["channel", "position", "attributes"]  # what the standardisation subtracts from the latents
    prior_factors: NonNegativeInt = 0  # directions through the whole body that are solved for; fewer than people
    channels: tuple[PositiveInt, ...]
    attention: tuple[bool, ...]
    residual_blocks: PositiveInt
    head_channels: PositiveInt
    norm_groups: PositiveInt = 32
    coordinates: bool  # feed voxel coordinates beside the latents
    embedding_size: PositiveInt = 32  # of each attribute; killeen2025 section 4.2.3
    attribute_dropout: Fraction = 0.2
    timesteps: PositiveInt = 1000
    optimization: Optimization

    @model_validator(mode="after")
    def _one_attention_flag_a_level(self):
        if len(self.attention) != len(self.channels):
            raise ValueError("attention needs one true or false for each entry of channels")
        return self


class UNetConfig(Strict):
    """Segmenter, and what the post-processor has in common with it."""

    channels: tuple[PositiveInt, ...]
    residual_units: PositiveInt
    optimization: Optimization


class PostProcessorConfig(UNetConfig):
    """Its loss is L1 + squared error + perceptual distance, by these weights."""

    squared_weight: Weight = 0.0
    perceptual_weight: Weight = 0.0
    reads_labels: bool = False  # sees the decoded label map beside the decoded image
    max_people: PositiveInt | None = None  # train on at most so many, where their reconstruction is the cost
    fold: PositiveInt = 1  # voxels along an axis that it sees as one; the segmenter has its own two


class SliceRegressorConfig(Strict):
    backbone: Literal["efficientnet_lite0", "swin_base_patch4_window12_384"]
    image_size: tuple[PositiveInt, PositiveInt]  # (width, height) that a slice is resized to
    epochs: PositiveInt
    batch_size: PositiveInt
    learning_rate: PositiveFloat
    pretrained: bool


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
    segmenter: UNetConfig
    slice_regressor: SliceRegressorConfig
    synthesis: SynthesisConfig
    trial: TrialConfig
    comparison: ComparisonConfig = ComparisonConfig()  # weights released before it was there do not name it

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


def first_problem(error: ValidationError) -> str:
    """The first of pydantic's complaints, in one line a person can act on."""
    problem = error.errors()[0]
    place = ".".join(str(part) for part in problem["loc"]) or "the whole file"
    if problem["type"] == "extra_forbidden":
        return f"unknown key {place!r}"
    if problem["type"] == "missing":
        return f"missing key {place!r}"
    more = len(error.errors()) - 1
    return f"{place}: {problem['msg'].removeprefix('Value error, ')}" + (f" (and {more} more)" if more else "")
