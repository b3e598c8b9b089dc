import sys
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from vctlib import view as module
from vctlib.anatomy import PAPER16, Window
from vctlib.errors import InputError
from vctlib.view import slices, view


@pytest.fixture(autouse=True)
def no_server(monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    yield
    plt.close("all")


@pytest.fixture
def jupyterlab(monkeypatch, tmp_path):
    """A server that started this kernel, and a viewer that keeps what it is given."""
    monkeypatch.setenv("JPY_SESSION_NAME", "notebook.ipynb")
    monkeypatch.setattr(module, "extension_folder", lambda: tmp_path)
    monkeypatch.setattr(module, "install_labextension", lambda: tmp_path)
    monkeypatch.setitem(sys.modules, "itkwidgets", SimpleNamespace(view=lambda image, **options: (image, options)))


@pytest.fixture
def body():
    hu = np.full((6, 8, 20), -1000, np.int16)
    hu[1:5, 2:7, 3:18] = 50
    hu[4, 3, 17] = 2000
    return hu


def test_without_jupyterlab_the_slices_are_shown(body):
    assert isinstance(view(body, (8, 8, 8)), Figure)


def test_slices_at_true_proportions_with_the_window_stated(body):
    figure = slices(body, (2, 3, 5), Window(-100, 100))
    assert [ax.get_title() for ax in figure.axes] == ["coronal", "sagittal", "axial"]
    extents = [ax.get_images()[0].get_extent()[1::2] for ax in figure.axes]
    assert extents == [[12, 100], [24, 100], [12, 24]]
    assert "100 HU" in figure.get_supxlabel()


def test_slices_go_through_the_position_given(body):
    coronal = np.asarray(
        slices(body, (8, 8, 8), Window(0, 2000), position=(4, 3, 17)).axes[0].get_images()[0].get_array()
    )
    assert coronal[20 - 1 - 17, 6 - 1 - 4, 0] == 1 and (coronal[..., 0] == 1).sum() == 1


def test_the_viewer_gets_clipped_values_in_lps_with_their_spacing(jupyterlab, body):
    labels = (body > -500).astype(np.uint8)
    image, options = view(body, (2, 3, 5), Window(-250, 450), labels=labels)
    import itk

    array = itk.array_view_from_image(image)
    assert array.shape == (20, 8, 6) and tuple(image.GetSpacing()) == (2, 3, 5)
    assert (array.min(), array.max()) == (-250, 450)
    # RAS (4, 3, 17) of a grid of (6, 8, 20) stands at LPS (1, 4, 17)
    assert np.argwhere(array == 450).tolist() == [[17, 4, 1]]
    assert itk.array_view_from_image(options["label_image"]).sum() == labels.sum()


def test_a_missing_viewer_is_one_clear_line(jupyterlab, monkeypatch, body):
    monkeypatch.setitem(sys.modules, "itkwidgets", None)
    with pytest.raises(InputError, match="pip install itkwidgets") as raised:
        view(body, (8, 8, 8))
    assert "\n" not in str(raised.value)


def test_a_subject_of_a_cohort_knows_its_spacing(body):
    cohort = SimpleNamespace(ct=lambda subject_id: (body, np.eye(4)), info=SimpleNamespace(spacing_mm=(2, 3, 5)))
    figure = slices((cohort, "p1"))
    assert figure.axes[0].get_images()[0].get_extent() == [0, 12, 0, 100]


def test_bad_input_is_named(body):
    with pytest.raises(InputError, match="spacing_mm"):
        slices(body)
    with pytest.raises(InputError, match="three axes"):
        slices(body[0], (8, 8, 8))
    with pytest.raises(InputError, match="table"):
        slices(body, (8, 8, 8), labels=np.zeros(body.shape, np.uint8))
    with pytest.raises(InputError, match="one shape"):
        slices(body, (8, 8, 8), labels=np.zeros((2, 2, 2), np.uint8), table=PAPER16)
