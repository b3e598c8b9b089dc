"""A loss for what is where only nearly known: the distribution of intensities in small cubes.

A network that is punished for every voxel alone answers with the middle of what may be there, and that is soft: neither
fat nor muscle. This loss asks that a cube hold as much of every intensity as the true one does, wherever in the cube it
lies. It is the 1-Wasserstein distance between the two cubes' intensities: the mean absolute difference of their sorted
values, and never less than the difference of their means, so that how much fat or bone there is, is held as well.

Source: peyre2019 section 2.6 for the distance; heitz2021 train textures on it, in the space of features.
"""

import torch
from monai.networks.utils import pixelunshuffle
from torch import nn

from vctlib.intensity import compand


class LocalHistogramLoss(nn.Module):
    """Mean over cubes of `side` voxels of the distance between the distributions of companded intensities."""

    def __init__(self, side: int = 8):
        super().__init__()
        self.side = side

    def forward(self, reconstruction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Both (batch, 1, x, y, z) on the network's intensity scale, sides multiples of `side` -> scalar."""
        ours, theirs = (
            pixelunshuffle(compand(volume.float()), 3, self.side).sort(dim=1).values
            for volume in (reconstruction, target)
        )
        return (ours - theirs).abs().mean()
