"""What a profile says of its networks and of their training."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from vctlib.cohort_config import Fraction, Strict, Triple

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


class DeformationConfig(Strict):
    """How bodies in the frame are deformed to one template, and how much of their shape is kept."""

    n_shapes: PositiveInt = 64  # principal components of the displacement; fewer than people
    template_people: PositiveInt = 24  # whose mean, deformed to the one before, is the template of each round
    template_rounds: PositiveInt = 3
    # Of demons, on voxels 8, 4 and 2 times as wide as the frame's.
    iterations: tuple[NonNegativeInt, ...] = Field((30, 25, 12), min_length=1)
    smoothing: PositiveFloat = 1.0  # voxels of each level


class BodyFrameConfig(Strict):
    """Where bodies lie in the grid in which networks see them; without it, that is the cohort's grid."""

    length_voxels: PositiveInt  # from the lowest to the highest bone
    lowest_voxel: PositiveInt  # along z, of the lowest bone
    y_mm: float = 0.0  # of the axial skeleton's centroid, from the grid's middle
    mean_length_mm: PositiveFloat = 1725.0  # a body so long and of such a girth keeps the width of its voxels
    mean_girth_mm: PositiveFloat = 215.0
    deformation: DeformationConfig | None = None  # without it, bodies keep their shape


class LatentDiffusionConfig(Strict):
    schedule: Literal["rectified_flow", "ddpm"]
    conditioning: Literal["categories", "values"] = "categories"  # what is known of an attribute: its bin, or all of it
    mean: Literal["channel", "position", "attributes"]  # what the standardisation subtracts from the latents
    # False models the image's latents alone, for studies: bodies come without the label map that steps 8 to 10 compare
    joint_labels: bool = True
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
    noise_location: float = 0.0  # of the logit of the noise's share, in training and along the path; rectified flow
    noise_scale: PositiveFloat = 1.0
    optimization: Optimization

    @model_validator(mode="after")
    def _flags_and_schedule(self):
        if len(self.attention) != len(self.channels):
            raise ValueError("attention needs one true or false for each entry of channels")
        if self.schedule == "ddpm" and (self.noise_location, self.noise_scale) != (0.0, 1.0):
            raise ValueError("noise_location and noise_scale are of rectified_flow; ddpm has a schedule of its own")
        return self


class UNetConfig(Strict):
    """What segmenter and post-processor have in common."""

    channels: tuple[PositiveInt, ...]
    residual_units: PositiveInt
    voxel_features: PositiveInt = 16  # channels of a voxel, from its intensity and, in the post-processor, its label
    optimization: Optimization


class SegmenterConfig(UNetConfig):
    """Every second CT that it learns from is disturbed, by amounts between none and these."""

    voxel_features: PositiveInt = 4
    blur: Weight = 0.0  # standard deviation in voxels
    mottle_hu: Weight = 0.0  # standard deviation of a smooth error
    noise_hu: Weight = 0.0  # and of one that every voxel has by itself


class PostProcessorConfig(UNetConfig):
    """Its loss is L1 + squared error + local histograms + perceptual distance + adversarial loss, by these weights."""

    squared_weight: Weight = 0.0
    histogram_weight: Weight = 0.0  # of the distributions of intensities in small cubes
    histogram_side: PositiveInt = 8  # voxels along such a cube
    perceptual_weight: Weight = 0.0
    adversarial_weight: Weight = 0.0  # of a discriminator that reads the features of the perceptual distance
    adversarial_start: Annotated[int, Field(ge=0)] = 0  # step from which the discriminator counts
    slices_per_axis: PositiveInt = 2  # of a patch, of which these two see the features
    reads_labels: bool = False  # sees the decoded label map beside the decoded image
    # It learns from reconstructions. With a range, every second person's latents are noised to a share in it and
    # denoised again: of 0 nothing changes, 1 is somebody else
    noise_shares: tuple[Fraction, Fraction] | None = None
    blur: Weight = 0.0  # and blurred before, as a sum of bodies is, by half to one and a half times so many voxels
    told_sampled: bool = False  # sees whether a body is such a one, or a sample; else it has to guess
    max_people: PositiveInt | None = None  # train on at most so many, where their reconstruction is the cost
    fold: PositiveInt = 1  # voxels along an axis that it sees as one; the segmenter has its own two

    @model_validator(mode="after")
    def _shares_rise(self):
        if self.noise_shares is not None and self.noise_shares[0] > self.noise_shares[1]:
            raise ValueError(f"noise_shares {list(self.noise_shares)} must not fall")
        if self.told_sampled and self.noise_shares is None and not self.blur:
            raise ValueError("told_sampled needs noise_shares or blur: without, nobody in training is like a sample")
        return self

    @property
    def behind(self) -> tuple[str, ...]:
        """The trained components whose output it learns to mend."""
        if self.noise_shares is not None:
            return "image_autoencoder", "segmentation_autoencoder", "latent_diffusion"
        joint = self.reads_labels or self.blur > 0
        return ("image_autoencoder", "segmentation_autoencoder") if joint else ("image_autoencoder",)


class SliceRegressorConfig(Strict):
    backbone: Literal["efficientnet_lite0", "swin_base_patch4_window12_384"]
    image_size: tuple[PositiveInt, PositiveInt]  # (width, height) that a slice is resized to
    epochs: PositiveInt
    batch_size: PositiveInt
    learning_rate: PositiveFloat
    pretrained: bool


class LesionDetectorConfig(Strict):
    """The detector of liver lesions, which sees a box about the liver."""

    channels: tuple[PositiveInt, ...] = Field(default=(16, 32, 64), min_length=2)
    residual_units: PositiveInt = 1
    box_mm: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = (320.0, 256.0, 320.0)  # at least
    optimization: Optimization = Optimization(steps=1200, batch_size=8, learning_rate=1e-3)
