import numpy as np
import pytest
from matplotlib import colormaps

from vctlib.anatomy import Window
from vctlib.plots.comparison import compare_volumes
from vctlib.plots.style import ERROR_COLOURS


@pytest.fixture
def volumes():
    """Soft tissue with a bright spot at its right, and a reconstruction that misses the spot by 150 HU."""
    original = np.full((12, 10, 16), -1000, np.int16)
    original[2:10, 2:8, 2:14] = 0
    original[9, 5, 8] = 400
    decoded = original.astype(np.float32)
    decoded[9, 5, 8] = 250
    scanned = np.zeros(original.shape, bool)
    scanned[1:11, 1:9, 3:13] = True
    return original, decoded, scanned


def test_three_planes_of_original_other_and_difference(volumes):
    original, decoded, scanned = volumes
    figure = compare_volumes(*volumes, spacing_mm=(8, 8, 4), window=Window(0, 500), limit_hu=300, title="pt 1")
    axes = [ax for ax in figure.axes if ax.get_images()]
    assert len(axes) == 9 and figure.get_suptitle() == "pt 1"
    assert [ax.get_title() for ax in axes[:3]] == ["original", "reconstruction", "absolute difference"]
    assert "0 to 500 HU" in figure.get_supxlabel()
    sagittal, coronal, axial = (np.asarray(axes[row * 3].get_images()[0].get_array()) for row in range(3))
    assert sagittal.shape == (10, 8) and coronal.shape == (10, 10) and axial.shape == (8, 10)  # the scanned box alone
    assert axes[3].get_images()[0].get_extent() == [0, 80, 0, 40]  # in mm
    assert axial.max() == 0  # the axial middle misses the spot


def test_difference_has_its_colour_and_stays_inside_the_scan(volumes):
    original, decoded, scanned = volumes
    original[2:10, 2:8, 2:14] = 0  # nothing but a difference of 150 HU everywhere
    figure = compare_volumes(original, original + 150.0, scanned, spacing_mm=(8, 8, 8), limit_hu=300)
    picture = np.asarray(figure.axes[5].get_images()[0].get_array())
    assert picture[..., :3] == pytest.approx(
        np.broadcast_to(colormaps[ERROR_COLOURS](0.5)[:3], picture.shape), abs=0.01
    )
    scanned[:, :, 8:] = False
    scanned[1, 1, 12] = True  # the box stays, most of its upper half was not scanned
    figure = compare_volumes(original, original + 150.0, scanned, spacing_mm=(8, 8, 8), limit_hu=300)
    picture = np.asarray(figure.axes[5].get_images()[0].get_array())
    assert (picture[:4] == 0).all() and (picture[-4:].max(axis=-1) > 0).all()
