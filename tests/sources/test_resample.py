"""Resampling and centring, where the answer is known."""

import numpy as np
import pytest

from vctlib.errors import InputError
from vctlib.sources.resample import BodyDoesNotFit, body_mask, box_of, fit_to_grid, resample_to_spacing, spacing_of


def frame(spacing: float, rotation_degrees: float = 0.0) -> np.ndarray:
    """An affine with cubic voxels, turned about z, the volume (40 voxels wide) about the origin."""
    angle = np.deg2rad(rotation_degrees)
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    affine[:3, :3] *= spacing
    affine[:3, 3] = affine[:3, :3] @ np.full(3, -19.5)
    return affine


def blob(affine: np.ndarray, centre: np.ndarray, sigma: float) -> np.ndarray:
    voxels = np.stack(np.meshgrid(*[np.arange(40)] * 3, indexing="ij"), axis=-1)
    world = voxels @ affine[:3, :3].T + affine[:3, 3]
    return np.exp(-((world - centre) ** 2).sum(axis=-1) / (2 * sigma**2))


def test_same_spacing_changes_nothing():
    array = np.random.default_rng(0).normal(size=(5, 6, 7)).astype(np.float32)
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    out, moved = resample_to_spacing(array, affine, (2, 2, 2), labels=False, fill=0)
    np.testing.assert_allclose(out, array, atol=1e-6)
    np.testing.assert_allclose(moved, affine)


@pytest.mark.parametrize("spacing", [1.5, 2.0, 5.0, 8.0])
@pytest.mark.parametrize("degrees", [0, 20, 90, 180])
def test_mass_and_centre_survive_any_spacing_and_tilt(spacing, degrees):
    centre, affine = np.array([7.0, -11.0, 5.0]), frame(2.0, degrees)
    array = blob(affine, centre, sigma=7.0)
    out, moved = resample_to_spacing(array, affine, (spacing,) * 3, labels=False, fill=0)
    np.testing.assert_allclose(spacing_of(moved), spacing)
    assert np.allclose(moved[:3, :3], np.diag([spacing] * 3))
    assert out.sum() * spacing**3 == pytest.approx(array.sum() * 8, rel=0.01)
    voxels = np.stack(np.meshgrid(*map(np.arange, out.shape), indexing="ij"), axis=-1)
    found = (voxels * out[..., None]).sum(axis=(0, 1, 2)) / out.sum()
    np.testing.assert_allclose(moved[:3, :3] @ found + moved[:3, 3], centre, atol=0.15)


def test_coarser_voxels_average_the_noise():
    noise = np.random.default_rng(0).normal(size=(40, 40, 40))
    out, _ = resample_to_spacing(noise, np.eye(4), (4, 4, 4), labels=False, fill=0)
    assert out[1:-1, 1:-1, 1:-1].std() < 0.25  # averaging 4^3 voxels would leave 1/8, taking one of them 1


def test_labels_stay_labels():
    labels = np.zeros((12, 12, 12), np.uint8)
    labels[:, :, 6:] = 7
    out, _ = resample_to_spacing(labels, np.eye(4), (3, 3, 3), labels=True, fill=0)
    assert out.dtype == np.uint8 and set(np.unique(out)) == {0, 7} and out.shape == (4, 4, 4)
    assert (out[:, :, 2:] == 7).all()


def test_wrong_spacing():
    with pytest.raises(InputError, match="three positive"):
        resample_to_spacing(np.zeros((2, 2, 2)), np.eye(4), (1, 1, 0), labels=False, fill=0)


def test_fitting_centres_pads_and_keeps_world_positions():
    array, affine = np.zeros((10, 10, 10)), np.diag([2.0, 3.0, 4.0, 1.0])
    array[1:4, 7:9, 5] = 1
    box = box_of(array > 0)
    assert box == ((1, 4), (7, 9), (5, 6))
    out, moved = fit_to_grid(array, affine, (5, 6, 15), box, fill=-1)
    assert out.shape == (5, 6, 15) and (out == 1).sum() == 6
    before, after = np.argwhere(array == 1).mean(axis=0), np.argwhere(out == 1).mean(axis=0)
    np.testing.assert_allclose(after, (np.array(out.shape) - 1) / 2, atol=0.51)
    np.testing.assert_allclose(affine[:3, :3] @ before, moved[:3, :3] @ after + moved[:3, 3])
    assert out[0, -1, 0] == -1  # beyond the old volume


def test_nobody_is_cut_unless_asked():
    array = np.ones((4, 4, 9))
    with pytest.raises(BodyDoesNotFit, match="4 x 4 x 9 voxels and the grid 6 x 6 x 6"):
        fit_to_grid(array, np.eye(4), (6, 6, 6), box_of(array > 0), fill=0)
    out, _ = fit_to_grid(array, np.eye(4), (6, 6, 6), box_of(array > 0), fill=0, allow_cut=True)
    assert out.sum() == 4 * 4 * 6


def test_the_body_is_found_without_its_table():
    hu = np.full((40, 40, 20), -1000.0)
    hu[10:30, 15:30, :] = 40  # body
    hu[19:21, 30:33, 10] = 40  # a nose
    hu[5:35, 4:6, :] = 200  # a table
    mask = body_mask(hu)
    assert box_of(mask) == ((10, 30), (15, 33), (0, 20))
    with pytest.raises(InputError, match="no body"):
        box_of(body_mask(np.full((5, 5, 5), -1000.0)))
