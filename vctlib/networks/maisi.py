"""MAISI's public networks with random weights, for timing alone: its preset for a body, and how it is cut down.

The networks are MONAI's own classes. Their sizes, the thirty steps, the output of 512 x 512 x 768 voxels and the
windows of the decoder are NVIDIA's published presets: Project-MONAI/tutorials, generation/maisi/configs,
config_maisi3d-rflow.json and config_infer_80g_512x512x768.json. Source: guo2024.

Deviations, none of which changes what is computed: group norms stay in float32 (`norm_float16` is for GPUs); the
decoder takes a window in one piece, since the preset's splits of it save memory but do work at their seams twice; fused
attention, which MONAI refuses to build without a GPU, is switched on afterwards.
"""

from dataclasses import dataclass

import torch
from monai.apps.generation.maisi.networks.autoencoderkl_maisi import AutoencoderKlMaisi
from monai.apps.generation.maisi.networks.controlnet_maisi import ControlNetMaisi
from monai.apps.generation.maisi.networks.diffusion_model_unet_maisi import DiffusionModelUNetMaisi
from monai.data.utils import dense_patch_slices
from monai.networks.blocks import SABlock
from torch import Tensor, nn

OUTPUT = (512, 512, 768)  # voxels
SPACING_MM = (0.75, 0.75, 0.66667)
STEPS = 30
WINDOW = (80, 80, 96)  # latents that the decoder sees at once
OVERLAP = 0.4  # of windows, on the latents' grid
COMPRESSION = 4  # voxels a latent along each axis
LATENT_CHANNELS = 4
MASK_CHANNELS = 8  # a label map of up to 256 classes in binary
LATENT = tuple(size // COMPRESSION for size in OUTPUT)

_UNET = {
    "spatial_dims": 3,
    "in_channels": LATENT_CHANNELS,
    "num_res_blocks": 2,
    "num_channels": (64, 128, 256, 512),
    "attention_levels": (False, False, True, True),
    "num_head_channels": (0, 0, 32, 32),
    "num_class_embeds": 128,  # of the modality
    "resblock_updown": True,
    "include_fc": True,
}
_AUTOENCODER = {
    "spatial_dims": 3,
    "in_channels": 1,
    "out_channels": 1,
    "latent_channels": LATENT_CHANNELS,
    "num_channels": (64, 128, 256),
    "num_res_blocks": (2, 2, 2),
    "norm_num_groups": 32,
    "norm_eps": 1e-6,
    "attention_levels": (False, False, False),
    "num_splits": 1,
}


@dataclass(frozen=True)
class Maisi:
    """The networks that make an image from a label map."""

    autoencoder: nn.Module
    unet: nn.Module
    controlnet: nn.Module

    @classmethod
    def build(cls, device: torch.device | str) -> "Maisi":
        """Fresh networks; on the device "meta" they have shapes and no weights, and cost nothing."""
        with torch.device(device):
            parts = (
                AutoencoderKlMaisi(**_AUTOENCODER, norm_float16=False),
                DiffusionModelUNetMaisi(**_UNET, out_channels=LATENT_CHANNELS, include_spacing_input=True),
                ControlNetMaisi(
                    **_UNET,
                    conditioning_embedding_in_channels=MASK_CHANNELS,
                    conditioning_embedding_num_channels=(8, 32, 64),
                    use_checkpointing=False,
                ),
            )
        for module in (module for part in parts for module in part.modules() if isinstance(module, SABlock)):
            module.use_flash_attention = True
        return cls(*(part.eval() for part in parts))

    @property
    def device(self) -> torch.device:
        return next(self.unet.parameters()).device

    @property
    def parameters(self) -> int:
        return sum(p.numel() for part in (self.autoencoder, self.unet, self.controlnet) for p in part.parameters())

    def denoise(self, shape: tuple[int, int, int]) -> Tensor:
        """One step of sampling on latents of this shape: ControlNet, then U-Net."""
        at = {"device": self.device}
        z, time = torch.zeros(1, LATENT_CHANNELS, *shape, **at), torch.full((1,), 500.0, **at)
        modality, spacing = torch.ones(1, dtype=torch.long, **at), torch.tensor([SPACING_MM], **at) * 100
        mask = torch.zeros(1, MASK_CHANNELS, *(COMPRESSION * size for size in shape), **at)
        down, middle = self.controlnet(z, time, mask, class_labels=modality)
        return self.unet(
            z,
            time,
            class_labels=modality,
            spacing_tensor=spacing,
            down_block_additional_residuals=down,
            mid_block_additional_residual=middle,
        )

    def decode(self, shape: tuple[int, int, int]) -> Tensor:
        """Latents of this shape -> image."""
        return self.autoencoder.decode_stage_2_outputs(torch.zeros(1, LATENT_CHANNELS, *shape, device=self.device))


def n_windows() -> int:
    """Windows that the decoder walks over the latents of a body."""
    interval = [int(size * (1 - OVERLAP)) for size in WINDOW]
    return len(dense_patch_slices(LATENT, WINDOW, interval))
