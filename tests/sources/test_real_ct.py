"""Real CTs: which side is which, what resampling keeps, and what counts as scanned."""

from dataclasses import replace

import numpy as np
import pytest

from vctlib.anatomy import FAT_WINDOW, TOTAL, ids_of
from vctlib.errors import InputError
from vctlib.manifest import load_manifest
from vctlib.sources.real_ct import (
    TISSUE_MASKS,
    RealCT,
    label_tissues,
    read_abdomen,
    read_open_kbp_patients,
    read_slab,
    to_grid,
)
from vctlib.sources.resample import BodyDoesNotFit

RIGHT, ANTERIOR, SUPERIOR = range(3)


@pytest.fixture(scope="module")
def abdomen(data_dir) -> RealCT:
    return read_abdomen()


@pytest.fixture(scope="module")
def slab(data_dir) -> RealCT:
    return read_slab()


@pytest.fixture(scope="module")
def patient(data_dir) -> RealCT:
    """The third patient: the first with all seven organs."""
    return read_open_kbp_patients(3)[-1]


@pytest.fixture(scope="module")
def coarse(abdomen) -> RealCT:
    return to_grid(abdomen, (8, 8, 8), (96, 64, 256))


def _between(ct: RealCT, first: str, second: str, axis: int) -> float:
    return float(ct.centroid_mm(first)[axis] - ct.centroid_mm(second)[axis])


def test_abdomen_lies_in_ras(abdomen):
    assert _between(abdomen, "liver", "spleen", RIGHT) > 100
    assert _between(abdomen, "kidney_right", "kidney_left", RIGHT) > 100
    assert _between(abdomen, "aorta", "vertebrae_L2", ANTERIOR) > 10  # the spine lies behind
    assert _between(abdomen, "vertebrae_L1", "vertebrae_L5", SUPERIOR) > 100
    assert abdomen.cut_structures() >= {"liver", "spleen", "femur_left", "autochthon_left"}
    assert not abdomen.cut_structures() & {"urinary_bladder", "kidney_right", "vertebrae_L3"}


def test_head_and_neck_lies_in_ras(patient):
    assert patient.name == "pt_4"
    assert 80 < _between(patient, "parotid_gland_right", "parotid_gland_left", RIGHT) < 160
    assert _between(patient, "mandible", "spinal_cord", ANTERIOR) > 30
    assert _between(patient, "brainstem", "larynx", SUPERIOR) > 80
    assert np.isnan(patient.centroid_mm("liver")).all()


def test_slab_is_the_top_of_the_abdomen_though_its_header_says_the_bottom(abdomen, slab):
    np.testing.assert_array_equal(slab.hu, abdomen.hu[:, :, 82:])
    np.testing.assert_allclose(slab.affine, abdomen.affine)


def test_tissue_masks_hold_their_tissue(slab):
    assert tuple(slab.masks) == TISSUE_MASKS
    for name in ("subcutaneous_fat", "torso_fat"):
        values = slab.hu[slab.masks[name]]
        assert ((values >= FAT_WINDOW.low) & (values < FAT_WINDOW.high)).mean() > 0.95
    assert 10 < np.median(slab.hu[slab.masks["skeletal_muscle"]]) < 60
    labels = label_tissues(slab)
    numbers = dict(zip(TISSUE_MASKS, ids_of(TOTAL, *TISSUE_MASKS), strict=True))
    assert (labels[slab.labels > 0] == slab.labels[slab.labels > 0]).all()
    for name, mask in slab.masks.items():
        assert (labels[mask & (slab.labels == 0)] == numbers[name]).all()
    assert set(np.unique(labels[slab.labels == 0])) == {0, *numbers.values()}


def test_organs_keep_volume_and_place_on_the_grid(abdomen, coarse):
    before, after = abdomen.volumes_ml(), coarse.volumes_ml()
    for name in ("liver", "spleen", "kidney_left", "urinary_bladder", "hip_right", "autochthon_left"):
        assert after[name] == pytest.approx(before[name], rel=0.04), name
        np.testing.assert_allclose(coarse.centroid_mm(name), abdomen.centroid_mm(name), atol=2.0)
    liver, coarse_liver = (ct.hu[ct.labels == ids_of(TOTAL, "liver")[0]] for ct in (abdomen, coarse))
    assert np.median(coarse_liver) == pytest.approx(np.median(liver), abs=4)


def test_field_of_view_is_the_scanned_box(abdomen, coarse):
    assert abdomen.field_of_view.all() and not coarse.cropped
    assert coarse.field_of_view.sum() * 8.0**3 == pytest.approx(abdomen.hu.size * 3.0**3, rel=0.04)
    assert (coarse.hu[~coarse.field_of_view] == -1000).all()
    assert not coarse.labels[~coarse.field_of_view].any()
    low, high = (np.flatnonzero(coarse.field_of_view.any(axis=(0, 1)))[i] for i in (0, -1))
    assert abs((low + high) / 2 - 255 / 2) <= 1  # centred
    rim = coarse.field_of_view ^ np.roll(coarse.field_of_view, 1, axis=2)
    assert rim.sum() == 2 * coarse.field_of_view[:, :, 128].sum()  # one box: one face below, one above


def test_no_air_leaks_in_where_the_scan_ends(abdomen, coarse):
    """A phantom of the field alone: all 40 HU, so every voxel of it is 40 HU on any grid, and all others are air."""
    water = replace(abdomen, hu=np.full(abdomen.hu.shape, 40, np.int16))
    coarse_water = to_grid(water, (8, 8, 8), (96, 64, 256))
    assert (coarse_water.hu == np.where(coarse.field_of_view, 40, -1000)).all()


def test_body_is_without_the_table(abdomen):
    table = abdomen.hu.copy()
    table[abdomen.body] = -1000
    assert (table[:, :10] > -300).sum() > 5000  # the couch under the back stays outside
    for name in ("liver", "vertebrae_L3", "autochthon_right"):
        assert abdomen.body[abdomen.labels == ids_of(TOTAL, name)[0]].all()


def test_what_the_publisher_blanked_was_not_scanned(patient):
    assert (patient.hu[~patient.field_of_view] == -1000).all()
    assert patient.field_of_view[patient.labels > 0].all()
    assert patient.field_of_view[patient.hu > -300].all()
    assert 0.05 < patient.field_of_view.mean() < 0.3


def test_a_table_is_cropped_but_never_the_body(abdomen):
    depth = abdomen.body.any(axis=(0, 2)).nonzero()[0]
    grid = (122, len(range(depth[0], depth[-1] + 1)) + 1, 112)
    small = to_grid(abdomen, (3, 3, 3), grid)
    assert small.cropped and small.hu.shape == grid
    assert small.volumes_ml() == pytest.approx(abdomen.volumes_ml())
    assert small.body.sum() == pytest.approx(abdomen.body.sum(), rel=0.01)
    with pytest.raises(BodyDoesNotFit, match="larger grid"):
        to_grid(abdomen, (3, 3, 3), (96, 96, 112))


def test_each_volume_names_its_source(abdomen, slab, patient):
    entries = load_manifest()
    for ct in (abdomen, slab, patient):
        assert (ct.licence, ct.citation) == (entries[ct.entry].licence, entries[ct.entry].citation)


def test_absent_data_is_said_in_one_line(monkeypatch, tmp_path, data_dir):
    with pytest.raises(InputError, match="76 patients.*77 were asked for"):
        read_open_kbp_patients(77)
    monkeypatch.setenv("VCTLIB_DATA", str(tmp_path))
    with pytest.raises(InputError, match="open_kbp: no copy here") as caught:
        read_open_kbp_patients(1)
    assert "\n" not in str(caught.value)
