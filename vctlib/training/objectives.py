"""One objective for each network: what a batch is and how its loss is made up.

Source: killeen2025 equations 2 and 3 and sections 4.1.2-4.1.3.
"""

from collections.abc import Iterator
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from vctlib.anatomy import MEASURE
from vctlib.intensity import normalise_hu
from vctlib.losses import projected
from vctlib.losses.adversarial import AdversarialLoss
from vctlib.losses.local_histogram import LocalHistogramLoss
from vctlib.losses.multi_window import MultiWindowL1
from vctlib.losses.perceptual import PerceptualLoss
from vctlib.network_config import (
    BlockStageConfig,
    LatentDiffusionConfig,
    MultiWindow,
    PostProcessorConfig,
    SegmentationAutoencoderConfig,
    SegmenterConfig,
    VectorQuantisedStageConfig,
)
from vctlib.networks.block_stage import BlockStage
from vctlib.networks.inference import one_hot
from vctlib.networks.schedule import drop_attributes, make_schedule
from vctlib.training.arrays import BODY_HU, BodyArrays, body_positions, cut, patch_start
from vctlib.training.class_weights import DiceAndCrossEntropy, class_weights
from vctlib.training.decoded import DecodedPeople
from vctlib.training.disturbance import disturbed

_AIR_SHARE = 0.02  # of the voxels outside the body that the segmenter is trained on

Losses = Iterator[tuple[str, Tensor, dict[str, float]]]


def _stack(items: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(items))


class _PatchObjective:
    """Draws patches that touch the body from random subjects; corners lie on multiples of `multiple` voxels."""

    def __init__(
        self, bodies: list[np.ndarray], shape: tuple, patch: tuple[int, ...] | None, multiple: int = 1
    ) -> None:
        self._bodies, self._shape, self._patch, self._multiple = bodies, shape, patch or shape, multiple

    def _windows(self, rng: np.random.Generator, size: int) -> list[tuple[int, tuple]]:
        subjects = rng.integers(len(self._bodies), size=size)
        return [(int(i), self._start(rng, self._bodies[i])) for i in subjects]

    def _start(self, rng: np.random.Generator, body: np.ndarray) -> tuple[int, ...]:
        start = patch_start(rng, body, self._patch, self._shape)
        return tuple(first // self._multiple * self._multiple for first in start)

    def _patches(self, array: np.ndarray, windows: list[tuple[int, tuple]]) -> Tensor:
        return _stack([cut(array[i], start, self._patch) for i, start in windows])


class _StageObjective(_PatchObjective):
    """A pair of encoder and decoder: distance + commitment + perceptual + adversarial, each where it is asked for."""

    # A discriminator as fast as the autoencoder wins at once, and then teaches nothing.
    learning_rate_fractions = MappingProxyType({"discriminator": 0.2})

    def __init__(
        self, stage: nn.Module, config: VectorQuantisedStageConfig, distance: nn.Module, channels: int, *where
    ) -> None:
        super().__init__(*where, config.optimization.patch)
        self._config, self._distance = config, distance
        self._perceptual = PerceptualLoss() if config.perceptual_weight else None
        self._adversarial = AdversarialLoss(channels, min(self._patch)) if config.adversarial_weight else None
        self.networks = {"stage": stage}
        if self._adversarial is not None:
            self.networks["discriminator"] = self._adversarial.discriminator

    def losses(self, batch: dict[str, Tensor], step: int) -> Losses:
        x, config = batch["x"], self._config
        reconstruction, commitment = self.networks["stage"](x)
        distance = self._distance(reconstruction, x)
        loss, figures = distance + commitment, {"reconstruction": distance.item(), "commitment": commitment.item()}
        if self._perceptual is not None:
            perceptual = self._perceptual(reconstruction, x)
            loss, figures["perceptual"] = loss + config.perceptual_weight * perceptual, perceptual.item()
        adversarial = self._adversarial is not None and step >= config.adversarial_start
        if adversarial:
            fooling = self._adversarial.generator(self.networks["discriminator"], reconstruction)
            loss, figures["adversarial"] = loss + config.adversarial_weight * fooling, fooling.item()
        yield "stage", loss, figures
        if adversarial:
            judged = self._adversarial.discriminating(self.networks["discriminator"], reconstruction.detach(), x)
            yield "discriminator", judged, {"discriminator": judged.item()}


class ImageStageObjective(_StageObjective):
    """The stage that sees the image: (multi-window) L1 + perceptual + adversarial. Equation 2, l = L."""

    def __init__(
        self, stage: nn.Module, config: VectorQuantisedStageConfig, window: MultiWindow | None, arrays: BodyArrays
    ) -> None:
        distance = nn.L1Loss() if window is None else MultiWindowL1(window)
        super().__init__(stage, config, distance, 1, arrays.body, arrays.hu.shape[1:])
        self._hu = arrays.hu

    def batch(self, rng: np.random.Generator, size: int) -> dict[str, Tensor]:
        return {"x": normalise_hu(self._patches(self._hu, self._windows(rng, size)).float())[:, None]}


class LatentStageObjective(_StageObjective):
    """A stage that sees the latents of the stage before: L1 + adversarial. Equation 2, l < L."""

    def __init__(
        self, stage: nn.Module, config: VectorQuantisedStageConfig, latents: np.ndarray, bodies: list[np.ndarray]
    ) -> None:
        super().__init__(stage, config, nn.L1Loss(), latents.shape[1], bodies, latents.shape[2:])
        self._latents = latents

    def batch(self, rng: np.random.Generator, size: int) -> dict[str, Tensor]:
        return {"x": self._patches(self._latents, self._windows(rng, size)).float()}


class BlockStageObjective(_PatchObjective):
    """A stage of principal components: L1 and squared error of companded intensities, on patches of whole blocks."""

    def __init__(self, stage: BlockStage, config: BlockStageConfig, arrays: BodyArrays) -> None:
        super().__init__(arrays.body, arrays.hu.shape[1:], config.optimization.patch, config.block)
        self._hu, self._weight, self._standardise = arrays.hu, config.squared_weight, stage.standardise
        self.networks = {"stage": stage}

    def batch(self, rng: np.random.Generator, size: int) -> dict[str, Tensor]:
        hu = self._patches(self._hu, self._windows(rng, size)).float()
        return {"x": self._standardise(normalise_hu(hu))[:, None]}

    def losses(self, batch: dict[str, Tensor], step: int) -> Losses:
        reconstruction, _ = self.networks["stage"](batch["x"])
        distance = functional.l1_loss(reconstruction, batch["x"])
        squared = functional.mse_loss(reconstruction, batch["x"])
        yield "stage", distance + self._weight * squared, {"reconstruction": distance.item(), "squared": squared.item()}


class SegmentationObjective(_PatchObjective):
    """Label maps through the bottleneck: Dice loss, and cross-entropy where the profile asks for it."""

    def __init__(
        self,
        network: nn.Module,
        arrays: BodyArrays,
        n_classes: int,
        config: SegmentationAutoencoderConfig,
        image: nn.Module | None = None,
    ) -> None:
        multiple = config.downsampling if config.kind == "block_pca" else 1
        super().__init__(arrays.body, arrays.hu.shape[1:], config.optimization.patch, multiple)
        self._hu, self._labels, self._n_classes = arrays.hu, arrays.labels, n_classes
        self._loss = DiceAndCrossEntropy(config.cross_entropy_weight, class_weights(arrays.labels, n_classes))
        self._image = image  # whose latents the decoder reads, or None
        self.networks = {"network": network}

    def batch(self, rng: np.random.Generator, size: int) -> dict[str, Tensor]:
        windows = self._windows(rng, size)
        batch = {"y": self._patches(self._labels, windows).long()[:, None]}
        if self._image is not None:
            batch["x"] = normalise_hu(self._patches(self._hu, windows).float())[:, None]
        return batch

    def losses(self, batch: dict[str, Tensor], step: int) -> Losses:
        one_hot = functional.one_hot(batch["y"][:, 0], self._n_classes).movedim(-1, 1).float()
        with torch.no_grad():
            context = None if self._image is None else self._image.encode(batch["x"])
        logits, commitment = self.networks["network"](one_hot, context)
        dice = self._loss(logits, batch["y"])
        yield "network", dice + commitment, {"dice": dice.item(), "commitment": commitment.item()}


class SegmenterObjective(_PatchObjective):
    """Image to label map, on reference images only, `disturbed`: Dice loss and cross-entropy.

    Over the voxels of the body and its structures, and a few of the air about it: nine tenths of a grid are air.
    """

    def __init__(self, network: nn.Module, arrays: BodyArrays, config: SegmenterConfig) -> None:
        super().__init__(arrays.body, arrays.hu.shape[1:], config.optimization.patch)
        self._hu, self._labels, self._config = arrays.hu, arrays.labels, config
        self._loss = DiceAndCrossEntropy(1.0, class_weights(arrays.labels, len(MEASURE) + 1))
        self.networks = {"network": network}

    def batch(self, rng: np.random.Generator, size: int) -> dict[str, Tensor]:
        windows = self._windows(rng, size)
        hu = self._patches(self._hu, windows)
        labels = self._patches(self._labels, windows).long()
        counted = (hu > BODY_HU) | (labels > 0) | torch.from_numpy(rng.random(hu.shape, np.float32) < _AIR_SHARE)
        x = _stack([disturbed(volume, self._config, rng) for volume in hu.numpy()])
        return {"x": x[:, None], "y": labels[:, None], "counted": counted}

    def losses(self, batch: dict[str, Tensor], step: int) -> Losses:
        logits = self.networks["network"](batch["x"]).transpose(0, 1)[:, batch["counted"]]  # (class, voxel)
        loss = self._loss(logits[None], batch["y"].transpose(0, 1)[:, batch["counted"]][None])
        yield "network", loss, {"loss": loss.item()}


class PostProcessorObjective(_PatchObjective):
    """Decoded to true image: L1 + perceptual (section 4.1.3), and what else the profile gives a weight.

    A discriminator, where there is one, moves after the network and as fast; it sees the same slices as the perceptual
    distance.

    The curves also tell the L1 of the same patches as they were decoded, below which a network that mends must come.
    """

    def __init__(
        self,
        network: nn.Module,
        config: PostProcessorConfig,
        arrays: BodyArrays,
        decoded: DecodedPeople,
    ) -> None:
        super().__init__(arrays.body, arrays.hu.shape[1:], config.optimization.patch)
        self._hu, self._decoded, self._config = arrays.hu, decoded, config
        self._histograms = LocalHistogramLoss(config.histogram_side)
        self._perceptual = None
        if config.perceptual_weight or config.adversarial_weight:
            self._perceptual = PerceptualLoss(config.slices_per_axis)
        self.networks = {"network": network}
        if config.adversarial_weight:
            self.networks["discriminator"] = projected.FeatureDiscriminator()
            self.betas = (0.5, 0.99)  # two that play against each other must not carry on by momentum

    def batch(self, rng: np.random.Generator, size: int) -> dict[str, Tensor]:
        windows = self._windows(rng, size)
        pair = (self._patches(array, windows).float() for array in (self._decoded.hu, self._hu))
        x, y = (normalise_hu(hu)[:, None] for hu in pair)
        if self._decoded.labels is not None:
            x = torch.cat([x, one_hot(self._patches(self._decoded.labels, windows)).to(x.device)], dim=1)
        if self._decoded.sampled is not None:
            sampled = torch.tensor([float(self._decoded.sampled[subject]) for subject, _ in windows])
            x = torch.cat([x, sampled[:, None, None, None, None].expand_as(y)], dim=1)
        return {"x": x, "y": y}

    def losses(self, batch: dict[str, Tensor], step: int) -> Losses:
        improved = self.networks["network"](batch["x"])
        distance = functional.l1_loss(improved, batch["y"])
        with_nothing = functional.l1_loss(batch["x"][:, :1], batch["y"])
        loss, figures = distance, {"reconstruction": distance.item(), "as_decoded": with_nothing.item()}
        if self._config.squared_weight:
            squared = functional.mse_loss(improved, batch["y"])
            loss, figures["squared"] = loss + self._config.squared_weight * squared, squared.item()
        if self._config.histogram_weight:
            histograms = self._histograms(improved, batch["y"])
            loss = loss + self._config.histogram_weight * histograms
            figures["histograms"] = histograms.item()
        maps = [] if self._perceptual is None else self._perceptual.maps(improved, batch["y"])
        if self._config.perceptual_weight:
            perceptual = self._perceptual.distance(maps)
            loss = loss + self._config.perceptual_weight * perceptual
            figures["perceptual"] = perceptual.item()
        if not self._config.adversarial_weight or step < self._config.adversarial_start:
            yield "network", loss, figures
            return
        discriminator = self.networks["discriminator"]
        found = projected.fooling(discriminator, maps)
        yield "network", loss + self._config.adversarial_weight * found, figures | {"adversarial": found.item()}
        judged = projected.discriminating(discriminator, maps)
        yield "discriminator", judged, {"discriminator": judged.item()}


class LatentDiffusionObjective:
    """Denoise standardised latents of image and label map together, with attributes dropped at random.

    Attributes are dropped before the latents are standardised: where the mean depends on attributes, a person of
    unknown attributes must show all the spread that these would have explained.
    """

    def __init__(self, network: nn.Module, config: LatentDiffusionConfig, latents: Tensor, attributes: Tensor) -> None:
        self._latents, self._attributes, self._statistics = latents, attributes, network.statistics
        self._dropout, self._schedule = config.attribute_dropout, make_schedule(config)
        self.networks = {"denoiser": network.denoiser}

    def batch(self, rng: np.random.Generator, size: int) -> dict[str, Tensor]:
        chosen = torch.from_numpy(rng.integers(len(self._latents), size=size))
        return {"z": self._latents[chosen], "attributes": self._attributes[chosen]}

    def losses(self, batch: dict[str, Tensor], step: int) -> Losses:
        attributes = drop_attributes(batch["attributes"], self._dropout)
        pair = self._schedule.training_pair(self._statistics.standardise(batch["z"], attributes))
        predicted = self.networks["denoiser"](pair.noisy, pair.timesteps, attributes)
        loss = (pair.weight * (predicted.float() - pair.target).square()).mean()
        yield "denoiser", loss, {"loss": loss.item()}


def latent_bodies(hu: np.ndarray, factor: int) -> list[np.ndarray]:
    """Body positions of every subject on the latent grid, `factor` voxels wide."""
    return [np.unique(body_positions(volume) // factor, axis=0) for volume in hu]
