"""Statistics of training latents: what a diffusion model need not learn because it can be solved for.

Bodies are aligned, so position and attributes alone predict much of every latent. The mean is subtracted, channels are
brought to one scale, and what variance remains at every position goes to the network's preconditioning.
"""

import torch
from torch import nn

from vctlib.errors import InputError
from vctlib.networks.conditions import AttributeRegression

_VARIANCE_FLOOR = 2e-3  # of standardised latents: air never varies, and a network cannot be exact to nothing


class LatentStandardiser(nn.Module):
    """Standardised latents x = (z - mean) / scale, in float32, fitted on training people.

    `mean` is that of each "channel"; of each channel at each "position"; or that plus a ridge regression on the
    "attributes": their trends, curvatures and interactions, and categories one by one where those are the
    `conditioning`. Categories alone would draw rare people, the heaviest first, to the mean. Drop attributes before
    standardising, not after: then the spread that a dropped attribute explains stays in x, and a network that is told
    none of them learns how much people differ.

    `scale` is of each channel: the standard deviation of what the mean leaves, to the power of `whitening`, times a
    constant for each of the `groups` of channels (image, segmentation) so that each has mean square 1. Full whitening
    (1.0) spends most of the loss on channels that hold mostly noise; the power 0.5 served better here.
    """

    def __init__(
        self,
        mean: str,
        channels: int,
        grid: tuple[int, int, int],
        groups: tuple[int, ...] | None = None,
        conditioning: str = "categories",
        whitening: float = 0.5,
    ):
        super().__init__()
        self.mode, self.whitening = mean, whitening
        self.groups = (channels,) if groups is None else groups
        if sum(self.groups) != channels:
            raise InputError(f"the groups {self.groups} do not add up to {channels} channels")
        shape = (channels, 1, 1, 1) if mean == "channel" else (channels, *grid)
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("scale", torch.ones(channels, 1, 1, 1))
        self.regression = AttributeRegression(conditioning, shape) if mean == "attributes" else None  # in units of z
        self.register_buffer("residual_variance", torch.ones(shape))  # of standardised latents

    @torch.no_grad()
    def fit(self, z: torch.Tensor, attributes: torch.Tensor) -> None:
        """Latents (n, channel, x, y, z) and attributes (n, 4) of training people. Raises InputError for n < 2."""
        if len(z) < 2:
            raise InputError("the statistics of latents need at least two people")
        z, channel_sd = z.float(), []
        solve = None if self.regression is None else self.regression.prepare(attributes.to(z.device))
        for channel in range(z.shape[1]):  # one at a time: the residuals of all would double the memory
            rows = z[:, channel].flatten(1)  # (people, positions)
            mean = rows.mean() if self.mode == "channel" else rows.mean(0)
            residual = rows - mean
            if solve is not None:
                effects, residual = solve(residual)
                self.regression.effects[:, channel] = effects.view(-1, *z.shape[2:])
            variance = residual.square().sum(0) / (len(z) - 1)
            self.mean[channel] = mean.view(self.mean.shape[1:])
            self.residual_variance[channel] = variance.mean() if self.mode == "channel" else variance.view(z.shape[2:])
            channel_sd.append(variance.mean().sqrt())
        self.scale.copy_(self._scale(torch.stack(channel_sd).clamp_min(1e-6)))
        self.residual_variance.div_(self.scale.square()).clamp_min_(_VARIANCE_FLOOR)

    def standardise(self, z: torch.Tensor, attributes: torch.Tensor) -> torch.Tensor:
        """Latents (batch, channel, x, y, z) of people of attributes (batch, 4) -> standardised latents."""
        return (z.float() - self.expected(attributes)) / self.scale

    def restore(self, x: torch.Tensor, attributes: torch.Tensor) -> torch.Tensor:
        """The inverse of `standardise`."""
        return x.float() * self.scale + self.expected(attributes)

    def expected(self, attributes: torch.Tensor) -> torch.Tensor:
        """Mean latents of people of these attributes (batch, 4): (batch or 1, channel, x or 1, y or 1, z or 1)."""
        return self.mean[None] if self.regression is None else self.mean + self.regression(attributes)

    def _scale(self, channel_sd):
        parts = []
        for sd in channel_sd.split(self.groups):
            scale = sd**self.whitening
            parts.append(scale * (sd / scale).square().mean().sqrt())
        return torch.cat(parts).view(-1, 1, 1, 1)
