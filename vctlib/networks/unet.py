"""3-D U-Nets: the post-processor of decoded images, and the independent segmenter.

Both are MONAI's residual U-Net with a head that also sees the input: the segmenter's U-Net halves the grid in its first
step, and its skip connections begin after that.
"""

import torch
from monai.networks.nets import UNet
from monai.networks.utils import pixelshuffle, pixelunshuffle
from torch import nn

from vctlib.intensity import compand
from vctlib.network_config import PostProcessorConfig, UNetConfig

_FOLD = 2  # voxels along an axis that the segmenter sees as one
_DAMPING = 0.3  # of the post-processor's correction


def _unet(config: UNetConfig, in_channels: int, norm: str | None, first_stride: int = 2) -> UNet:
    return UNet(
        spatial_dims=3,
        in_channels=in_channels,
        out_channels=config.channels[0],
        channels=config.channels,
        strides=(first_stride, *(2,) * (len(config.channels) - 2)),
        num_res_units=config.residual_units,
        norm=norm,
    )


class PostProcessor(nn.Module):
    """Decoded image (batch, 1, x, y, z) on the network's scale -> the same with a learned correction added.

    Where the profile says `reads_labels`, the input has `n_classes` channels more: the decoded label map as one-hot,
    the background first. Labels say where edges are that the image has lost. Where it says `told_sampled`, one more
    channel, the last, is 1 for a sample and 0 for a reconstruction, which needs less mending.

    Starts as the identity. All that the convolutions see is 0 in air: else four fifths of a patch would have the same
    large inputs, an optimiser's step would move them all by a fifth of the scale, and training would never come below
    the identity. For the same reason the correction is damped. No normalisation layers: they would make a voxel's value
    depend on the window it is processed in. The paper takes the latent diffusion's U-Net without conditioning; this one
    runs on a CPU, and faster with cubes of `config.fold` voxels a side folded into channels; sides must be multiples
    of it. Its first level keeps the folded grid, for edges are to be mended there.

    Source: killeen2025 section 4.1.3.
    """

    def __init__(self, config: PostProcessorConfig, n_classes: int):
        super().__init__()
        self.reads_labels, self.told_sampled = config.reads_labels, config.told_sampled
        self.fold, folded = config.fold, config.fold**3
        seen = folded * (1 + (n_classes - 1) * config.reads_labels + config.told_sampled)
        self.body = _unet(config, seen, norm=None, first_stride=1)
        self.head = nn.Conv3d(config.channels[0] + seen, folded, kernel_size=3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        folded = pixelunshuffle(self._seen(x), 3, self.fold)
        correction = self.head(torch.cat([self.body(folded), folded], dim=1)).float()
        return x[:, :1].float() + _DAMPING * pixelshuffle(correction, 3, self.fold)

    def _seen(self, x: torch.Tensor) -> torch.Tensor:
        above_air = compand(x[:, :1]) + 1.0
        parts = [above_air]
        if self.reads_labels:
            parts.append(x[:, 2:-1] if self.told_sampled else x[:, 2:])
        if self.told_sampled:
            parts.append(x[:, -1:] * above_air)
        return torch.cat(parts, dim=1)


class Segmenter(nn.Module):
    """Image (batch, 1, x, y, z) on the network's scale -> class logits (batch, n_classes, x, y, z), with instance norm.

    Works on cubes of two voxels a side folded into channels, which loses nothing and makes a step an eighth as dear;
    sides must be even. The head gets Hounsfield units past the normalisation, which drops them.
    """

    def __init__(self, config: UNetConfig, n_classes: int):
        super().__init__()
        folded, wide = _FOLD**3, 2 * config.channels[0]
        self.body = _unet(config, folded, norm="INSTANCE")
        self.head = nn.Sequential(
            nn.Conv3d(config.channels[0] + folded, wide, kernel_size=3, padding=1),
            nn.PReLU(),
            nn.Conv3d(wide, n_classes * folded, kernel_size=1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        folded = pixelunshuffle(x, 3, _FOLD)
        return pixelshuffle(self.head(torch.cat([self.body(folded), folded], dim=1)), 3, _FOLD).float()
