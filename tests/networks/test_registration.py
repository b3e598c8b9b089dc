"""Displacement fields between images whose displacement is known."""

import numpy as np
import torch

from vctlib.networks.registration import register
from vctlib.networks.resampling import at_points, straight

SHAPE = (24, 16, 32)  # different along every axis so that a mix-up shows
ITERATIONS = (20, 20, 10)


def ellipsoid(middle, radii) -> np.ndarray:
    x, y, z = np.meshgrid(*map(np.arange, SHAPE), indexing="ij")
    distance = sum(((a - m) / r) ** 2 for a, m, r in zip((x, y, z), middle, radii, strict=True)) ** 0.5
    return (1 / (1 + np.exp(8 * (distance - 1)))).astype(np.float32)


def test_what_has_moved_and_grown_is_found_along_every_axis():
    fixed, moving = ellipsoid((11, 7, 15), (6, 4, 8)), ellipsoid((13, 8, 12), (7, 4, 9))
    field = register(fixed, moving, ITERATIONS, 1.0)
    assert field.shape == (3, *SHAPE) and field.dtype == np.float32
    seen = at_points(torch.from_numpy(moving), straight(list(map(np.arange, SHAPE))) + field, 1).numpy()
    assert np.abs(seen - fixed).mean() < 0.1 * np.abs(moving - fixed).mean()
    ends = [field[:, 5, 7, 15], field[:, 17, 7, 15]]  # its surface along x: moved by 2, and by one voxel to either side
    assert np.allclose([end[0] for end in ends], (1, 3), atol=0.5)
    assert np.isclose(field[2, 11, 7, 8], -4, atol=0.7) and np.isclose(field[2, 11, 7, 22], -2, atol=0.7)


def test_the_same_image_stays_where_it_is():
    fixed = ellipsoid((11, 7, 15), (6, 4, 8))
    assert np.abs(register(fixed, fixed, ITERATIONS, 1.0)).max() < 1e-3
