"""The image autoencoder: stages, each of which encodes the latents of the one before.

The vanilla VQ-VAE is the stack of one vector-quantised stage. Stages are trained one after the other, the one that sees
the image first. Stages are counted here from the image: stage 0 is level L of the paper, the last stage its level 1.

Source: killeen2025 section 4.1.1.
"""

from math import prod

import torch
from torch import nn

from vctlib.network_config import ImageAutoencoderConfig
from vctlib.networks.block_stage import BlockStage
from vctlib.networks.body_shapes import BodyShapes
from vctlib.networks.vector_quantised_stage import VectorQuantisedStage


class StackedAutoencoder(nn.Module):
    """Composed encoder and decoder of CT images (batch, 1, x, y, z) on the network's intensity scale.

    Encoding keeps latents continuous all the way; quantisation happens on the way back, before each decoder, so that
    a latent which a diffusion model drew is pulled to codes that the decoders know. Images may be of bodies that were
    deformed to the template of `shapes`.
    """

    def __init__(self, config: ImageAutoencoderConfig):
        super().__init__()
        self.shapes: BodyShapes | None = None
        in_channels = [1] + [stage.latent_channels for stage in config.stages[:-1]]
        self.stages = nn.ModuleList(
            BlockStage(n, stage, companded=True) if stage.kind == "block_pca" else VectorQuantisedStage(n, stage)
            for n, stage in zip(in_channels, config.stages, strict=True)
        )

    @property
    def compression(self) -> int:
        """Voxels a latent along each axis."""
        return prod(stage.downsampling for stage in self.stages)

    @property
    def latent_channels(self) -> int:
        return self.stages[-1].latent_channels

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Image -> continuous latents of the last stage (batch, latent_channels, x/c, y/c, z/c)."""
        return self._latents(len(self.stages), x)

    def decode(self, z: torch.Tensor, quantise: bool = True) -> torch.Tensor:
        """Latents of the last stage -> image. `quantise=False` decodes the continuous latents at every level."""
        for stage in reversed(self.stages):
            z = stage.restore(stage.decode(stage.quantise(z)[0] if quantise else z))
        return z

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Image -> reconstruction."""
        return self.decode(self.encode(x))

    def stage_input(self, level: int, x: torch.Tensor) -> torch.Tensor:
        """What stage `level` is trained to reconstruct, for images x: the standardised latents of the stage before.

        Stages before `level` are left without gradient: their training is over.
        """
        with torch.no_grad():
            return self.stages[level].standardise(self._latents(level, x))

    def _latents(self, n_stages: int, x: torch.Tensor) -> torch.Tensor:
        for stage in self.stages[:n_stages]:
            x = stage.encode(stage.standardise(x))
        return x
