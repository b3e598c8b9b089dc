"""The linear fit between measured and recorded values."""

import numpy as np
import pytest

from vctlib.errors import InputError
from vctlib.measure import linear_calibration


def test_known_line_is_found_and_applied():
    measured = np.array([150.0, 160.0, 172.0, 181.0, 195.0])
    fit = linear_calibration(measured, 0.9 * measured + 12.0)
    assert (fit.slope, fit.intercept, fit.r, fit.n) == pytest.approx((0.9, 12.0, 1.0, 5))
    assert fit.bias == pytest.approx(np.mean(0.1 * measured - 12.0))
    np.testing.assert_allclose(fit.apply([100.0, 200.0]), [102.0, 192.0])


def test_applied_to_its_own_data_leaves_no_bias():
    rng = np.random.default_rng(3)
    measured = rng.normal(170, 9, 200)
    recorded = 1.05 * measured - 4 + rng.normal(0, 2, 200)
    fit = linear_calibration(measured, recorded)
    residual = recorded - fit.apply(measured)
    assert residual.mean() == pytest.approx(0, abs=1e-9)
    assert np.corrcoef(residual, measured)[0, 1] == pytest.approx(0, abs=1e-9)
    assert fit.r == pytest.approx(np.corrcoef(measured, recorded)[0, 1])


def test_pairs_without_a_number_are_left_out():
    fit = linear_calibration([1.0, 2.0, np.nan, 4.0, 5.0], [2.0, 4.0, 6.0, 8.0, np.nan])
    assert (fit.slope, fit.intercept, fit.n) == pytest.approx((2.0, 0.0, 3))


@pytest.mark.parametrize(
    ("measured", "recorded"),
    [([1.0, 2.0], [1.0, 2.0]), ([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]), ([1.0, 2.0, 3.0], [1.0, 2.0]), ([[1.0]], [[1.0]])],
)
def test_too_little_to_fit(measured, recorded):
    with pytest.raises(InputError, match="calibration needs"):
        linear_calibration(measured, recorded)
