"""Precision, recall, density and coverage: fidelity and diversity of a set of features, each on its own.

One row is one person, so that slices of a person are never each other's neighbours. Each person of a set has a ball
that reaches to its k-th neighbour in that set.
"""

from typing import NamedTuple

import numpy as np
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.neighbors import NearestNeighbors

from vctlib.errors import InputError

K = 5  # neighbours, as naeem2020 has it


class Neighbours(NamedTuple):
    """Shares from 0 to 1, except density, which may pass 1 and is 1 on average for two samples of one population."""

    precision: float  # of the others, in the ball of any reference person: are they plausible?
    recall: float  # of reference people, in the ball of any of the others: could they have been made?
    density: float  # balls of reference people that one of the others lies in, over k; outliers count little
    coverage: float  # of reference people, whose ball holds any of the others; falls where modes are missing


def neighbours(reference: np.ndarray, other: np.ndarray, k: int = K) -> Neighbours:
    """All four of features (people, ...), one person a row; further axes (slices, features) are joined to one vector.

    k is at most one less than the people of a side. Raises InputError for fewer than two people on a side.
    Source: kynkaanniemi2019, equations 1 and 2 (precision, recall); naeem2020, section 3 (density, coverage).
    """
    if min(len(reference), len(other)) < 2:
        raise InputError(f"neighbours need two people on each side; there are {len(reference)} and {len(other)}")
    k = min(k, len(reference) - 1, len(other) - 1)
    reference, other = (np.asarray(side, np.float64).reshape(len(side), -1) for side in (reference, other))
    distance = euclidean_distances(reference, other)
    in_reference = distance <= _radii(reference, k)[:, None]
    in_other = distance <= _radii(other, k)[None, :]
    return Neighbours(
        precision=float(in_reference.any(axis=0).mean()),
        recall=float(in_other.any(axis=1).mean()),
        density=float(in_reference.sum() / (k * len(other))),
        coverage=float(in_reference.any(axis=1).mean()),
    )


def expected_coverage(n_reference: int, n_other: int, k: int = K) -> float:
    """Coverage on average where both sides are of one population, whatever it is. Source: naeem2020, section 3.

    A person is not covered where her k nearest of all n - 1 + m other people are all of her own side.
    """
    i = np.arange(k)
    return float(1 - np.prod((n_reference - 1 - i) / (n_reference + n_other - 1 - i)))


def _radii(people: np.ndarray, k: int) -> np.ndarray:
    """Distance (people,) of each person to the k-th nearest other person of the same set."""
    nearest = NearestNeighbors(n_neighbors=k, metric="precomputed").fit(euclidean_distances(people))
    return nearest.kneighbors()[0][:, -1]  # of the people fitted, each but oneself
