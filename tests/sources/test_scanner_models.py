"""Scanner models: water stays water, bone reads as the voltage says, and each person meets one of them."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from scipy.stats import norm

from vctlib.cohort_config import ScannerName
from vctlib.errors import InputError
from vctlib.sources.phantom.scan_protocol import ScanProtocol, scan_person
from vctlib.sources.phantom.scanner import ScannerSettings, scan
from vctlib.sources.phantom.scanner_models import MODELS, draw_model
from vctlib.sources.phantom.spectrum import Spectrum, materials
from vctlib.sources.phantom.tube_current import TubeCurrent

# NIST's tables again, typed anew (cm2/g): liquid water and cortical bone at 40, 50, 60, 80, 100 keV; 120 keV between
# 100 and 150 on logarithmic axes.
NIST_WATER = [0.2683, 0.2269, 0.2059, 0.1837, 0.1707, 0.1707 * (0.1505 / 0.1707) ** (np.log(1.2) / np.log(1.5))]
NIST_BONE = [0.6655, 0.4242, 0.3148, 0.2229, 0.1855, 0.1855 * (0.1480 / 0.1855) ** (np.log(1.2) / np.log(1.5))]
MEAN_KEV = {"smooth_100kv": 63.8, "standard_120kv": 71.9, "sharp_140kv": 78.1}


def trunk(insert_hu: float) -> np.ndarray:
    """A cylinder of water, 28 cm wide, with a rod of 5 cm in its middle; voxels of 4 mm, two slices."""
    axis = (np.arange(80) - 39.5) * 4.0
    radius = np.hypot(axis[:, None], axis[None, :])
    section = np.where(radius < 140, 0.0, -1000.0)
    section[radius < 25] = insert_hu
    return np.repeat(section[:, :, None], 2, axis=2)


def shown(name: str, insert_hu: float) -> tuple[float, float]:
    """Mean Hounsfield units of the rod and of the water round it."""
    image = scan(trunk(insert_hu), 4.0, ScannerSettings(photons=1e12, model=MODELS[name]), seed=0)[:, :, 0]
    axis = (np.arange(80) - 39.5) * 4.0
    radius = np.hypot(axis[:, None], axis[None, :])
    return image[radius < 12].mean(), image[(radius > 60) & (radius < 120)].mean()


@pytest.mark.parametrize("name", MODELS)
def test_water_and_soft_tissue_keep_their_units_at_every_voltage(name):
    for hu in (-100.0, 0.0, 60.0):
        rod, water = shown(name, hu)
        assert rod == pytest.approx(hu, abs=4)
        assert water == pytest.approx(0, abs=1.5)


@pytest.mark.parametrize("name", MODELS)
def test_cortical_bone_reads_as_its_beam_says(name):
    """1020 HU at 120 kV behind half a trunk; here a ray through the middle passes 23 cm of water and 5 cm of bone."""
    shares, path = np.array(MODELS[name].spectrum.shares), np.linspace(0, 80, 1601)
    water, bone = materials(np.array([1020.0]))
    assert water[0] == 0
    hardened = -np.log(shares @ np.exp(-np.outer(NIST_WATER, path)))
    measured = -np.log(shares @ np.exp(-23 * np.array(NIST_WATER) - 5 * bone[0] * np.array(NIST_BONE)))
    looks_like_cm_of_water = np.interp(measured, hardened, path)
    expected = 1000 * ((looks_like_cm_of_water - 23) / 5 - 1)
    assert shown(name, 1020.0)[0] == pytest.approx(expected, rel=0.03)


def test_bone_is_brighter_at_a_lower_voltage():
    low, standard, high = (shown(name, 1020.0)[0] for name in ("smooth_100kv", "standard_120kv", "sharp_140kv"))
    assert low > standard + 60 > high + 100
    vertebra = [shown(name, 226.0)[0] for name in ("smooth_100kv", "standard_120kv", "sharp_140kv")]
    assert vertebra[1] == pytest.approx(226, abs=8)
    assert vertebra[0] > vertebra[1] > vertebra[2] > 200


def test_exposure_multiplies_the_photons():
    def scanned(photons: float, exposure: float) -> np.ndarray:
        model = replace(MODELS["standard_120kv"], exposure=exposure)
        return scan(trunk(0.0), 4.0, ScannerSettings(120, photons, model), seed=1)[30:50, 30:50]

    once, four_times = ((scanned(5e5, exposure) - scanned(1e12, 1.0)).std() for exposure in (1.0, 4.0))
    assert once / four_times == pytest.approx(2.0, rel=0.1)


def test_thick_slices_mix_neighbours():
    """A body that ends between two voxels of 2 mm: slices of 5 mm show a Gaussian's integral across its end."""
    hu = np.repeat(trunk(0.0)[:, :, :1], 20, axis=2)
    hu[:, :, 10:] = -1000
    image = scan(hu, 2.0, ScannerSettings(120, 1e12, MODELS["smooth_100kv"]), seed=0)
    profile = (image[38:42, 38:42].mean(axis=(0, 1)) + 1000) / 1000
    slices = np.arange(0, 40, 5.0)  # mm, centres; between them, linear
    wanted = np.interp(np.arange(20) * 2.0, slices, norm.cdf((19.0 - slices) / (5 / 2.3548)))
    np.testing.assert_allclose(profile[2:18], wanted[2:18], atol=0.02)


@pytest.mark.parametrize("name", MODELS)
def test_spectra_have_the_mean_energy_that_is_documented(name):
    assert np.dot(MODELS[name].spectrum.shares, [40, 50, 60, 80, 100, 120]) == pytest.approx(MEAN_KEV[name], abs=0.06)


def test_the_profile_knows_the_models():
    assert set(get_args(ScannerName)) == set(MODELS)


def test_people_meet_every_scanner_about_equally_often():
    names = tuple(MODELS)
    drawn = [draw_model(names, seed).name for seed in range(600)]
    assert all(150 < drawn.count(name) < 250 for name in names)
    assert drawn == [draw_model(names, seed).name for seed in range(600)]
    assert {draw_model(names[:1], seed).name for seed in range(20)} == {names[0]}


def test_a_person_is_scanned_by_the_model_that_is_named():
    hu, affine = np.repeat(trunk(100.0), 20, axis=2), np.diag([4.0, 4.0, 4.0, 1.0])
    protocol = ScanProtocol(60, 1e6, tuple(MODELS), TubeCurrent(0.5, 0.5))
    image, name = scan_person(hu, hu > -500, affine, protocol, seed=7)
    settings = ScannerSettings(60, 1e6, MODELS[name], TubeCurrent(0.5, 0.5))
    np.testing.assert_array_equal(image, scan(hu, 4.0, settings, 7))
    again, _ = scan_person(hu, hu > -500, affine, protocol, seed=7)
    np.testing.assert_array_equal(image, again)
    furnished, _ = scan_person(hu, hu > -500, affine, ScanProtocol(60, 1e6, table=True, bag=True), seed=7)
    assert furnished[(hu < -500)].mean() > image[(hu < -500)].mean() + 3


def test_mistakes_are_named():
    with pytest.raises(InputError, match="no scanner model 'x'; there are standard_120kv"):
        ScanProtocol(models=("x",))
    with pytest.raises(InputError, match="at least one"):
        ScanProtocol(models=())
    with pytest.raises(InputError, match="photons"):
        ScanProtocol(photons=-1)
    with pytest.raises(InputError, match="sum to one"):
        Spectrum((0.5, 0.5, 0.5, 0, 0, 0))
