"""The baseline of the paper: errors on real ID people, weighted by how much each resembles the OOD population.

Needs no OOD image, only the attributes of the people there. Source: killeen2025 section 4.3.2, equations 4-6.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier

from vctlib.attributes import ATTRIBUTES, Attributes
from vctlib.errors import InputError
from vctlib.trial.bootstrap import Estimate, Method, bootstrap_mae

N_TREES = 100  # killeen2025 section 4.3.2
MINIMUM_LEAF = 10  # samples a leaf; killeen2025 section 4.3.2


@dataclass(frozen=True)
class WeightedEstimate:
    """What the baseline predicts for the OOD population, and how far it can be trusted."""

    mae: Estimate
    weights: np.ndarray  # one an ID person, equation 6
    effective_sample_size: float  # (sum w)^2 / sum w^2, as many equally weighted people say as much; kish1965
    accuracy: float  # of the forest on the people it was trained on
    accuracy_out_of_bag: float  # of each tree on the people it did not see
    n_capped: int  # people whom every tree called OOD
    heaviest_tenth: float  # share of all weight that the heaviest tenth of people carry; 0.1 where all weigh alike
    largest: float  # weight of the heaviest person, as a multiple of the mean


def attribute_categories(frame: pd.DataFrame) -> np.ndarray:
    """Categories of sex, age, height and weight, one row a person; shape (rows, 4), 0 is "none"."""
    return np.array([Attributes.from_row(row).categories() for _, row in frame.iterrows()]).reshape(-1, len(ATTRIBUTES))


def importance_weights(p_ood: np.ndarray, id_share: float, n_trees: int = N_TREES) -> np.ndarray:
    """Equation 6: w = p(OOD|a) / (1 - p(OOD|a)) * p(ID) / p(OOD), shape (n,).

    p_ood: (n,) shares of trees that vote OOD. id_share: p(ID). Where all trees vote OOD the weight would be infinite;
    such a person counts as if half a tree had voted ID, beyond any share that can be counted but finite.
    """
    if not 0 < id_share < 1:
        raise InputError(f"id_share is {id_share}; it must lie between 0 and 1")
    p_ood = np.minimum(np.asarray(p_ood, float), 1 - 0.5 / n_trees)
    return p_ood / (1 - p_ood) * id_share / (1 - id_share)


def _votes(forest: RandomForestClassifier, features: np.ndarray) -> np.ndarray:
    """Share of trees that call each row OOD. (`predict_proba` would average leaf shares, which is something else.)"""
    return np.mean([tree.predict(features) for tree in forest.estimators_], axis=0)


def weighted_estimate(
    id_people: pd.DataFrame,
    ood_people: pd.DataFrame,
    id_errors: np.ndarray,
    id_share: float,
    *,
    clusters: np.ndarray | None = None,
    n_resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
    method: Method = "bca",
) -> WeightedEstimate:
    """Importance-weighted MAE of ID errors as a forecast for the OOD population.

    id_people, ood_people: tables with the four attribute columns, one row a person, the ID rows in the order of
    `id_errors` (n,). id_share: the share of ID people in the whole population, p(ID). The interval resamples people
    with their weights held fixed. The paper trains the forest on the very people whom it then weights; so do we, and
    its out-of-bag accuracy stands beside the accuracy on them. With fewer than 20 people in all no tree can split,
    all weights are equal and the accuracy shows it. Raises InputError for missing columns, for fewer than two people
    of a population, and where no ID person resembles an OOD person at all.
    """
    id_errors = np.asarray(id_errors, float)
    if len(id_people) != id_errors.size:
        raise InputError(f"{len(id_people)} ID people come with {id_errors.size} errors")
    if min(len(id_people), len(ood_people)) < 2:
        raise InputError(
            "importance weighting needs at least two ID and two OOD people; "
            f"there are {len(id_people)} and {len(ood_people)}"
        )
    features = np.concatenate([attribute_categories(id_people), attribute_categories(ood_people)])
    is_ood = np.repeat([0, 1], [len(id_people), len(ood_people)])
    forest = RandomForestClassifier(N_TREES, min_samples_leaf=MINIMUM_LEAF, oob_score=True, random_state=seed)
    forest.fit(features, is_ood)
    votes = _votes(forest, features)
    id_votes = votes[: len(id_people)]
    if not id_votes.any():
        raise InputError("no ID person resembles the OOD population; weighting cannot say anything about it")
    weights = importance_weights(id_votes, id_share)
    return WeightedEstimate(
        mae=bootstrap_mae(id_errors, clusters, n_resamples, seed, level, weights, method),
        weights=weights,
        effective_sample_size=float(weights.sum() ** 2 / (weights**2).sum()),
        accuracy=float(np.mean((votes > 0.5) == is_ood)),
        accuracy_out_of_bag=float(forest.oob_score_),
        n_capped=int(np.count_nonzero(id_votes == 1)),
        heaviest_tenth=float(np.sort(weights)[-max(round(weights.size / 10), 1) :].sum() / weights.sum()),
        largest=float(weights.max() / weights.mean()),
    )
