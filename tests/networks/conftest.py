"""Small configurations for the networks, so that a test takes a second."""

import pytest
import torch

from vctlib.network_config import (
    ImageAutoencoderConfig,
    LatentDiffusionConfig,
    Optimization,
    VectorQuantisedSegmentationConfig,
    VectorQuantisedStageConfig,
)

OPTIMIZATION = Optimization(steps=1, batch_size=1, learning_rate=1e-3)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.fixture
def stage_config() -> VectorQuantisedStageConfig:
    return VectorQuantisedStageConfig(
        channels=(8,),
        residual_layers=1,
        latent_channels=4,
        codebook_size=32,
        perceptual_weight=0.0,
        adversarial_weight=0.0,
        adversarial_start=0,
        optimization=OPTIMIZATION,
    )


@pytest.fixture
def stack_config(stage_config) -> ImageAutoencoderConfig:
    """4x, then 2x with other latents, so that a mistaken order shows."""
    first = stage_config.model_copy(update={"channels": (8, 8), "latent_channels": 3})
    return ImageAutoencoderConfig(stages=(first, stage_config))


@pytest.fixture
def segmentation_config() -> VectorQuantisedSegmentationConfig:
    return VectorQuantisedSegmentationConfig(
        channels=(8, 8), residual_layers=1, latent_channels=4, codebook_size=32, optimization=OPTIMIZATION
    )


@pytest.fixture
def diffusion_config() -> LatentDiffusionConfig:
    return LatentDiffusionConfig(
        schedule="rectified_flow",
        mean="attributes",
        channels=(8, 16),
        attention=(False, True),
        residual_blocks=1,
        head_channels=8,
        norm_groups=4,
        coordinates=True,
        optimization=OPTIMIZATION,
    )
