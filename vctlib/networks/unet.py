"""3-D U-Nets: the post-processor of decoded images, and the independent segmenter.

Both are MONAI's residual U-Net with a head that also sees what the U-Net sees: intensities as hat functions. The
segmenter's U-Net halves the grid in its first step, and its skip connections begin after that.
"""

import torch
from monai.networks.nets import UNet
from monai.networks.utils import pixelshuffle, pixelunshuffle
from torch import nn

from vctlib.intensity import compand, normalise_hu
from vctlib.network_config import PostProcessorConfig, SegmenterConfig, UNetConfig

_FOLD = 2  # voxels along an axis that the segmenter sees as one
_DAMPING = 0.3  # of the post-processor's correction
# Where one tissue turns into another, an intensity says what a voxel is and not how much of it
_KNOTS_HU = (-1000, -700, -400, -200, -130, -100, -70, -40, -10, 20, 50, 80, 120, 200, 350, 600, 1000, 2000)
N_HATS = len(_KNOTS_HU) - 1


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
        slopes = 1.0 / torch.cat([knots.diff(), torch.ones(1)])
        for name, value in (("slopes", slopes), ("offsets", -knots * slopes), ("knots", knots[1:])):
            self.register_buffer(name, value.view(1, -1, 1, 1, 1), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        risen = torch.addcmul(self.offsets, x.float(), self.slopes).clamp(0.0, 1.0)  # from a knot to the next
        return risen[:, :-1] - risen[:, 1:]


class PostProcessor(nn.Module):
    """Decoded image (batch, 1, x, y, z) on the network's scale -> the same with a learned correction added.

    Where the profile says `reads_labels`, the input has `n_classes` channels more: the decoded label map as one-hot,
    the background first. Labels say where edges are that the image has lost. Where it says `told_sampled`, one more
    channel, the last, is 1 for a sample and 0 for a reconstruction, which needs less mending.

    Starts as the identity. A voxel is lifted to `config.voxel_features` channels, sums of the hat functions of its
    intensity and of its label: what to make of an intensity between fat and muscle is a steep function of it, which
    convolutions of the intensity itself learn slowly. What needs no neighbours, how far an intensity is to be moved
    within a class, is a curve of its own for each. All that the convolutions see is 0 in air: else four fifths of a
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
        told = (n_classes - 1) * config.reads_labels + config.told_sampled
        self.lift = nn.Conv3d(N_HATS + told, config.voxel_features, kernel_size=1, bias=False)
        self.curves = nn.Conv3d(told, N_HATS, kernel_size=1) if told else None
        lifted = folded * config.voxel_features
        self.body = _unet(config, lifted, norm=None, first_stride=1)
        self.head = nn.Conv3d(config.channels[0] + lifted, folded, kernel_size=3, padding=1)
        for last in filter(None, (self.head, self.curves)):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hats, told = self.basis(x[:, :1]), self._told(x)
        folded = pixelunshuffle(self.lift(torch.cat([hats, *told], dim=1)), 3, self.fold)
        correction = pixelshuffle(self.head(torch.cat([self.body(folded), folded], dim=1)).float(), 3, self.fold)
        if self.curves is not None:
            correction = correction + (self.curves(torch.cat(told, dim=1)).float() * hats).sum(1, keepdim=True)
        return x[:, :1].float() + _DAMPING * correction

    def _told(self, x: torch.Tensor) -> list[torch.Tensor]:
        """What the input says beside the intensity, without the background, and 0 in air."""
        parts = []
        if self.reads_labels:
            parts.append(x[:, 2:-1] if self.told_sampled else x[:, 2:])
        if self.told_sampled:
            parts.append(x[:, -1:] * (compand(x[:, :1]) + 1.0))
        return parts


class Segmenter(nn.Module):
    """Image (batch, 1, x, y, z) on the network's scale -> class logits (batch, n_classes, x, y, z), with instance norm.

    A voxel is lifted to `config.voxel_features` sums of the hat functions of its intensity. Works on cubes of two
    voxels a side folded into channels, which loses nothing and makes a step an eighth as dear; sides must be even. The
    head gets intensities past the normalisation, which drops them: whether a voxel is fat or muscle is a matter of its
    intensity, and with the number alone the network went by the body's shape instead.
    """

    def __init__(self, config: SegmenterConfig, n_classes: int):
        super().__init__()
        folded, wide = _FOLD**3 * config.voxel_features, 2 * config.channels[0]
        self.basis = IntensityBasis()
        self.lift = nn.Conv3d(N_HATS, config.voxel_features, kernel_size=1, bias=False)
        self.body = _unet(config, folded, norm="INSTANCE")
        self.head = nn.Sequential(
            nn.Conv3d(config.channels[0] + folded, wide, kernel_size=3, padding=1),
            nn.PReLU(),
            nn.Conv3d(wide, n_classes * _FOLD**3, kernel_size=1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        folded = pixelunshuffle(self.lift(self.basis(x)), 3, _FOLD)
        return pixelshuffle(self.head(torch.cat([self.body(folded), folded], dim=1)), 3, _FOLD).float()
