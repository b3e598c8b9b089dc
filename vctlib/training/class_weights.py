"""How much a voxel of each class weighs in the cross-entropy: a prostate of forty voxels is else never learnt."""

import numpy as np
import torch
from monai.losses import DiceLoss
from torch import Tensor, nn

_MOST = 10.0  # weight of the rarest
_PEOPLE = 24  # who are counted


def class_weights(labels: np.ndarray, n_classes: int) -> Tensor:
    """Label maps (n, x, y, z) in numbers below `n_classes` -> weights (n_classes).

    The root of how much rarer a structure is than the median structure, from 1 to 10; 1 for background and for what
    nobody has.
    """
    chosen = np.unique(np.linspace(0, len(labels) - 1, min(_PEOPLE, len(labels))).astype(int))
    counts = sum(np.bincount(labels[i].ravel(), minlength=n_classes) for i in chosen).astype(float)
    counts[0] = 0  # background
    found = counts > 0
    weights = np.ones(n_classes)
    if found.any():
        weights[found] = np.sqrt(np.median(counts[found]) / counts[found]).clip(1.0, _MOST)
    return torch.from_numpy(weights).float()


class DiceAndCrossEntropy(nn.Module):
    """Dice loss of the structures, plus `share` times the weighted cross-entropy of all classes."""

    def __init__(self, share: float, weights: Tensor):
        super().__init__()
        self.dice = DiceLoss(to_onehot_y=True, softmax=True, include_background=False, batch=True)
        self.share = share
        self.register_buffer("weights", weights)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Logits (batch, class, ...) and labels (batch, 1, ...), int64 -> a scalar; a class without a weight has 1."""
        loss = self.dice(logits, labels)
        if self.share:
            weights = logits.new_ones(logits.shape[1], dtype=torch.float32)
            counted = min(len(weights), len(self.weights))
            weights[:counted] = self.weights[:counted].to(weights)
            loss = loss + self.share * nn.functional.cross_entropy(logits, labels[:, 0], weights)
        return loss
