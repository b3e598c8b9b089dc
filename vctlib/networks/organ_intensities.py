"""What organs look like: told of a body beside its latents, and kept by its image.

Where a sum of bodies has the ribs of one over the liver of another, its label map says liver and its image bone. The
intensities within each label are those of nobody; what they should be is a few numbers of a body, as how fat it is.
And where an image is given as much fat as it is told, what lies about the border moves with it: fat people's muscle
would be darker than it is. So fat and other soft tissue that belong to no organ are told as organs are.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from vctlib.anatomy import FAT_WINDOW, MUSCLE_WINDOW, PAPER16
from vctlib.networks.amounts import BONES, soft_tissue
from vctlib.networks.conditional_gaussian import ConditionalGaussian

ORGANS = tuple(number for number in PAPER16 if number not in BONES)  # bones have an amount of their own
TOLD = (*(PAPER16[number] for number in ORGANS), "fat", "other_soft_tissue")  # the last two: of no organ
QUANTILES = np.linspace(0.0, 1.0, 41)
_LEAST_VOXELS = 20  # fewer say nothing of an organ


def organ_quantiles(hu: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Quantiles in HU of all that is `TOLD` (organ, 41), float32; NaN where the body has none. Of a CT in HU and its
    label map in numbers of `PAPER16`, both (x, y, z)."""
    found = np.full((len(TOLD), len(QUANTILES)), np.nan, np.float32)
    for row, inside in zip(found, _parts(hu, labels), strict=True):
        if np.count_nonzero(inside) >= _LEAST_VOXELS:
            row[:] = np.quantile(hu[inside], QUANTILES)
    return found


def with_organ_quantiles(hu: np.ndarray, labels: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The same CT, each organ's voxels with the wanted quantiles (organ, 41) and in the order in which they were; those
    whose quantiles are NaN as they are. What is fat stays fat."""
    changed = hu.copy()
    for own, told, inside in zip(organ_quantiles(hu, labels), wanted, _parts(hu, labels), strict=True):
        if np.isfinite(own).all() and np.isfinite(told).all():
            changed[inside] = np.interp(hu[inside], own, told)
    *_, fat, other = _parts(hu, labels)
    changed[fat] = changed[fat].clip(FAT_WINDOW.low, np.nextafter(np.float32(FAT_WINDOW.high), np.float32(-np.inf)))
    changed[other] = changed[other].clip(FAT_WINDOW.high, MUSCLE_WINDOW.high)
    return changed


def of_no_organ(quantiles: np.ndarray) -> np.ndarray:
    """The same quantiles (organ, 41), those of organs unknown."""
    return np.where(np.arange(len(TOLD))[:, None] < len(ORGANS), np.float32(np.nan), quantiles)


def _parts(hu: np.ndarray, labels: np.ndarray) -> Iterator[np.ndarray]:
    """Where each of `TOLD` is, boolean (x, y, z)."""
    for organ in ORGANS:
        yield labels == organ
    soft = soft_tissue(hu, labels)
    yield soft & (hu < FAT_WINDOW.high)
    yield soft & (hu >= FAT_WINDOW.high)


class OrganIntensities(nn.Module):
    """Quantiles of the organs' intensities (n, organ, 41) given attributes and the latents' scores: people's medians
    differ, and what lies about them is the mean of what lies about people's."""

    def __init__(self, conditioning: str, n_factors: int):
        super().__init__()
        self.medians = ConditionalGaussian(conditioning, n_factors, len(TOLD))
        self.register_buffer("about", torch.full((len(TOLD), len(QUANTILES)), torch.nan))  # NaN: unknown

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
