"""People by their categories, as tests of networks want them."""

import torch

from vctlib.attributes import AGE_EDGES, HEIGHT_EDGES, WEIGHT_EDGES

NAN = float("nan")


def typical(categories: torch.Tensor) -> torch.Tensor:
    """Categories (batch, 4), 0 being unknown -> attributes (batch, 4) that lie in them, NaN where unknown."""
    inside = [torch.tensor([NAN, 0.0, 1.0])]
    for edges in (AGE_EDGES, HEIGHT_EDGES, WEIGHT_EDGES):
        inside.append(torch.tensor([NAN, edges[0] - 5.0, *(edge + 5.0 for edge in edges)]))
    return torch.stack([table[column] for table, column in zip(inside, categories.T, strict=True)], dim=1)
