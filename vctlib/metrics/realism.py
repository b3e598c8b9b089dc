"""Table A4's question with the features at hand: how far are slices of one cohort from slices of another?

Features are the 320 channels of the last block of an ImageNet EfficientNet-Lite0, averaged over the slice; it installs
from a package index. Its 1280 features behind that block would need four times as many people for a covariance of full
rank. Distances in another feature space (the paper's Inception) do not compare. Beside every distance stands the one
between two halves of the reference people, because a Fréchet distance between samples is never zero.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from torch import Tensor, nn

from vctlib.metrics.frechet import at_same_n, real_to_real
from vctlib.metrics.slices import backbone_extractor, slice_features
from vctlib.networks.backbone import EfficientNetLite0Features
from vctlib.networks.inference import device

PLANES = ("sagittal", "coronal", "axial")


class _LastBlock(nn.Module):
    """Slices (n, 3, height, width) -> averaged channels of the last block (n, 320)."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = EfficientNetLite0Features()

    def forward(self, slices: Tensor) -> Tensor:
        return self.backbone.stages(slices)[-1].mean((2, 3))


def plane_features(volumes: Sequence[np.ndarray], n_slices: int = 1) -> dict[str, np.ndarray]:
    """Features (people, slices, 320) by plane, of `n_slices` slices of the middle third of volumes (x, y, z; HU)."""
    extractor = backbone_extractor(_LastBlock().to(device()))
    return {plane: slice_features(volumes, extractor, plane, n_slices=n_slices) for plane in PLANES}


def frechet_table(
    volumes: Mapping[str, Sequence[np.ndarray]], *, reference: str = "reference", draws: int = 5, seed: int = 0
) -> pd.DataFrame:
    """Fréchet distances by plane: of every other cohort to the reference, and of the reference to itself.

    `volumes`: cohort name -> CTs (x, y, z; HU). Columns plane, pair, distance, n (people on each side), name.
    """
    by_plane = {name: plane_features(items) for name, items in volumes.items()}
    rows = []
    for plane in PLANES:
        features = {name: own[plane][:, 0] for name, own in by_plane.items()}
        half = len(features[reference]) // 2
        found = {"reference_to_itself": real_to_real(features[reference], half, draws, seed)}
        for name in features:
            if name != reference:
                found[f"{name}_to_reference"] = at_same_n(features[reference], features[name], half, draws, seed)
        for pair, distance in found.items():
            rows.append({"plane": plane, "pair": pair, "distance": distance.value, "n": half, "name": distance.name})
    return pd.DataFrame(rows)
