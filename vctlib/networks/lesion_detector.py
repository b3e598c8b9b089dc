"""A detector of liver lesions: MONAI's 3-D U-Net on a box about the liver, and a score for a person from it.

Voxels at the liver's surface hold a part of what lies outside, fat or lung, and are darker than any lesion. So lesions
are looked for one voxel deep and deeper.
"""

from collections.abc import Sequence

import numpy as np
import torch
from monai.networks.nets import UNet
from scipy.ndimage import binary_erosion
from torch import Tensor, nn

from vctlib.network_config import LesionDetectorConfig
from vctlib.networks.inference import device, inference

HU_PER_UNIT = 30.0  # of the input, which is 0 at the mean of the person's own liver: fatty livers are darker


class LesionDetector(nn.Module):
    """CT in HU and the liver's interior (0 or 1) -> logits of a lesion in a voxel, all (batch, 1, x, y, z).

    Sees the CT as the difference to the interior's mean.
    """

    def __init__(self, config: LesionDetectorConfig):
        super().__init__()
        self.body = UNet(
            spatial_dims=3,
            in_channels=2,
            out_channels=1,
            channels=config.channels,
            strides=(1, *(2,) * (len(config.channels) - 2)),  # small lesions need a level that keeps the grid
            num_res_units=config.residual_units,
            norm="INSTANCE",
        )

    def forward(self, hu: Tensor, interior: Tensor) -> Tensor:
        hu, inside = hu.float(), interior.float()
        own = (hu * inside).sum((2, 3, 4), keepdim=True) / inside.sum((2, 3, 4), keepdim=True).clamp_min(1.0)
        seen = ((hu - own) / HU_PER_UNIT).clamp(-3.0, 3.0)
        return self.body(torch.cat([seen, inside], dim=1)).float()


def box_size(config: LesionDetectorConfig, spacing_mm: float, grid: Sequence[int]) -> tuple[int, int, int]:
    """Voxels (x, y, z) of the box: at least the millimetres that the settings ask for, in steps that the network can
    halve, and no more than the grid has."""
    factor = 2 ** (len(config.channels) - 2)
    sizes = (max(3, -int(-length // (spacing_mm * factor))) * factor for length in config.box_mm)
    return tuple(min(size, n // factor * factor) for size, n in zip(sizes, grid, strict=True))


def box_about(liver: np.ndarray, size: Sequence[int]) -> tuple[slice, ...] | None:
    """The box of `size` voxels whose middle is the liver's centroid, moved into the grid; None without a liver."""
    found = np.argwhere(liver)
    if not len(found):
        return None
    starts = (int(round(c - s / 2)) for c, s in zip(found.mean(0), size, strict=True))
    return tuple(
        slice(start, start + s)
        for start, s in ((min(max(first, 0), n - s), s) for first, s, n in zip(starts, size, liver.shape, strict=True))
    )


def interior_of(liver: np.ndarray) -> np.ndarray:
    """The voxels of a liver (x, y, z; bool) all six of whose neighbours are liver, too."""
    return binary_erosion(liver)


def lesion_score(
    network: LesionDetector, hu: np.ndarray, liver: np.ndarray, size: Sequence[int], precision: str
) -> float:
    """How sure the detector is that a CT (x, y, z; HU) with this liver (bool) has a lesion: the largest probability in
    its interior, 0 to 1; NaN where there is no interior."""
    interior = interior_of(liver)
    box = box_about(interior, size)
    if box is None:
        return float("nan")
    own = torch.from_numpy(np.ascontiguousarray(interior[box]))[None, None].to(device())
    image = torch.from_numpy(np.ascontiguousarray(hu[box], np.float32))[None, None].to(device())
    with inference(precision):
        logits = network(image, own)
    return float(torch.sigmoid(logits[own].double()).max()) if own.any() else float("nan")
