import numpy as np
import pandas as pd
import pytest

from vctlib.errors import InputError
from vctlib.trial.bias import error_drivers
from vctlib.trial.importance_intervals import agreement_interval, importance_intervals, resampled_importances

FEATURES = ("weight_kg", "muscle_percent_measured", "age_years")


@pytest.fixture(scope="module")
def frames(people) -> dict[str, pd.DataFrame]:
    """Errors of the same 60 patients that hang on muscle, and in the other arm on nothing."""
    frame, rng = people.head(60).reset_index(drop=True), np.random.default_rng(0)
    real = frame.assign(absolute_error=np.abs(frame["muscle_percent_measured"] - 38) + 0.2 * rng.random(60))
    return {"real": real, "noise": frame.assign(absolute_error=rng.random(60)), "again": real.sample(frac=1)}


@pytest.fixture(scope="module")
def resampled(frames):
    return resampled_importances(frames, FEATURES, n_resamples=12, n_trees=20)


def test_what_drives_the_error_does_so_in_every_resample(resampled, frames):
    impurity, permutation = resampled["real"]
    assert (impurity.argmax(axis=1) == 1).all() and (permutation.argmax(axis=1) == 1).all()
    assert impurity.sum(axis=1) == pytest.approx(1)
    found = error_drivers(frames["real"], FEATURES, n_trees=20, n_repeats=5).importances
    for kind, lists in (("impurity", impurity), ("permutation", permutation)):
        (low, high), value = importance_intervals(lists)[1], found[kind].iloc[1]
        assert low < value + 0.05 and value - 0.05 < high


def test_permutation_is_judged_on_patients_who_were_not_drawn(frames):
    """Forests that are asked about those who taught them lean on noise; those who were left out do not confirm it."""
    rng = np.random.default_rng(1)
    noise = frames["noise"].assign(absolute_error=rng.random(60) ** 4)
    permutation = resampled_importances({"a": noise}, FEATURES, n_resamples=40, n_trees=20)["a"].permutation
    assert permutation.shape == (40, 3) and abs(np.nanmean(permutation)) < 0.02
    low, high = importance_intervals(permutation).T
    assert (low < 0).all() and (high > 0).all()


def test_arms_of_the_same_patients_are_resampled_together(resampled):
    alike = agreement_interval(resampled["real"].impurity, resampled["again"].impurity)
    assert alike.pearson[0] > 0.99  # the same errors in another order of rows
    apart = agreement_interval(resampled["real"].impurity, resampled["noise"].impurity)
    assert apart.pearson[1] - apart.pearson[0] > 0.2 and apart.pearson[0] < 0.8


def test_the_seed_decides(frames, resampled):
    again = resampled_importances(frames, FEATURES, n_resamples=12, n_trees=20)
    assert all((one == other).all() for one, other in zip(again["noise"], resampled["noise"], strict=True))
    other = resampled_importances(frames, FEATURES, n_resamples=12, n_trees=20, seed=1)
    assert all((one != other).any() for one, other in zip(other["noise"], resampled["noise"], strict=True))


def test_one_patient_cannot_be_resampled(frames):
    with pytest.raises(InputError, match="1 patients"):
        resampled_importances({"real": frames["real"].head(1)}, FEATURES)
    flat = np.ones((3, 4))
    assert np.isnan(agreement_interval(flat, flat).pearson).all()
