"""Slices along z: thickness, distance, and what they do to a body and to noise."""

import numpy as np
import pytest

from vctlib.errors import InputError
from vctlib.sources.phantom.slice_profile import slice_matrix, through_slices


def width_at_half(response: np.ndarray, spacing_mm: float) -> float:
    return float(np.sum(response >= response.max() / 2) * spacing_mm)


@pytest.mark.parametrize("profile", ["gaussian", "box"])
def test_a_thin_sheet_shows_the_profile(profile):
    """The response to a sheet one fine voxel thick is as wide as the slice."""
    response = slice_matrix(201, 0.1, 3.0, 0.1, profile=profile).toarray()[:, 100]
    assert width_at_half(response, 0.1) == pytest.approx(3.0, abs=0.11)
    assert response.sum() == pytest.approx(1, abs=5e-3)
    z = (np.arange(201) - 100) * 0.1
    spread = np.sqrt((response * z**2).sum() / response.sum())
    assert spread == pytest.approx(3.0 / 2.3548 if profile == "gaussian" else 3.0 / 12**0.5, rel=0.03)


def test_uniform_bodies_keep_their_values_to_the_last_slice():
    for matrix in (slice_matrix(20, 1.0, 5.0, 1.0), slice_matrix(20, 1.0, 5.0, 5.0), slice_matrix(20, 4.0, 5.0, 5.0)):
        np.testing.assert_allclose(matrix.toarray().sum(axis=1), 1, rtol=1e-9)


def test_voxels_much_thicker_than_the_slice_change_nothing():
    image = np.random.default_rng(0).normal(size=(3, 2, 9)).astype(np.float32)
    np.testing.assert_array_equal(through_slices(image, slice_matrix(9, 8.0, 3.0, 3.0)), image)


def test_slices_far_apart_are_interpolated_in_place():
    """A ramp along z stays a ramp, with no shift, whatever the distance of the slices."""
    ramp = np.arange(41, dtype=np.float32)[None, None, :] * np.ones((2, 3, 1), np.float32)
    for interval in (1.0, 2.5, 5.0):
        shown = through_slices(ramp, slice_matrix(41, 1.0, 3.0, interval))
        np.testing.assert_allclose(shown[:, :, 6:-6], ramp[:, :, 6:-6], atol=0.02)


def test_thick_slices_are_less_noisy_by_their_weights():
    matrix = slice_matrix(400, 1.0, 4.0, 1.0)
    noise = np.random.default_rng(1).normal(size=(30, 30, 400)).astype(np.float32)
    expected = np.sqrt((matrix.toarray()[200] ** 2).sum())
    assert through_slices(noise, matrix).std() == pytest.approx(expected, rel=0.02)
    assert expected == pytest.approx((1 / (2 * np.pi**0.5 * 4 / 2.3548)) ** 0.5, rel=0.03)  # a Gaussian's own figure


def test_sizes_must_be_positive():
    with pytest.raises(InputError, match="positive mm"):
        slice_matrix(5, 1.0, 0.0, 1.0)
