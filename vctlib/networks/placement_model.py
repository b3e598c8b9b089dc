"""How large a body is, where it lies, how fat it is and how dense its bones, given its attributes and latents."""

from collections.abc import Callable

import torch
from torch import Tensor

from vctlib.networks.body_frame import Placement
from vctlib.networks.conditional_gaussian import ConditionalGaussian


class PlacementModel(ConditionalGaussian):
    """Placements (n, 7), size and girth on a logarithmic scale."""

    def __init__(self, conditioning: str, n_factors: int):
        super().__init__(conditioning, n_factors, len(Placement._fields))

    def fit(self, placements: Tensor, attributes: Tensor, scores: Callable[[Tensor], Tensor]) -> None:
        """As for any numbers; placements (n, 7) as they are."""
        super().fit(_logarithmic(placements.double()).float(), attributes, scores)

    def draw(self, attributes: Tensor, scores: Tensor, noise: Tensor) -> list[Placement]:
        """Attributes (batch, 4), scores (batch, factor) and standard normal numbers (batch, 7) -> a placement each."""
        rows = self(attributes, scores, noise)
        return [Placement(*row) for row in torch.cat([rows[:, :2].exp(), rows[:, 2:]], dim=1).tolist()]


def _logarithmic(placements: Tensor) -> Tensor:
    return torch.cat([placements[:, :2].log(), placements[:, 2:]], dim=1)
