"""What can be said of clean latents from noisy ones before any network: a Gaussian prior, solved in closed form.

People differ along a few directions that run through the whole body (size, build, pose) and, beside these, by
themselves at every position. A network on few cores learns the second far sooner than the first, which here is given.

Source: Tipping and Bishop 1999 (probabilistic principal components), with a variance of its own for every latent, as
in factor analysis.
"""

from typing import NamedTuple

import torch
from torch import nn

from vctlib.errors import InputError

_LEAST_SHARE = 0.05  # of a latent's variance that no factor explains


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
        self.register_buffer("factors", torch.zeros(n_factors, channels, *grid))

    @torch.no_grad()
    def fit(self, x: torch.Tensor, total_variance: torch.Tensor) -> None:
        """From standardised latents of training people (n, channel, x, y, z), whose mean is 0, and the variance of
        such latents in new people, broadcast to (channel, x, y, z). Raises InputError for too few people.

        The leading principal components, each less the variance that components of noise would have.
        """
        count, people = len(self.factors), len(x)
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
        self.factors.copy_((weight[:, None] * vectors.T).float().matmul(x).view_as(self.factors))
        left = self.variance - self.factors.square().sum(0)
        self.variance.copy_(left.maximum(_LEAST_SHARE * self.variance))

    @property
    def total_variance(self) -> torch.Tensor:
        """(channel, x, y, z)."""
        return self.variance + self.factors.square().sum(0)

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
                shared, spread = self._factor_posterior(noisy / around, 1 / around, signal.flatten())
            clean = noise**2 * shared + signal * self.variance * noisy
            target = (of_clean * clean + of_noise * noise * (noisy - signal * shared)) / around
            left_over = (self.variance / around + (noise / around) ** 2 * spread).sqrt()
            unit = shared / self.factors.square().sum(0).sqrt().clamp_min(1e-3)
        return Posterior(target, (of_clean * noise - of_noise * signal).abs() * left_over, unit)

    def _factor_posterior(self, weighed, precision, signal):
        """Expectation and variance of the factors' sum, for noisy latents times their precision about the factors."""
        factors = self.factors.flatten(1)  # (factor, latent)
        scores, spreads = [], []
        for one, own, level in zip(weighed.flatten(1), precision.flatten(1), signal, strict=True):
            gram = level**2 * (factors * own) @ factors.T
            covariance = torch.linalg.inv(torch.eye(len(factors), device=gram.device) + gram)
            scores.append(level * covariance @ (factors @ one))
            spreads.append(((covariance @ factors) * factors).sum(0))
        return (torch.stack(scores) @ factors).view_as(weighed), torch.stack(spreads).view_as(weighed)
