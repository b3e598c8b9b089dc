"""What the generator's picture alone does to a model's errors, and synthetic errors without it.

A model errs differently on a synthetic body for two reasons: the body is of another population, which is what a trial
asks, and its picture is none of a CT scanner, which is not. The second can be seen apart wherever there are labelled
CTs, if only of the people whom the model was made for: their reconstructions went through the same networks and are the
same bodies. On the assumption that the picture adds to an error independently of what the error is on a CT, it adds its
mean and its variance (the moments of a classical measurement error, fuller1987), and both can be taken away again.

What a sampled body's picture adds beyond that of a reconstruction stays.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from vctlib.errors import InputError
from vctlib.trial.accelerated import accelerated
from vctlib.trial.bootstrap import Difference, Estimate, percentile_interval, resample_clusters
from vctlib.trial.split import MINIMUM_PEOPLE

_Statistic = Callable[[np.ndarray, np.ndarray], np.ndarray]  # of weights (r, people) and (r, calibrating): (r,)
CALIBRATED = "calibrated"  # the synthetic arm without what the picture adds
_PARTS = 20  # in which resamples are worked through, to save memory
_LEAST = 0.05  # share of the variance of synthetic errors that is left at least


class PictureError(NamedTuple):
    """In the unit of the errors, and its square."""

    shift: float  # mean error on reconstructions less that on the CTs of the same people
    variance: float  # of errors on reconstructions less that of errors on CTs, at least 0


def picture_error(on_ct: np.ndarray, on_reconstruction: np.ndarray) -> PictureError:
    """From the signed errors of the same people (n,), in the same order. Raises InputError for fewer than
    `MINIMUM_PEOPLE` people, lists of two lengths and numbers that are not finite."""
    on_ct, on_reconstruction = _pairs(on_ct, on_reconstruction)
    shift, variance = _moments(on_ct, on_reconstruction, np.ones((1, on_ct.size)))
    return PictureError(float(shift[0]), float(variance[0]))


def without_picture(errors: np.ndarray, picture: PictureError) -> np.ndarray:
    """Signed errors on synthetic bodies (n,) less what the picture adds: moved by its shift, and drawn to their mean
    until its variance is gone, or all but a twentieth of theirs."""
    errors = np.asarray(errors, float) - picture.shift
    mean, spread = errors.mean(), errors.var()
    kept = np.sqrt(max(1.0 - picture.variance / spread, _LEAST)) if spread > 0 else 1.0
    return mean + kept * (errors - mean)


def bootstrap_calibrated_mae(
    errors: np.ndarray,
    clusters: np.ndarray,
    on_ct: np.ndarray,
    on_reconstruction: np.ndarray,
    n_resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
) -> Estimate:
    """Mean absolute error of `without_picture`, with a corrected (BCa) interval that resamples synthetic people and the
    people who tell the picture's error, so that it knows how few these are.

    errors, clusters: (n,) signed errors and the person of each; on_ct, on_reconstruction as of `picture_error`. Nobody
    should be in both groups. Raises InputError as `picture_error` does, and for fewer than two synthetic people.
    """
    on_ct, on_reconstruction = _pairs(on_ct, on_reconstruction)
    errors, person, names = _of_people(errors, clusters, "synthetic")

    def maes(of_people: np.ndarray, of_calibrating: np.ndarray) -> np.ndarray:
        return _calibrated_maes(errors, of_people[:, person], _moments(on_ct, on_reconstruction, of_calibrating))

    value, replicates = _bootstrap(maes, names.size, on_ct.size, n_resamples, seed)
    low, high = percentile_interval(replicates, level)
    return Estimate(value, low, high, float(replicates.std()), errors.size, names.size)


def bootstrap_calibrated_difference(
    errors: np.ndarray,
    clusters: np.ndarray,
    on_ct: np.ndarray,
    on_reconstruction: np.ndarray,
    real_errors: np.ndarray,
    real_clusters: np.ndarray,
    n_resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
) -> Difference:
    """The same less the mean absolute error of real images of the very people whom the synthetic ones stand for; both
    are resampled together. Raises InputError where somebody is in one of the two groups alone."""
    on_ct, on_reconstruction = _pairs(on_ct, on_reconstruction)
    errors, person, names = _of_people(errors, clusters, "synthetic")
    real_errors, real_person, real_names = _of_people(real_errors, real_clusters, "real")
    if not np.array_equal(names, real_names):
        raise InputError("synthetic and real images must be of the same people")

    def gaps(of_people: np.ndarray, of_calibrating: np.ndarray) -> np.ndarray:
        moments = _moments(on_ct, on_reconstruction, of_calibrating)
        weights = of_people[:, real_person]
        real = (weights @ np.abs(real_errors)) / weights.sum(1)
        return _calibrated_maes(errors, of_people[:, person], moments) - real

    value, replicates = _bootstrap(gaps, names.size, on_ct.size, n_resamples, seed)
    return Difference(value, *percentile_interval(replicates, level), replicates)


def _of_people(errors: np.ndarray, clusters: np.ndarray, what: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Errors, the number of each one's person, and the people's names."""
    errors = np.asarray(errors, float)
    names, person = np.unique(np.asarray(clusters).astype(str), return_inverse=True)
    if len(person) != errors.size or not np.isfinite(errors).all() or names.size < 2:
        raise InputError(f"{what} errors must be finite numbers, each with its person, of two people at least")
    return errors, person, names


def _calibrated_maes(errors: np.ndarray, weights: np.ndarray, moments: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """For every row of weights (r, n) and pair of moments (r,), the mean absolute error of `without_picture`."""
    shift, variance = moments
    weights = weights / weights.sum(1, keepdims=True)
    mean = weights @ errors
    spread = np.maximum(weights @ errors**2 - mean**2, np.finfo(float).tiny)
    kept = np.sqrt(np.maximum(1.0 - variance / spread, _LEAST))
    moved = (mean - shift)[:, None] + kept[:, None] * (errors - mean[:, None])
    return (weights * np.abs(moved)).sum(1)


def _bootstrap(
    statistic: _Statistic, people: int, calibrating: int, n_resamples: int, seed: int
) -> tuple[float, np.ndarray]:
    """Value and corrected replicates of a statistic of how often each person of both groups is drawn."""
    rng = np.random.default_rng(seed)
    counts = [resample_clusters(size, n_resamples, rng) for size in (people, calibrating)]
    value = float(statistic(np.ones((1, people)), np.ones((1, calibrating)))[0])
    parts = zip(*(np.array_split(each, _PARTS) for each in counts), strict=True)
    replicates = np.concatenate([statistic(*part) for part in parts])
    left_out = [
        statistic(1.0 - np.eye(people), np.ones((people, calibrating))),
        statistic(np.ones((calibrating, people)), 1.0 - np.eye(calibrating)),
    ]
    return value, accelerated(replicates, value, left_out)


def _pairs(on_ct: np.ndarray, on_reconstruction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    on_ct, on_reconstruction = np.asarray(on_ct, float), np.asarray(on_reconstruction, float)
    if on_ct.shape != on_reconstruction.shape or on_ct.ndim != 1:
        raise InputError(f"errors on {on_ct.size} CTs and {on_reconstruction.size} reconstructions are no pairs")
    if on_ct.size < MINIMUM_PEOPLE:
        raise InputError(f"{on_ct.size} people tell nothing of what the picture adds; {MINIMUM_PEOPLE} are needed")
    if not (np.isfinite(on_ct).all() and np.isfinite(on_reconstruction).all()):
        raise InputError("errors on CTs or on reconstructions are not all finite numbers")
    return on_ct, on_reconstruction


def _moments(on_ct: np.ndarray, on_reconstruction: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shift and variance, one each for every row of weights (r, n)."""
    weights = weights / weights.sum(1, keepdims=True)
    means = [weights @ errors for errors in (on_ct, on_reconstruction)]
    size = on_ct.size / (on_ct.size - 1)  # of a sample
    variances = [size * (weights @ e**2 - mean**2) for e, mean in zip((on_ct, on_reconstruction), means, strict=True)]
    return means[1] - means[0], np.maximum(variances[1] - variances[0], 0.0)
