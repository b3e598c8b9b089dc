"""A vector-quantised stage: the building block of the stacked VQ-VAE and of the segmentation autoencoder.

Source: killeen2025 section 4.1.1.
"""

import torch
from monai.networks.nets import VQVAE
from torch import nn

from vctlib.network_config import VectorQuantised
from vctlib.networks.codebook import Codebook

_DOWN = (2, 4, 1, 1)  # stride, kernel, dilation, padding: halves a grid exactly
_UP = (2, 4, 1, 1, 0)  # and output padding: doubles it exactly


class VectorQuantisedStage(nn.Module):
    """One pair of encoder and decoder around a codebook: MONAI's VQVAE with our quantiser.

    Works on standardised inputs (batch, in_channels, x, y, z); `standardise` and `restore` hold the scale, which is
    the identity for images. Latents have `config.latent_channels` channels on a grid smaller by `downsampling`.
    """

    def __init__(self, in_channels: int, config: VectorQuantised):
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
        self.codebook = None
        if config.codebook_size:
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
        """Latents -> their nearest codes, commitment loss. In training with gradients the codebook learns from them.

        Without a codebook the latents themselves, and no loss.
        """
        if self.codebook is None:
            return z, z.new_zeros(())
        quantised, commitment, _ = self.codebook(z)
        return quantised, commitment

    def decode(self, quantised: torch.Tensor) -> torch.Tensor:
        """Quantised latents -> standardised reconstruction in float32."""
        return self.decoder(quantised).float()

    @property
    def perplexity(self) -> float:
        """Effective number of codes in use; NaN without a codebook."""
        return float("nan") if self.codebook is None else float(self.codebook.perplexity)

    def set_input_statistics(self, mean: torch.Tensor, scale: torch.Tensor) -> None:
        """Mean and standard deviation of every input channel (in_channels); set them before the stage is trained."""
        self.input_mean.copy_(mean)
        self.input_scale.copy_(scale)

    def standardise(self, x: torch.Tensor) -> torch.Tensor:
        return (x - per_channel(self.input_mean)) / per_channel(self.input_scale)

    def restore(self, x: torch.Tensor) -> torch.Tensor:
        return x * per_channel(self.input_scale) + per_channel(self.input_mean)


def per_channel(values: torch.Tensor) -> torch.Tensor:
    """One value a channel (channels), in the shape that broadcasts over (batch, channels, x, y, z)."""
    return values.view(1, -1, 1, 1, 1)
