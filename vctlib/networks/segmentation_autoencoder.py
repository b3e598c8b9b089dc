"""The segmentation autoencoder: one stage from one-hot labels to class logits.

Source: killeen2025 section 4.1.1, last paragraph.
"""

import torch
from torch import nn
from torch.nn import functional as F

from vctlib.anatomy import PAPER16
from vctlib.network_config import SegmentationAutoencoderConfig
from vctlib.networks.block_stage import BlockStage
from vctlib.networks.vector_quantised_stage import VectorQuantisedStage

_LOGITS = 6.0  # of a class whose linear reconstruction is 1: odds of 400 to 1


class SegmentationAutoencoder(nn.Module):
    """Label maps to latents and back to logits of `n_classes` classes, background being class 0.

    Where the profile says `reads_image`, the decoder wants the `image_channels` latents of the image behind its own.
    """

    def __init__(
        self, config: SegmentationAutoencoderConfig, n_classes: int = len(PAPER16) + 1, image_channels: int = 0
    ):
        super().__init__()
        self.n_classes = n_classes
        self.reads_image = config.kind == "block_pca" and config.reads_image
        if config.kind == "block_pca":
            context = image_channels if self.reads_image else 0
            self.stage = BlockStage(n_classes, config, gain=_LOGITS, context=context)
        else:
            self.stage = VectorQuantisedStage(n_classes, config)

    @property
    def compression(self) -> int:
        """Voxels a latent along each axis."""
        return self.stage.downsampling

    @property
    def latent_channels(self) -> int:
        return self.stage.latent_channels

    def one_hot(self, labels: torch.Tensor) -> torch.Tensor:
        """Integer labels (batch, x, y, z) or (batch, 1, x, y, z) -> float one-hot (batch, n_classes, x, y, z).

        A floating-point tensor of n_classes channels is passed on as it is. Raises ValueError for other shapes.
        """
        if labels.ndim == 5 and labels.is_floating_point() and labels.shape[1] == self.n_classes:
            return labels
        if labels.is_floating_point() or labels.ndim not in (4, 5) or (labels.ndim == 5 and labels.shape[1] != 1):
            raise ValueError(
                f"expected integer labels or one-hot of {self.n_classes} classes, got {labels.dtype} "
                f"of shape {tuple(labels.shape)}"
            )
        labels = labels[:, 0] if labels.ndim == 5 else labels
        return F.one_hot(labels.long(), self.n_classes).movedim(-1, 1).float()

    def encode(self, labels: torch.Tensor) -> torch.Tensor:
        """Integer labels or one-hot -> continuous latents (batch, latent_channels, x/c, y/c, z/c)."""
        return self.stage.encode(self.one_hot(labels))

    def decode(self, z: torch.Tensor, quantise: bool = True) -> torch.Tensor:
        """Latents, and the image's behind them where they are read -> class logits (batch, n_classes, x, y, z)."""
        return self.stage.decode(self.stage.quantise(z)[0] if quantise else z)

    def forward(self, labels: torch.Tensor, image: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Integer labels or one-hot, and the image's latents where they are read -> class logits, commitment loss."""
        return self.stage(self.one_hot(labels), *([image] if self.reads_image else []))
