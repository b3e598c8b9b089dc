"""Numbers of a body - its size, how fat it is, what its organs look like - drawn for its attributes and latents.

Such numbers and people's latents go together: a large head in a frame that goes with the body is a short body's. Drawn
without regard to the latents they would be nobody's.
"""

from collections.abc import Callable
from math import isnan

import torch
from torch import Tensor, nn

from vctlib.attributes import ATTRIBUTES
from vctlib.networks.conditions import AttributeRegression

_SCORE_RIDGE = 30.0  # people: held-out placements were predicted about as well with a third and with three times this


class ConditionalGaussian(nn.Module):
    """`count` numbers given attributes and the latents' scores on `n_factors` of the prior: Gaussian about a ridge
    regression on attributes and a second one, of what is left, on scores.

    Of whom less is known, more is left to the latents, and more spread is drawn.
    """

    def __init__(self, conditioning: str, n_factors: int, count: int):
        super().__init__()
        known = 2 ** len(ATTRIBUTES)  # each combination of known attributes
        self.register_buffer("mean", torch.zeros(count))
        self.register_buffer("of_scores", torch.zeros(known, n_factors, count))
        self.register_buffer("spread", torch.zeros(known, count, count))  # Cholesky factors of what is left at last
        self.regression = AttributeRegression(conditioning, (count,))

    @torch.no_grad()
    def fit(self, rows: Tensor, attributes: Tensor, scores: Callable[[Tensor], Tensor]) -> None:
        """Numbers (n, count) and attributes (n, 4) of training people, and a function that gives the scores (n, factor)
        of their latents for attributes (n, 4), some of which may be NaN for untold."""
        self.mean.copy_(rows.mean(0))
        effects, left = self.regression.prepare(attributes)(rows - self.mean)
        self.regression.effects.copy_(effects)
        explained = self.regression(attributes)
        for known in range(len(self.spread)):
            untold = torch.tensor([not known >> i & 1 for i in range(len(ATTRIBUTES))])
            told = attributes.masked_fill(untold, float("nan"))
            missed = (left + explained - self.regression(told)).double()
            found = scores(told).to(missed)
            ridge = _SCORE_RIDGE * torch.eye(found.shape[1]).to(found)
            projection = torch.linalg.solve(found.T @ found + ridge, found.T)  # (factor, people)
            of_scores, own_share = projection @ missed, (found * projection.T).sum(1)
            new = (missed - found @ of_scores) / (1 - own_share)[:, None]  # residuals without oneself
            covariance = new.T @ new / max(len(rows) - 1, 1)
            self.of_scores[known] = of_scores
            self.spread[known] = torch.linalg.cholesky(covariance + 1e-9 * torch.eye(len(covariance)))

    def forward(self, attributes: Tensor, scores: Tensor, noise: Tensor) -> Tensor:
        """Attributes (batch, 4), scores (batch, factor), standard normal numbers (batch, count) -> (batch, count)."""
        parts = (part.split(1) for part in (attributes, scores, noise))
        return torch.stack([self._draw(*person) for person in zip(*parts, strict=True)])

    def _draw(self, attributes: Tensor, scores: Tensor, noise: Tensor) -> Tensor:
        """Of one person alone: the same sum in another company rounds otherwise, and a body moves with it."""
        known = sum(1 << i for i, value in enumerate(attributes[0].tolist()) if not isnan(value))
        drawn = scores.to(self.mean) @ self.of_scores[known] + noise.to(self.mean) @ self.spread[known].T
        return (self.mean + self.regression(attributes) + drawn)[0]
