"""What organs look like: told of a body beside its latents, and kept by its image.

Where a sum of bodies has the ribs of one over the liver of another, its label map says liver and its image bone. The
intensities within each label are those of nobody; what they should be is a few numbers of a body, as how fat it is.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from vctlib.anatomy import PAPER16
from vctlib.networks.amounts import BONES
from vctlib.networks.conditional_gaussian import ConditionalGaussian

ORGANS = tuple(number for number in PAPER16 if number not in BONES)  # bones have an amount of their own
QUANTILES = np.linspace(0.0, 1.0, 41)
_LEAST_VOXELS = 20  # fewer say nothing of an organ


def organ_quantiles(hu: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Quantiles in HU of what each of the `ORGANS` holds (organ, 41), float32; NaN where the body has none. Of a CT in
    HU and its label map in numbers of `PAPER16`, both (x, y, z)."""
    found = np.full((len(ORGANS), len(QUANTILES)), np.nan, np.float32)
    for row, organ in zip(found, ORGANS, strict=True):
        inside = hu[labels == organ]
        if inside.size >= _LEAST_VOXELS:
            row[:] = np.quantile(inside, QUANTILES)
    return found


def with_organ_quantiles(hu: np.ndarray, labels: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The same CT, each organ's voxels with the wanted quantiles (organ, 41) and in the order in which they were; those
    whose quantiles are NaN as they are."""
    changed = hu.copy()
    for own, told, organ in zip(organ_quantiles(hu, labels), wanted, ORGANS, strict=True):
        if np.isfinite(own).all() and np.isfinite(told).all():
            inside = labels == organ
            changed[inside] = np.interp(hu[inside], own, told)
    return changed


class OrganIntensities(nn.Module):
    """Quantiles of the organs' intensities (n, organ, 41) given attributes and the latents' scores: people's medians
    differ, and what lies about them is the mean of what lies about people's."""

    def __init__(self, conditioning: str, n_factors: int):
        super().__init__()
        self.medians = ConditionalGaussian(conditioning, n_factors, len(ORGANS))
        self.register_buffer("about", torch.full((len(ORGANS), len(QUANTILES)), torch.nan))  # of nobody: unknown

    @torch.no_grad()
    def fit(self, quantiles: Tensor, attributes: Tensor, scores: Callable[[Tensor], Tensor]) -> None:
        """Of training people, quantiles (n, organ, 41), attributes (n, 4) and what gives their scores, as
        `ConditionalGaussian.fit` wants it. Who lacks an organ has its mean."""
        medians = quantiles[:, :, len(QUANTILES) // 2]
        self.about.copy_((quantiles - medians[:, :, None]).nanmean(0))
        usual = medians.nanmean(0).nan_to_num()
        self.medians.fit(torch.where(medians.isnan(), usual, medians), attributes, scores)

    def forget(self) -> None:
        """From now on organs are unknown, and stay as they are decoded."""
        self.about.fill_(torch.nan)

    def draw(self, attributes: Tensor, scores: Tensor, noise: Tensor) -> np.ndarray:
        """Attributes (batch, 4), scores (batch, factor) and standard normal numbers (batch, organ) -> quantiles
        (batch, organ, 41) in HU, float32; NaN for organs that are unknown."""
        return (self.medians(attributes, scores, noise)[:, :, None] + self.about).cpu().numpy()
