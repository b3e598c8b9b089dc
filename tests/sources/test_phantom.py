"""Phantoms: composition, orientation, determinism, extremes and bad input."""

import dataclasses

import numpy as np
import pytest

from vctlib.anatomy import PAPER16, TOTAL, VERTEBRAE, ids_of, ids_where, reduce_labels
from vctlib.errors import InputError
from vctlib.sources.phantom.person import Person
from vctlib.sources.phantom.phantom import make_phantom

AVERAGE = Person("male", 45, 176, 78, 25, 40)
PEOPLE = {
    "average man": AVERAGE,
    "thin woman": Person("female", 30, 165, 47, 22, 36),
    "heavy man": Person("male", 60, 172, 125, 42, 33),
    "heavy old woman": Person("female", 80, 155, 105, 52, 25, trabecular_residual_hu=-30),
    "tall muscular man": Person("male", 25, 195, 98, 15, 52),
    "small old woman": Person("female", 88, 148, 44, 28, 28),
}
NEEDED = (
    "femur_left femur_right tibia vertebrae_C1 vertebrae_C2 vertebrae_C7 vertebrae_L1 hip_left hip_right scapula_left "
    "scapula_right clavicula_left clavicula_right brain liver heart aorta kidney_left kidney_right autochthon_left "
    "lung_upper_lobe_left lung_lower_lobe_right lung_middle_lobe_right iliopsoas_right gluteus_maximus_left "
    "gluteus_medius_right subcutaneous_fat skeletal_muscle"
).split()


@pytest.fixture(scope="module")
def phantoms():
    return {name: make_phantom(person, 8.0, seed) for seed, (name, person) in enumerate(PEOPLE.items())}


@pytest.fixture(scope="module")
def average(phantoms):
    return phantoms["average man"]


def positions(phantom, *names):
    """Positions (n, 3) in mm, RAS+, of the named structures."""
    index = np.argwhere(np.isin(phantom.labels, ids_of(TOTAL, *names)))
    return index @ phantom.affine[:3, :3].T + phantom.affine[:3, 3]


@pytest.mark.parametrize("name", PEOPLE)
def test_composition_is_the_persons(phantoms, name):
    person, truth = PEOPLE[name], phantoms[name].truth
    assert truth["mass_kg_true"] == pytest.approx(person.weight_kg, rel=0.005)
    assert truth["body_fat_percent_true"] == pytest.approx(person.body_fat_percent, abs=0.1)
    assert truth["muscle_percent_true"] == pytest.approx(person.muscle_percent, abs=0.1)
    assert truth["height_cm_true"] == person.height_cm


@pytest.mark.parametrize("name", PEOPLE)
def test_structures_that_measurements_need_are_there(phantoms, name):
    present = np.bincount(phantoms[name].labels.ravel(), minlength=256)
    assert not [needed for needed in NEEDED if present[ids_of(TOTAL, needed)[0]] == 0]
    assert set(np.flatnonzero(present)) <= {0, *TOTAL}
    sexed = {"male": ("prostate", "uterus"), "female": ("uterus", "prostate")}[PEOPLE[name].sex]
    own, other = (present[ids_of(TOTAL, organ)[0]] for organ in sexed)
    assert own > 0 and other == 0


def test_sides_and_directions_are_ras(average):
    np.testing.assert_array_equal(average.affine[:3, :3], 8.0 * np.eye(3))
    for name in TOTAL.values():
        points = positions(average, name)
        if len(points) and name.endswith(("_left", "_right")) or "_left_" in name or "_right_" in name:
            mean_x = points[:, 0].mean()
            assert mean_x < 0 if "_left" in name else mean_x > 0, name
    liver, spleen = positions(average, "liver"), positions(average, "spleen")
    assert (liver[:, 0] > 0).mean() > 0.7 and (spleen[:, 0] < 0).all()
    heart = positions(average, "heart")
    lowest = heart[heart[:, 2] <= np.percentile(heart[:, 2], 10)]
    assert lowest[:, 0].mean() < heart[:, 0].mean() < 0  # the apex points left
    assert positions(average, "sternum")[:, 1].mean() > positions(average, "vertebrae_T6")[:, 1].mean()
    assert positions(average, "brain")[:, 2].min() > positions(average, "tarsal")[:, 2].max() + 1200


def test_tibiae_and_hands_are_two(average):
    for name in ("tibia", "patella", "tarsal"):
        x = positions(average, name)[:, 0]
        assert (x > 20).any() and (x < -20).any() and not (np.abs(x) < 20).any(), name


def test_body_is_as_tall_as_its_mesh_and_lies_in_air(average):
    body = np.argwhere(average.labels > 0)
    assert body.min() >= 2 and (body.max(0) <= np.array(average.labels.shape) - 3).all()
    # Pointed feet add to the standing height.
    assert 8 * np.ptp(body[:, 2]) == pytest.approx(10 * AVERAGE.height_cm + 60, abs=70)
    assert average.hu[0].max() < -999 and average.hu.dtype == np.float32 and average.labels.dtype == np.uint8


def test_truth_is_what_the_labels_say(average):
    volume_ml = np.bincount(reduce_labels(average.labels, TOTAL, PAPER16).ravel(), minlength=17) * 0.512
    for number, name in PAPER16.items():
        assert average.truth[f"{name}_volume_ml_true"] == pytest.approx(volume_ml[number])
    # The labels count a voxel that the skin cuts whole or not at all, the truth by its share.
    assert average.truth["body_volume_l_true"] == pytest.approx((average.labels > 0).sum() * 0.512e-3, rel=0.01)
    # The blur spreads attenuation but keeps its sum: the image weighs what the truth says.
    assert (average.hu + 1000).sum(dtype=np.float64) * 0.512e-6 == pytest.approx(
        average.truth["mass_kg_true"], rel=1e-4
    )


def test_tissues_have_their_hounsfield_units(average, phantoms):
    def middle(*ids, phantom=average):
        return np.median(phantom.hu[np.isin(phantom.labels, ids)])

    assert middle(*ids_of(TOTAL, "torso_fat"), phantom=phantoms["heavy man"]) == pytest.approx(-98, abs=12)
    assert 35 < middle(*ids_where(TOTAL, tissue_is="muscle")) < 60
    assert middle(*ids_where(TOTAL, tissue_is="lung")) == pytest.approx(AVERAGE.lung_hu, abs=40)
    assert middle(*ids_of(TOTAL, "liver")) == pytest.approx(58, abs=6)
    assert middle(*ids_of(TOTAL, "vertebrae_L3")) > 150


def test_bone_density_falls_with_age_and_residual():
    def truth(**changes):
        return make_phantom(dataclasses.replace(AVERAGE, **changes), 16.0, 0).truth

    young, old, dense = truth(age_years=25), truth(age_years=75), truth(age_years=75, trabecular_residual_hu=50)
    assert young["trabecular_hu_true"] == 226
    assert old["trabecular_hu_true"] == pytest.approx(120 - 31 * 5 / 22)  # from 120 HU at 70 to 89 HU at 92 years
    assert dense["trabecular_hu_true"] == old["trabecular_hu_true"] + 50
    assert young["bone_mass_kg_true"] > old["bone_mass_kg_true"]


def test_same_inputs_give_the_same_phantom():
    first = make_phantom(AVERAGE, 16.0, 3)
    np.random.seed(0)
    make_phantom(PEOPLE["heavy man"], 16.0, 5)  # neither global state nor earlier phantoms matter
    again, other = make_phantom(AVERAGE, 16.0, 3), make_phantom(AVERAGE, 16.0, 4)
    np.testing.assert_array_equal(first.hu, again.hu)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert first.truth == again.truth
    assert first.labels.shape != other.labels.shape or (first.labels != other.labels).any()


@pytest.mark.parametrize("name", PEOPLE)
def test_smoke_spacing_keeps_composition(name):
    person, phantom = PEOPLE[name], make_phantom(PEOPLE[name], 16.0, 7)
    assert phantom.truth["mass_kg_true"] == pytest.approx(person.weight_kg, rel=0.01)
    assert phantom.truth["body_fat_percent_true"] == pytest.approx(person.body_fat_percent, abs=0.5)
    assert phantom.truth["muscle_percent_true"] == pytest.approx(person.muscle_percent, abs=0.5)
    assert all((phantom.labels == number).any() for number in ids_of(TOTAL, *VERTEBRAE, "tibia"))


def test_finer_spacing_is_the_same_person(average):
    fine = make_phantom(AVERAGE, 5.0, 0)
    assert fine.truth["mass_kg_true"] == pytest.approx(AVERAGE.weight_kg, rel=0.015)
    for name in ("liver", "spleen", "heart", "brain", "lung_lower_lobes"):
        key = f"{name}_volume_ml_true"
        assert fine.truth[key] == pytest.approx(average.truth[key], rel=0.06), name


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sex": "M"}, "sex"),
        ({"age_years": 12}, "age_years must be between 16 and 100"),
        ({"height_cm": 1.76}, "height_cm must be between 120 and 215"),
        ({"weight_kg": 400}, "weight_kg"),
        ({"weight_kg": float("nan")}, "weight_kg"),
        ({"body_fat_percent": 0.25}, "body_fat_percent"),
        ({"muscle_percent": 70}, "muscle_percent"),
        ({"body_fat_percent": 50, "muscle_percent": 45}, "sum to 95"),
    ],
)
def test_bad_person(changes, words):
    with pytest.raises(InputError, match=words):
        dataclasses.replace(AVERAGE, **changes)


@pytest.mark.parametrize("spacing", [0.0, -4.0, float("nan")])
def test_bad_spacing(spacing):
    with pytest.raises(InputError, match="spacing_mm"):
        make_phantom(AVERAGE, spacing, 0)


def test_person_whom_the_template_cannot_shape():
    with pytest.raises(InputError, match="cannot shape a male of 210 cm, 35 kg"):
        make_phantom(Person("male", 40, 210, 35, 10, 40), 16.0, 0)
