"""Few real labels and many synthetic people: an interval for the real error that uses both, and one that does not.

The model's error on synthetic bodies of a person is a *proxy* of its error on the person's real image. Proxies are
biased, so their mean is no answer; but where they rise and fall with the real errors, the few people who have both
tell how to correct the mean over everybody. What synthetic people know nothing about, they cannot spoil: the weight of
the proxies, the *power*, is tuned on the labelled people and falls to nothing where the two do not go together.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from vctlib.errors import InputError
from vctlib.trial.bootstrap import Estimate, bootstrap_mae
from vctlib.trial.checks import listed
from vctlib.trial.patients import Patients


@dataclass(frozen=True)
class PredictionPowered:
    """The mean real error of a population from real labels and proxies, in the unit of the errors."""

    estimate: float
    low: float
    high: float
    standard_error: float
    power: float  # lambda: 0 leaves the proxies out, 1 takes them for the real errors up to a constant
    n_real: int  # people with a real label
    n_synthetic: int  # people with a proxy alone
    effective_sample_size: float  # real labels that would have the same standard error without any proxy


@dataclass(frozen=True)
class FewLabels:
    """The same real labels with and without the synthetic people beside them."""

    together: PredictionPowered
    student: tuple[float, float]  # interval from the real labels alone, by Student's t
    bootstrap: Estimate  # the same by resampling, as everywhere else in a trial


def _finite(values: np.ndarray, what: str, fewest: int) -> np.ndarray:
    values = np.asarray(values, float)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise InputError(f"the {what} must be a list of finite numbers")
    if values.size < fewest:
        raise InputError(f"there are {values.size} {what}; at least {fewest} are needed")
    return values


def student_interval(values: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Student's t interval for the mean of two or more values (n,). Raises InputError for numbers not finite."""
    values = _finite(values, "real errors", 2)
    reach = stats.t.ppf((1 + level) / 2, values.size - 1) * values.std(ddof=1) / np.sqrt(values.size)
    return float(values.mean() - reach), float(values.mean() + reach)


def tuned_power(real: np.ndarray, proxy: np.ndarray, other_proxies: np.ndarray) -> float:
    """The power with the least variance: cov(real, proxy) / ((1 + n / N) var(proxy)), kept between 0 and 1.

    real, proxy: (n,) of the same people; other_proxies: (N,) of people without a label. The covariance is that of the
    labelled people, the variance that of everybody. Source: angelopoulos2023b, section 6 for a mean.
    """
    spread = np.concatenate([proxy, other_proxies]).var(ddof=1)
    if spread == 0:
        return 0.0
    power = np.cov(real, proxy)[0, 1] / ((1 + len(proxy) / len(other_proxies)) * spread)
    return float(np.clip(power, 0, 1))


def prediction_powered_mean(
    real: np.ndarray,
    proxy: np.ndarray,
    other_proxies: np.ndarray,
    *,
    power: float | None = None,
    level: float = 0.95,
) -> PredictionPowered:
    """Mean of the real values of a population: power * mean(other proxies) + mean(real - power * proxy).

    real, proxy: (n,), one a labelled person; other_proxies: (N,), of further people of the same population. `power`
    None tunes it. Its variance is power^2 var(other proxies) / N + var(real - power * proxy) / n.

    The papers have many labels, the normal quantile and variances that divide by n. With ten labels such an interval
    of 95 % held the truth in 85 to 89 of 100 simulated trials, where Student's from the labels alone held it in 93 to
    95. So a tuned power is counted as what it is, the slope of a line fitted to the labelled people: their residual
    variance divides by n - 2, with Student's quantile of n - 2 degrees of freedom (a given power: n - 1). That held
    it in 92 to 95, too. The price is an interval some 7 % wider than Student's, at ten labels, where synthetic errors
    tell nothing of real ones. With power 0 it is `student_interval`.

    Raises InputError for numbers that are not finite, lists of different length, fewer than two labels (three, where
    the power is tuned) and fewer than two others. Source: angelopoulos2023; angelopoulos2023b.
    """
    fitted = 1 if power is not None else 2
    real = _finite(real, "real errors", fitted + 1)
    proxy = _finite(proxy, "synthetic errors of people with a real label", 1)
    others = _finite(other_proxies, "synthetic errors of people without a real label", 2)
    if real.shape != proxy.shape:
        raise InputError(f"{real.size} real errors come with {proxy.size} synthetic ones of the same people")
    n = real.size
    if power is None:
        power = tuned_power(real, proxy, others)
    residual = real - power * proxy
    estimate = float(power * others.mean() + residual.mean())
    of_residuals = np.sum((residual - residual.mean()) ** 2) / (n - fitted) / n
    error = float(np.sqrt(power**2 * others.var(ddof=1) / others.size + of_residuals))
    reach = float(stats.t.ppf((1 + level) / 2, n - fitted)) * error
    worth = float(real.var(ddof=1) / error**2) if error > 0 else float("inf")
    return PredictionPowered(estimate, estimate - reach, estimate + reach, error, float(power), n, others.size, worth)


def prediction_powered_mae(
    real_errors: np.ndarray,
    real_people: np.ndarray,
    synthetic_errors: np.ndarray,
    synthetic_people: np.ndarray,
    *,
    power: float | None = None,
    level: float = 0.95,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> FewLabels:
    """Mean absolute error on a population in which everybody has synthetic bodies and a few also a real image.

    *_errors: signed or absolute, one an image; *_people: whose image it is. Several images of a person are averaged,
    so that every person has the same weight. The labelled people must be a random choice from the population: sicker
    or slimmer ones would tell of the sick or the slim. Errors as in `prediction_powered_mean`, and an InputError that
    names people with a real label who have no synthetic body. Source: angelopoulos2023; angelopoulos2023b.
    """
    real, synthetic = Patients.of(real_errors, real_people), Patients.of(synthetic_errors, synthetic_people)
    if bodiless := sorted(set(real.names) - set(synthetic.names)):
        raise InputError(f"{listed(bodiless)}: a real label but no synthetic body; synthesize one or leave them out")
    labelled = np.isin(synthetic.names, real.names)  # both are sorted: real and proxy stand in the same order
    proxies = synthetic.means
    return FewLabels(
        together=prediction_powered_mean(real.means, proxies[labelled], proxies[~labelled], power=power, level=level),
        student=student_interval(real.means, level),
        bootstrap=bootstrap_mae(real.means, real.names, n_resamples, seed, level),
    )
