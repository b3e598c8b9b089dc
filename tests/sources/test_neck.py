"""The cut around the neck: found by anatomy, the same for every position, voxel size and field of view."""

from types import SimpleNamespace

import numpy as np
import pytest

from vctlib.anatomy import AIR_HU
from vctlib.errors import InputError
from vctlib.sources.neck import NECK_BELOW_JAW_MM, CutRule, cut_at_neck, cut_cohort, cut_patients, neck_slice
from vctlib.sources.real_ct import read_open_kbp_patients

NECK_MM, CROWN_MM = 240.0, 460.0  # heights of the thinnest place and of the crown above the lowest slice
RULE = CutRule("outline", above_mm=120, below_mm=100, width_mm=400, depth_mm=300)
BY_JAW = CutRule("jaw", above_mm=120, below_mm=100, width_mm=400, depth_mm=300)


JAW_MM = 260.0  # of the lowest slice of the lower jaw


def person(spacing=5.0, shift=(0, 0), cut_below=0.0, table=False):
    """An ellipse that is widest below, 60 mm in radius at the neck and 80 mm in the head; soft tissue in air."""
    nx, ny, nz = round(560 / spacing), round(360 / spacing), round(480 / spacing)
    x = (np.arange(nx) - nx / 2 + 0.5) * spacing - shift[0]
    y = (np.arange(ny) - ny / 2 + 0.5) * spacing - shift[1]
    z = (np.arange(nz) + 0.5) * spacing
    neck = 55 + 0.25 * np.abs(z - NECK_MM)  # radius in mm
    across = np.where(z < 170, 230.0, neck)
    radius = np.where(z > CROWN_MM, 0.0, 1.0) * across
    depth = np.where(z < 170, 110.0, neck) * np.where(z > CROWN_MM, 0.0, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = (x[:, None, None] / radius) ** 2 + (y[None, :, None] / depth) ** 2 < 1
    hu = np.where(inside, 40.0, AIR_HU)
    if table:
        hu[:, : round(10 / spacing)] = -100
    kept = z > cut_below
    affine = np.diag([spacing] * 3 + [1.0])
    return hu[:, :, kept], affine


def jaw(hu, affine, lowest_mm=JAW_MM, cut_below=0.0):
    """The lower jaw of a `person`: the body from a height up for 60 mm."""
    z = affine[2, 2] * (np.arange(hu.shape[2]) + 0.5) + cut_below
    return (hu > -500) & (z > lowest_mm) & (z < lowest_mm + 60)


def test_neck_is_the_thinnest_place_above_the_shoulders():
    hu, _ = person()
    assert neck_slice(hu > -500, 5.0) == pytest.approx(NECK_MM / 5, abs=1)


def test_cut_has_the_rules_shape_and_the_neck_in_its_place():
    cut = cut_at_neck(*person(), 5.0, RULE)
    assert cut.hu.shape == (80, 60, 44) and cut.neck == 20
    area = cut.body.sum(axis=(0, 1))
    assert abs(int(area.argmin()) - cut.neck) <= 1
    assert (cut.hu[~cut.body] == AIR_HU).all() and cut.hu[cut.body].min() > -600


@pytest.mark.parametrize("change", [{"shift": (40, -30)}, {"cut_below": 60.0}, {"table": True}])
def test_place_of_the_patient_field_of_view_and_table_do_not_matter(change):
    plain, other = (cut_at_neck(*person(**given), 5.0, RULE) for given in ({}, change))
    assert (plain.body != other.body).mean() < 0.005


def test_finer_voxels_give_the_same_cut():
    plain, fine = cut_at_neck(*person(), 5.0, RULE), cut_at_neck(*person(spacing=2.5), 5.0, RULE)
    assert plain.body.sum() == pytest.approx(fine.body.sum(), rel=0.02)
    assert (plain.body != fine.body).mean() < 0.02


def test_what_a_scan_does_not_show_is_said():
    hu, affine = person()
    with pytest.raises(InputError, match="asked for"):
        cut_at_neck(*person(cut_below=150.0), 5.0, RULE)
    with pytest.raises(InputError, match="no shoulders"):
        cut_at_neck(*person(cut_below=200.0), 5.0, RULE)
    with pytest.raises(InputError, match="does not show neck and head"):
        cut_at_neck(hu[:, :, : round(230 / 5)], affine, 5.0, RULE)


@pytest.mark.parametrize("lowest_mm", [240.0, 260.0, 275.0])
def test_the_cut_hangs_on_the_jaw_wherever_the_body_is_thinnest(lowest_mm):
    hu, affine = person()
    marks = jaw(hu, affine, lowest_mm)
    cut = cut_at_neck(hu, affine, 5.0, BY_JAW, marks)
    first = (lowest_mm - NECK_BELOW_JAW_MM - BY_JAW.below_mm) / 5
    expected = (hu > -500)[:, :, round(first) : round(first) + 44].sum(axis=(0, 1))
    narrow = expected < 1500  # slices; shoulders are wider than the box
    np.testing.assert_array_equal(cut.body.sum(axis=(0, 1))[narrow], expected[narrow])
    assert narrow.sum() > 25
    assert cut.jaw_above_mm == pytest.approx(lowest_mm - NECK_MM, abs=5)
    assert cut_at_neck(hu, affine, 5.0, RULE, marks).jaw_above_mm == cut.jaw_above_mm


def test_a_jaw_that_nobody_labelled_is_said():
    hu, affine = person()
    for marks in (None, np.zeros(hu.shape, bool)):
        with pytest.raises(InputError, match="jaw is not labelled"):
            cut_at_neck(hu, affine, 5.0, BY_JAW, marks)
        assert np.isnan(cut_at_neck(hu, affine, 5.0, RULE, marks).jaw_above_mm)


def test_people_whom_the_rule_does_not_fit_are_left_out():
    class Few:
        subjects = ["a", "b", "c"]
        info = SimpleNamespace(labels={133: "mandible"})

        def ct(self, subject):
            return person(cut_below=200.0) if subject == "b" else person()

        def labels(self, subject):
            return 133 * jaw(*self.ct(subject), cut_below=200.0 * (subject == "b")).astype(np.uint8)

    for rule in (RULE, BY_JAW):
        assert [len(cut_cohort(Few(), 5.0, rule, n)) for n in (1, 2, 3)] == [1, 2, 2]


def test_patients_show_the_neck_in_its_place(data_dir):
    patients = read_open_kbp_patients(6)
    by_jaw = cut_patients(patients, 5.0, CutRule())
    assert len(by_jaw) >= 4 and all(abs(cut.jaw_above_mm) <= 50 for cut in by_jaw)
    cuts = cut_patients(patients, 5.0, CutRule("outline"))
    assert len(cuts) >= 5 and len({cut.hu.shape for cut in cuts}) == 1
    for cut in cuts:
        area = cut.body.sum(axis=(0, 1)) * 0.25  # cm2
        assert 60 < area[cut.neck] < 300 and area[0] > 1.5 * area[cut.neck]
