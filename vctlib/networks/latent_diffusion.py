"""The denoiser of the latent diffusion: MONAI's 3-D U-Net, conditioned on attributes at every level.

Source: killeen2025 sections 4.1.2 and 4.2.3; Rombach et al. 2022 (U-Net); Karras et al. 2022 section 5
(preconditioning).
"""

import torch
from monai.networks.nets import DiffusionModelUNet
from torch import nn

from vctlib.errors import InputError
from vctlib.network_config import LatentDiffusionConfig
from vctlib.networks.conditions import AttributeEmbedding
from vctlib.networks.latent_prior import LatentPrior
from vctlib.networks.schedule import make_schedule

_COORDINATE_SCALE = 1.5  # brings coordinates from [-1, 1] to about unit variance


class LatentDiffusion(nn.Module):
    """Prediction of the schedule's target from noisy standardised latents, timesteps and attributes.

    The U-Net learns only what is left of the target by the best guess from the noisy latents alone, under the
    assumption that latents are Gaussian as `prior` says; input and output of the U-Net have unit variance at every
    timestep and position. Untrained, the network is that guess.
    """

    def __init__(self, config: LatentDiffusionConfig, latent_channels: int, latent_grid: tuple[int, int, int]):
        super().__init__()
        self.schedule = make_schedule(config)
        factor = 2 ** (len(config.channels) - 1)
        if any(size % factor for size in latent_grid):
            raise InputError(f"latents of {tuple(latent_grid)} cannot be halved {len(config.channels) - 1} times")
        coordinates = _coordinates(latent_grid) if config.coordinates else torch.zeros(0, *latent_grid)
        self.unet = DiffusionModelUNet(
            spatial_dims=3,
            in_channels=latent_channels * (2 if config.prior_factors else 1) + len(coordinates),
            out_channels=latent_channels,
            channels=config.channels,
            attention_levels=config.attention,
            num_res_blocks=config.residual_blocks,
            num_head_channels=config.head_channels,
            norm_num_groups=config.norm_groups,
            num_class_embeds=1,  # makes room for the embedding that the next line puts there
        )
        self.unet.class_embedding = AttributeEmbedding(
            config.conditioning, config.embedding_size, 4 * config.channels[0]
        )
        self.register_buffer("coordinates", coordinates, persistent=False)
        self.prior = LatentPrior(latent_channels, latent_grid, config.prior_factors)

    def forward(self, noisy: torch.Tensor, timesteps: torch.Tensor, attributes: torch.Tensor) -> torch.Tensor:
        """(batch, channel, x, y, z), (batch), (batch, 4) -> prediction in float32, of the shape of `noisy`."""
        noisy = noisy.float()
        signal, noise = self.schedule.levels(timesteps)
        guess = self.prior.posterior(noisy, signal, noise, self.schedule.target_weights)
        inputs = [noisy / (signal**2 * self.prior.total_variance + noise**2).sqrt()]
        if len(self.prior.factors):
            inputs.append(guess.shared)
        inputs.append(self.coordinates.expand(len(noisy), -1, -1, -1, -1))
        remainder = self.unet(torch.cat(inputs, dim=1), timesteps, class_labels=attributes)
        return guess.target + guess.left_over * remainder.float()


def _coordinates(grid: tuple[int, int, int]) -> torch.Tensor:
    """(3, x, y, z): where a latent lies in the body's grid."""
    axes = [torch.linspace(-1, 1, size) for size in grid]
    return _COORDINATE_SCALE * torch.stack(torch.meshgrid(*axes, indexing="ij"))
