"""The table and the bag: where they lie, how much of them there is, and that the body is measured as before."""

import numpy as np
import pytest

from vctlib.measure import body_mask
from vctlib.sources.phantom import bag, table
from vctlib.sources.phantom.bag import add_bag
from vctlib.sources.phantom.head_rest import add_head_rest
from vctlib.sources.phantom.table import FOAM_HU, add_table, surface_mm, table_section
from vctlib.sources.resample import body_mask as imported_mask


def body_on(spacing_mm: float, slices: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """A trunk of 36 x 22 cm with an arm of 9 cm on either side, in 72 x 40 cm; (HU, body)."""
    x, y = ((np.arange(round(size / spacing_mm)) + 0.5) * spacing_mm for size in (720, 400))
    x, y = x[:, None] - 360, y[None, :] - 220
    inside = (x / 180) ** 2 + (y / 110) ** 2 < 1
    for side in (-1, 1):
        inside |= (x - side * 235) ** 2 + (y + 40) ** 2 < 45**2
    inside = np.repeat(inside[:, :, None], slices, axis=2)
    return np.where(inside, 30.0, -1000.0), inside


@pytest.mark.parametrize("spacing_mm", [2.0, 4.0, 8.0])
def test_table_touches_the_body_from_below(spacing_mm):
    hu, body = body_on(spacing_mm)
    with_table = add_table(hu, body, spacing_mm, offset_x_mm=12.0)
    np.testing.assert_array_equal(with_table[body], hu[body].astype(np.float32))
    section = table_section(body, spacing_mm, offset_x_mm=12.0)
    surface = surface_mm(body, spacing_mm, offset_x_mm=12.0)
    lowest = np.argmax(body[:, :, 0], axis=1) * spacing_mm
    gap = (lowest - surface)[body[:, :, 0].any(axis=1) & (section.sum(axis=1) > 0)]
    assert 0 <= gap.min() < 0.25 * spacing_mm  # it touches, and enters nowhere
    assert section[:, int(surface.max() / spacing_mm) + 1 :].max() == 0  # nothing of it above its surface


def test_shell_and_foam_have_their_units_and_shapes():
    _, body = body_on(1.0, slices=1)
    section = table_section(body, 1.0) - 1000
    middle = section[360]
    assert np.isclose(middle, table.FOAM_HU, atol=1).sum() == pytest.approx(41, abs=2)  # 45 mm less two shells
    assert middle.max() == pytest.approx(table.SHELL_HU, abs=1)
    assert (middle + 1000).sum() == pytest.approx(2 * 2 * 900 + 41 * 50, rel=0.02)  # a shell of 2 mm on either side
    assert (section.max(axis=1) > -900).sum() == pytest.approx(table.WIDTH_MM, abs=4)


def test_there_is_as_much_table_and_bag_at_every_spacing():
    masses = {}
    for spacing_mm in (2.0, 4.0):
        hu, body = body_on(spacing_mm, slices=round(96 / spacing_mm))
        masses[spacing_mm] = [
            (with_it - hu).sum(dtype=float) * spacing_mm**3 / 1e6
            for with_it in (add_table(hu, body, spacing_mm), add_bag(hu, body, spacing_mm, seed=3))
        ]
    assert masses[4.0][0] == pytest.approx(masses[2.0][0], rel=0.02)
    assert masses[4.0][1] == pytest.approx(masses[2.0][1], rel=0.1)
    # plastic: a sheet of 0.3 mm and 1100 HU above air, about 1.4 m round and 96 mm long, some of it folded
    one_layer = 1400 * 96 * bag.SHEET_MM * (bag.SHEET_HU + 1000) / 1e6
    assert one_layer < masses[2.0][1] < 2 * one_layer


def test_bag_goes_round_the_body_and_lies_on_the_table():
    hu, body = body_on(4.0, slices=60)
    film = add_bag(hu, body, 4.0, seed=1) - hu
    assert not film[body].any() and film.min() == 0
    surface = surface_mm(body, 4.0)
    y = (np.arange(body.shape[1]) + 0.5) * 4.0
    assert not film[np.broadcast_to((y < surface[:, None] - 4.0)[:, :, None], film.shape)].any()
    seen = film > 10
    for axis in (0, 1):  # from every side a ray meets plastic before the body, but where body and table touch
        first_body = np.where(body.any(axis=axis), np.argmax(body, axis=axis), 0)
        first_film = np.where(seen.any(axis=axis), np.argmax(seen, axis=axis), 10**6)
        met = (first_film < first_body)[body.any(axis=axis)]
        assert met.mean() > (0.99 if axis == 0 else 0.6)
    np.testing.assert_array_equal(film, add_bag(hu, body, 4.0, seed=1) - hu)
    assert not np.array_equal(film, add_bag(hu, body, 4.0, seed=2) - hu)


@pytest.mark.parametrize("spacing_mm", [2.0, 4.0, 8.0])
@pytest.mark.parametrize("labelled", [True, False])
def test_body_mask_leaves_table_and_bag_out(spacing_mm, labelled):
    hu, body = body_on(spacing_mm, slices=8)
    around = add_bag(add_table(hu, body, spacing_mm), body, spacing_mm, seed=5)
    around += np.random.default_rng(0).normal(0, 15, hu.shape)
    labels = body.astype(np.uint8) if labelled else None
    affine = np.diag([spacing_mm] * 3 + [1.0])
    alone, furnished = (body_mask(image, affine, labels).sum() for image in (hu, around))
    assert furnished == pytest.approx(alone, rel=0.01)
    assert imported_mask(around).sum() == pytest.approx(imported_mask(hu).sum(), rel=0.01)


def body_with_head(spacing_mm: float, head_above_mm: float) -> np.ndarray:
    """A trunk of 36 x 22 cm and on top of it a head of 16 x 20 cm, 24 cm long, so far above the table."""
    x, y, z = ((np.arange(round(mm / spacing_mm)) + 0.5) * spacing_mm for mm in (480, 360, 480))
    x, y, z = x[:, None, None] - 240, y[None, :, None] - 60, z[None, None, :]
    trunk = ((x / 180) ** 2 + ((y - 110) / 110) ** 2 < 1) & (z < 200)
    head = ((x / 80) ** 2 + ((y - 100 - head_above_mm) / 100) ** 2 < 1) & (z >= 200) & (z < 440)
    return trunk | head


@pytest.mark.parametrize("spacing_mm", [2.0, 4.0, 8.0])
@pytest.mark.parametrize("head_above_mm", [24.0, 80.0])
def test_the_rest_fills_the_gap_between_head_and_table(spacing_mm, head_above_mm):
    body = body_with_head(spacing_mm, head_above_mm)
    on_table = add_table(np.where(body, 30.0, -1000.0), body, spacing_mm)
    added = add_head_rest(on_table, body, spacing_mm) - on_table
    assert not added[body].any() and added.min() == 0
    assert added.max() == pytest.approx(FOAM_HU + 1000)
    beneath = added[body.shape[0] // 2, :, round(360 / spacing_mm)].sum() * spacing_mm / (FOAM_HU + 1000)
    assert beneath == pytest.approx(head_above_mm, abs=spacing_mm)  # all of the gap in the middle
    along = np.flatnonzero(added.any(axis=(0, 1))) * spacing_mm
    assert 440 - 160 - spacing_mm <= along[0] and along[-1] < 440 - 15 + spacing_mm


def test_no_rest_without_a_head():
    hu, body = body_on(4.0, slices=60)
    np.testing.assert_array_equal(add_head_rest(hu, body, 4.0), hu)
    cut = body_with_head(4.0, 60.0)[:, :, :100]  # through the head
    np.testing.assert_array_equal(add_head_rest(cut, cut, 4.0), cut)
    body[:, :, -4:] = False  # a trunk that ends within the volume
    np.testing.assert_array_equal(add_head_rest(hu, body, 4.0), hu)


def test_body_mask_leaves_the_rest_out():
    body = body_with_head(4.0, 60.0)
    hu, affine = np.where(body, 30.0, -1000.0), np.diag([4.0, 4.0, 4.0, 1.0])
    rested = add_head_rest(add_table(hu, body, 4.0), body, 4.0)
    assert body_mask(rested, affine, None).sum() == pytest.approx(body_mask(hu, affine, None).sum(), rel=0.01)
