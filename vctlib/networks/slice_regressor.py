"""The downstream model: one number from a sagittal and a coronal slice.

Source: killeen2025 section 4.3.1.
"""

import importlib.util

import torch
from torch import nn

from vctlib.anatomy import Window
from vctlib.errors import InputError
from vctlib.manifest import how_to_obtain, load_manifest, locate
from vctlib.network_config import SliceRegressorConfig
from vctlib.networks.backbone import N_FEATURES, SLICE_WINDOW, EfficientNetLite0Features, prepare_slices


class SliceRegressor(nn.Module):
    """One backbone for both slices; features joined; a linear layer to a scalar in the target's own unit.

    The linear layer works on the standardised target, whose `target_mean` and `target_scale` are buffers.
    The paper's backbone, a Swin transformer, needs the package timm and weights that the manifest names;
    EfficientNet-Lite0 needs neither.
    """

    def __init__(self, config: SliceRegressorConfig, window: Window = SLICE_WINDOW):
        super().__init__()
        self.window = window
        if config.backbone == "efficientnet_lite0":
            self.backbone, n_features = EfficientNetLite0Features(config.pretrained), N_FEATURES
        else:
            self.backbone = _swin(config)
            n_features = self.backbone.num_features
        self.head = nn.Linear(2 * n_features, 1)
        self.register_buffer("target_mean", torch.zeros(()))
        self.register_buffer("target_scale", torch.ones(()))

    def set_target_statistics(self, mean: float, scale: float) -> None:
        """Mean and standard deviation of the training target, in its own unit."""
        self.target_mean.fill_(mean)
        self.target_scale.fill_(scale)

    def forward(self, sagittal: torch.Tensor, coronal: torch.Tensor) -> torch.Tensor:
        """Two slices in HU, each (batch, 1, height, width), head up -> prediction (batch) in the target's unit."""
        slices = prepare_slices(torch.cat([sagittal, coronal])[:, 0], self.window)
        joined = torch.cat(self.backbone(slices).chunk(2), dim=1)  # (2 batch, features) -> (batch, 2 features)
        return self.head(joined)[:, 0].float() * self.target_scale + self.target_mean


def _swin(config: SliceRegressorConfig) -> nn.Module:
    if importlib.util.find_spec("timm") is None:
        raise InputError(
            f"the backbone {config.backbone} needs the package timm: pip install timm; "
            "or set slice_regressor.backbone to efficientnet_lite0"
        )
    import timm

    width, height = config.image_size
    options = {"num_classes": 0, "img_size": (height, width)}
    if not config.pretrained:
        return timm.create_model(config.backbone, pretrained=False, **options)
    entry = load_manifest()["swin_base_384"]
    found = locate(entry)
    if found is None:
        raise InputError(how_to_obtain(entry))
    overlay = {"file": str(found[1])}  # a local file goes before everything timm would fetch
    return timm.create_model(config.backbone, pretrained=True, pretrained_cfg_overlay=overlay, **options)
