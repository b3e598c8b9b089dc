"""Statistics of training latents: what a diffusion model need not learn because it can be solved for.

Bodies are aligned, so position and attributes alone predict much of every latent. The mean is subtracted, channels are
brought to one scale, and what variance remains at every position goes to the network's preconditioning.
"""

import torch
from torch import nn
from torch.nn import functional as F

from vctlib.attributes import ATTRIBUTES, N_CATEGORIES
from vctlib.errors import InputError

# Penalties on effects, in people: a category of ten people is believed by half, a trend over all people nearly whole.
_CATEGORY_RIDGE, _TREND_RIDGE, _CURVATURE_RIDGE = 10.0, 0.1, 0.5
_VARIANCE_FLOOR = 2e-3  # of standardised latents: air never varies, and a network cannot be exact to nothing


class LatentStandardiser(nn.Module):
    """Standardised latents x = (z - mean) / scale, in float32, fitted on training people.

    `mean` is that of each "channel"; of each channel at each "position"; or that plus a ridge regression on the
    "attributes": categories one by one, and the trends, curvatures and interactions of their order, to which an
    attribute that is none contributes nothing. Categories alone would draw rare people, the heaviest first, to the
    mean. Drop attributes before standardising, not after: then the spread that a dropped attribute explains stays in
    x, and a network that is told none of them learns how much people differ.

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
        whitening: float = 0.5,
    ):
        super().__init__()
        self.mode, self.whitening = mean, whitening
        self.groups = (channels,) if groups is None else groups
        if sum(self.groups) != channels:
            raise InputError(f"the groups {self.groups} do not add up to {channels} channels")
        n_features = len(_PENALTIES) if mean == "attributes" else 0
        shape = (channels, 1, 1, 1) if mean == "channel" else (channels, *grid)
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("scale", torch.ones(channels, 1, 1, 1))
        self.register_buffer("feature_mean", torch.zeros(n_features))
        self.register_buffer("effects", torch.zeros(n_features, *shape))  # of each category, in units of z
        self.register_buffer("residual_variance", torch.ones(shape))  # of standardised latents

    @torch.no_grad()
    def fit(self, z: torch.Tensor, categories: torch.Tensor) -> None:
        """Latents (n, channel, x, y, z) and categories (n, 4) of training people. Raises InputError for n < 2."""
        if len(z) < 2:
            raise InputError("the statistics of latents need at least two people")
        z, channel_sd = z.float(), []
        solve = self._fit_effects(categories.to(z.device)) if self.mode == "attributes" else None
        for channel in range(z.shape[1]):  # one at a time: the residuals of all would double the memory
            rows = z[:, channel].flatten(1)  # (people, positions)
            mean = rows.mean() if self.mode == "channel" else rows.mean(0)
            residual = rows - mean
            if solve is not None:
                effects, residual = solve(residual)
                self.effects[:, channel] = effects.view(-1, *z.shape[2:])
            variance = residual.square().sum(0) / (len(z) - 1)
            self.mean[channel] = mean.view(self.mean.shape[1:])
            self.residual_variance[channel] = variance.mean() if self.mode == "channel" else variance.view(z.shape[2:])
            channel_sd.append(variance.mean().sqrt())
        self.scale.copy_(self._scale(torch.stack(channel_sd).clamp_min(1e-6)))
        self.residual_variance.div_(self.scale.square()).clamp_min_(_VARIANCE_FLOOR)

    def standardise(self, z: torch.Tensor, categories: torch.Tensor) -> torch.Tensor:
        """Latents (batch, channel, x, y, z) of people of categories (batch, 4) -> standardised latents."""
        return (z.float() - self.expected(categories)) / self.scale

    def restore(self, x: torch.Tensor, categories: torch.Tensor) -> torch.Tensor:
        """The inverse of `standardise`."""
        return x.float() * self.scale + self.expected(categories)

    def expected(self, categories: torch.Tensor) -> torch.Tensor:
        """Mean latents of people of these categories (batch, 4): (batch or 1, channel, x or 1, y or 1, z or 1)."""
        if self.mode != "attributes":
            return self.mean[None]
        features, known = _features(categories)
        features = (features - self.feature_mean) * known
        with torch.autocast(features.device.type, enabled=False):
            return self.mean + (features @ self.effects.flatten(1)).view(-1, *self.mean.shape)

    def _fit_effects(self, categories):
        """The ridge solution as a function: residuals of a channel -> effects, leave-one-out residuals.

        Residuals of people in the fit are too small to tell how much a new person differs; dividing by one less the
        leverage gives exactly what a fit without that person would leave.
        """
        features, known = _features(categories)
        self.feature_mean.copy_((features * known).sum(0) / known.sum(0).clamp_min(1))
        centred = ((features - self.feature_mean) * known).double()
        gram = centred.T @ centred + torch.tensor(_PENALTIES, dtype=torch.float64, device=centred.device).diag()
        projection = torch.linalg.solve(gram, centred.T)  # (features, people)
        leverage = (centred * projection.T).sum(1) + 1 / len(centred)  # and that of the mean

        def solve(residual):
            effects = projection.float() @ residual
            left = (residual - centred.float() @ effects) / (1 - leverage).float()[:, None]
            return effects, left

        return solve

    def _scale(self, channel_sd):
        parts = []
        for sd in channel_sd.split(self.groups):
            scale = sd**self.whitening
            parts.append(scale * (sd / scale).square().mean().sqrt())
        return torch.cat(parts).view(-1, 1, 1, 1)


_PAIRS = [(a, b) for a in range(len(ATTRIBUTES)) for b in range(max(a, 1), len(ATTRIBUTES))]  # sex has no curve
_PENALTIES = (
    [_CATEGORY_RIDGE] * sum(N_CATEGORIES.values()) + [_TREND_RIDGE] * len(ATTRIBUTES) + [_CURVATURE_RIDGE] * len(_PAIRS)
)


def _features(categories: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Categories (batch, 4) -> features (batch, len(_PENALTIES)), and 1 where all that a feature speaks of is known.

    Every category as 0 or 1, the place of each among its attribute's (-1 to 1), and the products of these places.
    """
    one_hot, place, own = [], [], (categories > 0).float()
    for i, name in enumerate(ATTRIBUTES):
        one_hot.append(F.one_hot(categories[:, i], N_CATEGORIES[name] + 1)[:, 1:])
        place.append(2 * (categories[:, i].float() - 1) / (N_CATEGORIES[name] - 1) - 1)
    products = [place[a] * place[b] for a, b in _PAIRS]
    repeats = torch.tensor([N_CATEGORIES[name] for name in ATTRIBUTES], device=categories.device)
    known = [own.repeat_interleave(repeats, dim=1), own, torch.stack([own[:, a] * own[:, b] for a, b in _PAIRS], 1)]
    return torch.cat([*one_hot, torch.stack(place + products, 1)], 1).float(), torch.cat(known, 1)
