"""A loss for what is where only nearly known: the distribution of intensities in small cubes.

A network that is punished for every voxel alone answers with the mean of what may be there, and means are soft: neither
fat nor muscle. This loss asks that a cube hold as much of every intensity as the true one does, wherever in the cube it
lies. It is the 1-Wasserstein distance between the two cubes' intensities, which is the mean absolute difference of
their sorted values (Peyré and Cuturi 2019, remark 2.30), and so never less than the difference of their means: how much
fat or bone there is, is held as well. Heitz et al. 2021 train textures on the same distance in feature space.
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
