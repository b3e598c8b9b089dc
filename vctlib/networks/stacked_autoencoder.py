"""The image autoencoder: vector-quantised stages, each of which encodes the latents of the one before.

The vanilla VQ-VAE is the stack of one stage. Stages are trained one after the other, the one that sees the image
first. Stages are counted here from the image: stage 0 is level L of the paper, the last stage its level 1.

Source: killeen2025 section 4.1.1.
"""

from math import prod

import torch
from monai.networks.nets import VQVAE
from torch import nn

from vctlib.config import ImageAutoencoderConfig, SegmentationAutoencoderConfig, StageConfig
from vctlib.networks.codebook import Codebook

_DOWN = (2, 4, 1, 1)  # stride, kernel, dilation, padding: halves a grid exactly
_UP = (2, 4, 1, 1, 0)  # and output padding: doubles it exactly


class VectorQuantisedStage(nn.Module):
    """One pair of encoder and decoder around a codebook: MONAI's VQVAE with our quantiser.

    Works on standardised inputs (batch, in_channels, x, y, z); `standardise` and `restore` hold the scale, which is
    the identity for images. Latents have `config.latent_channels` channels on a grid smaller by `downsampling`.
    """

    def __init__(self, in_channels: int, config: StageConfig | SegmentationAutoencoderConfig):
        super().__init__()
        levels = len(config.channels)
        network = VQVAE(
            spatial_dims=3,
            in_channels=in_channels,
            out_channels=in_channels,
            channels=config.channels,
            num_res_layers=config.residual_layers,
            num_res_channels=config.channels,
            downsample_parameters=(_DOWN,) * levels,
            upsample_parameters=(_UP,) * levels,
            num_embeddings=1,
            embedding_dim=config.latent_channels,
        )
        self.encoder, self.decoder = network.encoder, network.decoder
        self.codebook = Codebook(config.codebook_size, config.latent_channels, warmup=config.codebook_warmup)
        self.downsampling, self.latent_channels = 2**levels, config.latent_channels
        self.register_buffer("input_mean", torch.zeros(in_channels))
        self.register_buffer("input_scale", torch.ones(in_channels))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Standardised input -> its reconstruction, commitment loss."""
        quantised, commitment = self.quantise(self.encode(x))
        return self.decode(quantised), commitment

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Standardised input -> continuous latents in float32, before quantisation."""
        return self.encoder(x).float()

    def quantise(self, z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Latents -> their nearest codes, commitment loss. In training with gradients the codebook learns from them."""
        quantised, commitment, _ = self.codebook(z)
        return quantised, commitment

    def decode(self, quantised: torch.Tensor) -> torch.Tensor:
        """Quantised latents -> standardised reconstruction in float32."""
        return self.decoder(quantised).float()

    @property
    def perplexity(self) -> float:
        """Effective number of codes in use."""
        return float(self.codebook.perplexity)

    def set_input_statistics(self, mean: torch.Tensor, scale: torch.Tensor) -> None:
        """Mean and standard deviation of every input channel (in_channels); set them before the stage is trained."""
        self.input_mean.copy_(mean)
        self.input_scale.copy_(scale)

    def standardise(self, x: torch.Tensor) -> torch.Tensor:
        return (x - _per_channel(self.input_mean)) / _per_channel(self.input_scale)

    def restore(self, x: torch.Tensor) -> torch.Tensor:
        return x * _per_channel(self.input_scale) + _per_channel(self.input_mean)


class StackedAutoencoder(nn.Module):
    """Composed encoder and decoder of CT images (batch, 1, x, y, z) on the network's intensity scale.

    Encoding keeps latents continuous all the way; quantisation happens on the way back, before each decoder, so that
    a latent which a diffusion model drew is pulled to codes that the decoders know.
    """

    def __init__(self, config: ImageAutoencoderConfig):
        super().__init__()
        in_channels = [1] + [stage.latent_channels for stage in config.stages[:-1]]
        self.stages = nn.ModuleList(
            VectorQuantisedStage(n, stage) for n, stage in zip(in_channels, config.stages, strict=True)
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


def _per_channel(values: torch.Tensor) -> torch.Tensor:
    return values.view(1, -1, 1, 1, 1)
