import numpy as np
import pytest

from vctlib.errors import InputError
from vctlib.trial.bootstrap import bootstrap_difference, bootstrap_mae


def test_value_is_the_mean_of_absolute_errors():
    estimate = bootstrap_mae(np.array([-1.0, 2.0, -3.0]), n_resamples=100)
    assert estimate.value == 2.0
    assert (estimate.n, estimate.n_clusters) == (3, 3)
    assert estimate.low <= estimate.value <= estimate.high


def test_standard_error_is_that_of_a_mean():
    absolute = np.abs(np.random.default_rng(0).normal(size=400))
    estimate = bootstrap_mae(absolute, n_resamples=4000)
    assert estimate.standard_error == pytest.approx(absolute.std() / np.sqrt(400), rel=0.05)


def test_interval_agrees_with_scipys_bootstrap():
    from scipy.stats import bootstrap

    absolute = np.abs(np.random.default_rng(1).normal(size=75))
    theirs = bootstrap(
        (absolute,), np.mean, n_resamples=9999, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    ours = bootstrap_mae(absolute, method="percentile")
    assert ours.low == pytest.approx(theirs.low, abs=0.01)
    assert ours.high == pytest.approx(theirs.high, abs=0.01)


def test_interval_covers_the_true_mean_as_often_as_it_says():
    rng = np.random.default_rng(3)
    truth = np.sqrt(2 / np.pi)  # mean absolute error of standard normal errors
    estimates = [bootstrap_mae(rng.normal(size=75), n_resamples=500, seed=trial) for trial in range(400)]
    coverage = np.mean([estimate.low <= truth <= estimate.high for estimate in estimates])
    assert 0.91 <= coverage <= 0.975  # binomial error of 400 trials: 0.011


def test_clustered_interval_covers_where_the_naive_one_does_not():
    rng = np.random.default_rng(4)
    truth = np.sqrt(2 / np.pi)
    clustered, naive = [], []
    for trial in range(200):
        patients = np.repeat(np.arange(40), 4)
        errors = np.repeat(rng.normal(size=40), 4)  # four images of a patient fail alike
        for names, covers in ((patients, clustered), (None, naive)):
            estimate = bootstrap_mae(errors, names, n_resamples=300, seed=trial)
            covers.append(estimate.low <= truth <= estimate.high)
    assert np.mean(clustered) > 0.88
    assert np.mean(naive) < 0.75


def test_copies_of_an_image_add_no_evidence():
    errors = np.random.default_rng(5).normal(size=50)
    patients = np.arange(50)
    once = bootstrap_mae(errors, patients)
    thrice = bootstrap_mae(np.tile(errors, 3), np.tile(patients, 3))
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high))
    assert (thrice.n, thrice.n_clusters) == (150, 50)


def test_order_of_rows_and_sign_of_errors_do_not_matter():
    rng = np.random.default_rng(6)
    errors, patients = rng.normal(size=60), np.repeat(np.arange(30), 2)
    order = rng.permutation(60)
    ours, shuffled = bootstrap_mae(errors, patients), bootstrap_mae(-errors[order], patients[order])
    assert (shuffled.value, shuffled.low, shuffled.high) == pytest.approx((ours.value, ours.low, ours.high))


def test_scale_carries_through():
    errors = np.random.default_rng(7).normal(size=30)
    ours, scaled = bootstrap_mae(errors), bootstrap_mae(10 * errors)
    assert (scaled.low, scaled.high) == pytest.approx((10 * ours.low, 10 * ours.high))


def test_equal_weights_change_nothing_and_zero_weights_remove():
    errors, patients = np.random.default_rng(8).normal(size=30), np.arange(30)
    assert bootstrap_mae(errors, patients, weights=np.full(30, 7.0)).low == pytest.approx(
        bootstrap_mae(errors, patients).low
    )
    half = bootstrap_mae(errors, patients, weights=(np.arange(30) < 15).astype(float))
    assert half.value == pytest.approx(np.abs(errors[:15]).mean())


@pytest.mark.parametrize(
    ("errors", "options", "words"),
    [
        ([1.0, np.nan], {}, "not finite"),
        ([], {}, "non-empty"),
        ([1.0, 2.0], {"clusters": ["a", "a"]}, "two patients"),
        ([1.0, 2.0], {"clusters": ["a"]}, "one name an error"),
        ([1.0, 2.0], {"weights": [0.0, 0.0]}, "weights"),
        ([1.0, 2.0], {"weights": [1.0, -1.0]}, "weights"),
    ],
)
def test_bad_input_is_named_in_one_line(errors, options, words):
    with pytest.raises(InputError, match=words) as caught:
        bootstrap_mae(np.array(errors), **options)
    assert "\n" not in str(caught.value)


def test_pairing_removes_what_two_arms_share():
    rng = np.random.default_rng(9)
    real = rng.exponential(size=75)
    reconstructed = real + 0.1  # every patient is worse by the same amount
    patients = np.arange(75)
    paired = bootstrap_difference(reconstructed, patients, real, patients)
    apart = bootstrap_difference(reconstructed, patients, real, patients + 1000)
    assert (paired.low, paired.high) == pytest.approx((0.1, 0.1))
    assert apart.value == paired.value == pytest.approx(0.1)
    assert apart.high - apart.low > 0.4


def test_unpaired_difference_has_the_standard_error_of_two_means():
    rng = np.random.default_rng(10)
    first, second = rng.exponential(size=100), rng.exponential(2, size=150)
    expected = np.sqrt(first.var() / 100 + second.var() / 150)
    assert bootstrap_difference(first, None, second, None).replicates.std() == pytest.approx(expected, rel=0.05)


def test_difference_changes_sign_with_the_reference():
    rng = np.random.default_rng(11)
    first, second, patients = rng.normal(size=40), rng.normal(size=40), np.arange(40)
    ours = bootstrap_difference(first, patients, second, patients)
    theirs = bootstrap_difference(second, patients, first, patients)
    assert (ours.value, ours.low, ours.high) == pytest.approx((-theirs.value, -theirs.high, -theirs.low))
