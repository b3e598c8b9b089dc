"""The codebook of a vector-quantised autoencoder, learned as running averages of the latents that chose each code.

MONAI's `EMAQuantizer` leaves its distances to bfloat16 under autocast on a CPU, starts from normal noise and never
revives an unused code, which here left 70 of 2048 codes in use. This one computes in float32 always, starts from data
and restarts dead codes where the error is largest. All of its state are buffers: no optimizer touches them, and a
state_dict resumes exactly.
"""

import torch
from torch import nn
from torch.nn import functional as F

_CHUNK = 16384  # latents whose distances to all codes are held at once


class Codebook(nn.Module):
    """Nearest code for every latent, with commitment loss and straight-through gradient.

    Learns only in training mode with gradients enabled, so that decoding under `torch.no_grad()` never moves a code.

    Source: van den Oord et al. 2017 appendix A.1 (running averages); Dhariwal et al. 2020 section 3.2 (restarts).
    """

    def __init__(
        self,
        n_codes: int,
        channels: int,
        *,
        decay: float = 0.95,  # of the running averages; MONAI's VQVAE default of 0.5 starves most codes
        commitment_cost: float = 0.25,
        restart_share: float = 0.02,  # a code used less than this part of its fair share is dead
        warmup: int = 0,  # training steps that pass latents through unquantised before the codes are drawn from them
        epsilon: float = 1e-5,
    ):
        super().__init__()
        self.decay, self.commitment_cost = decay, commitment_cost
        self.restart_share, self.epsilon, self.warmup = restart_share, epsilon, warmup
        self.register_buffer("codes", torch.randn(n_codes, channels))
        self.register_buffer("usage", torch.zeros(n_codes))  # running average of latents a batch
        self.register_buffer("sums", torch.zeros(n_codes, channels))  # running average of their sum
        self.register_buffer("initialised", torch.zeros((), dtype=torch.bool))
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    def forward(self, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(batch, channel, x, y, z) -> quantised of the same shape, commitment loss, code indices (batch, x, y, z)."""
        with torch.autocast(latents.device.type, enabled=False):
            latents = latents.float()
            last = latents.movedim(1, -1)
            flat = last.detach().reshape(-1, last.shape[-1])  # (latents, channel)
            learning = self.training and torch.is_grad_enabled()
            if learning and not self.initialised:
                if self.steps < self.warmup:
                    self.steps.add_(1)
                    return latents, latents.new_zeros(()), self.nearest(flat)[0].view(last.shape[:-1])
                self._initialise(flat)
            indices, squared_distance = self.nearest(flat)
            quantised = self.codes[indices].view(last.shape).movedim(-1, 1)
            commitment = self.commitment_cost * F.mse_loss(latents, quantised)
            if learning:
                self._update(flat, indices, squared_distance)
            # straight through: the value is exactly the code, the gradient is that of the latent
            return quantised + (latents - latents.detach()), commitment, indices.view(last.shape[:-1])

    def nearest(self, flat: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """float32 latents (n, channel) -> index of the nearest code (n), squared Euclidean distance to it (n)."""
        half_norm = self.codes.square().sum(1) / 2
        found = [(half_norm - part @ self.codes.T).min(1) for part in flat.split(_CHUNK)]
        indices = torch.cat([best.indices for best in found])
        return indices, (flat - self.codes[indices]).square().sum(1)

    @property
    def perplexity(self) -> torch.Tensor:
        """Effective number of codes in use over the last batches: 1 to the number of codes."""
        share = self.usage / self.usage.sum().clamp_min(self.epsilon)
        return torch.exp(-(share * (share + 1e-10).log()).sum())

    def _statistics(self, flat, indices):
        counts = torch.bincount(indices, minlength=len(self.codes)).float()
        sums = torch.zeros_like(self.sums).index_add_(0, indices, flat)
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(counts)
            torch.distributed.all_reduce(sums)
        return counts, sums

    def _initialise(self, flat):
        self.codes.copy_(flat[torch.randint(len(flat), (len(self.codes),), device=flat.device)])
        counts, sums = self._statistics(flat, self.nearest(flat)[0])
        self.usage.copy_(counts)  # many latents are the same air; codes left without any are restarted at once
        self.sums.copy_(sums)
        self.initialised.fill_(True)

    def _update(self, flat, indices, squared_distance):
        counts, sums = self._statistics(flat, indices)
        self.usage.lerp_(counts, 1 - self.decay)
        self.sums.lerp_(sums, 1 - self.decay)
        total = self.usage.sum()
        smoothed = (self.usage + self.epsilon) / (total + len(self.codes) * self.epsilon) * total
        self.codes.copy_(self.sums / smoothed[:, None])
        self._restart_dead(flat, squared_distance)

    def _restart_dead(self, flat, squared_distance):
        fair_share = self.usage.mean()
        dead = (self.usage < self.restart_share * fair_share).nonzero()[:, 0]
        if len(dead) == 0:
            return
        # chosen by squared error, as k-means++ does, because most of a body's patches is air
        chosen = torch.multinomial(squared_distance.clamp_min(1e-12), len(dead), replacement=True)
        self.codes[dead] = flat[chosen]
        self.usage[dead] = fair_share  # a grace period before it may be called dead again
        self.sums[dead] = flat[chosen] * fair_share
