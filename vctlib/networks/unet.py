"""3-D U-Nets: the post-processor of decoded images, and the independent segmenter.

Both are MONAI's residual U-Net with a head that also sees the input: the segmenter's U-Net halves the grid in its first
step, and its skip connections begin after that.
"""

import torch
from monai.networks.nets import UNet
from monai.networks.utils import pixelshuffle, pixelunshuffle
from torch import nn

from vctlib.intensity import compand, normalise_hu
from vctlib.network_config import PostProcessorConfig, UNetConfig

_FOLD = 2  # voxels along an axis that the segmenter sees as one
_DAMPING = 0.3  # of the post-processor's correction
# Where one tissue turns into another, an intensity says what a voxel is and not how much of it
_KNOTS_HU = (-1000, -700, -400, -200, -130, -100, -70, -40, -10, 20, 50, 80, 120, 200, 350, 600, 1000, 2000)


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


class IntensityBasis(nn.Module):
    """Intensities (batch, 1, x, y, z) on the network's scale -> their linear B-splines, or hat functions, between the
    knots (batch, knots - 1, x, y, z): each is 1 at its own knot and 0 from the next one on. Air has none, and is 0.

    A sum of them is any function that is linear between knots.
    """

    def __init__(self) -> None:
        super().__init__()
        knots = normalise_hu(torch.tensor(_KNOTS_HU, dtype=torch.float32))
        below, above = knots.diff(), torch.cat([knots.diff()[1:], torch.ones(1)])
        for name, value in (("knots", knots[1:]), ("below", below), ("above", above)):
            self.register_buffer(name, value.view(1, -1, 1, 1, 1), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        distance = x.float() - self.knots
        return (1.0 - torch.where(distance < 0, -distance / self.below, distance / self.above)).clamp_min(0.0)


class PostProcessor(nn.Module):
    """Decoded image (batch, 1, x, y, z) on the network's scale -> the same with a learned correction added.

    Where the profile says `reads_labels`, the input has `n_classes` channels more: the decoded label map as one-hot,
    the background first. Labels say where edges are that the image has lost. Where it says `told_sampled`, one more
    channel, the last, is 1 for a sample and 0 for a reconstruction, which needs less mending.

    Starts as the identity. A voxel is lifted to `config.voxel_features` channels, sums of the hat functions of its
    intensity and of its label: what to make of an intensity between fat and muscle is a steep function of it, which
    convolutions of the intensity itself learn slowly. All that the convolutions see is 0 in air: else four fifths of a
    patch would have the same large inputs, an optimiser's step would move them all by a fifth of the scale, and
    training would never come below the identity. For the same reason the correction is damped. No normalisation layers:
    they would make a voxel's value depend on the window it is processed in. The paper takes the latent diffusion's
    U-Net without conditioning; this one runs on a CPU, and faster with cubes of `config.fold` voxels a side folded into
    channels; sides must be multiples of it. Its first level keeps the folded grid, for edges are to be mended there.

    Source: killeen2025 section 4.1.3.
    """

    def __init__(self, config: PostProcessorConfig, n_classes: int):
        super().__init__()
        self.reads_labels, self.told_sampled = config.reads_labels, config.told_sampled
        self.fold, folded = config.fold, config.fold**3
        self.multiple = config.fold * 2 ** (len(config.channels) - 2)  # of whose voxels sides must be
        self.basis = IntensityBasis()
        seen = len(_KNOTS_HU) - 1 + (n_classes - 1) * config.reads_labels + config.told_sampled
        self.lift = nn.Conv3d(seen, config.voxel_features, kernel_size=1, bias=False)
        lifted = folded * config.voxel_features
        self.body = _unet(config, lifted, norm=None, first_stride=1)
        self.head = nn.Conv3d(config.channels[0] + lifted, folded, kernel_size=3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        folded = pixelunshuffle(self.lift(self._seen(x)), 3, self.fold)
        correction = self.head(torch.cat([self.body(folded), folded], dim=1)).float()
        return x[:, :1].float() + _DAMPING * pixelshuffle(correction, 3, self.fold)

    def _seen(self, x: torch.Tensor) -> torch.Tensor:
        parts = [self.basis(x[:, :1])]
        if self.reads_labels:
            parts.append(x[:, 2:-1] if self.told_sampled else x[:, 2:])
        if self.told_sampled:
            parts.append(x[:, -1:] * (compand(x[:, :1]) + 1.0))
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
