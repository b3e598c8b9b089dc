import numpy as np
import pytest

from vctlib import plots
from vctlib.anatomy import PAPER16, ids_of
from vctlib.errors import InputError

LIVER = ids_of(PAPER16, "liver")[0]
CAPTIONS = {"real": "R", "synthetic": "S", "labels": "L"}


@pytest.fixture
def bodies():
    real, synthetic = (np.full((12, 10, 30), -1000, np.int16) for _ in range(2))
    real[2:8, 3:7, 5:25] = 0
    synthetic[3:9, 3:7, 4:24] = 100
    return {"real": real, "synthetic": synthetic}


def test_every_arm_stands_beside_the_others_and_the_last_again_under_its_labels(bodies):
    labels = np.where(bodies["synthetic"] > -500, LIVER, 0).astype(np.uint8)
    figure = plots.one_person(bodies, labels, PAPER16, spacing_mm=(8, 8, 8), captions=CAPTIONS)
    assert [ax.get_title() for ax in figure.axes] == ["R", "S", "L"]
    coronal = [ax.get_images()[0].get_array() for ax in figure.axes]
    assert all(len(ax.get_images()) == 2 for ax in figure.axes)
    grey = [np.ptp(picture, axis=-1).max() for picture in coronal]
    assert grey[0] == grey[1] == 0 < grey[2]  # colour where labels lie, nowhere else
    assert len({image.shape for image in coronal}) == 1
    assert figure.axes[0].get_lines()[0].get_xdata().tolist() == [20, 220]  # 20 cm
    assert figure.axes[0].title.get_color() == plots.COLOURS["real"]


def test_what_does_not_belong_together_is_an_error(bodies):
    labels = np.zeros((12, 10, 30), np.uint8)
    with pytest.raises(InputError, match="labels"):
        plots.one_person(bodies, labels, PAPER16, spacing_mm=(8, 8, 8), captions={"real": "R", "synthetic": "S"})
    with pytest.raises(InputError, match="one shape"):
        plots.one_person(bodies, labels[:6], PAPER16, spacing_mm=(8, 8, 8), captions=CAPTIONS)
