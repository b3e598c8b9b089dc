"""How far the trial's own statistics can be trusted: trials drawn from people whose true error is known.

A table of people and their errors is taken for a whole population (`Patients`), so that its mean absolute error is
known exactly. Each simulated trial draws patients from it, with replacement, and asks `bootstrap`, `statistics`,
`verdict` or `prediction_powered` as a real trial would; what counts is how often the answer is right. That tells
whether intervals and tests hold for errors of this shape, not whether these people stand for others.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from vctlib.errors import InputError
from vctlib.trial.bootstrap import Method, bootstrap_difference, bootstrap_mae
from vctlib.trial.patients import Patients
from vctlib.trial.prediction_powered import prediction_powered_mean, student_interval
from vctlib.trial.statistics import equivalence
from vctlib.trial.verdict import (
    ACCEPTABLE,
    BETWEEN,
    FAIL,
    FAILURE,
    NOT_ENOUGH_EVIDENCE,
    PASS,
    interval_verdict,
    paper_verdict,
)

VERDICTS = (PASS, BETWEEN, FAIL, NOT_ENOUGH_EVIDENCE)
METHODS = ("Student", "bootstrap", "prediction-powered")  # of an interval from few real labels


@dataclass(frozen=True)
class Rate:
    """A share of simulated trials, 0 to 1, with its exact 95 % interval."""

    value: float
    low: float
    high: float
    n_trials: int


@dataclass(frozen=True)
class Coverage(Rate):
    """How often an interval held the true value, on which side it missed, and how wide it was."""

    below: float  # share of trials whose whole interval lay below the true value
    above: float  # share of trials whose whole interval lay above it
    width: float  # mean, in the unit of the errors


def exact_rate(hits: int, n_trials: int) -> Rate:
    """`hits` of `n_trials` with the exact interval for independent trials. Source: clopper1934."""
    interval = stats.binomtest(int(hits), int(n_trials)).proportion_ci(0.95, method="exact")
    return Rate(float(hits / n_trials), float(interval.low), float(interval.high), int(n_trials))


def _coverage(intervals: np.ndarray, truth: float) -> Coverage:
    """Of intervals of shape (n_trials, 2)."""
    low, high = intervals.T
    below, above = high < truth, low > truth
    rate = exact_rate(np.count_nonzero(~below & ~above), len(low))
    return Coverage(
        **vars(rate), below=float(below.mean()), above=float(above.mean()), width=float(np.mean(high - low))
    )


def _trials(n_trials: int, seed: int) -> Iterator[tuple[np.random.Generator, int]]:
    """For each trial the generator that draws its patients, and a seed for its bootstrap."""
    if n_trials < 1:
        raise InputError(f"n_trials is {n_trials}; there must be one or more")
    rng = np.random.default_rng(seed)
    for _ in range(n_trials):
        yield rng, int(rng.integers(2**32))


def _intervals(
    population: Patients, n_patients: int, n_trials: int, n_resamples: int, seed: int, level: float, method: Method
) -> np.ndarray:
    """What `bootstrap_mae` gives in each trial, shape (n_trials, 2)."""
    patients = np.repeat(np.arange(n_patients), population.images_each)
    found = []
    for rng, own_seed in _trials(n_trials, seed):
        errors = population.images(rng.integers(len(population.names), size=n_patients), rng)
        mae = bootstrap_mae(errors, patients, n_resamples, own_seed, level, method=method)
        found.append((mae.low, mae.high))
    return np.array(found)


def interval_coverage(
    population: Patients,
    n_patients: int = 75,
    *,
    n_trials: int = 1000,
    n_resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    method: Method = "bca",
) -> Coverage:
    """How often the interval of `bootstrap_mae` from `n_patients` holds the population's mean absolute error."""
    intervals = _intervals(population, n_patients, n_trials, n_resamples, seed, level, method)
    return _coverage(intervals, population.mae)


def equivalence_rate(
    real: Patients,
    arm: Patients,
    margin: float,
    true_difference: float,
    *,
    alpha: float = 0.05,
    n_patients: int = 75,
    n_trials: int = 1000,
    n_resamples: int = 1000,
    seed: int = 0,
    method: Method = "bca",
) -> Rate:
    """How often `equivalence` calls an arm equivalent that truly differs from real by `true_difference`.

    At a difference of the margin, above or below, that is the test's size, which should be at most `alpha`; at 0 it is
    its power. Patients are people of both arms, paired as in a trial. The arm's errors are multiplied until their mean
    is right, which keeps their shape and makes a worse arm more variable. Raises InputError for fewer than two people
    in common, and where real people err by less than an arm is to err less than they.
    """
    shared = np.intersect1d(real.names, arm.names)
    real, arm = real.among(shared), arm.among(shared)
    arm = arm.scaled_to(real.mae + true_difference)
    arm_names, real_names = (np.repeat(np.arange(n_patients), each.images_each) for each in (arm, real))
    hits = 0
    for rng, own_seed in _trials(n_trials, seed):
        chosen = rng.integers(len(shared), size=n_patients)
        difference = bootstrap_difference(
            arm.images(chosen, rng),
            arm_names,
            real.images(chosen, rng),
            real_names,
            n_resamples,
            own_seed,
            method=method,
        )
        hits += equivalence(difference, margin).p <= alpha
    return exact_rate(hits, n_trials)


def prediction_powered_coverage(
    real: Patients,
    synthetic: Patients,
    real_labels: Sequence[int] = (10, 20, 40),
    *,
    n_patients: int = 75,
    n_trials: int = 1000,
    n_resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Intervals from few real labels alone and together with synthetic people: how often right, how wide.

    Each trial draws `n_patients` people who are in both tables, of whom some have a real label; the proxy of a person
    is the mean over his or her synthetic images. Columns: n_real; method, one of `METHODS`; coverage, low, high (exact
    interval); below, above (as in `Coverage`); width; power (mean; NaN without proxies); worth: the number of real
    labels whose plain mean varies as much as these estimates did, whatever the trials themselves thought of it.
    Raises InputError where fewer than two people of a trial are left without a real label.
    """
    shared = np.intersect1d(real.names, synthetic.names)
    errors, proxies = real.among(shared).means, synthetic.among(shared).means
    rows = []
    for n in real_labels:
        intervals = {method: [] for method in METHODS}
        estimates, powers = {method: [] for method in METHODS}, []
        for rng, own_seed in _trials(n_trials, seed):
            chosen = rng.integers(len(shared), size=n_patients)
            labelled, others = errors[chosen[:n]], proxies[chosen[n:]]
            powered = prediction_powered_mean(labelled, proxies[chosen[:n]], others, level=level)
            plain = bootstrap_mae(labelled, None, n_resamples, own_seed, level)
            found = (student_interval(labelled, level), (plain.low, plain.high), (powered.low, powered.high))
            values = (plain.value, plain.value, powered.estimate)
            for method, interval, value in zip(METHODS, found, values, strict=True):
                intervals[method].append(interval)
                estimates[method].append(value)
            powers.append(powered.power)
        for method in METHODS:
            of = _coverage(np.array(intervals[method]), errors.mean())
            missed = np.mean((np.array(estimates[method]) - errors.mean()) ** 2)
            rows.append(
                {
                    "n_real": n, "method": method, "coverage": of.value, "low": of.low, "high": of.high,
                    "below": of.below, "above": of.above, "width": of.width,
                    "power": np.mean(powers) if method == METHODS[-1] else np.nan, "worth": errors.var() / missed,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def verdict_rates(
    population: Patients,
    n_patients: Sequence[int] = (10, 20, 40, 75, 150),
    *,
    true_mae: float | None = None,
    acceptable: float = ACCEPTABLE,
    failure: float = FAILURE,
    n_trials: int = 1000,
    n_resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """What `interval_verdict` says of a population, over the number of patients of a trial.

    true_mae: errors are multiplied until this is the population's mean absolute error; None leaves them. Columns:
    true_mae; deserved, the verdict on the true value (`paper_verdict`); n_patients; verdict, one of `VERDICTS`; rate,
    low, high (exact interval). Rates of one n_patients sum to 1.
    """
    if true_mae is not None:
        population = population.scaled_to(true_mae)
    deserved = paper_verdict(population.mae, acceptable, failure)
    rows = []
    for n in n_patients:
        intervals = _intervals(population, n, n_trials, n_resamples, seed, level, "bca")
        given = [interval_verdict(low, high, acceptable, failure) for low, high in intervals]
        for verdict in VERDICTS:
            rate = exact_rate(given.count(verdict), n_trials)
            row = {"true_mae": population.mae, "deserved": deserved, "n_patients": n, "verdict": verdict}
            rows.append(row | {"rate": rate.value, "low": rate.low, "high": rate.high})
    return pd.DataFrame(rows)
