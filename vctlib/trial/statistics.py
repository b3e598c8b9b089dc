"""Comparing an arm's absolute errors with those on real images: the paper's Z and p, equivalence, distances."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from vctlib.errors import InputError
from vctlib.trial.bootstrap import Difference, percentile_interval


@dataclass(frozen=True)
class PaperZ:
    """Mean Z over bootstrap resamples, its percentile interval, and the mean of the resamples' p-values."""

    z: float
    low: float
    high: float
    p: float


def _moments(absolute: np.ndarray, n_resamples: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance (n - 1) of every resample of images; two arrays of shape (n_resamples,)."""
    n = absolute.size
    counts = rng.multinomial(n, np.full(n, 1 / n), size=n_resamples).astype(float)
    centred = absolute - absolute.mean()
    mean = counts @ centred / n
    variance = np.maximum(counts @ centred**2 / n - mean**2, 0) * n / (n - 1)
    return absolute.mean() + mean, variance


def paper_z(
    errors: np.ndarray,
    real_errors: np.ndarray,
    n_resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
    denominator: Literal["printed", "welch"] = "printed",
) -> PaperZ:
    """The Z-score and p-value of Table 1, as inferred from its printed numbers.

    errors, real_errors: (n,) signed or absolute errors of an arm and of the real images, taken as independent.

    The paper describes a Z-test on bootstrapped absolute errors but its formula is not in the text that we have.
    What Table 1 lets one infer: both arms are resampled, each resample gives
    Z = (mean_arm - mean_real) / sqrt((var_arm + var_real) / n_arm) and p = 2 Phi(-|Z|), and the table prints the
    mean of Z, its 2.5 and 97.5 % quantiles and the MEAN OF THE p-VALUES.

    - The mean of p: with Z normal about the printed mean, with the printed interval's width, the mean of p agrees with
      all twelve printed p to 0.004, with eleven to 0.002. So Z = 0.97 gives 0.368 (the usual p is 0.33) and
      Z = -3.44 gives 0.026 (the usual p is 0.0006).
    - The denominator: the printed intervals of Z have a standard deviation of 0.99 to 1.04 where both arms have 75
      images but of 1.03 to 1.21 where the arm has 80 to 150. Dividing BOTH variances by the arm's own n predicts
      that, and the printed Z to 0.11 from printed means and intervals; the usual var_arm / n_arm + var_real / n_real
      misses three of twelve by 0.17 to 0.46. `denominator="printed"` follows the table, "welch" is the usual form.

    The mean p is no p-value: where nothing differs it cannot pass 0.5 by much and falls below 0.05 only past
    |Z| = 2.75, in about 6 of 1000 trials instead of 50. Most arms that truly differ by one standard error reach
    "p > 0.3". Report a difference with its interval and `equivalence` beside it.
    Raises InputError for fewer than two errors or for arms whose errors do not vary. Source: killeen2025 Table 1.
    """
    arm, real = np.abs(np.asarray(errors, float)), np.abs(np.asarray(real_errors, float))
    if min(arm.size, real.size) < 2 or not (np.isfinite(arm).all() and np.isfinite(real).all()):
        raise InputError("a Z-score needs at least two finite errors in each arm")
    if np.ptp(arm) == 0 and np.ptp(real) == 0:
        raise InputError("a Z-score needs errors that vary; all errors of an arm are equal")
    rng = np.random.default_rng(seed)
    arm_mean, arm_variance = _moments(arm, n_resamples, rng)
    real_mean, real_variance = _moments(real, n_resamples, rng)
    n_real = arm.size if denominator == "printed" else real.size
    standard_error = np.sqrt(arm_variance / arm.size + real_variance / n_real)
    keep = standard_error > 0  # a tiny arm can be resampled into copies of one image
    z = (arm_mean - real_mean)[keep] / standard_error[keep]
    low, high = percentile_interval(z, level)
    return PaperZ(float(z.mean()), low, high, float(np.mean(2 * stats.norm.sf(np.abs(z)))))


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests: `p` is the larger of both; small p means that the arms differ by less than the margin."""

    p: float
    p_lower: float  # against a difference of -margin or below
    p_upper: float  # against a difference of +margin or above


def _require_margin(margin: float) -> None:
    if not margin > 0:
        raise InputError(f"the equivalence margin is {margin}; it must be positive")


def equivalence(difference: Difference, margin: float) -> Equivalence:
    """Two one-sided bootstrap tests that a difference of MAE lies within (-margin, margin) percentage points.

    Each p is the share of resamples beyond its limit, counting the observed sample as one more resample. Clusters and
    pairs are respected as far as `difference` respected them. Source: schuirmann1987.
    """
    _require_margin(margin)
    replicates = difference.replicates
    p_lower = (np.count_nonzero(replicates <= -margin) + 1) / (replicates.size + 1)
    p_upper = (np.count_nonzero(replicates >= margin) + 1) / (replicates.size + 1)
    return Equivalence(max(p_lower, p_upper), p_lower, p_upper)


def smallest_margin(difference: Difference, alpha: float = 0.05) -> float:
    """The margin from which on `equivalence` finds two arms alike at `alpha`, in the unit of the errors.

    The farther end of the central interval that leaves `alpha` on each side. Source: schuirmann1987.
    """
    return float(np.abs(np.quantile(difference.replicates, [alpha, 1 - alpha])).max())


def welch_equivalence(errors: np.ndarray, real_errors: np.ndarray, margin: float) -> Equivalence:
    """Two one-sided Welch t-tests on the absolute errors of independent images; (n,) arrays, percentage points."""
    _require_margin(margin)
    arm, real = np.abs(np.asarray(errors, float)), np.abs(np.asarray(real_errors, float))
    p_lower = stats.ttest_ind(arm, real - margin, equal_var=False, alternative="greater").pvalue
    p_upper = stats.ttest_ind(arm, real + margin, equal_var=False, alternative="less").pvalue
    return Equivalence(float(max(p_lower, p_upper)), float(p_lower), float(p_upper))


@dataclass(frozen=True)
class Distances:
    """How far two samples of one variable lie apart."""

    kolmogorov_smirnov: float  # largest gap between the distribution functions, 0 to 1
    kolmogorov_smirnov_p: float
    wasserstein: float  # in the unit of the values


def distribution_distances(values: np.ndarray, reference: np.ndarray) -> Distances:
    """Kolmogorov-Smirnov and first Wasserstein distance between two samples, (n,) and (m,)."""
    test = stats.ks_2samp(values, reference)
    return Distances(float(test.statistic), float(test.pvalue), float(stats.wasserstein_distance(values, reference)))


@dataclass(frozen=True)
class Agreement:
    """Bland-Altman: mean difference of pairs and the limits between which 95 % of differences lie."""

    bias: float
    low: float
    high: float


def bland_altman(values: np.ndarray, reference: np.ndarray) -> Agreement:
    """Limits of agreement of paired values, both (n,): bias -/+ 1.96 SD. Source: bland1986."""
    values, reference = np.asarray(values, float), np.asarray(reference, float)
    if values.shape != reference.shape or values.size < 2:
        raise InputError("limits of agreement need at least two pairs")
    difference = values - reference
    bias, spread = float(difference.mean()), float(1.96 * difference.std(ddof=1))
    return Agreement(bias, bias - spread, bias + spread)
