"""Fréchet distance between two sets of image features, with the distance that real images have among themselves.

The distance of heusel2017 compares the mean and covariance of features. It is biased upwards at small n: two halves
of the same real images are not at distance zero. So a distance is read beside `real_to_real` at the same n, and is
named after the network that gave the features; figures of different networks, n or references do not compare.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from sklearn.covariance import ledoit_wolf

from vctlib.errors import InputError

Covariance = Literal["sample", "ledoit_wolf"]


@dataclass(frozen=True)
class FrechetDistance:
    """A distance and what it rests on; `interval95` spans the random draws, so it is of resampling, not a test."""

    value: float
    interval95: tuple[float, float] | None
    n: int  # rows of features on each side (the smaller side, without resampling)
    n_features: int
    covariance: Covariance

    @property
    def name(self) -> str:
        shrunk = ", Ledoit-Wolf covariance" if self.covariance == "ledoit_wolf" else ""
        return f"Fréchet distance (n = {self.n}{shrunk})"


def distance_between_gaussians(mean_1, covariance_1, mean_2, covariance_2) -> float:
    """Squared 2-Wasserstein distance of two Gaussians: means (d,), covariances (d, d); never negative.

    |m1 - m2|^2 + tr(C1 + C2) - 2 tr((C1^1/2 C2 C1^1/2)^1/2). This symmetric form has real eigenvalues, which the
    usual square root of C1 C2 has not at float precision. Source: dowson1982; heusel2017, equation 6.
    """
    mean_1, mean_2 = np.asarray(mean_1, np.float64), np.asarray(mean_2, np.float64)
    covariance_1, covariance_2 = np.asarray(covariance_1, np.float64), np.asarray(covariance_2, np.float64)
    values, vectors = np.linalg.eigh(covariance_1)
    root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    middle = root @ covariance_2 @ root
    overlap = np.sqrt(np.linalg.eigvalsh((middle + middle.T) / 2).clip(min=0)).sum()
    squared = np.square(mean_1 - mean_2).sum() + np.trace(covariance_1) + np.trace(covariance_2) - 2 * overlap
    return float(max(squared, 0.0))


def frechet_distance(reference: np.ndarray, other: np.ndarray, covariance: Covariance | None = None) -> FrechetDistance:
    """Distance of two feature sets, (people, features) or (people, slices, features).

    `covariance`: "sample", or "ledoit_wolf" (shrunk towards a multiple of the identity; ledoit2004). By default
    shrunk, and named so, where either side has fewer rows than features and the sample covariance is singular.
    Raises InputError for fewer than two rows, NaN, or sides of different width.
    """
    reference, other = _rows(reference), _rows(other)
    n, n_features = min(len(reference), len(other)), reference.shape[1]
    if other.shape[1] != n_features:
        raise InputError(f"the two sets have {n_features} and {other.shape[1]} features; use one network for both")
    covariance = covariance or ("sample" if n > n_features else "ledoit_wolf")
    (mean_1, covariance_1, rest_1), (mean_2, covariance_2, rest_2) = (
        _moments(s, covariance) for s in (reference, other)
    )
    outside = 0.0
    if len(reference) + len(other) < n_features:
        # Perpendicular to all rows both covariances are multiples of the identity: the rest takes fewer dimensions.
        basis = np.linalg.qr(np.concatenate([reference, other]).T)[0]
        outside = (n_features - basis.shape[1]) * (np.sqrt(rest_1) - np.sqrt(rest_2)) ** 2
        mean_1, mean_2 = mean_1 @ basis, mean_2 @ basis
        covariance_1, covariance_2 = basis.T @ covariance_1 @ basis, basis.T @ covariance_2 @ basis
    value = distance_between_gaussians(mean_1, covariance_1, mean_2, covariance_2) + outside
    return FrechetDistance(float(value), None, n, n_features, covariance)


def real_to_real(features: np.ndarray, n_people: int | None = None, draws: int = 10, seed: int = 0) -> FrechetDistance:
    """Floor: distance between two disjoint random sets of `n_people` of the same real people (by default halves).

    `features`: (people, features) or (people, slices, features); slices of a person never go to both sides.
    """
    rng, half = np.random.default_rng(seed), n_people or len(features) // 2
    if half < 2 or 2 * half > len(features):
        raise InputError(f"two disjoint sets of {half} people cannot be drawn from {len(features)}")
    orders = [rng.permutation(len(features)) for _ in range(draws)]
    return _over_draws([frechet_distance(features[o[:half]], features[o[half : 2 * half]]) for o in orders])


def at_same_n(
    reference: np.ndarray, other: np.ndarray, n_people: int, draws: int = 10, seed: int = 0
) -> FrechetDistance:
    """Distance between random sets of `n_people` of each side: what to hold against `real_to_real` of that size."""
    if min(len(reference), len(other)) < n_people:
        raise InputError(f"{n_people} people asked for, there are {len(reference)} and {len(other)}")
    rng = np.random.default_rng(seed)

    def draw(features: np.ndarray) -> np.ndarray:
        return features[rng.permutation(len(features))[:n_people]]

    return _over_draws([frechet_distance(draw(reference), draw(other)) for _ in range(draws)])


def _over_draws(distances: list[FrechetDistance]) -> FrechetDistance:
    values, first = [distance.value for distance in distances], distances[0]
    low, high = np.percentile(values, [2.5, 97.5])
    interval = (float(low), float(high))
    return FrechetDistance(float(np.mean(values)), interval, first.n, first.n_features, first.covariance)


def _rows(features: np.ndarray) -> np.ndarray:
    features = np.asarray(features, np.float64)
    if features.ndim not in (2, 3):
        raise InputError(f"features must be (people, features) or (people, slices, features), not {features.shape}")
    rows = features.reshape(-1, features.shape[-1])
    if len(rows) < 2 or not np.isfinite(rows).all():
        raise InputError(f"a Fréchet distance needs at least 2 rows of finite features; there are {len(rows)}")
    return rows


def _moments(rows: np.ndarray, covariance: Covariance) -> tuple[np.ndarray, np.ndarray, float]:
    """Mean (d,), covariance (d, d), and the variance in directions in which the rows do not vary."""
    if covariance == "ledoit_wolf":
        shrunk, shrinkage = ledoit_wolf(rows)
        shrinkage = max(shrinkage, 0.0)  # of rows that take two values alone, it is below by rounding
        return rows.mean(axis=0), shrunk, shrinkage * np.trace(shrunk) / len(shrunk)
    return rows.mean(axis=0), np.atleast_2d(np.cov(rows, rowvar=False)), 0.0
