"""Shares of voxels by winding number against shapes of known volume."""

import numpy as np
import pytest

from vctlib.sources.phantom.body import mesh_volume
from vctlib.sources.phantom.voxelize import Grid, cover_mesh


def box(low, high):
    """A box mesh with outward faces."""
    low, high = np.asarray(low, float), np.asarray(high, float)
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
    vertices = low + corners * (high - low)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([triangle for a, b, c, d in quads for triangle in ((a, b, c), (a, c, d))])
    return vertices, faces


def sphere(radius, subdivisions=5):
    """An octahedron split into small triangles and blown up to a sphere."""
    vertices = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], float)
    faces = np.array([[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]])
    for _ in range(subdivisions):
        a, b, c = (vertices[faces[:, i]] for i in range(3))
        points = np.concatenate([a, b, c, (a + b) / 2, (b + c) / 2, (c + a) / 2])
        n = np.arange(len(faces))
        pa, pb, pc, ab, bc, ca = (n + k * len(faces) for k in range(6))
        faces = np.concatenate([np.stack(t, 1) for t in ((pa, ab, ca), (ab, pb, bc), (ca, bc, pc), (ab, bc, ca))])
        vertices = points / np.linalg.norm(points, axis=1, keepdims=True)
    return radius * vertices, faces


def test_box_between_voxel_centres_is_exact():
    vertices, faces = box([-10, -20, -30], [10, 20, 30])
    grid = Grid(np.array([-49.0, -49.0, -49.0]), 2.0, (50, 50, 50))  # centres at odd mm
    coverage = cover_mesh(vertices, faces, grid)
    assert mesh_volume(vertices, faces) == pytest.approx(20 * 40 * 60)
    assert set(np.unique(coverage.round(5))) == {0, 1} and coverage.sum() * grid.spacing**3 == 20 * 40 * 60
    index = np.argwhere(coverage > 0.5)
    assert (index.min(0) * 2.0 - 49 == [-9, -19, -29]).all() and (index.max(0) * 2.0 - 49 == [9, 19, 29]).all()


def test_shares_are_exact_along_y_and_in_quarters_across():
    vertices, faces = box([-10.5, -20.3, -30], [10, 20, 30])
    grid = Grid(np.array([-49.0, -49.0, -49.0]), 2.0, (50, 50, 50))
    coverage = cover_mesh(vertices, faces, grid)
    assert coverage[25, 14, 25] == pytest.approx(0.15, abs=1e-4)  # 0.3 of 2 mm, at y = -21
    assert coverage[19, 25, 25] == pytest.approx(0.5)  # 0.5 of 2 mm at x = -11: one of two rays


@pytest.mark.parametrize("spacing", [2.0, 3.0, 5.0, 8.0])
def test_sphere(spacing):
    vertices, faces = sphere(60.0)
    grid = Grid(np.array([-70.3, -71.1, -69.6]), spacing, (int(142 / spacing),) * 3)
    coverage = cover_mesh(vertices, faces, grid)
    assert coverage.sum(dtype=np.float64) * spacing**3 == pytest.approx(4 / 3 * np.pi * 60**3, rel=0.004)
    centres = np.stack(np.indices(grid.shape), -1) * spacing + grid.origin
    radius = np.linalg.norm(centres, axis=-1)
    assert (coverage[radius < 60 - spacing] == 1).all() and not coverage[radius > 60 + spacing].any()


def test_turning_the_faces_inside_out_changes_nothing():
    vertices, faces = sphere(30.0, 3)
    grid = Grid.around(vertices, 3.0)
    turned = cover_mesh(vertices, faces[:, ::-1], grid)
    np.testing.assert_allclose(cover_mesh(vertices, faces, grid), turned, atol=1e-6)


def test_overlapping_bodies_are_one_body_without_a_hole():
    first, faces = box([-10, -10, -10], [10, 10, 10])
    second, _ = box([0, 0, 0], [20, 20, 20])
    grid = Grid(np.array([-49.0, -49.0, -49.0]), 2.0, (50, 50, 50))
    union = cover_mesh(np.concatenate([first, second]), np.concatenate([faces, faces + 8]), grid)
    either = np.maximum(cover_mesh(first, faces, grid), cover_mesh(second, faces, grid))
    np.testing.assert_allclose(union, either, atol=1e-6)
    assert union.sum() * 8 == 2 * 20**3 - 10**3


def test_grid_keeps_a_margin_of_air():
    vertices, faces = sphere(20.0, 3)
    grid = Grid.around(vertices, 4.0, margin=4)
    index = np.argwhere(cover_mesh(vertices, faces, grid) > 0)
    assert (index.min(0) >= 3).all() and (index.max(0) <= np.array(grid.shape) - 4).all()
