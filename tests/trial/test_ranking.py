import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from vctlib.errors import InputError
from vctlib.trial.ranking import bootstrap_auc, bootstrap_auc_difference, can_rank

FAST = {"n_resamples": 2000}


@pytest.fixture
def images():
    """60 patients, two images each, a third of them with the condition; scores that tell them apart in part."""
    rng = np.random.default_rng(3)
    patients = np.repeat(np.arange(60), 2)
    truth = (patients % 3 == 0).astype(float)
    return rng.normal(size=120) + 1.2 * truth, truth, patients


def delong_standard_error(scores, truth):
    """The textbook formula for one image a patient, on its own: variances of placements over the numbers."""
    pos, neg = scores[truth == 1], scores[truth == 0]
    wins = (pos[:, None] > neg) + 0.5 * (pos[:, None] == neg)
    return np.sqrt(wins.mean(1).var(ddof=1) / len(pos) + wins.mean(0).var(ddof=1) / len(neg))


def test_four_pairs_by_hand():
    # with: 3 and 1; without: 2 and 1. Pairs: 3>2, 3>1, 1<2, 1=1 -> 2.5 of 4
    found = bootstrap_auc([3, 1, 2, 1], [1, 1, 0, 0], n_resamples=100)
    assert found.value == 2.5 / 4 and (found.n, found.n_clusters) == (4, 4)


def test_value_agrees_with_scikit_learn(images):
    scores, truth, patients = images
    scores = np.round(scores, 1)  # with ties
    assert bootstrap_auc(scores, truth, patients, **FAST).value == pytest.approx(roc_auc_score(truth, scores))


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_interval_agrees_with_delong_where_a_patient_has_one_image(method):
    rng = np.random.default_rng(5)
    truth = np.repeat([0.0, 1.0], [150, 100])
    scores = rng.normal(size=250) + truth
    found = bootstrap_auc(scores, truth, method=method, n_resamples=4000)
    error = delong_standard_error(scores, truth)
    assert found.standard_error == pytest.approx(error, rel=0.06)
    reach = stats.norm.ppf(0.975) * error
    assert found.low == pytest.approx(found.value - reach, abs=0.25 * error)
    assert found.high == pytest.approx(found.value + reach, abs=0.25 * error)


def test_intervals_hold_the_truth():
    rng, held = np.random.default_rng(6), 0
    true_auc = stats.norm.cdf(1.5 / np.sqrt(2))
    for trial in range(300):
        truth = np.repeat([0.0, 1.0], [25, 15])
        found = bootstrap_auc(rng.normal(size=40) + 1.5 * truth, truth, n_resamples=400, seed=trial)
        held += found.low <= true_auc <= found.high
    assert 0.92 <= held / 300 <= 0.985


def test_two_images_of_a_patient_are_no_two_patients(images):
    scores, truth, patients = images
    once = bootstrap_auc(scores[::2], truth[::2], patients[::2], **FAST)
    copied = bootstrap_auc(np.repeat(scores[::2], 2), truth, patients, **FAST)
    assert (copied.low, copied.high) == pytest.approx((once.low, once.high))
    assert copied.value == pytest.approx(once.value)


def test_scale_and_order_do_not_matter(images):
    scores, truth, patients = images
    found, other = bootstrap_auc(*images, **FAST), np.random.default_rng(0).permutation(len(scores))
    again = bootstrap_auc(np.exp(scores)[other], truth[other], patients[other], **FAST)
    assert (again.value, again.low, again.high) == pytest.approx((found.value, found.low, found.high))
    turned = bootstrap_auc(-scores, truth, patients, **FAST)
    assert turned.value == pytest.approx(1 - found.value)


def test_a_difference_of_the_same_patients_is_paired(images):
    scores, truth, patients = images
    slightly = scores + 0.05 * np.random.default_rng(1).normal(size=len(scores))
    paired = bootstrap_auc_difference(slightly, truth, patients, scores, truth, patients, **FAST)
    apart = bootstrap_auc_difference(slightly, truth, patients + 1000, scores, truth, patients, **FAST)
    assert paired.value == pytest.approx(apart.value)
    assert paired.high - paired.low < 0.3 * (apart.high - apart.low)
    same = bootstrap_auc_difference(scores, truth, patients, scores, truth, patients, **FAST)
    assert (same.value, same.low, same.high) == (0, 0, 0)


def test_a_perfect_ranking_is_one_and_no_more():
    truth = np.repeat([0.0, 1.0], 10)
    found = bootstrap_auc(truth + 0.1 * np.arange(20) / 20, truth, n_resamples=300)
    assert (found.value, found.low, found.high) == (1, 1, 1)


@pytest.mark.parametrize(
    "scores, truth, words",
    [
        ([1, 2, np.nan, 4], [0, 0, 1, 1], "1 values that are not finite"),
        ([1, 2, 3, 4], [0, 0, 0.5, 1], "truths of 0 and 1; there is 0.5"),
        ([1, 2, 3, 4], [0, 0, 0, 1], "at least two patients with the condition"),
        ([1, 2, 3], [0, 1], "3 scores come with 2 truths"),
    ],
)
def test_what_has_no_auc_is_said(scores, truth, words):
    with pytest.raises(InputError, match=words):
        bootstrap_auc(scores, truth)


def test_whether_an_arm_can_be_ranked():
    assert can_rank([0, 0, 1, 1], ["a", "b", "c", "d"])
    assert not can_rank([0, 0, 1, 1], ["a", "b", "c", "c"])  # one patient alone has the condition
