"""The adversarial loss of the post-processor: slices are told apart by what a trained backbone sees in them.

A discriminator of voxels has to learn to see first; on the frozen features of an ImageNet network it is of use after
some hundred steps (Sauer et al. 2021, who take EfficientNet-Lite1 as well). They mix stages by random
convolutions; here each stage has a head of its own and nothing is mixed. The maps are those that the perceptual loss
has made already, so judging costs hardly more than the heads.

Source: Sauer et al. 2021 (frozen features, a head a stage); Miyato et al. 2018 (spectral normalisation); Lim and Ye
2017 (hinge).
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from vctlib.losses.perceptual import SliceMaps
from vctlib.networks.backbone import STAGE_CHANNELS

_WIDTH = 64  # channels of a head


class FeatureDiscriminator(nn.Module):
    """Feature maps (slices, channels, height, width) of the first stages -> a map of logits each, in float32.

    High where a slice looks like a reference slice, at every place of it.
    """

    def __init__(self, n_stages: int = 4):
        super().__init__()
        self.heads = nn.ModuleList(_head(channels) for channels in STAGE_CHANNELS[:n_stages])

    def forward(self, maps: Iterable[Tensor]) -> list[Tensor]:
        maps = list(maps)
        with torch.autocast(maps[0].device.type, enabled=False):
            return [head(each.float()) for head, each in zip(self.heads, maps, strict=True)]


def _head(channels: int) -> nn.Sequential:
    return nn.Sequential(
        spectral_norm(nn.Conv2d(channels, _WIDTH, 3, padding=1)),
        nn.LeakyReLU(0.2),
        spectral_norm(nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1)),
        nn.LeakyReLU(0.2),
        spectral_norm(nn.Conv2d(_WIDTH, 1, 1)),
    )


# MONAI's PatchAdversarialLoss puts a tanh before the hinge, which is not the hinge GAN.
def fooling(discriminator: nn.Module, maps: list[SliceMaps]) -> Tensor:
    """Minus the mean logit of what was made, over stages, which the maker descends."""
    return -torch.stack([each.mean() for part in maps for each in discriminator(part.reconstruction)]).mean()


def discriminating(discriminator: nn.Module, maps: list[SliceMaps]) -> Tensor:
    """Means of max(0, 1 - logit) of references and of max(0, 1 + logit) of what was made, which the discriminator
    descends; 2 where it cannot tell them apart and says 0."""
    parts = []
    for part in maps:
        made = discriminator(each.detach() for each in part.reconstruction)
        parts += [(1 - real).relu().mean() + (1 + own).relu().mean()
                  for real, own in zip(discriminator(part.target), made, strict=True)]  # fmt: skip
    return torch.stack(parts).mean()
