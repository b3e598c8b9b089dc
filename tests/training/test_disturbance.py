"""Disturbed CTs: what is asked for is done to them, and no more."""

import numpy as np
import pytest

from vctlib.network_config import Optimization, SegmenterConfig
from vctlib.training.disturbance import disturbed


def config(**amounts: float) -> SegmenterConfig:
    optimization = Optimization(steps=1, batch_size=1, learning_rate=1)
    return SegmenterConfig(channels=(8, 16), residual_units=1, optimization=optimization, **amounts)


@pytest.fixture
def hu() -> np.ndarray:
    """A cube of muscle in air."""
    volume = np.full((24, 24, 24), -1000, np.int16)
    volume[4:20, 4:20, 4:20] = 50
    return volume


def test_without_amounts_a_ct_stays_as_it_is(hu):
    found = disturbed(hu, config(), np.random.default_rng(0))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, hu.astype(np.float32) / 1000)


def test_every_second_ct_stays_as_it_is_all_the_same(hu):
    rng = np.random.default_rng(0)
    kept = [np.array_equal(disturbed(hu, config(noise_hu=20.0), rng), hu.astype(np.float32) / 1000) for _ in range(200)]
    assert np.mean(kept) == pytest.approx(0.5, abs=0.1)


def test_blur_softens_borders_and_nothing_else(hu):
    rng = np.random.default_rng(0)
    found = max(
        (disturbed(hu, config(blur=2.0), rng) * 1000 for _ in range(9)),
        key=lambda x: -np.abs(np.diff(x[:, 12, 12])).max(),
    )
    assert np.abs(np.diff(found[:, 12, 12])).max() < 700  # 1050 HU before
    assert found[12, 12, 12] == pytest.approx(50, abs=2) and found[0, 0, 0] == pytest.approx(-1000, abs=2)


@pytest.mark.parametrize(("amount", "smooth"), [("mottle_hu", True), ("noise_hu", False)])
def test_errors_have_the_size_and_the_grain_that_are_asked_for(hu, amount, smooth):
    rng = np.random.default_rng(0)
    errors = [(disturbed(hu, config(**{amount: 40.0}), rng) * 1000 - hu) for _ in range(120)]
    errors = [error for error in errors if error.any()]  # every second one
    inside = np.array([error[5:19, 5:19, 5:19] for error in errors])
    sizes = np.sqrt((inside**2).mean((1, 2, 3)))
    assert sizes.max() < 70 and sizes.mean() == pytest.approx(20, rel=0.25)  # from none to 40
    neighbours = np.corrcoef(inside[:, 1:].ravel(), inside[:, :-1].ravel())[0, 1]
    assert neighbours > 0.7 if smooth else abs(neighbours) < 0.05
    assert all((error[hu == -1000] == 0).all() for error in errors)  # air stays air


def test_the_same_draw_disturbs_alike(hu):
    amounts = config(blur=1.0, mottle_hu=40.0, noise_hu=20.0)
    one, two, other = (disturbed(hu, amounts, np.random.default_rng(seed)) for seed in (2, 2, 3))
    np.testing.assert_array_equal(one, two)
    assert np.abs(one - other).max() > 0.01
