"""The canvas: shares of skin, noise that belongs to the body, tubes and soft tissue given out by volume."""

import numpy as np
import pytest

from vctlib.sources.phantom.canvas import LABEL, Canvas, least
from vctlib.sources.phantom.voxelize import Grid

SIDE = 96.0


def block(spacing: float, seed: int = 0, skin_mm: float = 2.0) -> Canvas:
    """A cube of flesh of 96 mm in air, its faces on voxel faces."""
    n = int(SIDE / spacing)
    grid = Grid(np.full(3, (-4 + 0.5) * spacing), spacing, (n + 8,) * 3)
    coverage = np.zeros(grid.shape, np.float32)
    coverage[4:-4, 4:-4, 4:-4] = 1
    return Canvas(coverage, grid, seed, skin_mm)


@pytest.mark.parametrize("spacing", [2.0, 4.0, 8.0])
def test_skin_has_its_thickness_at_every_spacing(spacing):
    canvas = block(spacing)
    skin_ml = canvas.skin.sum(dtype=np.float64) * canvas.voxel_ml
    assert skin_ml == pytest.approx((SIDE**3 - (SIDE - 4) ** 3) / 1000, rel=0.13)  # edges count once
    assert canvas.depth.max() == pytest.approx(SIDE / 2, abs=spacing)


def test_a_surface_within_a_voxel_sets_the_depth():
    coverage = np.zeros((20, 12, 12), np.float32)
    coverage[5:15] = 1
    coverage[4], coverage[15] = 0.25, 0.75
    coverage[:, [0, -1]] = coverage[:, :, [0, -1]] = 0
    canvas = Canvas(coverage, Grid(np.zeros(3), 4.0, coverage.shape), 0, 1.0)
    line = (canvas.index[:, 1] == 6) & (canvas.index[:, 2] == 6)
    depth = dict(zip(canvas.index[line, 0], canvas.depth[line], strict=True))
    assert depth[4] == pytest.approx(-1.0) and depth[15] == pytest.approx(1.0)
    assert depth[5] == pytest.approx(3.0) and depth[7] == pytest.approx(11.0) and depth[14] == pytest.approx(5.0)


def test_noise_belongs_to_the_body_and_not_to_the_grid():
    fine, coarse = block(2.0), block(4.0)
    values, cells = coarse.noise("grain", 9), {}
    for position, value in zip(fine.positions, fine.noise("grain", 9), strict=True):
        cells.setdefault(tuple(np.floor(position / 4.0)), []).append(value)  # eight fine voxels in a coarse one
    means = [np.mean(cells[tuple(np.floor(position / 4.0))]) for position in coarse.positions]
    assert np.corrcoef(means, values)[0, 1] > 0.9
    assert values.std() == pytest.approx(1, abs=0.3)
    assert not np.allclose(values, coarse.noise("other", 9))
    assert not np.allclose(values, block(4.0, seed=1).noise("grain", 9))


@pytest.mark.parametrize("spacing", [2.0, 4.0, 8.0])
@pytest.mark.parametrize("radius", [3.0, 6.0, 12.0])
def test_a_tube_has_its_volume_at_every_spacing(spacing, radius):
    canvas = block(spacing)
    path = np.array([[20.0, 22, 18], [48, 50, 47], [75, 60, 78]])
    canvas.tube("aorta", path, [radius] * 3)
    length = np.linalg.norm(np.diff(path, axis=0), axis=1).sum()
    exact = (np.pi * radius**2 * length + 4 / 3 * np.pi * radius**3) / 1000
    assert (canvas.labels == LABEL["aorta"]).sum() * canvas.voxel_ml == pytest.approx(
        exact, rel=0.12, abs=canvas.voxel_ml
    )


def test_tubes_leave_what_is_taken_unless_told():
    canvas = block(4.0)
    canvas.tube("aorta", [[10.0, 48, 48], [86, 48, 48]], [8.0, 8.0])
    aorta = (canvas.labels == LABEL["aorta"]).sum()
    canvas.tube("trachea", [[48.0, 10, 48], [48, 86, 48]], [8.0, 8.0])
    assert (canvas.labels == LABEL["aorta"]).sum() == aorta
    canvas.tube("trachea", [[48.0, 10, 48], [48, 86, 48]], [8.0, 8.0], over=True)
    assert (canvas.labels == LABEL["aorta"]).sum() < aorta


def test_pick_and_convert_meet_their_volumes():
    canvas = block(4.0)
    near = canvas.around([48.0, 48, 48], 40.0)
    radius = np.linalg.norm(canvas.positions[near] - 48, axis=1)
    canvas.pick("liver", near, radius, 100.0)
    canvas.convert("liver", "torso_fat", near, radius, 20.0)
    volume = np.bincount(canvas.labels, minlength=256) * canvas.voxel_ml
    assert volume[LABEL["torso_fat"]] == pytest.approx(20.0, abs=canvas.voxel_ml)
    assert volume[LABEL["liver"]] == pytest.approx(80.0, abs=canvas.voxel_ml)
    inner = radius[canvas.labels[near] == LABEL["torso_fat"]]
    outer = radius[canvas.labels[near] == LABEL["liver"]]
    assert inner.max() <= outer.min()


def test_least_counts_by_weight():
    score, weight = np.array([3.0, 1.0, 2.0, 0.0]), np.array([1.0, 0.5, 1.0, 0.25])
    assert list(least(score, weight, 0.0)) == []
    assert set(least(score, weight, 0.75)) == {3, 1}
    assert set(least(score, weight, 1.5)) == {3, 1, 2}
    assert set(least(score, weight, 1.1)) == {3, 1}  # half of the third would be too much
    assert len(least(score, weight, 99.0)) == 4
    assert len(least(np.zeros(0), np.zeros(0), 1.0)) == 0
    score[1] = np.inf  # taken last, and only if nothing else is left
    assert set(least(score, weight, 1.25)) == {3, 2}
    assert set(least(score, weight, 2.7)) == {3, 2, 0, 1}


@pytest.mark.parametrize("shift", [0.5, 2.0, 3.5])
def test_both_halves_of_a_midline_bone_keep_their_volume_in_the_label_map(shift):
    n, spacing = 24, 8.0
    coverage = np.zeros((n, n, n), np.float32)
    coverage[2:-2, 2:-2, 2:-2] = 1
    canvas = Canvas(coverage, Grid(np.full(3, -n / 2 * spacing + shift), spacing, coverage.shape), 0, 2.0)
    for x in (-21, 21):
        canvas.bone_ball("vertebrae_C1", [x, 0, 0], [9.0, 9.0, 9.0])
    canvas.settle_bones(np.ones(256))
    left = canvas.positions[canvas.bones.voxels, 0] > 0
    share = canvas.bones.cortex + canvas.bones.marrow
    for half in (left, ~left):
        assert canvas.bones.main[half].sum() == max(round(share[half].sum()), 1)


def test_fill_shape_takes_the_volume_of_a_ball_and_only_free_voxels():
    canvas = block(4.0)
    distance = np.linalg.norm(canvas.positions - [48, 47, 46], axis=1) - 15
    voxels = np.arange(len(canvas))
    taken = canvas.fill_shape("eye", voxels, distance, 15.0)
    assert len(taken) * canvas.voxel_ml == pytest.approx(4 / 3 * np.pi * 15**3 / 1000, rel=0.05)
    assert (canvas.labels == LABEL["eye"]).sum() == len(taken)
    assert len(canvas.fill_shape("brain", taken, distance[taken], 15.0)) == 0
