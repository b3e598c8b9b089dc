"""The phantoms' skeletons: mass and volume as published, ribs and vertebrae where they belong, shafts and ends."""

import numpy as np
import pytest

from vctlib.anatomy import TOTAL, VERTEBRAE, ids_of
from vctlib.sources.phantom.person import Person
from vctlib.sources.phantom.phantom import make_phantom
from vctlib.sources.phantom.tissues import bone_density_g_per_ml

# ICRP publication 89's reference adults and what their skeletons weigh (kg). Some of it the phantoms do not have:
# the cartilage of joints, teeth and "miscellaneous".
REFERENCE = {Person("male", 35, 176, 73, 22, 40): 10.5, Person("female", 35, 163, 60, 31, 32): 7.8}


@pytest.fixture(scope="module")
def man():
    return make_phantom(next(iter(REFERENCE)), 4.0, 0)


def positions(phantom, *names):
    index = np.argwhere(np.isin(phantom.labels, ids_of(TOTAL, *names)))
    return index @ phantom.affine[:3, :3].T + phantom.affine[:3, 3]


def test_bone_density_by_hand():
    np.testing.assert_allclose(bone_density_g_per_ml([-100, 0, 500, 1000]), [0.9287, 1.018, 1.313, 1.609])


@pytest.mark.parametrize("person", REFERENCE, ids=lambda person: person.sex)
def test_skeleton_weighs_what_the_reference_persons_does(person):
    assert make_phantom(person, 8.0, 0).truth["skeleton_mass_kg_true"] == pytest.approx(REFERENCE[person], rel=0.12)


def test_old_age_thins_the_skeleton():
    young, old = (
        make_phantom(Person("female", age, 163, 60, 31, 32), 8.0, 0).truth["skeleton_mass_kg_true"] for age in (35, 85)
    )
    assert 0.7 * young < old < 0.93 * young


@pytest.mark.parametrize("side", ["left", "right"])
def test_ribs_run_down_and_forwards_from_their_vertebra(man, side):
    for n in range(1, 13):
        rib, vertebra = positions(man, f"rib_{side}_{n}"), positions(man, f"vertebrae_T{n}")
        back = rib[rib[:, 1] < np.median(rib[:, 1])]  # the first rib comes as near to the midline in front
        behind = back[np.abs(back[:, 0] - vertebra[:, 0].mean()).argsort()[:3]].mean(0)
        front = rib[rib[:, 1] >= np.quantile(rib[:, 1], 0.95)].mean(0)
        assert abs(behind[2] - vertebra[:, 2].mean()) < 35, n
        falls = 5 if n == 1 else 10  # the clavicle takes the front end of the first
        assert front[2] < behind[2] - falls and front[1] > behind[1] + 10, n


def test_cartilage_joins_ribs_and_sternum(man):
    cartilage, sternum = positions(man, "costal_cartilages"), positions(man, "sternum")
    assert np.linalg.norm(cartilage[:, None] - sternum[None, ::7], axis=2).min() < 12
    for side in ("left", "right"):
        for n in range(2, 8):
            rib = positions(man, f"rib_{side}_{n}")
            assert np.linalg.norm(cartilage[:, None] - rib[None], axis=2).min() < 9, n


def test_vertebrae_have_bodies_arches_and_an_open_canal(man):
    for name in VERTEBRAE[8:23]:
        bone = positions(man, name)
        cord = positions(man, "spinal_cord")
        level = cord[np.abs(cord[:, 2] - bone[:, 2].mean()) < 8]
        y = level[:, 1].mean()
        assert bone[:, 1].max() > y + 15 and bone[:, 1].min() < y - 20, name  # body in front, spine behind
        assert np.ptp(bone[:, 0]) > 45, name  # transverse processes


def test_shafts_are_hollow_and_ends_spongy(man):
    femur = np.argwhere(man.labels == ids_of(TOTAL, "femur_left")[0])
    low, high = femur[:, 2].min(), femur[:, 2].max()

    def spread(share):
        level = femur[femur[:, 2] == int(low + share * (high - low))]
        return man.hu[tuple(level.T)]

    shaft, condyles = spread(0.5), spread(0.05)
    assert shaft.max() > 900 and shaft.min() < 500  # dense cortex around marrow
    assert np.median(condyles) < 500
