"""What the picture adds is told by reconstructions, and taken from synthetic errors."""

import numpy as np
import pytest

from vctlib.errors import InputError
from vctlib.trial.bootstrap import bootstrap_mae
from vctlib.trial.calibration import PictureError, bootstrap_calibrated_mae, picture_error, without_picture


def world(rng, people, calibrating, *, bias=1.5, spread=1.0, shift=2.0, picture=1.5):
    """Real errors of a population that is `bias` off, synthetic ones of others like it with the picture's error on
    top, and CTs and reconstructions of people on whom the model is right on average."""
    real = rng.normal(bias, spread, people)
    synthetic = rng.normal(bias, spread, people) + rng.normal(shift, picture, people)
    on_ct = rng.normal(0, spread, calibrating)
    return real, synthetic, on_ct, on_ct + rng.normal(shift, picture, calibrating)


def test_moments_by_hand():
    found = picture_error([1.0, -1.0, 0.0, 2.0, -2.0], [2.0, 1.0, 1.0, 6.0, -5.0])
    assert found.shift == pytest.approx(1.0)  # means 0 and 1
    assert found.variance == pytest.approx(15.5 - 2.5)  # of samples: 62 / 4 and 10 / 4
    same = picture_error([1.0, -1.0, 0.0, 2.0, -2.0], [3.0] * 5)
    assert same == pytest.approx((3.0, 0.0))  # less spread is none to take away


def test_errors_are_moved_and_drawn_together():
    errors = np.array([1.0, 3.0, 5.0, 7.0])  # mean 4, variance 5
    assert without_picture(errors, PictureError(1.0, 0.0)).tolist() == [0, 2, 4, 6]
    drawn = without_picture(errors, PictureError(0.0, 3.2))
    assert drawn.mean() == pytest.approx(4.0) and drawn.var() == pytest.approx(1.8)
    assert without_picture(errors, PictureError(0.0, 99.0)).var() == pytest.approx(0.25)  # a twentieth stays
    assert without_picture(np.full(3, 2.0), PictureError(0.5, 1.0)).tolist() == [1.5] * 3


def test_with_many_people_the_real_error_is_found():
    real, synthetic, on_ct, reconstructed = world(np.random.default_rng(0), 40_000, 40_000)
    wanted = np.abs(real).mean()
    assert np.abs(synthetic).mean() > wanted + 1.5
    found = without_picture(synthetic, picture_error(on_ct, reconstructed))
    assert np.abs(found).mean() == pytest.approx(wanted, abs=0.03)
    assert np.abs(synthetic - 2.0).mean() > wanted + 0.2  # the shift alone is not enough


def test_the_estimate_is_that_of_the_calibrated_errors():
    _, synthetic, on_ct, reconstructed = world(np.random.default_rng(1), 80, 40)
    people = np.repeat(np.arange(40), 2)
    found = bootstrap_calibrated_mae(synthetic, people, on_ct, reconstructed, 500)
    by_hand = np.abs(without_picture(synthetic, picture_error(on_ct, reconstructed))).mean()
    assert found.value == pytest.approx(by_hand) and (found.n, found.n_clusters) == (80, 40)
    assert found.low < found.value < found.high
    again = bootstrap_calibrated_mae(synthetic, people, on_ct, reconstructed, 500)
    assert (again.low, again.high) == (found.low, found.high)


def test_few_who_calibrate_widen_the_interval():
    _, synthetic, on_ct, reconstructed = world(np.random.default_rng(2), 200, 200)
    few, many = (
        bootstrap_calibrated_mae(synthetic, np.arange(200), on_ct[:n], reconstructed[:n], 1000) for n in (10, 200)
    )
    known = bootstrap_mae(without_picture(synthetic, picture_error(on_ct, reconstructed)), n_resamples=1000)
    assert few.high - few.low > 1.5 * (many.high - many.low) and many.high - many.low > 1.1 * (known.high - known.low)


def test_intervals_hold_the_real_error():
    rng, trials, held = np.random.default_rng(3), 200, 0
    wanted = np.abs(rng.normal(1.5, 1.0, 400_000)).mean()
    for _ in range(trials):
        _, synthetic, on_ct, reconstructed = world(rng, 60, 40)
        found = bootstrap_calibrated_mae(synthetic, np.arange(60), on_ct, reconstructed, 300)
        held += found.low <= wanted <= found.high
    assert 0.90 <= held / trials <= 0.99


@pytest.mark.parametrize(
    ("on_ct", "reconstructed", "words"),
    [
        ([1.0] * 4, [1.0] * 4, "4 people tell nothing"),
        ([1.0] * 6, [1.0] * 5, "6 CTs and 5 reconstructions"),
        ([1.0] * 5 + [np.nan], [1.0] * 6, "not all finite"),
    ],
)
def test_what_tells_nothing_is_refused(on_ct, reconstructed, words):
    with pytest.raises(InputError, match=words):
        picture_error(on_ct, reconstructed)
    with pytest.raises(InputError, match=words):
        bootstrap_calibrated_mae(np.arange(9.0), np.arange(9), on_ct, reconstructed, 100)
