"""The trained parts by name: build one from a profile, release its weights, restore it from a file.

A weights file is safetensors with the resolved profile and the training's summary in its metadata, so that it can be
restored without the profile that made it.
"""

from pathlib import Path

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from vctlib.anatomy import MEASURE, PAPER16
from vctlib.config import Profile
from vctlib.errors import InputError
from vctlib.networks.body_shapes import BodyShapes
from vctlib.networks.latent_diffusion import LatentDiffusion
from vctlib.networks.latent_statistics import LatentStandardiser
from vctlib.networks.lesion_detector import LesionDetector
from vctlib.networks.organ_intensities import OrganIntensities
from vctlib.networks.placement_model import PlacementModel
from vctlib.networks.segmentation_autoencoder import SegmentationAutoencoder
from vctlib.networks.slice_regressor import SliceRegressor
from vctlib.networks.stacked_autoencoder import StackedAutoencoder
from vctlib.networks.unet import PostProcessor, Segmenter
from vctlib.networks.weights import load_weights, packed, save_weights, unpacked

GENERATOR_COMPONENTS = ("image_autoencoder", "segmentation_autoencoder", "latent_diffusion", "post_processor")
_PEOPLE_AT_ONCE = 64


class JointLatentDiffusion(nn.Module):
    """The denoiser of joint latents, with the statistics that bring latents to its scale and back.

    Where the profile has no `joint_labels`, only the image's part of joint latents is modelled. `placements` tells how
    large a body of some attributes and latents is, where it lies, how fat it is and how dense its bones; `organs` what
    its organs look like.
    """

    def __init__(self, profile: Profile) -> None:
        super().__init__()
        config, stages = profile.latent_diffusion, profile.image_autoencoder.stages
        self.image_channels, self.joint_labels = stages[-1].latent_channels, config.joint_labels
        grid = tuple(size // profile.compression for size in profile.cohort.grid)
        parts = (self.image_channels, profile.segmentation_autoencoder.latent_channels)
        groups = parts if self.joint_labels else parts[:1]
        self.joint_shape, self.latent_shape = (sum(parts), *grid), (sum(groups), *grid)  # encoded; modelled
        self.denoiser = LatentDiffusion(config, sum(groups), grid)
        self.statistics = LatentStandardiser(
            config.mean, sum(groups), grid, groups=groups, conditioning=config.conditioning
        )
        shapes = _shapes(profile)
        n_shapes = shapes.config.n_shapes if shapes else 0
        self.placements = PlacementModel(config.conditioning, config.prior_factors, n_shapes)
        self.organs = OrganIntensities(config.conditioning, config.prior_factors)
        self.reads_image = getattr(profile.segmentation_autoencoder, "reads_image", False)

    def fit_statistics(self, latents: Tensor, placements: Tensor, organs: Tensor, attributes: Tensor) -> None:
        """Learn mean and scale of training latents (n, channel, x, y, z), those that are modelled, and of placements
        (n, 7 + shapes) and quantiles of organs (n, organ, 41), of people of these attributes (n, 4)."""
        self.statistics.fit(latents, attributes)
        prior = self.denoiser.prior
        with_factors = latents if len(prior.factors) else latents[:0]  # a copy of all latents only where it is needed
        standardised = self.statistics.standardise(with_factors, attributes[: len(with_factors)])
        prior.fit(standardised, self.statistics.residual_variance)
        del standardised
        self.fit_told(latents, placements, organs, attributes)

    def fit_told(self, latents: Tensor, placements: Tensor, organs: Tensor, attributes: Tensor) -> None:
        """Learn what is told of bodies beside their latents, once the statistics of these are known."""
        for model, told in ((self.placements, placements), (self.organs, organs)):
            model.fit(told, attributes, lambda known: self._scores(latents, known))

    def _scores(self, latents: Tensor, attributes: Tensor) -> Tensor:
        """The prior's scores (n, factor) of people's latents, where these attributes of them are told; a few people at
        a time, as their standardised latents are as large as all latents."""
        pairs = zip(latents.split(_PEOPLE_AT_ONCE), attributes.split(_PEOPLE_AT_ONCE), strict=True)
        return torch.cat([self.denoiser.prior.scores(self.statistics.standardise(z, told)) for z, told in pairs])

    def modelled(self, latents: Tensor) -> Tensor:
        """Of joint latents (n, channel, x, y, z) those that are modelled."""
        return latents[:, : self.latent_shape[0]]

    def split(self, latents: Tensor) -> tuple[Tensor, Tensor | None]:
        """Latents (batch, channel, x, y, z) -> what the decoders of the image and of the label map want; None for the
        latter where labels are not modelled."""
        if not self.joint_labels:
            return latents[:, : self.image_channels], None
        image, labels = latents[:, : self.image_channels], latents[:, self.image_channels :]
        return image, torch.cat([labels, image], dim=1) if self.reads_image else labels


def build(component: str, profile: Profile) -> nn.Module:
    """A fresh network. Raises InputError for an unknown component."""
    if component.startswith("slice_regressor"):
        return SliceRegressor(profile.slice_regressor)
    if component == "image_autoencoder":
        network = StackedAutoencoder(profile.image_autoencoder)
        network.shapes = _shapes(profile)
        return network
    if component == "segmentation_autoencoder":
        image_channels = profile.image_autoencoder.stages[-1].latent_channels
        return SegmentationAutoencoder(profile.segmentation_autoencoder, len(PAPER16) + 1, image_channels)
    if component == "latent_diffusion":
        return JointLatentDiffusion(profile)
    if component == "post_processor":
        return PostProcessor(profile.post_processor, len(PAPER16) + 1)
    if component == "segmenter":
        return Segmenter(profile.segmenter, n_classes=len(MEASURE) + 1)
    if component == "lesion_detector":
        return LesionDetector(profile.lesion_detector)
    raise InputError(f"no component {component!r}")


def _shapes(profile: Profile) -> BodyShapes | None:
    config = profile.body_frame and profile.body_frame.deformation
    return BodyShapes(config, profile.cohort.grid) if config else None


# What is released with eight bits a number, by the beginning of its name: the largest parts.
_PACKED = {
    "image_autoencoder": ("stages.0.residual.", "shapes.components"),
    "segmentation_autoencoder": ("stage.residual.",),
    "latent_diffusion": ("denoiser.unet.",),
    "post_processor": ("body.", "head."),
    "segmenter": ("body.", "head."),
}
# And with sixteen: what factors and attributes explain and what they leave must go on adding up.
_HALVED = {"latent_diffusion": ("denoiser.prior.factors", "statistics.regression.effects")}


def release(path: Path, component: str, network: nn.Module, profile: Profile, training: dict) -> None:
    """Write a component's weights; `training` holds hardware, time, seed and the curve's summary."""
    metadata = {"component": component, "profile": profile.model_dump(mode="json"), "training": training}
    halved = _HALVED.get(component, ())
    state = {
        name: tensor.half() if name.startswith(halved) else tensor for name, tensor in network.state_dict().items()
    }
    save_weights(path, packed(state, _PACKED.get(component, ())), metadata)


def restore(path: Path, component: str) -> tuple[nn.Module, Profile, dict]:
    """A component from its weights file, ready for inference: (network, profile, how it was trained).

    Raises InputError where the file is absent, damaged, of another component, or does not fit its own profile.
    """
    state, metadata = load_weights(path)
    if metadata.get("component") != component:
        raise InputError(f"{path}: holds {metadata.get('component')!r}, not {component!r}")
    if missing := {"profile", "training"} - set(metadata):
        raise InputError(f"{path}: its metadata lack {' and '.join(sorted(missing))}; train it again")
    try:
        profile = Profile.model_validate(metadata["profile"])
    except ValidationError as error:
        wrong = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise InputError(f"{path}: its profile is of another version of vctlib ({wrong}); train it again") from None
    network = build(component, profile)
    try:
        network.load_state_dict(unpacked(state))
    except RuntimeError as error:
        raise InputError(f"{path}: weights do not fit their profile ({str(error).splitlines()[0]})") from None
    return network.eval(), profile, metadata["training"]
