"""An image autoencoder with codebooks behind its encoder: what it would keep if its latents were quantised."""

from collections.abc import Sequence

import torch
from torch import nn

from vctlib.networks.body_shapes import BodyShapes
from vctlib.networks.codebook import Codebook


class QuantisedAutoencoder(nn.Module):
    """`autoencoder`, each of whose latents is replaced by a sum of codes: the nearest of the first codebook, and of
    every later one the nearest to what those before it leave.

    codebooks: (codes, latent_channels) each. Raises ValueError without any, and for codes of other channels.
    """

    def __init__(self, autoencoder: nn.Module, codebooks: Sequence[torch.Tensor]):
        super().__init__()
        channels = autoencoder.latent_channels
        if not codebooks or any(codes.ndim != 2 or codes.shape[1] != channels for codes in codebooks):
            raise ValueError(f"codebooks must be one or more, each of (codes, {channels})")
        self.autoencoder = autoencoder
        self.codebooks = nn.ModuleList(codebook(codes) for codes in codebooks)

    @property
    def compression(self) -> int:
        """Voxels a latent along each axis."""
        return self.autoencoder.compression

    @property
    def latent_channels(self) -> int:
        return self.autoencoder.latent_channels

    @property
    def shapes(self) -> BodyShapes | None:
        """Those of the autoencoder."""
        return self.autoencoder.shapes

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Image (batch, 1, x, y, z) -> quantised latents (batch, latent_channels, x/c, y/c, z/c)."""
        last = self.autoencoder.encode(x).float().movedim(1, -1)
        return quantise(last.flatten(0, -2), self.codebooks).view(last.shape).movedim(-1, 1)

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """Latents -> image, as the autoencoder decodes them."""
        return self.autoencoder.decode(z)


def codebook(codes: torch.Tensor) -> Codebook:
    """A codebook that learns no more, of the codes (codes, channel)."""
    book = Codebook(*codes.shape).eval()
    book.codes.copy_(codes)
    return book


def quantise(latents: torch.Tensor, codebooks: Sequence[Codebook]) -> torch.Tensor:
    """Latents (n, channel) -> the sum of their codes (n, channel), one of each codebook."""
    total = torch.zeros_like(latents)
    for book in codebooks:
        total = total + book.codes[book.nearest(latents - total)[0]]
    return total
