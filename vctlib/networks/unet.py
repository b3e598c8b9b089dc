"""3-D U-Nets at full resolution: the post-processor of decoded images, and the independent segmenter.

Both are MONAI's residual U-Net with a head that also sees the input: the U-Net's first step halves the grid, and its
skip connections begin after that.
"""

import torch
from monai.networks.nets import UNet
from torch import nn

from vctlib.config import UNetConfig


class _UNetWithHead(nn.Module):
    def __init__(self, config: UNetConfig, out_channels: int, norm: str | None):
        super().__init__()
        self.body = UNet(
            spatial_dims=3,
            in_channels=1,
            out_channels=config.channels[0],
            channels=config.channels,
            strides=(2,) * (len(config.channels) - 1),
            num_res_units=config.residual_units,
            norm=norm,
        )
        self.head = nn.Conv3d(config.channels[0] + 1, out_channels, kernel_size=3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.cat([self.body(x), x], dim=1)).float()


class PostProcessor(_UNetWithHead):
    """Decoded image (batch, 1, x, y, z) on the network's scale -> the same with a learned correction added.

    Starts as the identity. No normalisation layers: they would make a voxel's value depend on the window it is
    processed in. The paper takes the latent diffusion's U-Net without conditioning; this one runs on a CPU.

    Source: killeen2025 section 4.1.3.
    """

    def __init__(self, config: UNetConfig):
        super().__init__(config, out_channels=1, norm=None)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.float() + super().forward(x)


class Segmenter(_UNetWithHead):
    """Image (batch, 1, x, y, z) on the network's scale -> class logits (batch, n_classes, x, y, z), with instance norm.

    The head gets Hounsfield units past the normalisation, which drops them.
    """

    def __init__(self, config: UNetConfig, n_classes: int):
        super().__init__(config, out_channels=n_classes, norm="INSTANCE")
