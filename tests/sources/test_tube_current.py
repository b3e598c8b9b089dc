"""Tube-current modulation: photons follow the attenuation, and noise becomes more even."""

import numpy as np
import pytest

from vctlib.errors import InputError
from vctlib.sources.phantom.scanner import ScannerSettings, scan
from vctlib.sources.phantom.spectrum import SPECTRUM_120KV
from vctlib.sources.phantom.tube_current import LOCALIZER_VIEWS, TubeCurrent, localizer, relative_photons

SPACING = 4.0


def ellipse(half_x: float, half_y: float, slices: int = 4) -> np.ndarray:
    """Water (0 HU) in air, half axes in mm, on 128 x 80 voxels."""
    x = (np.arange(128) - 63.5)[:, None] * SPACING
    y = (np.arange(80) - 39.5)[None, :] * SPACING
    inside = (x / half_x) ** 2 + (y / half_y) ** 2 < 1
    return np.repeat(np.where(inside, 0.0, -1000.0)[:, :, None], slices, axis=2)


def photons_of(hu: np.ndarray, current: TubeCurrent, n_angles: int = 48) -> np.ndarray:
    return relative_photons(hu, SPACING, n_angles, SPECTRUM_120KV, current)


def sd(hu: np.ndarray, current: TubeCurrent, photons: float = 1e6) -> np.ndarray:
    """Noise (HU) of each slice in the middle of a body."""
    image = scan(hu, SPACING, ScannerSettings(120, photons, tube_current=current), seed=2)
    return image[60:68, 36:44].std(axis=(0, 1))


def test_localizer_sees_the_thickest_ray():
    """An ellipse of 40 x 20 cm: 20 cm of water in the view along y, 40 cm in the view along x."""
    seen = localizer(ellipse(200, 100), SPACING, SPECTRUM_120KV)[:, 0]
    assert seen[0] == pytest.approx(SPECTRUM_120KV.attenuation_of_water(20.0), rel=0.03)
    assert seen[LOCALIZER_VIEWS // 2] == pytest.approx(SPECTRUM_120KV.attenuation_of_water(40.0), rel=0.03)


def test_without_modulation_all_views_are_equal():
    np.testing.assert_array_equal(photons_of(ellipse(200, 100), TubeCurrent()), np.ones((48, 4), np.float32))


def test_square_root_rule_between_views_at_an_unchanged_mean():
    hu = ellipse(200, 100)
    photons, seen = photons_of(hu, TubeCurrent(angular=0.5)), localizer(hu, SPACING, SPECTRUM_120KV)
    assert photons[24, 0] / photons[0, 0] == pytest.approx(np.exp((seen[12, 0] - seen[0, 0]) / 2), rel=1e-3)
    np.testing.assert_allclose(photons.mean(axis=0), 1, rtol=1e-5)


def thick_and_thin() -> np.ndarray:
    """A trunk of 44 x 24 cm, then a neck of 14 cm."""
    return np.concatenate([ellipse(220, 120, 8), ellipse(70, 70, 8)], axis=2)


def test_slices_share_the_photons_of_the_whole_scan():
    photons = photons_of(thick_and_thin(), TubeCurrent(longitudinal=0.5))
    assert photons.mean() == pytest.approx(1, rel=1e-5)
    assert photons[:, 0].mean() > 2 * photons[:, -1].mean()
    np.testing.assert_allclose(np.ptp(photons, axis=0), 0, atol=1e-6)  # no modulation within a slice


def test_a_reference_gives_more_photons_to_larger_people():
    current = TubeCurrent(longitudinal=0.5, reference_water_cm=30.0, most=2.0)
    small, middle, large = (photons_of(ellipse(r, r), current).mean() for r in (100, 150, 190))
    assert middle == pytest.approx(1, rel=0.05)
    step = SPECTRUM_120KV.attenuation_of_water(np.array([20.0, 30.0]))
    assert small == pytest.approx(np.exp((step[0] - step[1]) / 2), rel=0.05)
    assert 1.5 < large <= 2.0
    assert photons_of(ellipse(250, 155), current).max() == 2.0  # the tube's limit


def test_noise_across_a_body_becomes_more_even():
    hu = thick_and_thin()
    plain, even = (sd(hu, current) for current in (TubeCurrent(), TubeCurrent(0.5, 1.0)))
    ratio_plain, ratio_even = plain[:8].mean() / plain[8:].mean(), even[:8].mean() / even[8:].mean()
    assert ratio_plain > 5
    assert 0.5 < ratio_even < 2
    half = sd(hu, TubeCurrent(0.5, 0.5))
    assert ratio_even < half[:8].mean() / half[8:].mean() < 0.6 * ratio_plain


def test_square_root_rule_has_the_least_noise_for_its_photons():
    """Source: gies1999: a wide body, the same photons spread by the exponents 0, 0.5 and 1."""
    none, root, full = (sd(ellipse(230, 110, 48), TubeCurrent(angular=a), 3e6).mean() for a in (0.0, 0.5, 1.0))
    assert root < 0.9 * none
    assert root < full


def test_bad_settings_are_refused():
    with pytest.raises(InputError, match="exponents"):
        TubeCurrent(angular=1.5)
    with pytest.raises(InputError, match="positive"):
        TubeCurrent(reference_water_cm=0.0)
