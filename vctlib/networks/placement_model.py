"""How large a body is, where it lies, how fat it is and how dense its bones: drawn for attributes and latents.

Latents in a frame that goes with the body say little of its size, and their decoder averages away how fat a body is.
But people's latents and placements go together - a large head in the frame is a short body's - and a body whose
placement were drawn without regard to its latents would be nobody's.
"""

from collections.abc import Callable
from math import isnan

import torch
from torch import Tensor, nn

from vctlib.attributes import ATTRIBUTES
from vctlib.networks.body_frame import Placement
from vctlib.networks.conditions import AttributeRegression

_SCORE_RIDGE = 30.0  # people: held-out placements were predicted about as well with a third and with three times this


class PlacementModel(nn.Module):
    """Placements (n, 7) given attributes and the latents' scores on `n_factors` of the prior: Gaussian about a ridge
    regression on attributes and a second one, of what is left, on scores; size and girth on a logarithmic scale.

    Of whom less is known, more is left to the latents, and more spread is drawn.
    """

    def __init__(self, conditioning: str, n_factors: int):
        super().__init__()
        count, known = len(Placement._fields), 2 ** len(ATTRIBUTES)  # each combination of known attributes
        self.register_buffer("mean", torch.zeros(count))
        self.register_buffer("of_scores", torch.zeros(known, n_factors, count))
        self.register_buffer("spread", torch.zeros(known, count, count))  # Cholesky factors of what is left at last
        self.regression = AttributeRegression(conditioning, (count,))

    @torch.no_grad()
    def fit(self, placements: Tensor, attributes: Tensor, scores: Callable[[Tensor], Tensor]) -> None:
        """Placements (n, 7) and attributes (n, 4) of training people, and a function that gives the scores (n, factor)
        of their latents for attributes (n, 4), some of which may be NaN for untold."""
        rows = _logarithmic(placements.double()).float()
        self.mean.copy_(rows.mean(0))
        effects, left = self.regression.prepare(attributes)(rows - self.mean)
        self.regression.effects.copy_(effects)
        explained = self.regression(attributes)
        for known in range(len(self.spread)):
            untold = torch.tensor([not known >> i & 1 for i in range(len(ATTRIBUTES))])
            told = attributes.masked_fill(untold, float("nan"))
            missed = (left + explained - self.regression(told)).double()
            found = scores(told).to(missed)
            projection = torch.linalg.solve(
                found.T @ found + _SCORE_RIDGE * torch.eye(found.shape[1]).to(found), found.T
            )
            of_scores, own_share = projection @ missed, (found * projection.T).sum(1)
            new = (missed - found @ of_scores) / (1 - own_share)[:, None]  # residuals without oneself
            covariance = new.T @ new / max(len(rows) - 1, 1)
            self.of_scores[known] = of_scores
            self.spread[known] = torch.linalg.cholesky(covariance + 1e-9 * torch.eye(len(covariance)))

    def forward(self, attributes: Tensor, scores: Tensor, noise: Tensor) -> list[Placement]:
        """Attributes (batch, 4), scores (batch, factor) and standard normal numbers (batch, 7) -> a placement each."""
        parts = (part.split(1) for part in (attributes, scores, noise))
        return [self._place(*person) for person in zip(*parts, strict=True)]

    def _place(self, attributes: Tensor, scores: Tensor, noise: Tensor) -> Placement:
        """Of one person alone: the same sum in another company rounds otherwise, and a body moves with it."""
        known = sum(1 << i for i, value in enumerate(attributes[0].tolist()) if not isnan(value))
        drawn = scores.to(self.mean) @ self.of_scores[known] + noise.to(self.mean) @ self.spread[known].T
        row = (self.mean + self.regression(attributes) + drawn)[0]
        return Placement(*torch.cat([row[:2].exp(), row[2:]]).tolist())


def _logarithmic(placements: Tensor) -> Tensor:
    return torch.cat([placements[:, :2].log(), placements[:, 2:]], dim=1)
