"""How large a body is, where it lies, how fat it is, how dense its bones and of what shape, given its attributes and
latents."""

from collections.abc import Callable

import torch
from torch import Tensor

from vctlib.networks.body_frame import NUMBERS, Placement
from vctlib.networks.conditional_gaussian import ConditionalGaussian


class PlacementModel(ConditionalGaussian):
    """Placements as rows of `Placement.numbers` (n, 7 + shapes), size and girth on a logarithmic scale."""

    def __init__(self, conditioning: str, n_factors: int, n_shapes: int = 0):
        super().__init__(conditioning, n_factors, NUMBERS + n_shapes)
        self.count = NUMBERS + n_shapes

    def fit(self, placements: Tensor, attributes: Tensor, scores: Callable[[Tensor], Tensor]) -> None:
        """As for any numbers; placements (n, 7 + shapes) as they are."""
        super().fit(_logarithmic(placements.double()).float(), attributes, scores)

    def draw(self, attributes: Tensor, scores: Tensor, noise: Tensor) -> list[Placement]:
        """Attributes (batch, 4), scores (batch, factor) and standard normal numbers (batch, 7 + shapes) -> a placement
        each."""
        rows = self(attributes, scores, noise)
        return [Placement.of(row) for row in torch.cat([rows[:, :2].exp(), rows[:, 2:]], dim=1).tolist()]


def _logarithmic(placements: Tensor) -> Tensor:
    return torch.cat([placements[:, :2].log(), placements[:, 2:]], dim=1)
