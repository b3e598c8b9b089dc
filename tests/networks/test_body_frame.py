"""Bodies in the frame and back: where they come to lie, what is lost, and what labels become."""

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from vctlib.anatomy import PAPER16
from vctlib.errors import InputError
from vctlib.network_config import BodyFrameConfig
from vctlib.networks.body_frame import BodyFrame, Placement, placement

NUMBER = {name: number for number, name in PAPER16.items()}
GRID, SPACING = (28, 24, 60), (10.0, 8.0, 12.0)  # voxels and mm, different along every axis so that a mix-up shows
CONFIG = BodyFrameConfig(
    length_voxels=40, lowest_voxel=9, y_mm=4.0, mean_length_mm=430.0, mean_girth_mm=130.0
)  # the tests' bodies keep about the width of their voxels


@pytest.fixture
def profile(micro_profile):
    cohort = micro_profile.cohort.model_copy(update={"grid": GRID, "spacing_mm": SPACING})
    return micro_profile.model_copy(update={"cohort": cohort, "body_frame": CONFIG})


def body(low: int = 10, high: int = 45, shift: tuple[int, int] = (0, 0), wide: float = 6.0):
    """CT and label map: a smooth cylinder with bone along its axis from slice `low` to `high`, a leg's bone beside the
    lower half, and soft tissue beyond both ends."""
    x, y, z = np.meshgrid(*map(np.arange, GRID), indexing="ij")
    x0, y0 = 13 + shift[0], 11 + shift[1]
    radius = np.hypot(x - x0, y - y0)
    along = np.minimum(z - low + 4, high + 4 - z)
    hu = -1000 + 1050 / (1 + np.exp(radius - wide)) / (1 + np.exp(-2.0 * along))
    labels = np.where((hu > -500) & (radius < 0.7 * wide), NUMBER["liver"], 0)
    labels[x0 : x0 + 2, y0 : y0 + 2, (low + high) // 2 : high + 1] = NUMBER["bone"]
    labels[x0 + 3 : x0 + 5, y0 : y0 + 2, low : (low + high) // 2] = NUMBER["appendicular_bones"]
    return hu.astype(np.float32), labels.astype(np.uint8)


def bones(labels: np.ndarray) -> np.ndarray:
    return np.isin(labels, [NUMBER["bone"], NUMBER["appendicular_bones"]])


def test_a_placement_is_what_one_measures_by_hand(profile):
    hu, labels = np.full(GRID, -1000.0, np.float32), np.zeros(GRID, np.uint8)
    hu[10:20, 6:16, 5:50] = 40
    labels[12:14, 8, 30:41] = NUMBER["bone"]
    labels[16, 12, 11:30] = NUMBER["appendicular_bones"]
    found = placement(profile, hu, labels)
    assert found.length == pytest.approx(30 * 12)
    assert found.girth == pytest.approx((10 * 10 * 45 * 960 / 360) ** 0.5)  # voxels of 960 mm^3
    # centroid of the axial bone alone, and the lower edge of the lowest bone, from the grid's middle
    assert found[2:5] == pytest.approx(((12.5 - 13.5) * 10, (8 - 11.5) * 8, (10.5 - 29.5) * 12))
    assert (found.fat, found.bone) == (0.0, 40.0)


def test_an_image_in_another_unit_is_refused(profile):
    hu, labels = body()
    with pytest.raises(InputError, match="Hounsfield"):
        placement(profile, hu * 100, labels)


@pytest.mark.parametrize(("low", "high"), [(10, 45), (6, 50), (14, 40)])
def test_lowest_and_highest_bone_lie_on_the_stated_slices(profile, low, high):
    hu, labels = body(low, high)
    framed = BodyFrame(profile, placement(profile, hu, labels)).labels_into(labels)
    slices = np.flatnonzero(bones(framed).any((0, 1)))
    assert slices[0] == CONFIG.lowest_voxel and slices[-1] == CONFIG.lowest_voxel + CONFIG.length_voxels - 1


@pytest.mark.parametrize("shift", [(0, 0), (4, -2), (-3, 3)])
def test_the_axial_skeleton_lies_amid_every_slice(profile, shift):
    hu, labels = body(shift=shift)
    framed = BodyFrame(profile, placement(profile, hu, labels)).labels_into(labels)
    centre = np.argwhere(framed == NUMBER["bone"]).mean(0)[:2]
    np.testing.assert_allclose(centre, [13.5, 11.5 + 4.0 / 8.0], atol=0.3)


def test_who_is_longer_and_wider_has_wider_voxels(profile):
    """Twice the mean in length and girth: voxels twice as wide, so half as many across."""
    where = Placement(2 * CONFIG.mean_length_mm, 2 * CONFIG.mean_girth_mm, 0.0, -CONFIG.y_mm, 0.0, 0.0, 0.0)
    hu = np.full(GRID, -1000.0, np.float32)
    hu[4:24, 2:22] = 0.0
    middle = BodyFrame(profile, where).into(hu)[:, :, 20] > -500
    assert middle.any(1).sum() == 10 and middle.any(0).sum() == 10


@pytest.mark.parametrize(("low", "high"), [(10, 45), (6, 50), (14, 40)])
def test_there_and_back_is_nearly_what_it_was(profile, low, high):
    hu, labels = body(low, high, shift=(2, -1))
    frame = BodyFrame(profile, placement(profile, hu, labels))
    framed = frame.into(hu)
    back = frame.out_of(torch.from_numpy(framed)).numpy()
    assert framed.dtype == back.dtype == np.float32 and back.shape == GRID
    assert np.abs(framed - hu).mean() > 20  # it did move
    assert np.abs(back - hu).mean() < 2 and np.abs(back - hu)[:, :, 2:-2].max() < 60  # HU, edges of 1000 HU
    one_hot = torch.nn.functional.one_hot(torch.from_numpy(frame.labels_into(labels)).long()).movedim(-1, 0).float()
    again = frame.out_of(one_hot[None], order=1)[0].argmax(0).numpy()
    assert (again != labels).mean() < 0.02 and (bones(again) & bones(labels)).sum() > 0.6 * bones(labels).sum()


def test_splines_are_those_of_scipy(profile):
    """Inside, away from the edges where scipy continues otherwise: cubic splines along one axis after another."""
    hu, labels = body()
    where = placement(profile, hu, labels)
    frame = BodyFrame(profile, where)
    positions = np.stack(np.meshgrid(*frame._to, indexing="ij"))
    expected = map_coordinates(hu.astype(float), positions, order=3, mode="nearest")
    inside = np.all([(p > 3) & (p < n - 4) for p, n in zip(positions, GRID, strict=True)], axis=0)
    assert inside.sum() > 5000
    np.testing.assert_allclose(frame.into(hu)[inside], expected[inside], atol=0.5)


def test_to_and_back_are_one_map(profile):
    hu, labels = body(8, 40, shift=(3, 2))
    frame = BodyFrame(profile, placement(profile, hu, labels))
    for to, back in zip(frame._to, frame._back, strict=True):
        np.testing.assert_allclose(to[0] + (to[1] - to[0]) * back, np.arange(len(to)), atol=1e-9)


def test_outside_is_air_and_background_even_of_a_body_that_the_grid_cuts(profile):
    hu, labels = body(10, 45)
    hu[:, :, :14], labels[:, :, :14] = hu[:, :, 14:15], labels[:, :, 14:15]  # legs go on to the first slice
    frame = BodyFrame(profile, placement(profile, hu, labels))  # which begins below the grid
    beyond = frame._to[2] <= -0.5
    assert beyond.sum() > 3 and labels[:, :, 0].any()
    np.testing.assert_allclose(frame.into(hu)[:, :, beyond], -1000, atol=0.1)
    assert not frame.labels_into(labels)[:, :, beyond].any()


def test_beyond_the_frame_there_is_what_its_corner_shows(profile):
    frame = BodyFrame(
        profile, Placement(24 * 12.0, 130.0, 0.0, 0.0, -150.0, 0.0, 0.0)
    )  # a child's frame ends within the grid
    beyond = torch.from_numpy((frame._back[2] <= -0.5) | (frame._back[2] >= GRID[2] - 0.5))
    logits = torch.zeros(1, 2, *GRID)
    logits[0, 1] = 5.0  # up to the first and the last slice, but for a corner
    logits[0, :, 0, 0] = torch.tensor([5.0, 0.0])[:, None]
    found = frame.out_of(logits, order=1)[0].argmax(0)
    assert beyond.sum() > 10 and not found[:, :, beyond].any() and found[14, 12, ~beyond].all()


def brute_force(labels: np.ndarray, positions: list[np.ndarray]) -> np.ndarray:
    """Linear interpolation of every class by scipy, one class after another."""
    where = np.stack(np.meshgrid(*positions, indexing="ij"))
    shares = [
        map_coordinates((labels == number).astype(float), where, order=1, mode="nearest")
        for number in range(labels.max() + 1)
    ]
    return np.stack(shares)


def test_labels_are_what_linear_interpolation_favours(profile):
    """Of random labels, where hardly two neighbours agree; voxels where two classes tie may go either way."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, GRID).astype(np.uint8)
    hu, of_body = body(12, 44, shift=(1, 1))
    frame = BodyFrame(profile, placement(profile, hu, of_body))
    shares = brute_force(labels, frame._to)
    inside = np.ix_(*[(p > -0.5) & (p < n - 0.5) for p, n in zip(frame._to, GRID, strict=True)])
    found = frame.labels_into(labels)
    assert found.dtype == labels.dtype
    best, second = np.sort(shares, axis=0)[-1], np.sort(shares, axis=0)[-2]
    clear = (best - second > 1e-3)[inside]
    assert clear.mean() > 0.9
    assert np.array_equal(found[inside][clear], shares.argmax(0)[inside][clear])


def test_without_a_frame_nothing_moves(profile):
    profile = profile.model_copy(update={"body_frame": None})
    hu, labels = body()
    where = placement(profile, hu, np.zeros_like(labels))  # nor are bones needed
    assert where == placement(profile, hu * 0, labels)
    frame = BodyFrame(profile, where)
    assert np.array_equal(frame.into(hu), hu) and np.array_equal(frame.labels_into(labels), labels)
    volume = torch.from_numpy(hu)
    assert torch.equal(frame.out_of(volume), volume)


def test_part_of_a_body_has_no_placement_and_stays_where_it_is(profile):
    hu, labels = body()
    frame = BodyFrame(profile, None)
    assert np.array_equal(frame.into(hu), hu) and np.array_equal(frame.labels_into(labels), labels)
    assert torch.equal(frame.out_of(torch.from_numpy(hu)), torch.from_numpy(hu))


def test_a_body_without_bones_is_refused(profile):
    hu, labels = body()
    labels[labels == NUMBER["bone"]] = 0
    with pytest.raises(InputError, match="no axial bone, by which bodies are aligned"):
        placement(profile, hu, labels)


def test_autocast_changes_nothing(profile):
    hu, labels = body()
    frame = BodyFrame(profile, placement(profile, hu, labels))
    plain = frame.out_of(torch.from_numpy(hu))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(frame.out_of(torch.from_numpy(hu)), plain)
