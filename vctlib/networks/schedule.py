"""Noise schedules of the latent diffusion, both behind one interface, and classifier-free guidance.

A noisy latent is `signal * clean + noise_level * noise`, with levels that depend on the timestep. What the network
predicts is a fixed mix of clean latent and noise (`target_weights`): the velocity clean - noise for rectified flow,
the noise for DDPM. Predicting the clean latent instead would be the same under the preconditioning of
`latent_diffusion`, which gives every timestep a target of unit variance, so there is no such choice.

Source: Liu et al. 2023 (rectified flow); Ho et al. 2020 (DDPM); Song et al. 2021 (DDIM); Ho and Salimans 2022
(guidance); killeen2025 sections 4.1.2 and 4.2.3.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import torch
from monai.networks.schedulers import DDIMScheduler, DDPMScheduler, RFlowScheduler

from vctlib.network_config import LatentDiffusionConfig

Predict = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # (noisy, timesteps) -> prediction


class TrainingPair(NamedTuple):
    noisy: torch.Tensor
    timesteps: torch.Tensor  # (batch)
    target: torch.Tensor
    weight: torch.Tensor  # of the squared error, broadcasts over the target


class _Schedule:
    """What both have in common: a noisy latent and the fixed mix of clean latent and noise to predict from it."""

    target_weights: tuple[float, float]  # of clean and noise

    def training_pair(
        self,
        clean: torch.Tensor,
        noise: torch.Tensor | None = None,
        timesteps: torch.Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> TrainingPair:
        """Latents (batch, channel, x, y, z) -> noisy latents, timesteps, what to predict, weight 1."""
        clean = clean.float()  # MONAI's schedulers would take on a lower precision for good
        noise = _noise_like(clean, generator) if noise is None else noise.float()
        if timesteps is None:
            timesteps = self._draw_timesteps(len(clean), generator, clean.device)
        noisy = self._scheduler.add_noise(clean, noise, timesteps)
        of_clean, of_noise = self.target_weights
        return TrainingPair(noisy, timesteps, of_clean * clean + of_noise * noise, torch.ones((), device=clean.device))

    def renew(
        self, predict: Predict, clean: torch.Tensor, noise: torch.Tensor, steps: int, share: float
    ) -> torch.Tensor:
        """Latents (batch, channel, x, y, z) noised until `share` of the `steps` remains, and denoised again (SDEdit,
        Meng et al. 2022): share 0 leaves them as they are, share 1 nothing of them."""
        first = round(steps * (1 - share))
        if first == steps:
            return clean.float()
        timesteps = torch.full((len(clean),), self.path(steps)[first], device=clean.device)
        noisy = self._scheduler.add_noise(clean.float(), noise.float(), timesteps)
        return self.sample(predict, noisy, steps, first=first)


class RectifiedFlow(_Schedule):
    """Straight paths from noise (timestep `timesteps`) to latents (0).

    The logit of the noise's share is Gaussian in training, of this location and scale (Esser et al. 2024), and a path
    steps from quantile to quantile of it. Directions that run through the whole body are decided while nearly all is
    noise: one with 5000 times the variance of a single latent at a share of 0.985. Even steps pass over that.

    Steps are of second order (Adams-Bashforth) at the price of Euler's.
    """

    target_weights = (1.0, -1.0)  # of clean and noise: the velocity

    def __init__(self, timesteps: int = 1000, location: float = 0.0, scale: float = 1.0):
        self.timesteps, self.location, self.scale = timesteps, location, scale
        self._scheduler = RFlowScheduler(num_train_timesteps=timesteps, use_discrete_timesteps=False)

    def levels(self, timesteps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(batch) timesteps -> signal and noise level, each (batch, 1, 1, 1, 1)."""
        noise = (timesteps.float() / self.timesteps).view(-1, 1, 1, 1, 1)
        return 1 - noise, noise

    def _draw_timesteps(self, n: int, generator: torch.Generator | None, device: torch.device) -> torch.Tensor:
        return self._at(torch.randn(n, generator=generator, device=device))

    def _at(self, standard: torch.Tensor) -> torch.Tensor:
        return self.timesteps * (self.location + self.scale * standard).sigmoid()

    def path(self, steps: int) -> list[float]:
        """Timesteps from noise to latents, the latter at 0; MONAI's scheduler knows even steps alone."""
        return self._at(torch.special.ndtri(torch.linspace(1, 0, steps + 1, dtype=torch.float64))).tolist()[:-1]

    @torch.no_grad()
    def sample(
        self, predict: Predict, noise: torch.Tensor, steps: int, generator: torch.Generator | None = None, first=0
    ) -> torch.Tensor:
        """Noise (batch, channel, x, y, z) -> latents. Deterministic: `generator` is not needed.

        With `first`, from the noisy latents that stand after so many of the steps.
        """
        x, before = noise.float(), None
        for timestep, end in pairwise([*self.path(steps)[first:], 0.0]):
            velocity = predict(x, torch.full((len(x),), timestep, device=x.device)).float()
            length = (timestep - end) / self.timesteps
            over_step = velocity if before is None else velocity + length / before[1] / 2 * (velocity - before[0])
            x = x + length * over_step
            before = velocity, length
        return x


class DenoisingDiffusion(_Schedule):
    """DDPM with the scaled linear schedule of latent diffusion; DDIM when fewer steps than timesteps are asked for.

    DDIM narrows what it samples when steps are few: with 100 by 3 to 7 % of the standard deviation, with 20 by 20 %.

    Source: Ho et al. 2020; Rombach et al. 2022 (betas 0.0015 to 0.0195 at 1000 timesteps, scaled for other numbers).
    """

    target_weights = (0.0, 1.0)  # of clean and noise: the noise

    def __init__(self, timesteps: int = 1000):
        self.timesteps = timesteps
        scale = 1000 / timesteps
        # MONAI clips the predicted latents to [-1, 1] by default
        options = {
            "num_train_timesteps": timesteps,
            "schedule": "scaled_linear_beta",
            "beta_start": min(0.0015 * scale, 0.999),
            "beta_end": min(0.0195 * scale, 0.999),
            "clip_sample": False,
        }
        self._scheduler, self._ddim = DDPMScheduler(**options), DDIMScheduler(**options)

    def levels(self, timesteps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(batch) timesteps 0 .. timesteps - 1 -> signal and noise level, each (batch, 1, 1, 1, 1)."""
        kept = self._scheduler.alphas_cumprod.to(timesteps.device)[timesteps.long()].view(-1, 1, 1, 1, 1)
        return kept.sqrt(), (1 - kept).sqrt()

    def _draw_timesteps(self, n: int, generator: torch.Generator | None, device: torch.device) -> torch.Tensor:
        """Uniform (Ho et al. 2020)."""
        return torch.randint(self.timesteps, (n,), generator=generator, device=device)

    def path(self, steps: int) -> list[int]:
        """Timesteps from noise to latents, as MONAI's DDIM steps down: its own, stretched list does not."""
        spacing = self.timesteps // steps
        return list(range(spacing * steps - 1, -1, -spacing))

    @torch.no_grad()
    def sample(
        self, predict: Predict, noise: torch.Tensor, steps: int, generator: torch.Generator | None = None, first=0
    ) -> torch.Tensor:
        """Noise (batch, channel, x, y, z) -> latents. With `steps` below `timesteps` deterministic (DDIM, eta 0).

        With `first`, from the noisy latents that stand after so many of the steps.
        """
        scheduler = self._scheduler if steps == self.timesteps else self._ddim
        scheduler.set_timesteps(steps)
        x = noise.float()
        for timestep in self.path(steps)[first:]:
            predicted = predict(x, torch.full((len(x),), timestep, device=x.device))
            x, _ = scheduler.step(predicted.float(), timestep, x, generator=generator)
        return x


def make_schedule(config: LatentDiffusionConfig) -> RectifiedFlow | DenoisingDiffusion:
    """The schedule that a profile names."""
    if config.schedule == "ddpm":
        return DenoisingDiffusion(config.timesteps)
    return RectifiedFlow(config.timesteps, config.noise_location, config.noise_scale)


def guided(network: Callable, attributes: torch.Tensor, scale: float) -> Predict:
    """Classifier-free guidance: unconditional + scale * (conditional - unconditional).

    network(noisy, timesteps, attributes); attributes (batch, 4), NaN being unknown. Scale 1 is the conditional
    prediction and 0 the unconditional one, each for the price of one evaluation; else both run as one batch.
    """
    none = torch.full_like(attributes, float("nan"))

    def predict(noisy: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        if scale in (0, 1):
            return network(noisy, timesteps, attributes if scale else none)
        both = network(noisy.repeat(2, 1, 1, 1, 1), timesteps.repeat(2), torch.cat([attributes, none]))
        conditional, unconditional = both.float().chunk(2)
        return unconditional + scale * (conditional - unconditional)

    return predict


def drop_attributes(
    attributes: torch.Tensor, probability: float, generator: torch.Generator | None = None
) -> torch.Tensor:
    """Set attributes to unknown (NaN), each with `probability`: half of that as whole vectors, half one by one.

    The paper drops with probability 0.2 and does not say whether the whole vector or single attributes
    (killeen2025 section 4.2.3). Guidance needs the former; people with unknown attributes need the latter.
    """
    whole, single = probability / 2, probability / (2 - probability)  # 1 - (1 - whole)(1 - single) = probability
    device = attributes.device
    dropped = torch.rand(attributes.shape, generator=generator, device=device) < single
    dropped |= torch.rand(len(attributes), 1, generator=generator, device=device) < whole
    return attributes.masked_fill(dropped, float("nan"))


def _noise_like(x: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
    return torch.randn(x.shape, generator=generator, device=x.device)
