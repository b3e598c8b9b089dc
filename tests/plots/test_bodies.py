import numpy as np
import pytest
from matplotlib.colors import to_rgb

from vctlib import plots
from vctlib.anatomy import PAPER16, Window, ids_of
from vctlib.errors import InputError
from vctlib.plots.bodies import body_centre, common_box, paint, window_name

LIVER = ids_of(PAPER16, "liver")[0]


@pytest.fixture
def body():
    """Soft tissue in air, off the grid's centre, with a bright voxel at its right, front, top corner."""
    hu = np.full((12, 10, 30), -1000, np.int16)
    hu[2:8, 3:7, 5:25] = 0
    hu[7, 6, 24] = 1000
    return hu


def _images(figure):
    return [image for ax in figure.axes for image in ax.get_images()]


def test_centre_and_box_follow_the_body(body):
    assert body_centre(body) == (4, 4, 14)
    assert common_box([body], margin=0) == (slice(2, 8), slice(3, 7), slice(5, 25))
    shifted = np.roll(body, 3, axis=0)
    assert common_box([body, shifted], margin=0)[0] == slice(2, 11)
    assert body_centre(np.full((4, 6, 8), -1000)) == (2, 3, 4)


def test_paint_blends_the_labels_colour_over_grey():
    hu, labels = np.array([[0, 0]]), np.array([[0, LIVER]], np.uint8)
    picture = paint(hu, labels, PAPER16, Window(-100, 100), alpha=0.5)
    assert picture[0, 0] == pytest.approx([0.5, 0.5, 0.5])
    assert picture[0, 1] == pytest.approx(0.25 + 0.5 * np.array(to_rgb(plots.label_colours(PAPER16)[LIVER])))


def test_page_shows_both_views_of_each_person_with_caption_and_window(body):
    captions = [f"person {i}\n{i} kg" for i in range(3)]
    figure = plots.page_of_people([body] * 3, None, captions, spacing_mm=(8, 8, 8), columns=2)
    assert [ax.get_title() for ax in figure.axes if ax.get_images()] == captions
    assert all(len(ax.get_images()) == 2 for ax in figure.axes[:3]) and not figure.axes[3].get_images()
    assert "\N{MINUS SIGN}250 to 450 HU" in figure.get_supxlabel()


def test_page_is_drawn_in_millimetres(body):
    figure = plots.page_of_people([body], None, ["one"], spacing_mm=(2, 3, 5))
    coronal, sagittal = figure.axes[0].get_images()
    box = common_box([body])  # 10 x 8 x 24 voxels
    shape = body[box].shape
    assert coronal.get_extent() == [0, 2 * shape[0], 0, 5 * shape[2]]
    assert sagittal.get_extent()[1] - sagittal.get_extent()[0] == 3 * shape[1]
    assert figure.axes[0].get_aspect() == 1


def test_page_with_labels_needs_their_table(body):
    labels = [(body > -500).astype(np.uint8) * LIVER]
    figure = plots.page_of_people([body], labels, ["one"], spacing_mm=(8, 8, 8), table=PAPER16)
    picture = np.asarray(_images(figure)[0].get_array())
    assert (picture[..., 0] != picture[..., 2]).any()  # coloured, not grey
    with pytest.raises(InputError, match="table"):
        plots.page_of_people([body], labels, ["one"], spacing_mm=(8, 8, 8))
    with pytest.raises(InputError, match="captions"):
        plots.page_of_people([body], None, ["one", "two"], spacing_mm=(8, 8, 8))


def test_overlay_names_what_the_slices_show(body):
    labels = np.zeros(body.shape, np.uint8)
    labels[4, 4, 10:14] = LIVER
    labels[2, 3, 6] = ids_of(PAPER16, "spleen")[0]  # in neither of the two slices
    figure = plots.label_overlay(body, labels, PAPER16, spacing_mm=(8, 8, 8))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["liver"]
    bare, _, covered, _ = (np.asarray(image.get_array()) for image in _images(figure))
    assert (bare[..., 0] == bare[..., 2]).all() and (covered[..., 0] != covered[..., 2]).any()


def test_projections_by_hand(body):
    figure = plots.projection(body, spacing_mm=(8, 8, 8), window=Window(0, 2000))
    mean, _, maximum, _ = (np.asarray(image.get_array()) for image in _images(figure))
    top, left = 25 - 1 + 2 - 24, 2  # head up, the person's right on the left, margin 2
    assert maximum[top, left] == pytest.approx(0.5) and (maximum > 0).sum() == 1
    depth = 8  # 4 voxels of water and a margin of 2 on both sides; one voxel has twice the attenuation
    assert mean[top, left] / mean[10, 5] == pytest.approx((5 / depth) / (4 / depth))
    assert mean[0, 0] == 0


def test_window_in_words():
    assert window_name(Window(-160, 240)) == "\N{MINUS SIGN}160 to 240 HU"
