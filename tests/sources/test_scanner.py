"""The CT scanner on objects whose image is known."""

import numpy as np
import pytest

from vctlib.errors import InputError
from vctlib.sources.phantom.projector import BINS_PER_PIXEL, angles_needed, projector
from vctlib.sources.phantom.scanner import ScannerSettings, scan
from vctlib.sources.phantom.scanner_models import MODELS

QUIET = ScannerSettings(photons=1e12)
THIN = ScannerSettings(photons=1e12, model=MODELS["sharp_140kv"])  # its slices mix no voxels of 4 mm


def cylinder(size: int, radius_mm: float, spacing_mm: float, hu: float = 0.0, slices: int = 2) -> np.ndarray:
    """A cylinder along z with edges of partial voxels."""
    fine = (np.arange(size * 5) - (size * 5 - 1) / 2) * spacing_mm / 5
    inside = (fine[:, None] ** 2 + fine[None, :] ** 2 < radius_mm**2).astype(float)
    share = inside.reshape(size, 5, size, 5).mean(axis=(1, 3))
    return np.repeat((-1000 + (hu + 1000) * share)[:, :, None], slices, axis=2)


def radius_map(size: int, spacing_mm: float) -> np.ndarray:
    axis = (np.arange(size) - (size - 1) / 2) * spacing_mm
    return np.hypot(axis[:, None], axis[None, :])


@pytest.mark.parametrize("radius_mm", [80, 150])
def test_water_is_zero_and_air_minus_thousand(radius_mm):
    image = scan(cylinder(100, radius_mm, 4.0), 4.0, QUIET, seed=0)[:, :, 0]
    radius = radius_map(100, 4.0)
    assert image[radius < radius_mm - 15].mean() == pytest.approx(0, abs=1.5)
    assert image[radius < 20].mean() == pytest.approx(0, abs=1)  # no cupping: water's beam hardening is corrected
    assert image[radius < radius_mm - 15].std() < 4
    assert image[radius > radius_mm + 15].mean() == pytest.approx(-1000, abs=2)


def test_hounsfield_scale_is_linear_in_density():
    """Soft tissues in a water cylinder keep their values: fat, muscle, lung."""
    wanted = {-100: (-80, 0), 50: (80, 0), -770: (0, 80), 110: (0, -80)}
    volume = cylinder(100, 160, 4.0)
    axis = (np.arange(100) - 49.5) * 4.0
    for hu, (x, y) in wanted.items():
        volume[np.hypot(axis[:, None] - x, axis[None, :] - y) < 30] = hu
    image = scan(volume, 4.0, QUIET, seed=0)
    for hu, (x, y) in wanted.items():
        centre = np.hypot(axis[:, None] - x, axis[None, :] - y) < 15
        assert image[centre].mean() == pytest.approx(hu, abs=6), hu


def test_vertebra_keeps_its_attenuation_inside_a_trunk():
    volume = cylinder(80, 140, 4.0)
    volume[radius_map(80, 4.0) < 20] = 226.0
    image = scan(volume, 4.0, QUIET, seed=0)
    assert image[radius_map(80, 4.0) < 8].mean() == pytest.approx(226, abs=8)


def test_noise_grows_as_photons_fall():
    """The standard deviation of photon noise goes with one over the square root of the photons."""
    volume, centre = cylinder(80, 150, 4.0, slices=8), radius_map(80, 4.0) < 60
    sd = {photons: scan(volume, 4.0, ScannerSettings(photons=photons), seed=1)[centre].std() for photons in (1e6, 4e6)}
    assert sd[1e6] / sd[4e6] == pytest.approx(2.0, rel=0.1)
    assert sd[1e6] > 2


def test_noise_is_stronger_in_wide_bodies():
    centre = radius_map(100, 4.0) < 40
    thin, wide = (scan(cylinder(100, radius, 4.0), 4.0, ScannerSettings(), 1)[centre].std() for radius in (80, 170))
    assert wide > 2 * thin


def test_noise_depends_on_all_photons_together():
    volume, centre = cylinder(60, 100, 4.0, slices=8), radius_map(60, 4.0) < 60
    few, many = (
        scan(volume, 4.0, ScannerSettings(n_angles, photons), 1)[centre].std()
        for n_angles, photons in ((150, 1e6), (300, 5e5))
    )
    assert many == pytest.approx(few, rel=0.1)


def test_dense_bones_cast_a_dark_streak_between_them():
    """Beam hardening: between two metal-dense rods the water reads low, elsewhere it does not."""
    volume, axis = cylinder(80, 140, 4.0), (np.arange(80) - 39.5) * 4.0
    for x in (-60, 60):
        volume[np.hypot(axis[:, None] - x, axis[None, :]) < 16] = 3000.0
    image = scan(volume, 4.0, QUIET, seed=0)[:, :, 0]
    between = image[36:44, 38:42].mean()
    above = image[36:44, 58:62].mean()
    assert between < -30
    assert between < above - 30
    assert image[np.hypot(axis[:, None] - 60, axis[None, :]) < 10].mean() > 1500


def test_projection_of_a_disc_is_its_chord():
    """Line integrals of a disc of radius r: 2 sqrt(r^2 - s^2), at every angle."""
    disc = (cylinder(64, 25, 1.0)[:, :, 0] + 1000) / 1000
    sinogram = (projector((64, 64), 40) @ disc.ravel()).reshape(40, -1)
    s = (np.arange(sinogram.shape[1]) - (sinogram.shape[1] - 1) / 2) / BINS_PER_PIXEL
    chord = 2 * np.sqrt(np.maximum(25.0**2 - s**2, 0))
    inside = np.abs(s) < 23
    assert np.abs(sinogram - chord)[:, inside].mean() < 0.2
    assert sinogram.sum(axis=1) / BINS_PER_PIXEL == pytest.approx(disc.sum(), rel=1e-5)  # a view misses no mass


def test_tissue_keeps_its_mass_up_to_the_skin():
    """The image is hardly blurred beyond its own voxels: what the label map covers holds the mass it should."""
    volume = cylinder(40, 100, 8.0)
    body = volume > -500
    image = scan(volume, 8.0, QUIET, seed=0)
    assert (image[body] + 1000).sum() == pytest.approx((volume[body] + 1000).sum(), rel=0.01)
    assert image[volume == -1000].min() > -1100  # and the skin does not ring


def test_same_seed_same_image_and_only_then():
    volume = cylinder(40, 60, 4.0)
    first, second = (scan(volume, 4.0, ScannerSettings(), seed=3) for _ in range(2))
    assert first.dtype == np.float32
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, scan(volume, 4.0, ScannerSettings(), seed=4))


def test_a_body_off_centre_and_empty_slices():
    """Only the box around the body is scanned; where it lies makes no difference, and empty slices stay air."""
    small = cylinder(40, 60, 4.0)
    large = np.full((90, 60, 5), -1000.0)
    large[45:85, 10:50, 2:4] = small
    centred, moved = scan(small, 4.0, THIN, 0), scan(large, 4.0, THIN, 0)
    np.testing.assert_allclose(moved[45:85, 10:50, 2:4], centred, atol=1.5)
    assert (moved[:, :, [0, 1, 4]] == -1000).all()
    assert (scan(np.full((8, 8, 2), -1000), 4.0, QUIET, 0) == -1000).all()


def test_sampling_theory_and_bad_settings():
    assert angles_needed(100) == 158  # pi/2 * 100 = 157.08
    with pytest.raises(InputError, match="photons"):
        ScannerSettings(photons=0)
    with pytest.raises(InputError, match="n_angles"):
        ScannerSettings(n_angles=0)
    with pytest.raises(InputError, match="3-D"):
        scan(np.zeros((4, 4)), 4.0, QUIET, 0)
