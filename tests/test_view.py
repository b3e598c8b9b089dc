import io
import sys
from types import SimpleNamespace

import matplotlib.image
import matplotlib.pyplot as plt
import nibabel
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from vctlib.anatomy import PAPER16, TOTAL, Window, ids_of
from vctlib.cohort import CohortInfo, CohortWriter
from vctlib.errors import InputError
from vctlib.plots.style import label_colours
from vctlib.view import itk_viewer, show, slices
from vctlib.view.pager import Pager
from vctlib.view.pairs import find_person, page_of_pairs, pair_people


@pytest.fixture(autouse=True)
def no_server(monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    yield
    plt.close("all")


@pytest.fixture
def jupyterlab(monkeypatch, tmp_path):
    """A server that started this kernel, and a viewer that keeps what it is given."""
    monkeypatch.setenv("JPY_SESSION_NAME", "notebook.ipynb")
    monkeypatch.setattr(itk_viewer, "extension_folder", lambda: tmp_path)
    monkeypatch.setattr(itk_viewer, "install_labextension", lambda: tmp_path)
    monkeypatch.setitem(sys.modules, "itkwidgets", SimpleNamespace(view=lambda image, **options: (image, options)))


@pytest.fixture
def body():
    hu = np.full((6, 8, 20), -1000, np.int16)
    hu[1:5, 2:7, 3:18] = 50
    hu[4, 3, 17] = 2000
    return hu


@pytest.fixture
def labels(body):
    """The body is a liver (4 of PAPER16), its bright voxel bone (1)."""
    return np.select([body == 2000, body == 50], [1, 4], 0)


def cohort_of(hu, labels=None):
    info = SimpleNamespace(spacing_mm=(2, 3, 5), labels=None if labels is None else dict(PAPER16))
    affine = np.array([[2, 0, 0, -7], [0, 3, 0, 1], [0, 0, 5, 2], [0, 0, 0, 1.0]])
    return SimpleNamespace(ct=lambda subject_id: (hu, affine), labels=lambda subject_id: labels, info=info)


def test_without_jupyterlab_the_slices_are_shown(body):
    assert isinstance(show(body, spacing_mm=(8, 8, 8)), Figure)


def test_slices_at_true_proportions_with_the_window_stated(body):
    figure = slices(body, None, (2, 3, 5), Window(-100, 100))
    assert [ax.get_title() for ax in figure.axes] == ["coronal", "sagittal", "axial"]
    extents = [ax.get_images()[0].get_extent()[1::2] for ax in figure.axes]
    assert extents == [[12, 100], [24, 100], [12, 24]]
    assert "100 HU" in figure.get_supxlabel()


def coronal_through_the_bright_voxel(*given, **named):
    figure = show(*given, backend="slices", position=(4, 3, 17), **named)
    return np.asarray(figure.axes[0].get_images()[0].get_array())


def test_slices_go_through_the_position_given(body):
    coronal = coronal_through_the_bright_voxel(body, spacing_mm=(8, 8, 8), window=Window(0, 2000))
    assert coronal[20 - 1 - 17, 6 - 1 - 4, 0] == 1 and (coronal[..., 0] == 1).sum() == 1


def test_labels_are_laid_over_in_the_colours_of_the_book_or_in_some_that_differ(body, labels):
    given = {"spacing_mm": (8, 8, 8), "window": Window(0, 2000)}
    bare = coronal_through_the_bright_voxel(body, **given)
    for table, colours in ((PAPER16, label_colours(PAPER16)), (None, {1: "#1f77b4", 4: "#ffbb78"})):
        picture = coronal_through_the_bright_voxel(body, labels, table=table, **given)
        for number, (row, column) in {1: (20 - 1 - 17, 6 - 1 - 4), 4: (10, 3)}.items():
            colour = (picture[row, column] - 0.45 * bare[row, column]) / 0.55
            assert to_hex(np.clip(colour, 0, 1)) == colours[number].lower()
        assert (picture[0, 0] == bare[0, 0]).all()


def test_itkwidgets_gets_clipped_values_in_lps_with_their_spacing(jupyterlab, body, labels):
    image, options = show(body, labels, (2, 3, 5), Window(-250, 450), PAPER16)
    import itk

    array = itk.array_view_from_image(image)
    assert array.shape == (20, 8, 6) and tuple(image.GetSpacing()) == (2, 3, 5)
    assert (array.min(), array.max()) == (-250, 450) == (options["vmin"], options["vmax"])
    # RAS (4, 3, 17) of a grid of (6, 8, 20) stands at LPS (1, 4, 17)
    assert np.argwhere(array == 450).tolist() == [[17, 4, 1]]
    own = itk.array_view_from_image(options["label_image"])
    assert np.argwhere(own == 1).tolist() == [[17, 4, 1]] and (own == 4).sum() == (labels == 4).sum()
    assert dict(options["label_image_names"]) == {0: "nothing", 1: "bone", 4: "liver"}
    colours = options["_custom_cmap"]  # row n is label n, as the extension reads it
    assert options["lut"].startswith("Custom") and to_hex(colours[4]) == label_colours(PAPER16)[4].lower()


def test_options_go_to_the_viewer_and_before_its_defaults(jupyterlab, body):
    options = show(body, spacing_mm=(8, 8, 8), ui_collapsed=False, mode="z")[1]
    assert (options["ui_collapsed"], options["mode"]) == (False, "z") and "label_image" not in options


def test_niivue_gets_affine_window_and_colours(body, labels):
    viewer = show((cohort_of(body, labels), "p1"), True, window=Window(-100, 300), backend="niivue")
    ct, own = viewer.volumes
    image = nibabel.Nifti1Image.from_bytes(ct.data)
    assert (np.asarray(image.dataobj) == body).all() and (ct.cal_min, ct.cal_max) == (-100, 300)
    assert image.affine.tolist() == [[2, 0, 0, -7], [0, 3, 0, 1], [0, 0, 5, 2], [0, 0, 0, 1]]
    image = nibabel.Nifti1Image.from_bytes(own.data)
    assert (np.asarray(image.dataobj) == labels).all() and image.header["intent_code"] == 1002  # label map
    lut = np.reshape(own.colormap_label.lut, (-1, 4))
    assert {n: to_hex(lut[n, :3] / 255) for n in np.flatnonzero(lut[:, 3])} == {
        n: label_colours(PAPER16)[n].lower() for n in (1, 4)
    }
    assert own.colormap_label.labels[4] == "liver" and own.colormap_label.min == 0
    assert viewer.opts.is_radiological_convention
    assert len(show(body, spacing_mm=(8, 8, 8), backend="niivue").volumes) == 1


def test_a_file_of_any_orientation_is_turned_to_ras(body, labels):
    """Stored as (z, -x, y), it is the same body."""
    affine = np.array([[0, -2, 0, 10], [0, 0, 3, 0], [5, 0, 0, 0], [0, 0, 0, 1.0]])
    stored, own = (volume[::-1].transpose(2, 0, 1) for volume in (body, labels))
    viewer = show((stored, affine), own, backend="niivue")
    image, of_labels = (nibabel.Nifti1Image.from_bytes(volume.data) for volume in viewer.volumes)
    assert (np.asarray(image.dataobj) == body).all() and (np.asarray(of_labels.dataobj) == labels).all()
    assert image.affine.tolist() == [[2, 0, 0, 0], [0, 3, 0, 0], [0, 0, 5, 0], [0, 0, 0, 1]]


def test_the_first_viewer_that_runs_is_taken(jupyterlab, monkeypatch, body, capsys):
    monkeypatch.setitem(sys.modules, "itkwidgets", None)
    assert type(show(body, spacing_mm=(8, 8, 8), mode="z")).__name__ == "NiiVue"  # itkwidgets' option is left out
    monkeypatch.setitem(sys.modules, "ipyniivue", None)
    assert isinstance(show(body, spacing_mm=(8, 8, 8)), Figure)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 3 and "pip install itkwidgets" in said[0] and "pip install ipyniivue" in said[2]


def test_a_place_that_cannot_be_written_is_no_end(jupyterlab, monkeypatch, body, capsys):
    def read_only():
        raise PermissionError("read-only file system")

    monkeypatch.setattr(itk_viewer, "install_labextension", read_only)
    assert type(show(body, spacing_mm=(8, 8, 8))).__name__ == "NiiVue"
    assert "read-only file system" in capsys.readouterr().out


@pytest.mark.parametrize("backend, package", [("itkwidgets", "itkwidgets"), ("niivue", "ipyniivue")])
def test_a_missing_viewer_that_was_asked_for_is_one_clear_line(jupyterlab, monkeypatch, body, backend, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=f"pip install {package}==") as raised:
        show(body, spacing_mm=(8, 8, 8), backend=backend)
    assert "\n" not in str(raised.value)


def test_a_subject_of_a_cohort_knows_its_spacing_and_its_labels(body, labels):
    cohort = cohort_of(body, labels)
    bare, own = (coronal_through_the_bright_voxel((cohort, "p1"), given) for given in (None, True))
    assert slices((cohort, "p1")).axes[0].get_images()[0].get_extent() == [0, 12, 0, 100]
    given = coronal_through_the_bright_voxel((cohort, "p1"), labels, table=PAPER16)
    assert (own == given).all() and (own != bare).any()


def test_bad_input_is_named(body, labels):
    spacing_mm = (8, 8, 8)
    with pytest.raises(InputError, match="spacing_mm"):
        show(body)
    with pytest.raises(InputError, match="three axes"):
        show(body[0], spacing_mm=spacing_mm)
    with pytest.raises(InputError, match="one shape"):
        show(body, labels[:2], spacing_mm)
    with pytest.raises(InputError, match="a cohort's own label map"):
        show(body, True, spacing_mm)
    for wrong in (labels + 0.5, labels * 300):
        with pytest.raises(InputError, match="whole numbers from 0 to 255"):
            show(body, wrong, spacing_mm)
    with pytest.raises(InputError, match="no backend 'vtk'; use itkwidgets, niivue, slices"):
        show(body, spacing_mm=spacing_mm, backend="vtk")


def test_every_label_of_the_largest_table_has_a_colour(body):
    number = ids_of(TOTAL, "seminal_vesicle_right")[0]
    viewer = show(body, np.full(body.shape, number), (8, 8, 8), table=TOTAL, backend="niivue")
    lut = np.reshape(viewer.volumes[1].colormap_label.lut, (-1, 4))
    assert len(TOTAL) <= 255 and np.flatnonzero(lut[:, 3]).tolist() == [number]


@pytest.fixture
def cohorts(tmp_path, body, labels):
    """Three real people, and two synthetic ones that stand for each of the last two; no two look the same."""
    made = []
    for kind in ("reference", "synthetic"):
        about = {"name": kind, "kind": kind, "source": "a box", "code_version": "0", "seed": 0}
        info = CohortInfo(spacing_mm=(8, 8, 8), grid=body.shape, labels=dict(PAPER16), **about)
        writer, ids = CohortWriter(tmp_path / kind, info), []
        for number in range(3):
            for draw in range(2) if kind == "synthetic" and number else [None] if kind == "reference" else []:
                row = {"sex": "female", "age_years": 30.0 + number, "height_cm": 170.0, "weight_kg": 70.0}
                row |= {"split": "test", "reference_id": f"p{number}"}
                ids.append(f"p{number}" if draw is None else f"p{number}-s{draw}")
                bright = 50 * number + 20 * (0 if draw is None else draw + 1)
                writer.add(ids[-1], row, np.where(body > -1000, body + bright, body), labels, np.eye(4))
        made.append(writer.finish(ids))
    return made


def test_people_are_paired_with_whom_they_stand_for(cohorts, body):
    real, synthetic = cohorts
    pairs = pair_people(real, synthetic)
    assert pairs == {"p1": ["p1-s0", "p1-s1"], "p2": ["p2-s0", "p2-s1"]}
    assert find_person(pairs, "p2") == find_person(pairs, "1") == "p2"
    figure = page_of_pairs(real, synthetic, pairs)
    titles = [ax.get_title().splitlines() for ax in figure.axes]
    assert [title[0] for title in titles] == [
        *("real p1", "synthetic p1-s0", "synthetic p1-s1"),
        *("real p2", "synthetic p2-s0", "synthetic p2-s1"),
    ]
    assert titles[0][1:] == titles[1][1:] == ["female, 31 years", "170 cm, 70 kg"]
    assert len({ax.get_position().y0 for ax in figure.axes[:3]}) == 1  # a person's row
    with pytest.raises(InputError, match="nobody of .*reference has a synthetic person"):
        pair_people(real.select(["p0"]), synthetic)
    with pytest.raises(InputError, match="no person 'p0': give an id, as p1, or a place from 0 to 1"):
        find_person(pairs, "p0")
    synthetic.table = synthetic.table.drop(columns="reference_id")
    with pytest.raises(InputError, match="no column reference_id"):
        pair_people(real, synthetic)


def test_the_pager_draws_what_its_widgets_say(cohorts, monkeypatch):
    pager = Pager(*cohorts, pair_people(*cohorts), first="p2")

    def seen():
        (picture,) = pager.place.children
        return matplotlib.image.imread(io.BytesIO(picture.value))

    second = seen()
    pager.labels.value = True
    assert (seen() != second).any()
    pager.labels.value = False
    assert (seen() == second).all()
    pager.person.value = "p1"
    assert seen().shape == second.shape and (seen() != second).any()
    assert pager.about.value == "female, 31 years, 170 cm, 70 kg"
    pager.labels.value = True
    pager.way.value = "niivue"
    real, synthetic = (nibabel.Nifti1Image.from_bytes(viewer.volumes[0].data) for viewer in pager.place.children)
    assert (real.dataobj[2, 3, 5], synthetic.dataobj[2, 3, 5]) == (100, 120)
    assert all(viewer.volumes[1].colormap_label.labels[4] == "liver" for viewer in pager.place.children)
    monkeypatch.setitem(sys.modules, "itkwidgets", None)
    pager.way.value = "itkwidgets"
    assert "pip install itkwidgets" in pager.place.children[0].value
