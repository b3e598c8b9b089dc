import numpy as np
import pytest

from vctlib.errors import InputError
from vctlib.plots.neighbours import closest_pairs_page


def _body(depth):
    """Air but for a box, with a bright plane at the box's middle."""
    hu = np.full((12, 10, 20), -1000, np.int16)
    hu[3:9, depth : depth + 5, 3:17] = 0
    hu[3:9, depth + 2, 3:17] = 400
    return hu


def test_each_pair_stands_side_by_side_cut_at_the_synthetic_bodys_middle():
    figure = closest_pairs_page([(_body(1), _body(1)), (_body(1), _body(3))], ["12 HU", "13 HU"], spacing_mm=(8, 8, 4))
    pictures = [np.asarray(ax.get_images()[0].get_array()) for ax in figure.axes]
    assert [ax.get_xlabel() for ax in figure.axes] == ["synthetic", "training"] * 2
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["12 HU", "", "13 HU", ""]
    assert np.array_equal(pictures[0], pictures[1])  # a copy looks like one
    assert pictures[2].max() > pictures[3].max()  # the other body is cut where the synthetic one's middle is
    assert figure.axes[0].get_images()[0].get_extent()[3] == 4 * pictures[0].shape[0]  # in mm


def test_pairs_need_captions():
    with pytest.raises(InputError, match="1 pairs and 0 captions"):
        closest_pairs_page([(_body(1), _body(1))], [], spacing_mm=(8, 8, 8))
    with pytest.raises(InputError, match="at least one"):
        closest_pairs_page([], [], spacing_mm=(8, 8, 8))
