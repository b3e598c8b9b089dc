"""The perceptual loss, 2.5D: distance between features of slices along the three axes.

MONAI's `PerceptualLoss` does the same with networks that it downloads; this one takes the installed EfficientNet-Lite1,
and leaves Lite0 to those who judge.

Source: killeen2025 equation 2 (L_per); Zhang et al. 2018 equation 1, with equal weights instead of learned ones.
"""

from typing import NamedTuple

import torch
from torch import nn

from vctlib.anatomy import Window
from vctlib.intensity import denormalise_hu
from vctlib.networks.backbone import SLICE_WINDOW, EfficientNetLite1Features, prepare_slices


class SliceMaps(NamedTuple):
    """Feature maps (slices, channels, height, width) of the same slices, stage after stage."""

    reconstruction: list[torch.Tensor]
    target: list[torch.Tensor]  # without gradients


class PerceptualLoss(nn.Module):
    """Mean squared distance of channel-normalised features of a few slices an axis.

    In training mode slices are drawn at random, else they are spread evenly. The features are frozen and always in
    evaluation mode; they follow their input to its device.
    """

    def __init__(self, slices_per_axis: int = 2, window: Window = SLICE_WINDOW, n_stages: int = 4):
        super().__init__()
        self.slices_per_axis, self.window, self.n_stages = slices_per_axis, window, n_stages
        self.features = EfficientNetLite1Features().requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "PerceptualLoss":
        super().train(mode)
        self.features.eval()  # running statistics of ImageNet, always
        return self

    def forward(self, reconstruction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Reconstruction and target (batch, 1, x, y, z) on the network's intensity scale -> scalar."""
        return self.distance(self.maps(reconstruction, target))

    def maps(self, reconstruction: torch.Tensor, target: torch.Tensor) -> list[SliceMaps]:
        """The features that are compared: an entry an axis, or one for all where slices are of one shape."""
        self.features.to(target.device)
        chosen = [self._positions(target.shape[axis], target.device) for axis in (2, 3, 4)]
        ours, theirs = (
            _joined([self._slices(volume, axis, of_axis) for axis, of_axis in zip((2, 3, 4), chosen, strict=True)])
            for volume in (reconstruction, target)
        )
        with torch.no_grad():
            wanted = [self.features.stages(slices, self.n_stages) for slices in theirs]
        found = [self.features.stages(slices, self.n_stages) for slices in ours]
        return [SliceMaps(*pair) for pair in zip(found, wanted, strict=True)]

    @staticmethod
    def distance(maps: list[SliceMaps]) -> torch.Tensor:
        """Scalar, of what `maps` returns."""
        return torch.stack([_distance(a, b) for part in maps for a, b in zip(*part, strict=True)]).mean()

    def _positions(self, size: int, device: torch.device) -> torch.Tensor:
        count = min(self.slices_per_axis, size)
        if self.training:
            return torch.randperm(size, device=device)[:count]
        return ((torch.arange(count, device=device) + 0.5) * size / count).long()

    def _slices(self, volume: torch.Tensor, axis: int, chosen: torch.Tensor) -> torch.Tensor:
        slices = volume.float().index_select(axis, chosen).movedim(axis, 1).flatten(0, 2)
        return prepare_slices(denormalise_hu(slices), self.window)


def _joined(slices: list[torch.Tensor]) -> list[torch.Tensor]:
    """As one batch where all have one shape: one pass costs less than three."""
    return [torch.cat(slices)] if len({each.shape for each in slices}) == 1 else slices


def _distance(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    difference = nn.functional.normalize(a.float(), dim=1) - nn.functional.normalize(b.float(), dim=1)
    return difference.square().sum(1).mean()
