"""Mean absolute errors with bootstrap intervals that resample patients, not images.

Two synthetic images of one patient share attributes and are not independent: the patient is the unit that is
resampled (the *cluster*), together with all images made for this patient. killeen2025 resamples images; where
every patient has one image the two agree.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from vctlib.errors import InputError
from vctlib.trial.accelerated import accelerated

# How replicates become an interval: "bca" first corrects them for bias, skew and few patients (`accelerated`);
# "percentile" takes them as they are, as the paper does. What either is worth is measured by study 21.
Method = Literal["percentile", "bca"]


@dataclass(frozen=True)
class Estimate:
    """A value with its bootstrap standard error and interval, in the unit of the errors."""

    value: float
    low: float
    high: float
    standard_error: float
    n: int  # images
    n_clusters: int  # patients


def _numbers(values: np.ndarray, what: str) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or values.size == 0:
        raise InputError(f"{what} must be a non-empty list of numbers")
    if not np.isfinite(values).all():
        raise InputError(f"{what} hold {int((~np.isfinite(values)).sum())} values that are not finite numbers")
    return values


def _cluster_names(clusters: np.ndarray | None, n: int) -> np.ndarray:
    names = np.arange(n).astype(str) if clusters is None else np.asarray(clusters).astype(str)
    if names.shape != (n,):
        raise InputError(f"{n} errors come with {names.size} patient names; there must be one name an error")
    return names


def resample_clusters(n_clusters: int, n_resamples: int, rng: np.random.Generator) -> np.ndarray:
    """How often each cluster is drawn in each resample; shape (n_resamples, n_clusters)."""
    return rng.multinomial(n_clusters, np.full(n_clusters, 1 / n_clusters), size=n_resamples).astype(float)


def _sums(values: np.ndarray, names: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Sum of `values` for every cluster name in the sorted array `order`."""
    return np.bincount(np.searchsorted(order, names), weights=values, minlength=len(order))


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Elementwise ratio without the resamples that hold no weight at all."""
    keep = denominator > 0
    if not keep.any():
        raise InputError("every resample is without weight; too few people carry the weights")
    return numerator[keep] / denominator[keep]


def _leave_one_out(sums: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """The ratio of all sums to all totals without each cluster in turn, shape (clusters,)."""
    return (sums.sum() - sums) / np.maximum(totals.sum() - totals, np.finfo(float).tiny)


def percentile_interval(replicates: np.ndarray, level: float) -> tuple[float, float]:
    """Central interval of bootstrap replicates that holds `level` of them."""
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def bootstrap_mae(
    errors: np.ndarray,
    clusters: np.ndarray | None = None,
    n_resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
    weights: np.ndarray | None = None,
    method: Method = "bca",
) -> Estimate:
    """(Weighted) mean absolute error with a patient-clustered bootstrap interval.

    errors: (n,) signed or absolute. clusters: (n,) patient of every error; None means one patient an error.
    weights: (n,) non-negative, as in equation 4, held fixed over the resamples. Raises InputError for numbers that
    are not finite, for weights that sum to nothing and for fewer than two patients. Source: killeen2025 Table 1.
    """
    absolute = np.abs(_numbers(errors, "errors"))
    names = _cluster_names(clusters, absolute.size)
    weights = np.ones_like(absolute) if weights is None else _numbers(weights, "weights")
    if weights.shape != absolute.shape or (weights < 0).any() or weights.sum() == 0:
        raise InputError("weights must be one non-negative number an error, not all of them zero")
    order = np.unique(names)
    if order.size < 2:
        raise InputError("a bootstrap interval needs at least two patients")
    counts = resample_clusters(order.size, n_resamples, np.random.default_rng(seed))
    sums, totals = _sums(weights * absolute, names, order), _sums(weights, names, order)
    replicates = _ratio(counts @ sums, counts @ totals)
    value, spread = float(np.average(absolute, weights=weights)), float(replicates.std())
    if method == "bca":
        replicates = accelerated(replicates, value, [_leave_one_out(sums, totals)])
    low, high = percentile_interval(replicates, level)
    return Estimate(value, low, high, spread, absolute.size, order.size)


@dataclass(frozen=True)
class Difference:
    """A difference of two mean absolute errors, with all its bootstrap replicates."""

    value: float
    low: float
    high: float
    replicates: np.ndarray


def bootstrap_difference(
    errors: np.ndarray,
    clusters: np.ndarray | None,
    reference_errors: np.ndarray,
    reference_clusters: np.ndarray | None,
    n_resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
    method: Method = "bca",
) -> Difference:
    """MAE of one arm less the MAE of a reference arm, with its interval and replicates, corrected by `method`.

    Patients who stand in both arms (a real scan and its reconstruction or its synthetic draws) are resampled in both
    at once, which makes the comparison paired; arms without a common patient are resampled independently. Clusters
    of None are patients of their own. Raises InputError as `bootstrap_mae` does.
    """
    first, second = np.abs(_numbers(errors, "errors")), np.abs(_numbers(reference_errors, "reference errors"))
    first_names = _cluster_names(clusters, first.size)
    second_names = _cluster_names(reference_clusters, second.size)
    if clusters is None or reference_clusters is None:
        second_names = np.char.add("reference ", second_names)
    if np.intersect1d(first_names, second_names).size:
        shared = np.union1d(first_names, second_names)
        first_order = second_order = shared
    else:
        first_order, second_order = np.unique(first_names), np.unique(second_names)
    if min(first_order.size, second_order.size) < 2:
        raise InputError("a bootstrap interval needs at least two patients in each arm")
    rng = np.random.default_rng(seed)
    first_counts = resample_clusters(first_order.size, n_resamples, rng)
    second_counts = (
        first_counts if second_order is first_order else resample_clusters(second_order.size, n_resamples, rng)
    )

    arms = [
        (_sums(absolute, names, order), _sums(np.ones_like(absolute), names, order))
        for absolute, names, order in ((first, first_names, first_order), (second, second_names, second_order))
    ]
    (first_sum, first_n), (second_sum, second_n) = (
        (counts @ sums, counts @ images)
        for counts, (sums, images) in zip((first_counts, second_counts), arms, strict=True)
    )
    keep = (first_n > 0) & (second_n > 0)  # a small arm can be missing from a joint resample
    replicates = first_sum[keep] / first_n[keep] - second_sum[keep] / second_n[keep]
    value = float(first.mean() - second.mean())
    if method == "bca":
        without, reference_without = (_leave_one_out(*arm) for arm in arms)
        paired = second_order is first_order
        replicates = accelerated(
            replicates, value, [without - reference_without] if paired else [without, -reference_without]
        )
    low, high = percentile_interval(replicates, level)
    return Difference(value, low, high, replicates)
