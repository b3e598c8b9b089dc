"""What can be said of clean latents from noisy ones before any network: a Gaussian prior, solved in closed form.

People differ along a few directions that run through the whole body (size, build, pose) and, beside these, by
themselves at every position. A network on few cores learns the second far sooner than the first, which here is given.

Source: Tipping and Bishop 1999 (probabilistic principal components), with a variance of its own for every latent, as
in factor analysis.
"""

import math
from typing import NamedTuple

import torch
from torch import nn

from vctlib.errors import InputError

_LEAST_SHARE = 0.05  # of a latent's variance that no factor explains
_LEVELS = 256  # of noise, at which the factors' posterior covariance is solved for; between them it is interpolated
_WITH_FACTORS = 0.2  # share of the latents that factors reach: the rest, mostly air, has 0.5 % of what they explain


class Posterior(NamedTuple):
    """Of clean latents x given noisy = signal * x + noise * n."""

    target: torch.Tensor  # expectation of the schedule's target, as the noisy latents
    left_over: torch.Tensor  # standard deviation of the target about it
    shared: torch.Tensor  # expectation of what the factors make of x, over its standard deviation


class LatentPrior(nn.Module):
    """Standardised latents x = sum of `n_factors` factors with unit Gaussian scores + independent Gaussians."""

    def __init__(self, channels: int, grid: tuple[int, int, int], n_factors: int):
        super().__init__()
        self.register_buffer("variance", torch.ones(channels, *grid))  # of what the factors leave
        count = math.ceil(_WITH_FACTORS * self.variance.numel()) if n_factors else 0
        self.register_buffer("places", torch.arange(count))  # of the latents that factors reach, flattened
        self.register_buffer("factors", torch.zeros(n_factors, count))
        self._solved: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self.register_load_state_dict_post_hook(lambda module, _: module._solved.clear())

    @torch.no_grad()
    def fit(self, x: torch.Tensor, total_variance: torch.Tensor) -> None:
        """From standardised latents of training people (n, channel, x, y, z), whose mean is 0, and the variance of
        such latents in new people, broadcast to (channel, x, y, z). Raises InputError for too few people.

        The leading principal components, each less the variance that components of noise would have.
        """
        count, people = len(self.factors), len(x)
        self._solved.clear()
        self.variance.copy_(total_variance.expand_as(self.variance))
        if not count:
            return
        if people <= count + 1:
            raise InputError(f"{count} factors need more than {count + 1} people, not {people}; lower prior_factors")
        x = x.float().flatten(1)
        values, vectors = torch.linalg.eigh((x @ x.T).double())
        values, vectors = values.flip(0), vectors.flip(1)[:, :count]
        noise = values[count:].mean()
        gain = self.variance.sum() * people / values.sum()  # people in the fit differ from its mean by less
        weight = ((values[:count] - noise).clamp_min(0) / values[:count].clamp_min(1e-12) * gain / people).sqrt()
        factors = (weight[:, None] * vectors.T).float() @ x
        self.places.copy_(factors.square().sum(0).topk(len(self.places)).indices.sort().values)
        self.factors.copy_(factors[:, self.places])
        left = self.variance.flatten() - self._spread_out(self.factors.square().sum(0))
        self.variance.copy_(left.view_as(self.variance).maximum(_LEAST_SHARE * self.variance))

    def scores(self, x: torch.Tensor) -> torch.Tensor:
        """How much of each factor there is in standardised latents (n, channel, x, y, z): (n, factor), about unit
        Gaussian in training people and in what the prior draws."""
        size = self.factors.square().sum(1).clamp_min(1e-12)
        return x.float().flatten(1)[:, self.places] @ self.factors.T / size

    @property
    def total_variance(self) -> torch.Tensor:
        """(channel, x, y, z)."""
        return self.variance + self._spread_out(self.factors.square().sum(0)).view_as(self.variance)

    def posterior(
        self, noisy: torch.Tensor, signal: torch.Tensor, noise: torch.Tensor, weights: tuple[float, float]
    ) -> Posterior:
        """Noisy latents (batch, channel, x, y, z), levels (batch, 1, 1, 1, 1), the target's `weights` of clean latents
        and noise -> what the prior says. In float32 throughout."""
        of_clean, of_noise = weights
        with torch.autocast(noisy.device.type, enabled=False):
            noisy, around = noisy.float(), signal**2 * self.variance + noise**2  # variance of noisy about the factors
            shared, spread = torch.zeros_like(noisy), torch.zeros_like(noisy)
            if len(self.factors):
                shared, spread = self._factor_posterior(noisy, around, signal.flatten(), noise.flatten())
            clean = noise**2 * shared + signal * self.variance * noisy
            target = (of_clean * clean + of_noise * noise * (noisy - signal * shared)) / around
            left_over = (self.variance / around + (noise / around) ** 2 * spread).sqrt()
            unit = shared / (self.total_variance - self.variance).clamp_min(1e-6).sqrt()
        return Posterior(target, (of_clean * noise - of_noise * signal).abs() * left_over, unit)

    def _factor_posterior(self, noisy, around, signal, noise):
        """Expectation and variance of the factors' sum."""
        over_own = (noisy / around).flatten(1)[:, self.places]
        level = (_LEVELS * (noise / (signal + noise)).sqrt()).clamp(0, _LEVELS - 1e-3)
        covariances, spreads = zip(*(self._between(each) for each in level.tolist()), strict=True)
        projected = over_own @ self.factors.T
        scores = torch.stack([c @ p for c, p in zip(covariances, projected, strict=True)])
        found = signal[:, None] * scores @ self.factors, torch.stack(spreads)
        return tuple(self._spread_out(part).view_as(noisy) for part in found)

    def _between(self, level: float) -> list[torch.Tensor]:
        """Covariance of the factors' scores and variance of their sum at a level between two that are solved for."""
        below = int(level)
        pairs = zip(self._solve(below), self._solve(below + 1), strict=True)
        return [torch.lerp(low, high, level - below) for low, high in pairs]

    def _solve(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Posterior covariance of the factors' scores, and variance of their sum, where noise / (signal + noise) is the
        square of `step` over `_LEVELS`: they depend on that ratio alone, and change fastest where it is small."""
        if step not in self._solved or self._solved[step][0].device != self.factors.device:
            noise = (step / _LEVELS) ** 2
            own = (1 - noise) ** 2 * self.variance.flatten()[self.places] + noise**2
            precision = (1 - noise) ** 2 * (self.factors / own) @ self.factors.T
            covariance = torch.linalg.inv(precision + torch.eye(len(precision), device=precision.device))
            self._solved[step] = covariance, ((covariance @ self.factors) * self.factors).sum(0)
        return self._solved[step]

    def _spread_out(self, reached):
        """What the factors' latents have (..., places) -> the same among all latents (..., latent), 0 elsewhere."""
        everywhere = reached.new_zeros(*reached.shape[:-1], self.variance.numel())
        everywhere[..., self.places] = reached
        return everywhere
