"""Intervals that the other metrics share: percentile bootstrap over bodies, delete-half jackknife of statistics that
repeated bodies would bias, Fisher's interval of a correlation, exact intervals of a share."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import stats


class Estimate(NamedTuple):
    """A number with its 95 % interval and the sample size behind it; NaN where it cannot be computed."""

    value: float
    ci95: tuple[float, float]
    n: int


def bootstrap(statistic: Callable[..., float], *samples, n_resamples: int = 2000, seed: int = 0) -> Estimate:
    """`statistic(*samples)` with its percentile bootstrap interval; `n` is that of the first sample.

    Each sample (n, ...) is resampled on its own along the first axis, so one row must be one body: average a body's
    draws first, they are not independent. Fewer than two rows give no interval. Source: efron1993, chapter 13.
    """
    samples = [np.asarray(sample, float) for sample in samples]
    value = float(statistic(*samples)) if min(map(len, samples)) else np.nan
    if min(map(len, samples)) < 2:
        return Estimate(value, (np.nan, np.nan), len(samples[0]))
    rng = np.random.default_rng(seed)
    draws = [statistic(*(s[rng.integers(len(s), size=len(s))] for s in samples)) for _ in range(n_resamples)]
    low, high = np.percentile(draws, [2.5, 97.5])
    return Estimate(value, (float(low), float(high)), len(samples[0]))


def half_sample_interval(value: np.ndarray, halves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """95 % interval (low, high) of statistics from their values on random halves of the people.

    `value` (...): on everybody; `halves` (draws, ...): each on half of the people of every side, drawn anew without
    repetition. Over such halves a statistic varies as much as it does over samples of everybody's size, which the
    interval (normal, two-sided) rests on. A bootstrap would not do for distances and neighbours: a person who stands
    twice is her own nearest neighbour, and all distances grow. Source: shao1989 (delete-d jackknife, d = n / 2).
    """
    reach = stats.norm.ppf(0.975) * np.std(halves, axis=0, ddof=1)
    return value - reach, value + reach


def pearson(x, y) -> Estimate:
    """Pearson's r of paired values (n,) with Fisher's 95 % interval; pairs with a NaN are left out of `n`.

    NaN below three pairs or where either side is constant; no interval below four pairs. Source: fisher1915.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return Estimate(np.nan, (np.nan, np.nan), len(x))
    result = stats.pearsonr(x, y)
    interval = result.confidence_interval(0.95) if len(x) > 3 else (np.nan, np.nan)
    return Estimate(float(result.statistic), (float(interval[0]), float(interval[1])), len(x))


def clopper_pearson(count: int, n: int) -> tuple[float, float]:
    """The exact 95 % interval of a share, `count` of `n`, between 0 and 1; NaN for n = 0. Source: clopper1934."""
    if n == 0:
        return float("nan"), float("nan")
    interval = stats.binomtest(int(count), int(n)).proportion_ci(0.95, method="exact")
    return float(interval.low), float(interval.high)
