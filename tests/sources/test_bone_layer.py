"""Bones on the grid: their volume holds at every spacing, joints stay open, hollows stay empty."""

import numpy as np
import pytest

from vctlib.sources.phantom.bone_layer import BALL, PLATE, ROD, BoneLayer, fullest
from vctlib.sources.phantom.geometry import capsule_distance, ellipsoid_radius, plate_position

CORTEX = np.full(256, 1.5)


def voxels_around(spacing, extent=60.0, shift=(0.0, 0.0, 0.0)):
    axis = np.arange(-extent, extent + spacing, spacing)
    return (np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3) + shift).astype(np.float32)


def settled(points, *primitives, spacing, skin_depth=1000.0, joint=0.0):
    layer = BoneLayer(len(points), spacing)
    for label, distance, half, kind in primitives:
        layer.add(label, np.arange(len(points)), distance, half, kind)
    return layer.settle(np.full(len(points), skin_depth, np.float32), CORTEX, joint, 0.0)


def volume(share, spacing):
    return share.sum(dtype=np.float64) * spacing**3


def rod(points, radius):
    return 1, capsule_distance(points, [-30, 3, -7], [25, -11, 20], radius, radius), radius, ROD


def plate(points, half):
    distance, at_edge = plate_position(points, [-30, 3, -7], [25, -11, 20], [10, 35, -5])
    return 1, distance - half, half, np.where(at_edge, ROD, PLATE)


def ball(points, radius):
    return 1, (ellipsoid_radius(points, [2, 1, -3], [radius] * 3) - 1) * radius, radius, BALL


def rod_volume(radius):
    return np.pi * radius**2 * np.linalg.norm([55, 14, 27]) + 4 / 3 * np.pi * radius**3


@pytest.mark.parametrize("spacing", [3.0, 4.0, 8.0])
@pytest.mark.parametrize(
    ("shape", "size", "exact", "tolerance"),
    [
        (rod, 3.5, rod_volume(3.5), 0.06),
        (rod, 6.0, rod_volume(6.0), 0.05),
        (rod, 14.0, rod_volume(14.0), 0.05),
        (ball, 6.0, 4 / 3 * np.pi * 6.0**3, 0.06),
        (ball, 24.0, 4 / 3 * np.pi * 24.0**3, 0.03),
        (plate, 3.5, None, 0.05),
    ],
)
def test_volume_holds_at_every_spacing(spacing, shape, size, exact, tolerance):
    if exact is None:  # no closed form: count fine voxels
        points = voxels_around(1.0)
        exact = (shape(points, size)[1] < 0).sum()
    rng = np.random.default_rng(0)
    total, labelled = [], []
    for _ in range(8):  # wherever the grid lies
        points = voxels_around(spacing, shift=rng.uniform(0, spacing, 3))
        bones = settled(points, shape(points, size), spacing=spacing)
        total.append(volume(bones.cortex + bones.marrow, spacing))
        labelled.append(bones.main.sum() * spacing**3)
    assert np.mean(total) == pytest.approx(exact, rel=tolerance)
    # A label takes whole voxels: to half of one.
    assert np.mean(labelled) == pytest.approx(np.mean(total), rel=0.02, abs=spacing**3 / 2)


@pytest.mark.parametrize("spacing", [3.0, 8.0])
def test_cortex_is_a_shell_of_its_thickness(spacing):
    points = voxels_around(spacing)
    bones = settled(points, ball(points, 24.0), spacing=spacing)
    shell = 4 / 3 * np.pi * (24.0**3 - 22.5**3)
    assert volume(bones.cortex, spacing) == pytest.approx(shell, rel=0.12)
    assert (bones.cortex >= 0).all() and (bones.marrow >= 0).all() and (bones.cortex + bones.marrow <= 1 + 1e-6).all()


def test_cortex_may_differ_along_a_bone():
    points = voxels_around(1.0, 40.0)
    axis = points[:, 2]
    layer = BoneLayer(len(points), 1.0)
    cortex = np.where(axis > 0, 6.0, 2.0)
    layer.add(1, np.arange(len(points)), np.hypot(points[:, 0], points[:, 1]) - 12, 12.0, ROD, cortex)
    bones = layer.settle(np.full(len(points), 99.0, np.float32), CORTEX, 0.0, 0.0)
    for half, thickness in ((axis[bones.voxels] > 0, 6), (axis[bones.voxels] < 0, 2)):
        share = bones.cortex[half].sum() / (bones.cortex + bones.marrow)[half].sum()
        assert share == pytest.approx(1 - (12 - thickness) ** 2 / 12**2, abs=0.02)


def test_a_surface_through_the_middle_of_a_voxel_halves_it():
    points = np.array([[0.0, 0, 0], [-4, 0, 0], [4, 0, 0], [6, 0, 0]], np.float32)
    layer = BoneLayer(4, 4.0)
    layer.add(1, np.arange(4), points[:, 0].copy(), 50.0, PLATE)  # bone fills x < 0
    bones = layer.settle(np.full(4, 99.0, np.float32), np.zeros(256), 0.0, 0.0)
    np.testing.assert_allclose((bones.cortex + bones.marrow)[np.argsort(bones.voxels)], [0.5, 1.0], atol=0.01)


def test_two_bones_that_overlap_keep_a_joint_between_them():
    points = voxels_around(1.0, 30.0)
    left = 1, points[:, 0] - 2, 20.0, PLATE
    right = 2, -2 - points[:, 0], 20.0, PLATE
    for first, second in ((left, right), (right, left)):
        bones = settled(points, first, second, spacing=1.0, joint=3.0)
        x = points[bones.voxels, 0]
        assert (bones.labels[x < 0] == 1).all() and (bones.labels[x > 0] == 2).all()
        share = np.bincount(bones.voxels, bones.cortex + bones.marrow, len(points)).reshape(61, 61, 61)
        gap = 61 - share[:, 30, 30].sum()
        assert gap == pytest.approx(3.0, abs=0.3)


def test_bone_stays_under_the_skin_and_out_of_hollows():
    points = voxels_around(2.0, 30.0)
    layer = BoneLayer(len(points), 2.0)
    layer.add(1, np.arange(len(points)), np.linalg.norm(points, axis=1) - 25, 25.0, BALL)
    layer.carve(np.arange(len(points)), np.linalg.norm(points, axis=1) - 10)
    skin = 20 - np.abs(points[:, 2])
    bones = layer.settle(skin.astype(np.float32), CORTEX, 0.0, 2.0)
    radius, z = np.linalg.norm(points[bones.voxels], axis=1), np.abs(points[bones.voxels, 2])
    assert radius.min() > 8.9 and z.max() < 19.1
    assert (bones.depth <= np.minimum(radius - 10, 18 - z) + 1e-4).all()


def test_a_bone_that_lost_all_its_voxels_gets_one_back():
    points = voxels_around(8.0, 40.0)
    layer = BoneLayer(len(points), 8.0)
    layer.add(1, np.arange(len(points)), np.linalg.norm(points, axis=1) - 30, 30.0, BALL)
    layer.add(2, np.arange(len(points)), np.linalg.norm(points, axis=1) - 5, 5.0, BALL)  # inside the first
    layer.ensure(2, points, [0, 0, 0])
    bones = layer.settle(np.full(len(points), 99.0, np.float32), CORTEX, 0.0, 0.0)
    assert set(bones.labels[bones.main]) == {1, 2}


def test_fullest():
    labels, share = np.array([1, 2, 1, 1, 2, 3]), np.array([0.9, 0.2, 0.3, 0.8, 0.1, 0.05])
    np.testing.assert_array_equal(fullest(labels, share), [True, True, False, True, False, True])
    assert fullest(np.zeros(0, int), np.zeros(0)).shape == (0,)
