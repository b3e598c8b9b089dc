"""Attributes as networks take them: tensors (batch, 4) of sex (0 female, 1 male), age, height, weight; NaN is unknown.

A network is told either an attribute's category, as the paper does, or its value.

Source: killeen2025 section 4.1.2 (categories with an additional "none").
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vctlib.attributes import AGE_EDGES, ATTRIBUTES, HEIGHT_EDGES, N_CATEGORIES, WEIGHT_EDGES

_EDGES = (AGE_EDGES, HEIGHT_EDGES, WEIGHT_EDGES)
# Penalties on effects, in people: a category of ten people is believed by half, a trend over all people nearly whole.
_CATEGORY_RIDGE, _TREND_RIDGE, _CURVATURE_RIDGE = 10.0, 0.1, 0.5
_PAIRS = [(a, b) for a in range(len(ATTRIBUTES)) for b in range(max(a, 1), len(ATTRIBUTES))]  # sex has no curve
_PLACES = slice(-len(_PAIRS) - len(ATTRIBUTES), -len(_PAIRS))  # where the places stand among the features


def to_categories(attributes: Tensor) -> Tensor:
    """Attributes (batch, 4) -> their categories (batch, 4), int64; 0 is "none"."""
    sex = attributes[:, 0].nan_to_num(-1.0).long() + 1
    others = [
        (
            torch.bucketize(
                values.nan_to_num(), torch.tensor(edges, device=values.device, dtype=values.dtype), right=True
            )
            + 1
        )
        * ~values.isnan()
        for values, edges in zip(attributes.T[1:], _EDGES, strict=True)
    ]
    return torch.stack([sex, *others], 1)


def places(attributes: Tensor, conditioning: str) -> Tensor:
    """Attributes (batch, 4) -> where each lies, its first category being -1 and its last 1; NaN where unknown."""
    attributes = attributes.float()
    if conditioning == "categories":
        counts = torch.tensor([N_CATEGORIES[name] for name in ATTRIBUTES], device=attributes.device)
        found = 2 * (to_categories(attributes).float() - 1) / (counts - 1) - 1
        return found.masked_fill(attributes.isnan(), float("nan"))
    middle = torch.tensor([0.5, *((edges[0] + edges[-1]) / 2 for edges in _EDGES)], device=attributes.device)
    half = torch.tensor([0.5, *((edges[-1] - edges[0]) / 2 for edges in _EDGES)], device=attributes.device)
    return (attributes - middle) / half


def features(
    attributes: Tensor, conditioning: str, lowest: Tensor | None = None, highest: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Attributes (batch, 4) -> what regressions on them use (batch, feature), and 1 where a feature is known, else 0.

    The places, and their squares and products; before these, with "categories", each category as 0 or 1. Bounds
    (feature), where given, hold the places first, so that their squares and products are those of places in them.
    """
    place, known = places(attributes, conditioning), (~attributes.isnan()).float()
    if lowest is not None:
        place = place.maximum(lowest[_PLACES]).minimum(highest[_PLACES])
    place = place.nan_to_num()
    found = [place, *((place[:, a] * place[:, b])[:, None] for a, b in _PAIRS)]
    masks = [known, *((known[:, a] * known[:, b])[:, None] for a, b in _PAIRS)]
    if conditioning == "categories":
        categories = to_categories(attributes)
        for i, name in reversed(list(enumerate(ATTRIBUTES))):
            found.insert(0, F.one_hot(categories[:, i], N_CATEGORIES[name] + 1)[:, 1:].float())
            masks.insert(0, known[:, i : i + 1].expand(-1, N_CATEGORIES[name]))
    return torch.cat(found, 1), torch.cat(masks, 1)


def penalties(conditioning: str) -> Tensor:
    """The ridge penalty of each of the `features`, in people; float64."""
    categories = sum(N_CATEGORIES.values()) if conditioning == "categories" else 0
    ridges = [_CATEGORY_RIDGE] * categories + [_TREND_RIDGE] * len(ATTRIBUTES) + [_CURVATURE_RIDGE] * len(_PAIRS)
    return torch.tensor(ridges, dtype=torch.float64)


class AttributeRegression(nn.Module):
    """Ridge regression of quantities on the features of attributes; of unknown attributes, the mean.

    Fitted on residuals from the mean; beyond the features seen in the fit, the nearest seen ones are used.
    """

    def __init__(self, conditioning: str, shape: tuple[int, ...]):
        super().__init__()
        self.conditioning = conditioning
        count = len(penalties(conditioning))
        self.register_buffer("centre", torch.zeros(count))
        self.register_buffer("lowest", torch.full((count,), -torch.inf))
        self.register_buffer("highest", torch.full((count,), torch.inf))
        self.register_buffer("effects", torch.zeros(count, *shape))

    def prepare(self, attributes: Tensor):
        """Attributes of training people (n, 4) -> a function: quantities (n, k) about their mean -> their effects
        (features, k) and leave-one-out residuals (n, k).

        Residuals of people in the fit are too small to tell how much a new person differs; dividing by one less the
        leverage gives exactly what a fit without that person would leave.
        """
        found, known = features(attributes, self.conditioning)
        self.centre.copy_((found * known).sum(0) / known.sum(0).clamp_min(1))
        unknown, seen = known == 0, known.any(0)  # what is unknown stands as 0, which nobody need have had
        self.lowest.copy_(found.masked_fill(unknown, torch.inf).amin(0).where(seen, 0.0))
        self.highest.copy_(found.masked_fill(unknown, -torch.inf).amax(0).where(seen, 0.0))
        centred = ((found - self.centre) * known).double()
        gram = centred.T @ centred + penalties(self.conditioning).to(centred.device).diag()
        projection = torch.linalg.solve(gram, centred.T)  # (features, people)
        leverage = (centred * projection.T).sum(1) + 1 / len(centred)  # and that of the mean

        def solve(residual: Tensor) -> tuple[Tensor, Tensor]:
            effects = projection.float() @ residual
            return effects, (residual - centred.float() @ effects) / (1 - leverage).float()[:, None]

        return solve

    def forward(self, attributes: Tensor) -> Tensor:
        """Attributes (batch, 4) -> what to add to the mean (batch, *shape), float32."""
        found, known = features(attributes, self.conditioning, self.lowest, self.highest)
        found = (found.maximum(self.lowest).minimum(self.highest) - self.centre) * known
        with torch.autocast(found.device.type, enabled=False):
            return (found @ self.effects.flatten(1)).view(-1, *self.effects.shape[1:])


class AttributeEmbedding(nn.Module):
    """Attributes (batch, 4) -> embedding (batch, out): each a vector of its own, joined and mixed.

    A learned vector for each category, "none" included; with "values", a network of the value, or of its absence.
    """

    def __init__(self, conditioning: str, embedding_size: int, out: int):
        super().__init__()
        self.conditioning = conditioning
        if conditioning == "categories":
            tables = (nn.Embedding(N_CATEGORIES[name] + 1, embedding_size) for name in ATTRIBUTES)
        else:
            tables = (nn.Sequential(nn.Linear(2, embedding_size), nn.SiLU()) for _ in ATTRIBUTES)
        self.tables = nn.ModuleList(tables)
        self.mix = nn.Sequential(nn.Linear(embedding_size * len(ATTRIBUTES), out), nn.SiLU(), nn.Linear(out, out))

    def forward(self, attributes: Tensor) -> Tensor:
        if self.conditioning == "categories":
            inputs = to_categories(attributes)
        else:
            inputs = torch.stack([places(attributes, "values").nan_to_num(), (~attributes.isnan()).float()], 2)
        return self.mix(torch.cat([table(inputs[:, i]) for i, table in enumerate(self.tables)], dim=1))
