import numpy as np
import pytest
from scipy import stats

from vctlib.errors import InputError
from vctlib.trial.patients import Patients
from vctlib.trial.simulation import (
    equivalence_rate,
    exact_rate,
    interval_coverage,
    prediction_powered_coverage,
    verdict_rates,
)

PEOPLE = np.array([f"p{number:02d}" for number in range(60)])
FAST = {"n_trials": 200, "n_resamples": 300}


@pytest.fixture(scope="module")
def real() -> Patients:
    return Patients.of(np.random.default_rng(0).gamma(4, 0.6, size=60), PEOPLE)


@pytest.fixture(scope="module")
def synthetic(real) -> Patients:
    """Two bodies a person, biased, whose errors rise with those on the real image."""
    errors = np.repeat(real.means, 2) + 1.5 + np.random.default_rng(1).normal(0, 0.5, 120)
    return Patients.of(errors, np.repeat(PEOPLE, 2), images_each=2)


def test_population_is_of_people_not_of_images():
    own = Patients.of([-1.0, 3, 5, -2], ["a", "b", "a", "c"])
    assert own.names.tolist() == ["a", "b", "c"] and own.means.tolist() == [3, 3, 2]
    assert own.mae == pytest.approx(8 / 3)
    assert own.scaled_to(4).means == pytest.approx(1.5 * own.means)
    assert own.among(["c", "a", "z"]).means.tolist() == [3, 2]


def test_patients_bring_images_of_their_own_and_each_once():
    own = Patients.of([1.0, 2, 3, 10, 20], ["a", "a", "a", "b", "b"], images_each=2)
    rng = np.random.default_rng(0)
    pairs = own.images(rng.integers(2, size=3000), rng).reshape(-1, 2)
    assert (pairs[:, 0] != pairs[:, 1]).all() and ((pairs < 5).all(axis=1) | (pairs > 5).all(axis=1)).all()
    of_a = pairs[(pairs < 5).all(axis=1)]
    assert [np.mean(of_a == value) for value in (1, 2, 3)] == pytest.approx([1 / 3] * 3, abs=0.02)


@pytest.mark.parametrize(
    ("errors", "people", "images_each", "words"),
    [
        ([1.0, np.nan], ["a", "b"], 1, "finite"),
        ([1.0, 2.0], ["a"], 1, "name of a person"),
        ([1.0, 2.0], ["a", "a"], 1, "errors of 1 people"),
        ([1.0, 2.0, 3.0], ["a", "b", "b"], 2, "2 images a patient cannot be drawn from a"),
        ([1.0, 2.0], ["a", "b"], 0, "everybody"),
    ],
)
def test_bad_population_is_named_in_one_line(errors, people, images_each, words):
    with pytest.raises(InputError, match=words) as caught:
        Patients.of(errors, people, images_each)
    assert "\n" not in str(caught.value)


def test_exact_rate_is_that_of_beta_quantiles():
    rate = exact_rate(9, 200)
    expected = stats.beta.ppf(0.025, 9, 192), stats.beta.ppf(0.975, 10, 191)
    assert (rate.value, rate.low, rate.high) == pytest.approx((0.045, *expected))
    with pytest.raises(InputError, match="n_trials is 0"):
        verdict_rates(Patients.of([1.0, 2.0], ["a", "b"]), n_trials=0)


def test_coverage_follows_the_level(real):
    half = interval_coverage(real, 40, level=0.5, n_trials=500, n_resamples=300)
    assert half.low < 0.5 < half.high + 0.02 and half.below + half.above == pytest.approx(1 - half.value)
    usual = interval_coverage(real, 40, **FAST)
    assert 0.88 < usual.value < 0.99
    assert usual.width / half.width == pytest.approx(stats.norm.ppf(0.975) / stats.norm.ppf(0.75), rel=0.03)
    assert usual.width == pytest.approx(2 * 1.96 * real.means.std() / np.sqrt(40), rel=0.05)


def test_corrected_interval_covers_where_patients_are_few():
    skewed = Patients.of(np.random.default_rng(2).gamma(1, size=500), np.arange(500))
    plain, corrected = (interval_coverage(skewed, 8, method=method, **FAST) for method in ("percentile", "bca"))
    assert plain.value < 0.9 < corrected.value
    assert plain.below > plain.above  # a few small errors, and the interval lies below the truth


def test_images_of_one_patient_are_not_independent(synthetic):
    single = Patients(synthetic.names, np.repeat(synthetic.means[:, None], 2, axis=1), 2)
    twice = interval_coverage(single, 40, **FAST)
    once = interval_coverage(Patients(single.names, single.absolute[:, :1], 1), 40, **FAST)
    assert (twice.value, twice.width) == pytest.approx((once.value, once.width), abs=0.05)


def test_same_seed_same_trials(real, synthetic):
    for run in (
        lambda seed: interval_coverage(real, 20, seed=seed, n_trials=20, n_resamples=100),
        lambda seed: equivalence_rate(
            real, synthetic, 0.5, 0.5, seed=seed, n_trials=20, n_resamples=100, n_patients=20
        ),
    ):
        assert run(3) == run(3)
    few = [prediction_powered_coverage(real, synthetic, [5], seed=seed, n_trials=20) for seed in (3, 3, 4)]
    assert few[0].equals(few[1]) and not few[0].equals(few[2])


def test_arms_that_differ_by_the_margin_are_seldom_equivalent_and_like_arms_are(real, synthetic):
    more, less, alike = (equivalence_rate(real, synthetic, 0.5, gap, **FAST) for gap in (0.5, -0.5, 0.0))
    assert more.low <= 0.05 and less.low <= 0.06 and alike.value > 0.9
    # nobody could tell so small a difference
    assert equivalence_rate(real, synthetic, 0.02, 0.0, **FAST).value == 0
    with pytest.raises(InputError, match="no scale takes a mean absolute error"):
        equivalence_rate(real, synthetic, 0.5, -real.mae - 1, n_trials=5, n_resamples=100)


def test_a_looser_level_calls_more_arms_equivalent(real, synthetic):
    strict, loose = (equivalence_rate(real, synthetic, 0.5, 0.5, alpha=alpha, **FAST) for alpha in (0.05, 0.3))
    assert loose.low < 0.3 < loose.high and loose.value > strict.value


def test_arms_without_a_common_person_are_refused(real):
    with pytest.raises(InputError, match="in common"):
        equivalence_rate(real, Patients.of([1.0, 2.0], ["x", "y"]), 0.5, 0.0)


def test_synthetic_people_are_worth_what_they_share_with_real_ones(real, synthetic):
    table = prediction_powered_coverage(real, synthetic, [10, 30], n_trials=300, n_resamples=200)
    powered = table[table["method"] == "prediction-powered"].set_index("n_real")
    plain = table[table["method"] == "Student"].set_index("n_real")
    assert (powered["width"] < plain["width"]).all() and (powered["worth"] > 1.3 * plain["worth"]).all()
    assert plain["worth"].to_numpy() == pytest.approx([10, 30], rel=0.25)
    assert (table.loc[table["method"] != "bootstrap", "high"] > 0.94).all()
    assert powered["power"].between(0.3, 1).all() and plain["power"].isna().all()
    strangers = Patients.of(np.random.default_rng(5).permutation(synthetic.means), PEOPLE)
    told = prediction_powered_coverage(real, strangers, [30], n_trials=300, n_resamples=200).set_index("method")
    assert told.at["prediction-powered", "width"] == pytest.approx(told.at["Student", "width"], rel=0.06)
    assert told.at["prediction-powered", "high"] > 0.93


def test_verdicts_come_true_with_the_number_of_patients(real):
    table = verdict_rates(real, [5, 60], true_mae=1.6, **FAST)
    assert table["true_mae"].tolist() == pytest.approx([1.6] * 8) and set(table["deserved"]) == {"pass"}
    assert table.groupby("n_patients")["rate"].sum().tolist() == pytest.approx([1, 1])
    rates = table.set_index(["n_patients", "verdict"])["rate"]
    assert (
        rates[60, "pass"] > 0.9 > rates[5, "pass"]
        and rates[5, "not enough evidence"] > rates[60, "not enough evidence"]
    )
    failing = verdict_rates(real, [60], true_mae=9.0, **FAST).set_index("verdict")["rate"]
    assert failing["fail"] == 1 and failing["pass"] == 0
    assert set(verdict_rates(real, [5], n_trials=5, n_resamples=100)["true_mae"]) == {real.mae}


def test_at_the_limit_a_pass_is_as_rare_as_a_miss_of_the_interval(real):
    rates = verdict_rates(real, [40], true_mae=2.0, n_trials=400, n_resamples=300).set_index("verdict")
    assert rates.at["pass", "low"] < 0.04
