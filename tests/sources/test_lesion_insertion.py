"""Lesions that are put into a CT: how large, how dark, where, and whether they look like those of the phantom."""

import json

import numpy as np
import pandas as pd
import pytest

from vctlib.anatomy import PAPER16, TOTAL, ids_of, reduce_labels
from vctlib.cohort import Cohort, CohortInfo, CohortWriter
from vctlib.errors import InputError
from vctlib.sources.lesion_insertion import check_same_people, insert_lesions, recorded_centres, recorded_lesions
from vctlib.sources.phantom.conditions import Conditions, LiverLesion
from vctlib.sources.phantom.person import Person
from vctlib.sources.phantom.phantom import make_phantom
from vctlib.sources.phantom.scan_protocol import ScanProtocol, scan_person

SPACING = 8.0
LIVER = ids_of(PAPER16, "liver")[0]


@pytest.fixture
def block():
    """A liver of 20 x 16 x 18 voxels of 60 HU in water."""
    liver = np.zeros((32, 24, 30), bool)
    liver[6:26, 4:20, 6:24] = True
    return np.where(liver, 60, 0).astype(np.int16), liver


@pytest.mark.parametrize("diameter", [12.0, 30.0, 60.0])
def test_a_lesion_adds_its_volume_times_its_contrast(block, diameter):
    hu, liver = block
    added = []
    for seed in range(30):
        made = insert_lesions(hu, liver, SPACING, [LiverLesion(diameter, -50.0)], np.random.default_rng(seed))
        added.append((made.hu.astype(float) - hu).sum())
        assert made.hu[liver].min() >= 60 - 50 - 1
        away = np.linalg.norm(np.argwhere(made.hu != hu) - made.centres[0], axis=1).max()
        assert away <= diameter / 2 / SPACING + 2.5
    assert np.mean(added) == pytest.approx(-50.0 * np.pi / 6 * diameter**3 / SPACING**3, rel=0.06)
    assert np.std(added) < 0.25 * np.abs(np.mean(added))  # by where its centre lies in a voxel


def test_labelled_voxels_are_those_that_are_at_least_half_full(block):
    hu, liver = block
    made = insert_lesions(hu, liver, SPACING, [LiverLesion(40.0, 30.0)], np.random.default_rng(0))
    assert made.lesions.sum() * SPACING**3 == pytest.approx(np.pi / 6 * 40**3, rel=0.2)
    assert (made.hu[made.lesions] > 70).all() and not (made.lesions & ~liver).any()


def test_it_lies_where_it_fits_or_at_the_deepest(block):
    hu, liver = block
    centres = np.array(
        [insert_lesions(hu, liver, SPACING, [LiverLesion(40.0, -50.0)], np.random.default_rng(s)).centres[0]
         for s in range(30)]
    )  # fmt: skip
    room = np.minimum(centres - [5.5, 3.5, 5.5], [25.5, 19.5, 23.5] - centres).min(axis=1) * SPACING
    assert (room >= 20 + 0.5 * SPACING).all() and centres.std(axis=0).min() > 1
    huge = insert_lesions(hu, liver, SPACING, [LiverLesion(80.0, -50.0)], np.random.default_rng(0))
    assert np.abs(huge.centres[0] - [15.5, 11.5, 14.5]).max() < 5
    thin = np.zeros_like(liver)
    thin[10:20, 10, 10:20] = True
    made = insert_lesions(hu, thin, SPACING, [LiverLesion(40.0, -50.0)], np.random.default_rng(0))
    assert thin[made.lesions].all()  # what does not fit is left out, not painted over the neighbours


def test_the_same_seed_gives_the_same_and_nobody_is_touched_without_lesions(block):
    hu, liver = block
    lesions = [LiverLesion(20.0, -50.0), LiverLesion(10.0, 30.0)]
    first, again = (insert_lesions(hu, liver, SPACING, lesions, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first.hu, again.hu) and first.centres.shape == (2, 3)
    none = insert_lesions(hu, np.zeros_like(liver), SPACING, [], np.random.default_rng(0))
    assert np.array_equal(none.hu, hu) and not none.lesions.any() and none.centres.shape == (0, 3)
    with pytest.raises(InputError, match="there is no liver"):
        insert_lesions(hu, np.zeros_like(liver), SPACING, lesions, np.random.default_rng(0))


def test_it_looks_like_a_lesion_that_was_there_before_the_scan(monkeypatch):
    lesion, person = LiverLesion(36.0, -50.0), Person("male", 45, 176, 80, 27, 39)
    quiet = ScanProtocol(180, 4e8, ("standard_120kv",))  # hardly any noise
    scans = []
    for conditions in (Conditions(), Conditions(liver_lesions=(lesion,))):
        phantom = make_phantom(person, SPACING, 0, conditions)
        scans.append(scan_person(phantom.hu, phantom.labels > 0, phantom.affine, quiet, 0)[0].astype(float))
    liver = reduce_labels(phantom.labels, TOTAL, PAPER16) == LIVER
    place = np.linalg.solve(phantom.affine, [*phantom.findings[0]["position_mm"], 1.0])[:3]
    native, plain = (scans[1] - scans[0])[liver], np.rint(scans[0]).astype(np.int16)

    def apart(blur: float) -> float:
        """Root mean square difference in the liver of the native lesion and one put in at its place, in HU."""
        monkeypatch.setattr("vctlib.sources.lesion_insertion.BLUR_VOXELS", blur)
        made = insert_lesions(plain, liver, SPACING, [lesion], np.random.default_rng(0), place[None])
        return float(np.sqrt(np.mean(((made.hu - plain)[liver] - native) ** 2)))

    assert apart(0.4) < min(apart(0.05), apart(0.8)) and apart(0.4) < 0.25 * np.sqrt(np.mean(native**2))


def test_what_a_phantom_was_made_with_is_read_back(tmp_path):
    info = CohortInfo(
        name="x", kind="reference", spacing_mm=(8, 8, 8), grid=(4, 4, 4), labels=None, source="blocks",
        code_version="0", seed=0,
    )  # fmt: skip
    writer = CohortWriter(tmp_path, info)
    about = {"sex": "female", "age_years": 40.0, "height_cm": 170.0, "weight_kg": 60.0, "split": "test"}
    for person in "AB":
        writer.add(person, about, np.zeros((4, 4, 4)), None, np.diag([8.0, 8.0, 8.0, 1.0]))
    cohort: Cohort = writer.finish("AB")
    found = [{"kind": "ascites"}, {"kind": "liver_lesion", "diameter_mm": 12.5, "contrast_hu": -50.0}]
    found[1]["position_mm"] = [8.0, 16.0, 4.0]
    (tmp_path / "findings").mkdir()
    (tmp_path / "findings" / "A.json").write_text(json.dumps(found))
    assert recorded_lesions(cohort, "A") == (LiverLesion(12.5, -50.0),)
    assert recorded_centres(cohort, "A") == pytest.approx(np.array([[1.0, 2.0, 0.5]]))
    with pytest.raises(InputError, match="B.json: absent"):
        recorded_lesions(cohort, "B")
    (tmp_path / "findings" / "A.json").write_text("[{")
    with pytest.raises(InputError, match="not readable as JSON"):
        recorded_lesions(cohort, "A")


def test_only_the_same_people_are_compared():
    healthy = pd.DataFrame(
        {"sex": ["female", "male"], "age_years": 40.0, "height_cm": 170.0, "weight_kg": [60.0, 70.0]}, index=["A", "B"]
    )
    check_same_people(healthy, healthy[:1])
    with pytest.raises(InputError, match="lacks 1 people, first 'B'"):
        check_same_people(healthy[:1], healthy)
    with pytest.raises(InputError, match="B has another weight_kg"):
        check_same_people(healthy, healthy.assign(weight_kg=[60.0, 71.0]))
    with pytest.raises(InputError, match="should have no liver lesions"):
        check_same_people(healthy.assign(liver_lesions=[0, 1]), healthy)
