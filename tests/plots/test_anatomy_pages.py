import numpy as np
import pytest

from vctlib.plots.anatomy_pages import WATER_PER_MM, beside_each_other, levels, radiograph, radiographs_of_people


@pytest.fixture
def body():
    """Water 20 voxels deep in air, with a rod of bone along z."""
    hu = np.full((30, 40, 60), -1000, np.int16)
    hu[5:25, 10:30, 4:56] = 0
    hu[10, 20, 4:56] = 1000
    return hu


def _images(figure):
    return [image for ax in figure.axes for image in ax.get_images()]


def test_radiograph_is_the_line_integral(body):
    picture = radiograph(body, (2.0, 3.0, 4.0))
    assert picture.shape == (60, 30)
    assert picture[30, 30 - 1 - 6] == pytest.approx(20 * 3 * WATER_PER_MM)  # columns run to the person's left
    assert picture[30, 30 - 1 - 10] == pytest.approx(21 * 3 * WATER_PER_MM)  # bone of 1000 HU counts twice
    assert picture[0].max() == 0


def test_levels_run_through_the_whole_body_from_the_head_down():
    hu = np.full((20, 20, 50), -1000, np.int16)
    for z in range(10, 40):
        hu[4:16, 4:16, z] = -250 + 20 * (z - 10)
    figure = levels(hu, "axial", spacing_mm=(5, 5, 5), n=10)
    means = [float(np.asarray(image.get_array()).max()) for image in _images(figure)]
    assert len(means) == 10 and means == sorted(means, reverse=True)
    step = np.diff(means)
    assert step == pytest.approx(step[0] * np.ones(9))


def test_every_person_has_a_radiograph_and_a_maximum(body):
    figure = radiographs_of_people([body] * 3, ["a", "b", "c"], spacing_mm=(5, 5, 5), columns=2)
    assert [len(ax.get_images()) for ax in figure.axes] == [2, 2, 2, 0]
    shadow, maximum = (np.asarray(image.get_array()) for image in figure.axes[0].get_images())
    assert shadow.shape == maximum.shape and (maximum == 1).any(axis=1).sum() == 52  # the rod, along the body


def test_groups_stand_beneath_each_other_and_an_absent_one_stays_empty(body):
    figure = beside_each_other({"real CT": [], "phantoms": [body] * 3}, spacing_mm=(5, 5, 5), n=4)
    shown = [len(ax.get_images()) for ax in figure.axes]
    assert shown == ([0] * 4 + [1, 1, 1, 0]) * 3
