"""A stage of an autoencoder that begins where principal components end.

Every cubic block of voxels becomes the coefficients of its leading principal components: the encoder is solved for, not
trained, and on few cores it keeps the skeleton, which a network trained from nothing loses. The decoder adds to the
linear inverse what a network can tell from a block's neighbours.
"""

import math

import torch
from monai.networks.nets.autoencoderkl import AEKLResBlock
from monai.networks.utils import pixelshuffle
from torch import nn
from torch.nn import functional as F

from vctlib.intensity import compand, expand
from vctlib.network_config import BlockPCA
from vctlib.networks.vector_quantised_stage import per_channel


class BlockStage(nn.Module):
    """Blocks of a volume (batch, in_channels, x, y, z) to latents of `config.latent_channels` channels and back.

    Has the interface of `VectorQuantisedStage`, with latents that are left as they are where that one quantises them.
    With `companded`, `standardise` takes images from the network's scale to the companded one, and `restore` back.
    The linear inverse is multiplied by `gain`: 1 for images, more where it shall serve as logits.
    With `context` channels, the decoder reads those of another autoencoder's latents, too, which follow its own; it
    raises ValueError where it is given another number of channels.
    Until `set_components` the components are random and orthogonal.
    """

    def __init__(
        self, in_channels: int, config: BlockPCA, *, companded: bool = False, gain: float = 1.0, context: int = 0
    ):
        super().__init__()
        self.downsampling, self.latent_channels = config.block, config.latent_channels
        self.companded, self.gain, self.noise = companded, gain, config.latent_noise
        cube = (config.block,) * 3
        self.register_buffer("components", nn.init.orthogonal_(torch.empty(self.latent_channels, in_channels, *cube)))
        self.register_buffer("mean", torch.zeros(in_channels, *cube))
        self.register_buffer("latent_scale", torch.ones(self.latent_channels))
        self.register_buffer("context_scale", torch.ones(context))
        self.residual = _ResidualDecoder(config, self.latent_channels + context, in_channels)

    def set_components(self, mean: torch.Tensor, components: torch.Tensor, scale: torch.Tensor) -> None:
        """Mean block (in_channels * block^3), orthonormal components (latent_channels, the same), their SD."""
        self.mean.copy_(mean.view_as(self.mean))
        self.components.copy_(components.view_as(self.components))
        self.latent_scale.copy_(scale)

    def forward(self, x: torch.Tensor, context: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Standardised input -> its reconstruction, and no commitment loss (0). In training, latents get noise."""
        z = self.encode(x) if context is None else torch.cat([self.encode(x), context.float()], dim=1)
        if self.training:
            z = z + self.noise * self._scales(z) * torch.randn_like(z)
        return self.decode(z), z.new_zeros(())

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Standardised input, its sides multiples of the block -> latents in float32."""
        with torch.autocast(x.device.type, enabled=False):
            offset = -(self.components * self.mean).flatten(1).sum(1)
            return F.conv3d(x.float(), self.components, offset, stride=self.downsampling)

    def quantise(self, z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The latents as they are, and 0."""
        return z, z.new_zeros(())

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """Latents, and those of the context behind them -> standardised reconstruction in float32."""
        with torch.autocast(z.device.type, enabled=False):
            own = z[:, : self.latent_channels].float()
            blocks = self.mean.view(-1, 1) + self.components.flatten(1).T @ own.flatten(2)
            linear = pixelshuffle(blocks.unflatten(2, z.shape[2:]), 3, self.downsampling)
        return self.gain * linear + self.residual(z / self._scales(z)).float()

    def _scales(self, z: torch.Tensor) -> torch.Tensor:
        scales, context = torch.cat([self.latent_scale, self.context_scale]), len(self.context_scale)
        if z.shape[1] != len(scales):
            raise ValueError(
                f"the decoder reads {len(scales)} channels, {context} of them of the context, and got {z.shape[1]}"
            )
        return per_channel(scales)

    def standardise(self, x: torch.Tensor) -> torch.Tensor:
        return compand(x) if self.companded else x

    def restore(self, x: torch.Tensor) -> torch.Tensor:
        return expand(x) if self.companded else x


class _ResidualDecoder(nn.Module):
    """Scaled latents -> a correction of the linear inverse, which is nothing before training."""

    def __init__(self, config: BlockPCA, in_channels: int, out_channels: int):
        super().__init__()
        first, *finer = config.channels
        layers = [nn.Conv3d(in_channels, first, 3, padding=1), *_residual_blocks(first, config)]
        for before, after in zip(config.channels, finer, strict=False):
            layers += [nn.ConvTranspose3d(before, after, 2, stride=2), *_residual_blocks(after, config)]
        self.shuffle = config.block // 2 ** len(finer)
        last = nn.Conv3d(config.channels[-1], out_channels * self.shuffle**3, 1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.layers = nn.Sequential(*layers, last)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return pixelshuffle(self.layers(z), 3, self.shuffle)


def _residual_blocks(channels: int, config: BlockPCA) -> list[nn.Module]:
    groups = math.gcd(32, channels)
    return [AEKLResBlock(3, channels, groups, 1e-6, channels) for _ in range(config.residual_layers)]
