"""The multi-window L1 loss, which makes soft tissue count as much as the wide range of hard tissue would otherwise.

Source: killeen2025 equation 3.
"""

import torch
from torch import nn

from vctlib.intensity import denormalise_hu
from vctlib.network_config import MultiWindow

_ROUNDING_HU = 1e-3  # going to the network's scale and back in float32 can lose up to 1e-4 HU at a window's border


class MultiWindowL1(nn.Module):
    """Absolute error on the network's intensity scale, weighted by the window in which the target's HU lie.

    Windows are closed below and open above; the soft window is asked first. The mean is over all voxels.
    """

    def __init__(self, config: MultiWindow):
        super().__init__()
        self.config = config

    def forward(self, reconstruction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Reconstruction and target of one shape, on the network's scale -> scalar."""
        return (self.weights(target) * (reconstruction.float() - target.float()).abs()).mean()

    def weights(self, target: torch.Tensor) -> torch.Tensor:
        """The lambda of equation 3 for every voxel of the target."""
        hu = denormalise_hu(target.float()) + _ROUNDING_HU
        weights = torch.full_like(hu, self.config.other_weight)
        weights[_within(hu, self.config.hard_hu)] = self.config.hard_weight
        weights[_within(hu, self.config.soft_hu)] = self.config.soft_weight
        return weights


def _within(hu: torch.Tensor, window: tuple[float, float]) -> torch.Tensor:
    return (hu >= window[0]) & (hu < window[1])
