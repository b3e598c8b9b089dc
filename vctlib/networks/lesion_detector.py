"""A detector of liver lesions: MONAI's 3-D U-Net on a box about the liver, and a score for a person from it."""

from collections.abc import Sequence

import numpy as np
import torch
from monai.networks.nets import UNet
from torch import Tensor, nn

from vctlib.network_config import LesionDetectorConfig
from vctlib.networks.inference import device, inference

HU_PER_UNIT = 30.0  # of the input, which is 0 at the mean of the person's own liver: fatty livers are darker


class LesionDetector(nn.Module):
    """CT in HU and liver (0 or 1), each (batch, 1, x, y, z) -> logits of a lesion in a voxel (batch, 1, x, y, z).

    Sees the liver alone, as the difference to its own mean.
    """

    def __init__(self, config: LesionDetectorConfig):
        super().__init__()
        self.body = UNet(
            spatial_dims=3,
            in_channels=2,
            out_channels=1,
            channels=config.channels,
            strides=(2,) * (len(config.channels) - 1),
            num_res_units=config.residual_units,
            norm="INSTANCE",
        )

    def forward(self, hu: Tensor, liver: Tensor) -> Tensor:
        hu, inside = hu.float(), liver.float()
        own = (hu * inside).sum((2, 3, 4), keepdim=True) / inside.sum((2, 3, 4), keepdim=True).clamp_min(1.0)
        seen = ((hu - own) / HU_PER_UNIT).clamp(-3.0, 3.0)
        return self.body(torch.cat([seen * inside, inside], dim=1)).float()


def box_size(config: LesionDetectorConfig, spacing_mm: float, grid: Sequence[int]) -> tuple[int, int, int]:
    """Voxels (x, y, z) of the box: at least the millimetres that the settings ask for, in steps that the network can
    halve, and no more than the grid has."""
    factor = 2 ** (len(config.channels) - 1)
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


def lesion_score(network: LesionDetector, hu: np.ndarray, liver: np.ndarray, size: Sequence[int], precision: str):
    """How sure the detector is that a CT (x, y, z; HU) with this liver (bool) has a lesion: the largest probability of
    all voxels of the liver, 0 to 1; NaN where there is no liver."""
    box = box_about(liver, size)
    if box is None:
        return float("nan")
    own = torch.from_numpy(np.ascontiguousarray(liver[box]))[None, None].to(device())
    image = torch.from_numpy(np.ascontiguousarray(hu[box], np.float32))[None, None].to(device())
    with inference(precision):
        logits = network(image, own)
    return float(torch.sigmoid(logits[own].double()).max()) if own.any() else float("nan")
