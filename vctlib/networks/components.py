"""The trained parts by name: build one from a profile, release its weights, restore it from a file.

A weights file is safetensors with the resolved profile and the training's summary in its metadata, so that it can be
restored without the profile that made it.
"""

from pathlib import Path

from pydantic import ValidationError
from torch import Tensor, nn

from vctlib.anatomy import MEASURE, PAPER16
from vctlib.config import Profile
from vctlib.errors import InputError
from vctlib.networks.latent_diffusion import LatentDiffusion
from vctlib.networks.latent_statistics import LatentStandardiser
from vctlib.networks.segmentation_autoencoder import SegmentationAutoencoder
from vctlib.networks.slice_regressor import SliceRegressor
from vctlib.networks.stacked_autoencoder import StackedAutoencoder
from vctlib.networks.unet import PostProcessor, Segmenter
from vctlib.networks.weights import load_weights, save_weights

GENERATOR_COMPONENTS = ("image_autoencoder", "segmentation_autoencoder", "latent_diffusion", "post_processor")


class JointLatentDiffusion(nn.Module):
    """The denoiser of joint latents, with the statistics that bring latents to its scale and back."""

    def __init__(self, profile: Profile) -> None:
        super().__init__()
        stages = profile.image_autoencoder.stages
        self.image_channels = stages[-1].latent_channels
        channels = self.image_channels + profile.segmentation_autoencoder.latent_channels
        self.latent_shape = (channels, *(size // profile.compression for size in profile.cohort.grid))
        config = profile.latent_diffusion
        self.denoiser = LatentDiffusion(config, channels, self.latent_shape[1:])
        groups = (self.image_channels, channels - self.image_channels)
        self.statistics = LatentStandardiser(config.mean, channels, self.latent_shape[1:], groups=groups)

    def fit_statistics(self, latents: Tensor, categories: Tensor) -> None:
        """Learn mean and scale of training latents (n, channel, x, y, z) of people of these categories (n, 4)."""
        self.statistics.fit(latents, categories)
        prior = self.denoiser.prior
        with_factors = latents if len(prior.factors) else latents[:0]  # a copy of all latents only where it is needed
        standardised = self.statistics.standardise(with_factors, categories[: len(with_factors)])
        prior.fit(standardised, self.statistics.residual_variance)

    def split(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Joint latents (batch, channel, x, y, z) -> those of the image and those of the label map."""
        return latents[:, : self.image_channels], latents[:, self.image_channels :]


def build(component: str, profile: Profile) -> nn.Module:
    """A fresh network. Raises InputError for an unknown component."""
    if component.startswith("slice_regressor"):
        return SliceRegressor(profile.slice_regressor)
    if component == "image_autoencoder":
        return StackedAutoencoder(profile.image_autoencoder)
    if component == "segmentation_autoencoder":
        return SegmentationAutoencoder(profile.segmentation_autoencoder, n_classes=len(PAPER16) + 1)
    if component == "latent_diffusion":
        return JointLatentDiffusion(profile)
    if component == "post_processor":
        return PostProcessor(profile.post_processor)
    if component == "segmenter":
        return Segmenter(profile.segmenter, n_classes=len(MEASURE) + 1)
    raise InputError(f"no component {component!r}")


# What is released in half precision, by the beginning of its name: the largest parts.
_HALF_PRECISION = {
    "image_autoencoder": ("stages.0.residual.",),
    "segmentation_autoencoder": ("stage.residual.",),
    "latent_diffusion": ("denoiser.", "statistics.effects"),
    "segmenter": ("body.", "head."),
}


def release(path: Path, component: str, network: nn.Module, profile: Profile, training: dict) -> None:
    """Write a component's weights; `training` holds hardware, time, seed and the curve's summary."""
    metadata = {"component": component, "profile": profile.model_dump(mode="json"), "training": training}
    halved = _HALF_PRECISION.get(component, ())
    state = {
        name: tensor.half() if name.startswith(halved) and tensor.is_floating_point() else tensor
        for name, tensor in network.state_dict().items()
    }
    save_weights(path, state, metadata)


def restore(path: Path, component: str) -> tuple[nn.Module, Profile, dict]:
    """A component from its weights file, ready for inference: (network, profile, how it was trained).

    Raises InputError where the file is absent, damaged, of another component, or does not fit its own profile.
    """
    state, metadata = load_weights(path)
    if metadata.get("component") != component:
        raise InputError(f"{path}: holds {metadata.get('component')!r}, not {component!r}")
    try:
        profile = Profile.model_validate(metadata["profile"])
    except ValidationError as error:
        wrong = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise InputError(f"{path}: its profile is of another version of vctlib ({wrong}); train it again") from None
    network = build(component, profile)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise InputError(f"{path}: weights do not fit their profile ({str(error).splitlines()[0]})") from None
    return network.eval(), profile, metadata["training"]
