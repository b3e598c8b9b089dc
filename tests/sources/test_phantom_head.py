"""The head of a phantom: what lies where, volumes that are published, the same at every spacing."""

import dataclasses

import numpy as np
import pytest

from vctlib.anatomy import TOTAL, ids_of, ids_where
from vctlib.sources.phantom.brain import BRAIN_ML, CASE_ML
from vctlib.sources.phantom.canvas import LABEL
from vctlib.sources.phantom.face import SEPTUM_MIDDLE, SEPTUM_SD_MM, septum_bend
from vctlib.sources.phantom.head_frame import find_head_frame
from vctlib.sources.phantom.person import Person
from vctlib.sources.phantom.phantom import make_phantom
from vctlib.sources.phantom.scene import build_scene

MAN, WOMAN = Person("male", 50, 176, 78, 25, 40), Person("female", 50, 163, 66, 34, 31)
LITRES = {"male": (60.0, 76.0), "female": (42.0, 64.0)}


@pytest.fixture(scope="module")
def fine():
    return make_phantom(dataclasses.replace(MAN, age_years=25), 4.0, 2)


def scene(person: Person, spacing: float, seed: int):
    return build_scene(person, spacing, seed, *LITRES[person.sex])


def volume_ml(canvas, *names: str) -> float:
    return np.isin(canvas.label_map(), ids_of(TOTAL, *names)).sum() * canvas.voxel_ml


def middle(phantom, name: str) -> np.ndarray:
    """The mean position of a structure, mm, RAS+."""
    index = np.argwhere(phantom.labels == LABEL[name])
    return index.mean(0) @ phantom.affine[:3, :3].T + phantom.affine[:3, 3]


@pytest.mark.parametrize("person", [MAN, WOMAN], ids=["man", "woman"])
def test_brains_have_their_published_volume(person):
    canvases = [scene(person, 8.0, seed).canvas for seed in range(8)]
    brains = np.array([volume_ml(canvas, "brain") for canvas in canvases])
    assert brains.mean() == pytest.approx(BRAIN_ML[person.sex], rel=0.05)
    cases = np.array([volume_ml(canvas, "brain", "subarachnoid_space") for canvas in canvases])
    assert cases.mean() == pytest.approx(CASE_ML[person.sex], rel=0.05)


def test_the_brain_shrinks_with_age_and_fluid_takes_its_place():
    young, old = (scene(dataclasses.replace(MAN, age_years=age), 8.0, 4).canvas for age in (30, 80))
    assert 0.84 < volume_ml(old, "brain") / volume_ml(young, "brain") < 0.93  # 0.3 % a year from 40
    assert volume_ml(old, "subarachnoid_space") > 1.4 * volume_ml(young, "subarachnoid_space")


def test_structures_of_the_throat_follow_one_another_down_the_midline(fine):
    down = ["eye", "nasal_cavity", "mandible", "hyoid", "thyroid_cartilage", "cricoid_cartilage", "thyroid_gland"]
    heights = [middle(fine, name)[2] for name in down]
    assert heights == sorted(heights, reverse=True)
    assert middle(fine, "mandible")[2] < middle(fine, "vertebrae_C1")[2] < middle(fine, "nasal_cavity")[2]
    for name in ("hyoid", "thyroid_cartilage", "mandible", "nasal_cavity", "eye"):
        assert middle(fine, name)[1] > middle(fine, "vertebrae_C3")[1] + 20
    for left, right in (("parotid_gland_left", "parotid_gland_right"), ("masseter_left", "masseter_right")):
        assert middle(fine, left)[0] < -30 and middle(fine, right)[0] > 30


def test_the_head_has_air_teeth_and_fat_where_they_belong(fine):
    def hu(*names):
        return fine.hu[np.isin(fine.labels, ids_of(TOTAL, *names))]

    assert np.median(hu("paranasal_sinuses")) < -500 and np.median(hu("nasal_cavity")) < -500
    assert 1500 < hu("mandible").max() <= 3000  # teeth
    assert np.percentile(hu("skull"), 75) > 500
    eyes = np.argwhere(fine.labels == LABEL["eye"])
    behind = fine.labels[eyes[:, 0].min() : eyes[:, 0].max(), eyes[:, 1].min() - 8 : eyes[:, 1].min()]
    assert (behind[:, :, eyes[:, 2].min() : eyes[:, 2].max()] == LABEL["intermuscular_fat"]).sum() > 60


def test_the_airway_is_open_from_the_nose_to_the_chest(fine):
    gas = np.isin(fine.labels, ids_where(TOTAL, tissue_is="gas"))
    top, bottom = middle(fine, "eye")[2] - 25, middle(fine, "vertebrae_T3")[2]
    heights = np.arange(fine.labels.shape[2]) * 4.0 + fine.affine[2, 3]
    columns = np.flatnonzero((heights < top) & (heights > bottom))
    assert gas[:, :, columns].any((0, 1)).all()


@pytest.mark.parametrize("name", ["skull", "mandible", "brain", "eye", "thyroid_cartilage", "scapula_left"])
def test_the_head_is_the_same_at_every_spacing(name):
    coarse, fine = (volume_ml(scene(MAN, spacing, 1).canvas, name) for spacing in (6.0, 3.5))
    assert coarse == pytest.approx(fine, rel=0.08)


def test_the_septum_is_bent_as_drawn():
    bends = np.array([septum_bend(seed) for seed in range(200)])
    assert bends.std() == pytest.approx(SEPTUM_SD_MM, rel=0.15) and np.abs(bends).max() <= 2 * SEPTUM_SD_MM
    tissue = []
    for seed in (np.abs(bends).argmin(), np.abs(bends).argmax()):
        painted = scene(MAN, 3.0, int(seed))
        middle, size = np.array([0, *SEPTUM_MIDDLE]), np.array([1.8, 6, 6])
        near, points = find_head_frame(painted.landmarks).near(painted.canvas, middle - size, middle + size)
        inside = (np.abs(points - middle) < size).all(1)
        tissue.append(painted.canvas.is_any("connective_tissue")[near[inside]].mean())
    assert tissue[0] > tissue[1] + 0.3  # a straight septum stands in the midline, a bent one beside it
