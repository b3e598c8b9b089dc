"""Volumes at points: against SciPy, and what lies beyond."""

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from vctlib.networks.resampling import at_points, resample, spline, straight, vote

SHAPE = (7, 6, 9)


@pytest.fixture
def volume(rng) -> torch.Tensor:
    return torch.from_numpy(rng.standard_normal((2, *SHAPE)).astype(np.float32))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("order", [1, 3])
def test_values_between_voxels_are_scipys(volume, rng, order):
    points = np.stack([rng.uniform(0, size - 1, (3, 4, 5)) for size in SHAPE])
    found = at_points(volume, points, order)
    assert found.shape == (2, 3, 4, 5) and found.dtype == torch.float32
    for channel, own in zip(volume.numpy(), found.numpy(), strict=True):
        expected = map_coordinates(channel, points, order=order, mode="grid-constant", cval=channel[0, 0, 0])
        np.testing.assert_allclose(own, expected, atol=1e-5)


@pytest.mark.parametrize("order", [1, 3])
def test_far_beyond_there_is_what_the_corner_shows(volume, order):
    far = np.full((3, 1, 1, 1), 30.0)
    torch.testing.assert_close(at_points(volume, far, order).flatten(), volume[:, 0, 0, 0])


def test_straight_axes_are_points_on_a_grid(volume):
    positions = [np.array([0.5, 2.0]), np.array([1.0, 3.25, 4.0]), np.array([2.5])]
    matrices = [torch.from_numpy(spline(n, p, 1)) for n, p in zip(SHAPE, positions, strict=True)]
    torch.testing.assert_close(resample(volume, matrices), at_points(volume, straight(positions), 1), atol=1e-5, rtol=0)


def test_classes_vote_by_nearness(rng):
    labels = rng.integers(0, 4, SHAPE).astype(np.uint8)
    points = np.stack([rng.uniform(-0.4, size - 0.6, (4, 4, 4)) for size in SHAPE])
    found = vote(labels, points)
    shares = [map_coordinates((labels == k).astype(float), points, order=1, mode="nearest") for k in range(4)]
    assert found.dtype == np.uint8 and np.array_equal(found, np.argmax(shares, 0))
    assert not vote(labels + 1, points + 40).any()  # beyond the map: background
