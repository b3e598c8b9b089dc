import numpy as np
import pytest
from scipy import optimize, stats

from vctlib.errors import InputError
from vctlib.trial.prediction_powered import (
    prediction_powered_mae,
    prediction_powered_mean,
    student_interval,
    tuned_power,
)

REAL, PROXY, OTHERS = np.array([1.0, 2, 3, 6]), np.array([1.0, 2, 2, 3]), np.array([3.0, 5, 1, 3])


def test_four_labels_by_hand():
    """cov = 5/3, variance of all proxies = 12/7, N = n: power = (5/3) / (2 * 12/7) = 35/72."""
    found = prediction_powered_mean(REAL, PROXY, OTHERS)
    power = 35 / 72
    assert found.power == pytest.approx(power)
    assert found.estimate == pytest.approx(3 + power)  # mean real 3, mean proxy 2 and of the others 3
    residuals = (2 - power) ** 2 + 1 + (3 - power) ** 2  # sum of squares about their mean
    variance = power**2 * (8 / 3) / 4 + residuals / 2 / 4
    assert found.standard_error == pytest.approx(np.sqrt(variance)) == pytest.approx(1.16575, abs=1e-5)
    assert found.high - found.estimate == pytest.approx(4.302653 * np.sqrt(variance), rel=1e-6)  # Student, 2 degrees
    assert found.effective_sample_size == pytest.approx(14 / 3 / variance)
    assert (found.n_real, found.n_synthetic) == (4, 4)


def population(n: int, n_others: int, share: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gamma distributed errors and proxies that share `share` of their variance and are biased by 2."""
    rng = np.random.default_rng(seed)
    both, own, other = rng.gamma(2, size=(3, n + n_others))
    real, proxy = np.sqrt(share) * both + np.sqrt(1 - share) * own, np.sqrt(share) * both + np.sqrt(1 - share) * other
    return real[:n], proxy[:n] + 2, proxy[n:] + 2


def independent(real, proxy, others) -> tuple[float, float, float]:
    """Estimate, normal standard error and power, the latter by search instead of by formula.

    As in the papers: the power minimises the estimated variance of the estimate, proxies varying alike in both groups.
    """
    n, many = len(real), len(others)
    of_proxy = np.var(np.r_[proxy, others], ddof=1)

    def variance(power: float) -> float:
        covariance = np.sum((real - real.mean()) * (proxy - proxy.mean())) / (n - 1)
        return power**2 * of_proxy / many + (real.var() + power**2 * of_proxy - 2 * power * covariance) / n

    power = optimize.minimize_scalar(variance, bounds=(0, 1), method="bounded", options={"xatol": 1e-9}).x
    weights = np.r_[np.full(n, 1 / n), np.full(n, -power / n), np.full(many, power / many)]
    error = np.sqrt(np.var(power * others) / many + np.var(real - power * proxy) / n)
    return float(weights @ np.r_[real, proxy, others]), float(error), float(power)


@pytest.mark.parametrize(("n", "n_others"), [(400, 300), (300, 5000)])
def test_agrees_with_the_papers_where_labels_are_many(n, n_others):
    sample = population(n, n_others, 0.6, seed=n)
    estimate, error, power = independent(*sample)
    found = prediction_powered_mean(*sample)
    assert found.power == pytest.approx(power, abs=1e-5)
    assert found.estimate == pytest.approx(estimate, abs=1e-5)
    assert found.standard_error == pytest.approx(error, rel=0.005)
    assert found.high - found.estimate == pytest.approx(stats.norm.ppf(0.975) * error, rel=0.01)


def test_without_power_it_is_students_interval():
    found = prediction_powered_mean(REAL, PROXY, OTHERS, power=0.0)
    assert (found.low, found.high) == pytest.approx(student_interval(REAL))
    assert found.effective_sample_size == pytest.approx(4)
    theirs = stats.ttest_1samp(REAL, 0).confidence_interval(0.95)
    assert student_interval(REAL) == pytest.approx((theirs.low, theirs.high))


def test_a_biased_proxy_biases_nothing():
    real, proxy, others = population(30, 60, 0.7)
    ours, biased = (prediction_powered_mean(real, proxy + by, others + by) for by in (0, 50))
    assert (biased.estimate, biased.low, biased.high) == pytest.approx((ours.estimate, ours.low, ours.high))


def test_a_perfect_proxy_is_worth_a_label_each():
    rng = np.random.default_rng(1)
    errors = rng.gamma(2, size=400)
    found = prediction_powered_mean(errors[:20], errors[:20] + 3, errors[20:] + 3, power=1.0)
    assert found.estimate == pytest.approx(errors[20:].mean())
    assert found.effective_sample_size == pytest.approx(380 * errors[:20].var(ddof=1) / errors[20:].var(ddof=1))


def test_useless_proxies_are_left_out():
    real, proxy, others = population(2000, 2000, 0.0)
    assert prediction_powered_mean(real, proxy, others).power < 0.05
    assert tuned_power(real, -real, -others) == 0  # never less than nothing
    assert tuned_power(real, np.ones_like(real), np.ones(5)) == 0  # proxies that do not vary


def test_scale_carries_through():
    ours = prediction_powered_mean(REAL, PROXY, OTHERS)
    scaled = prediction_powered_mean(10 * REAL, 10 * PROXY, 10 * OTHERS)
    assert (scaled.low, scaled.high) == pytest.approx((10 * ours.low, 10 * ours.high))
    assert scaled.effective_sample_size == pytest.approx(ours.effective_sample_size)


def test_people_are_matched_by_name_and_their_bodies_averaged():
    names = np.array(["a", "b", "c", "d"])
    bodies = np.r_[PROXY, PROXY + 0.5, OTHERS, PROXY - 0.5]
    whose = np.r_[names, names, ["e", "f", "g", "h"], names]
    order = np.random.default_rng(2).permutation(len(bodies))
    signs = np.where(np.arange(len(bodies)) % 2, 1, -1)
    found = prediction_powered_mae(-REAL[::-1], names[::-1], (signs * bodies)[order], whose[order], n_resamples=500)
    assert vars(found.together) == pytest.approx(vars(prediction_powered_mean(REAL, PROXY, OTHERS)))
    assert found.student == pytest.approx(student_interval(REAL))
    assert found.bootstrap.value == 3 and found.bootstrap.n_clusters == 4


@pytest.mark.parametrize(
    ("real", "proxy", "others", "words"),
    [
        ([1.0, np.nan, 2.0], [1.0, 1, 1], [1.0, 2], "real errors must be a list of finite"),
        ([1.0, 2.0], [1.0, 1], [1.0, 2], "2 real errors; at least 3"),
        ([1.0, 2.0, 3.0], [1.0, 1], [1.0, 2], "3 real errors come with 2"),
        ([1.0, 2.0, 3.0], [1.0, 1, np.inf], [1.0, 2], "with a real label must be"),
        ([1.0, 2.0, 3.0], [1.0, 1, 2], [1.0], "1 synthetic errors of people without a real label; at least 2"),
    ],
)
def test_bad_input_is_named_in_one_line(real, proxy, others, words):
    with pytest.raises(InputError, match=words) as caught:
        prediction_powered_mean(real, proxy, others)
    assert "\n" not in str(caught.value)


def test_too_few_labels_and_people_without_a_body_are_named():
    with pytest.raises(InputError, match="1 real errors; at least 2"):
        prediction_powered_mean([1.0], [1.0], [1.0, 2.0], power=0.5)
    with pytest.raises(InputError, match="b, c: a real label but no synthetic body"):
        prediction_powered_mae(REAL[:3], ["a", "b", "c"], [1.0, 2.0], ["a", "d"])
    with pytest.raises(InputError, match="errors of 1 people; two or more"):
        prediction_powered_mae([1.0], ["a"], [1.0, 2.0], ["a", "d"])
