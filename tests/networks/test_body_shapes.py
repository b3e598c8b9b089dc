"""Shapes of bodies: what is learned of displacements, and that the way into the template and back is one way."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from vctlib.errors import InputError
from vctlib.intensity import normalise_hu
from vctlib.network_config import DeformationConfig
from vctlib.networks.body_frame import BodyFrame, Placement, placement
from vctlib.networks.body_shapes import BodyShapes, halved
from vctlib.networks.inference import encode_body, encode_image, reconstruct_volume
from vctlib.networks.resampling import at_points, straight

GRID = (32, 24, 48)
LATTICE = tuple(size // 4 for size in GRID)
CONFIG = DeformationConfig(n_shapes=2, iterations=(30, 20))
N = 40


def directions() -> np.ndarray:
    """Two smooth displacements (2, 3, lattice) in voxels: all wider along x, and the upper half backwards along y."""
    x, y, z = np.meshgrid(*[(np.arange(n) - (n - 1) / 2) / n for n in LATTICE], indexing="ij")
    wider = np.stack([2.0 * np.sin(np.pi * x), 0 * y, 0 * z])
    back = np.stack([0 * x, 1.5 * (1 + np.tanh(4 * z)) / 2, 0 * z])
    return np.stack([wider, back]).astype(np.float32)


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(0)
    how_much = rng.standard_normal((N, 2)) * (1.0, 0.5)
    mean = np.full((3, *LATTICE), 0.25, np.float32)
    return how_much, mean + np.tensordot(how_much, directions(), 1).astype(np.float32)


@pytest.fixture
def shapes(people) -> BodyShapes:
    shapes = BodyShapes(CONFIG, GRID)
    shapes.fit(people[1])
    return shapes


def test_components_are_the_directions_in_which_people_differ(shapes, people):
    how_much, displacements = people
    found = np.array([shapes.project(own) for own in displacements])
    assert np.allclose(found.std(0, ddof=1), 1, atol=1e-3) and np.allclose(found.mean(0), 0, atol=1e-5)
    for k in range(2):  # the first is the width, which varies most
        assert abs(np.corrcoef(found[:, k], how_much[:, k])[0, 1]) > 0.97
    kept = shapes._kept(tuple(found[3]))
    np.testing.assert_allclose(kept, displacements[3], atol=1e-3)


def test_too_few_people_are_refused(people):
    with pytest.raises(InputError, match="2 shapes need more than 2 people, not 2; lower n_shapes"):
        BodyShapes(CONFIG, GRID).fit(people[1][:2])


def test_there_and_back_is_where_one_was(shapes):
    """Points of the template, taken to a body and back."""
    own = (1.5, -1.0)
    there = straight(list(map(np.arange, GRID))) + shapes.displacements_at(own)
    template = torch.from_numpy(shapes.back_from(own, list(map(np.arange, GRID))))  # of a body's voxels
    again = at_points(template.float(), there, 3).numpy()
    inner = (slice(None), *[slice(5, -5)] * 3)
    assert np.abs(again - straight(list(map(np.arange, GRID))))[inner].max() < 0.1
    assert np.abs(shapes.displacements_at(own)[inner]).max() > 1.5


def test_there_and_back_where_neighbours_move_apart_by_more_than_their_distance(shapes):
    """As in the fat of heavy people, where whole steps of the fixed point swing to and fro."""
    x = (np.arange(LATTICE[0]) - (LATTICE[0] - 1) / 2)[:, None, None]
    apart = 1.4 * 4 * 1.5 * np.tanh(x / 1.5) * np.ones(LATTICE)  # 1.4 voxels a voxel in the middle
    shapes.mean.copy_(torch.from_numpy(np.stack([apart, 0 * apart, 0 * apart])))
    nobody = (0.0, 0.0)
    there = straight(list(map(np.arange, GRID))) + shapes.displacements_at(nobody)
    assert np.diff(there, axis=1)[0, 15].min() > 2
    template = torch.from_numpy(shapes.back_from(nobody, list(map(np.arange, GRID)))).float()
    again = at_points(template, there, 1).numpy()
    near = (np.abs(there[0] - 15.5) < 13)[None] & np.ones((3, 1, 1, 1), bool)  # who lands within the grid
    off = np.abs(again - straight(list(map(np.arange, GRID))))
    assert off[near].max() < 0.25  # of lattices and linear interpolation; 7 with whole steps


def test_people_who_are_there_twice_have_coefficients_of_people(people):
    """There are fewer directions than shapes asked for."""
    shapes = BodyShapes(DeformationConfig(n_shapes=8), GRID)
    twice = np.concatenate([people[1][:5], people[1][:5]])
    shapes.fit(twice)
    found = np.array([shapes.project(own) for own in twice])
    assert np.abs(found).max() < 10 and np.allclose(found[:, :2].std(0, ddof=1), 1, atol=1e-3)


def test_a_placement_with_a_shape_needs_shapes(profile, of_bodies):
    where = placement(profile, *body(), of_bodies)
    with pytest.raises(ValueError, match="needs the shapes"):
        BodyFrame(profile, where)


def body(wide: float = 6.0, lean: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """CT and label map: a cylinder, wider than deep, whose upper half leans backwards, with bone along it."""
    x, y, z = np.meshgrid(*map(np.arange, GRID), indexing="ij")
    middle = 11.5 + lean / (1 + np.exp(-(z - 23.5) / 3))
    radius = np.hypot((x - 15.5) / wide, (y - middle) / 6.0)
    hu = -1000 + 1040 / (1 + np.exp(12 * (radius - 1))) / (1 + np.exp(-2.0 * np.minimum(z - 5, 42 - z)))
    labels = np.where((hu > -500) & (radius < 0.6), 3, 0)
    labels[15:17, 11:13, 8:40] = 1
    return hu.astype(np.float32), labels.astype(np.uint8)


@pytest.fixture
def profile(micro_profile):
    cohort = micro_profile.cohort.model_copy(update={"grid": GRID, "spacing_mm": (10.0, 10.0, 10.0)})
    frame = {"length_voxels": 32, "lowest_voxel": 8, "mean_length_mm": 320.0, "mean_girth_mm": 112.0}
    frame = micro_profile.body_frame.model_copy(update=frame | {"deformation": CONFIG})
    return micro_profile.model_copy(update={"cohort": cohort, "body_frame": frame})


@pytest.fixture
def of_bodies(profile) -> BodyShapes:
    """Shapes of bodies that differ in width and lean, with one of them as the template."""
    framed = [
        BodyFrame(profile, placement(profile, *own)).into(own[0])
        for own in (body(6.0 + a, b) for a in (-0.8, 0.0, 0.8) for b in (-1.5, 0.0, 1.5))
    ]
    shapes = BodyShapes(CONFIG, GRID)
    shapes.template.copy_(torch.from_numpy(halved(framed[4])))
    shapes.fit(np.array([shapes.displacement(halved(one)) for one in framed]))
    return shapes


def test_somebody_of_another_shape_lies_on_the_template(profile, of_bodies):
    hu, labels = body(6.6, 1.2)
    where = placement(profile, hu, labels, of_bodies)
    assert (
        len(where.shape) == 2 and where.numbers == [*where[:7], *where.shape] and Placement.of(where.numbers) == where
    )
    frame, plain = BodyFrame(profile, where, of_bodies), BodyFrame(profile, where._replace(shape=()), of_bodies)
    off = [np.abs(halved(one.into(hu)) - of_bodies.template.numpy()).mean() for one in (frame, plain)]
    assert off[0] < 0.35 * off[1]
    back = frame.out_of(torch.from_numpy(frame.into(hu))).numpy()
    inside = hu > -500
    assert np.abs(back - hu)[inside].mean() < 12  # HU, of 1040
    deformed = frame.labels_into(labels)
    again = frame.out_of(torch.nn.functional.one_hot(torch.from_numpy(deformed).long(), 4).movedim(-1, 0)[None], 1)
    same = again[0].argmax(0).numpy() == labels
    assert same[inside].mean() > 0.97


def test_the_same_body_of_another_shape_is_of_that_shape(profile, of_bodies):
    """One person's appearance, and her shape moved along what widens people."""
    hu, labels = body()
    where = placement(profile, hu, labels, of_bodies)
    wide = placement(profile, *body(6.8), of_bodies)
    framed = torch.from_numpy(BodyFrame(profile, where, of_bodies).into(hu))
    as_wide = BodyFrame(profile, where._replace(shape=wide.shape, girth=wide.girth), of_bodies).out_of(framed).numpy()
    across = [(one[:, 11, 24] > -500).sum() for one in (hu, as_wide, body(6.8)[0])]
    assert across[0] < across[1] and abs(across[1] - across[2]) <= 1


def test_the_deformed_template_shows_what_the_template_shows_where_it_was_taken_to(shapes):
    """A bright plane of the template, and bodies that are wider along x by what the first shape says."""
    shapes.mean.zero_()
    column = 12  # of the template's voxels, of two each
    shapes.template.fill_(-1.0)[column] = 3.5
    own = (1.5, 0.0)
    shown = shapes.deformed_template(own)
    assert shown.shape == tuple(size // 2 for size in GRID) and shown.min() >= -1000
    by = shapes.displacements_at(own)[0, 2 * column : 2 * column + 2, 12, 24].mean() / 2
    found = (shown[:, 6, 12] + 1000) @ np.arange(GRID[0] // 2) / (shown[:, 6, 12] + 1000).sum()
    assert abs(by) > 0.3 and found == pytest.approx(column + by, abs=0.15)


def test_what_encodes_and_decodes_bodies_deforms_them(profile, of_bodies):
    """With networks that change nothing."""
    profile = profile.model_copy(update={"precision": "no"})
    window = profile.sliding_window.model_copy(update={"image_patch": GRID})
    profile = profile.model_copy(update={"sliding_window": window})
    same = SimpleNamespace(encode=lambda x: x, decode=lambda z: z, compression=1, multiple=1, shapes=of_bodies)
    hu, labels = body(6.6, 1.2)
    where = placement(profile, hu, labels, of_bodies)
    frame = BodyFrame(profile, where, of_bodies)
    expected = normalise_hu(frame.into(hu))
    assert np.abs(expected - normalise_hu(BodyFrame(profile, where._replace(shape=())).into(hu))).max() > 0.2
    latents, found = encode_body(same, same, hu, labels, profile)
    assert found == where
    np.testing.assert_allclose(latents[0], expected, atol=1e-5)
    assert np.array_equal(latents[1:].argmax(0), frame.labels_into(labels))
    np.testing.assert_allclose(encode_image(same, hu, where, profile)[0, 0].numpy(), expected, atol=1e-5)
    again = reconstruct_volume(same, hu, where, profile)
    assert np.abs(again - hu)[hu > -500].mean() < 12
