"""How well scores rank who has a condition above who has not: AUC with intervals that resample patients.

AUC is the share of pairs of an image with the condition and one without in which the first has the higher score, ties
counting half. Resamples draw patients with all their images, as in `bootstrap`, whose intervals are made alike.
"""

from dataclasses import dataclass

import numpy as np

from vctlib.errors import InputError
from vctlib.trial.accelerated import accelerated
from vctlib.trial.bootstrap import Difference, Estimate, Method, percentile_interval, resample_clusters


@dataclass(frozen=True)
class _Pairs:
    """Of one arm: for patients p and q, how many pairs of an image of p with the condition and one of q without are
    ranked the right way (n, n), and how many images of both kinds each has (n,). Names are sorted."""

    names: np.ndarray
    right: np.ndarray
    positive: np.ndarray
    negative: np.ndarray

    def auc(self, counts: np.ndarray) -> np.ndarray:
        """AUC of resamples, from how often each patient is drawn (resamples, n); NaN where all are of one kind."""
        pairs = (counts @ self.positive) * (counts @ self.negative)
        right = np.einsum("rp,rp->r", counts @ self.right, counts)
        return np.divide(right, pairs, out=np.full(len(counts), np.nan), where=pairs > 0)

    def without_each(self) -> np.ndarray:
        """AUC without each patient in turn (n,)."""
        return self.auc(1.0 - np.eye(len(self.names)))


def _pairs(scores: np.ndarray, truth: np.ndarray, clusters: np.ndarray | None, names: np.ndarray | None) -> _Pairs:
    scores, truth = np.asarray(scores, float), np.asarray(truth, float)
    if scores.ndim != 1 or scores.shape != truth.shape or scores.size == 0:
        raise InputError(f"{scores.size} scores come with {truth.size} truths; there must be one of each an image")
    if not np.isfinite(scores).all():
        raise InputError(f"scores hold {int((~np.isfinite(scores)).sum())} values that are not finite numbers")
    others = sorted(set(truth.tolist()) - {0.0, 1.0})
    if others:
        raise InputError(f"an AUC needs truths of 0 and 1; there is {others[0]:g}")
    clusters = np.arange(scores.size).astype(str) if clusters is None else np.asarray(clusters).astype(str)
    names = np.unique(clusters) if names is None else names
    of = np.searchsorted(names, clusters)
    membership = np.zeros((len(names), scores.size))
    membership[of, np.arange(scores.size)] = 1
    higher = (scores[:, None] > scores[None, :]) + 0.5 * (scores[:, None] == scores[None, :])
    kind = truth == 1
    right = membership[:, kind] @ higher[np.ix_(kind, ~kind)] @ membership[:, ~kind].T
    return _Pairs(names, right, membership[:, kind].sum(1), membership[:, ~kind].sum(1))


def can_rank(truth: np.ndarray, clusters: np.ndarray) -> bool:
    """Whether there are at least two patients with an image of each kind, so that each can be left out."""
    truth, clusters = np.asarray(truth, float), np.asarray(clusters).astype(str)
    return all(len(set(clusters[truth == kind])) >= 2 for kind in (0, 1))


def _require_both(pairs: _Pairs) -> None:
    if min(np.count_nonzero(pairs.positive), np.count_nonzero(pairs.negative)) < 2:
        raise InputError("an interval of an AUC needs at least two patients with the condition and two without")


def bootstrap_auc(
    scores: np.ndarray,
    truth: np.ndarray,
    clusters: np.ndarray | None = None,
    n_resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
    method: Method = "bca",
) -> Estimate:
    """AUC with a patient-clustered bootstrap interval.

    scores, truth (0 or 1), clusters: (n,), one an image; clusters of None are patients of their own. Resamples without
    both kinds are left out. Raises InputError for other truths, scores that are not finite, and fewer than two patients
    of either kind.
    """
    pairs = _pairs(scores, truth, clusters, None)
    _require_both(pairs)
    replicates = pairs.auc(resample_clusters(len(pairs.names), n_resamples, np.random.default_rng(seed)))
    replicates = replicates[np.isfinite(replicates)]
    value, spread = float(pairs.auc(np.ones((1, len(pairs.names))))[0]), float(replicates.std())
    if method == "bca":
        replicates = accelerated(replicates, value, [pairs.without_each()])
    low, high = percentile_interval(replicates, level)
    return Estimate(value, low, high, spread, len(np.atleast_1d(scores)), len(pairs.names))


def bootstrap_auc_difference(
    scores: np.ndarray,
    truth: np.ndarray,
    clusters: np.ndarray,
    reference_scores: np.ndarray,
    reference_truth: np.ndarray,
    reference_clusters: np.ndarray,
    n_resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
    method: Method = "bca",
) -> Difference:
    """AUC of one arm less that of a reference arm, paired where a patient stands in both; as `bootstrap_difference`."""
    own, theirs = np.asarray(clusters).astype(str), np.asarray(reference_clusters).astype(str)
    paired = bool(np.intersect1d(own, theirs).size)
    shared = np.union1d(own, theirs) if paired else None
    first = _pairs(scores, truth, own, shared)
    second = _pairs(reference_scores, reference_truth, theirs, shared)
    _require_both(first)
    _require_both(second)
    rng = np.random.default_rng(seed)
    counts = resample_clusters(len(first.names), n_resamples, rng)
    reference_counts = counts if paired else resample_clusters(len(second.names), n_resamples, rng)
    replicates = first.auc(counts) - second.auc(reference_counts)
    replicates = replicates[np.isfinite(replicates)]
    value = float(first.auc(np.ones((1, len(first.names))))[0] - second.auc(np.ones((1, len(second.names))))[0])
    if method == "bca":
        left_out = [first.without_each(), second.without_each()]
        left_out = [left_out[0] - left_out[1]] if paired else [left_out[0], -left_out[1]]
        replicates = accelerated(replicates, value, left_out)
    low, high = percentile_interval(replicates, level)
    return Difference(value, low, high, replicates)
