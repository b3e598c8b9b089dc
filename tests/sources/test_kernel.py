"""Kernels: their frequencies, seen in the edge of a disc and in the noise of water."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from vctlib.errors import InputError
from vctlib.sources.phantom.kernel import SHARP, SMOOTH, STANDARD, Kernel
from vctlib.sources.phantom.scanner import ScannerSettings, scan
from vctlib.sources.phantom.scanner_models import MODELS

KERNELS = {"smooth": SMOOTH, "standard": STANDARD, "sharp": SHARP}


def radius_mm(size: int, spacing_mm: float) -> np.ndarray:
    axis = (np.arange(size) - (size - 1) / 2) * spacing_mm
    return np.hypot(axis[:, None], axis[None, :])


def disc(size: int, radius: float, spacing_mm: float, slices: int = 1) -> np.ndarray:
    inside = radius_mm(size * 5, spacing_mm / 5) < radius
    share = inside.reshape(size, 5, size, 5).mean(axis=(1, 3))
    return np.repeat(1000 * share[:, :, None] - 1000, slices, axis=2)


@lru_cache
def image_of(
    name: str, size: int, radius: float, spacing_mm: float, slices: int, photons: float, blur_mm: float = 0.0
) -> np.ndarray:
    model = replace(MODELS["standard_120kv"], kernel=KERNELS[name], slice_mm=0.1, interval_mm=0.1)
    settings = ScannerSettings(None, photons, replace(model, detector_blur_mm=blur_mm))
    return scan(disc(size, radius, spacing_mm, slices), spacing_mm, settings, seed=1)


def edge_profile(name: str, blur_mm: float = 0.0) -> np.ndarray:
    """Hounsfield units of a disc of 8 mm against distance from its edge: 141 places, 0.05 mm apart."""
    image, radius = image_of(name, 96, 8.0, 0.25, 1, 1e12, blur_mm)[:, :, 0], radius_mm(96, 0.25)
    bins = np.round((radius - 8.0) / 0.05).astype(int).ravel()
    near = np.abs(bins) <= 70
    sums = np.bincount(bins[near] + 70, weights=image.ravel()[near], minlength=141)
    counts = np.bincount(bins[near] + 70, minlength=141)
    at = np.arange(141)
    return np.interp(at, at[counts > 0], sums[counts > 0] / counts[counts > 0])


FREQUENCY = np.arange(0, 15, 0.05)  # line pairs per cm


def modulation_transfer(profile: np.ndarray) -> np.ndarray:
    """Of an edge, at `FREQUENCY`; the voxels of 0.25 mm, of the phantom and of the image, are taken out."""
    position = (np.arange(140) - 69.5) * 0.005  # cm
    transfer = np.abs(np.exp(-2j * np.pi * FREQUENCY[:, None] * position) @ -np.diff(profile))
    return transfer / (transfer[0] * np.sinc(FREQUENCY * 0.025) ** 2)


@pytest.mark.parametrize("name", KERNELS)
def test_an_edge_shows_the_frequencies_that_define_the_kernel(name):
    transfer = modulation_transfer(edge_profile(name))
    half, tenth = (FREQUENCY[np.flatnonzero(transfer > level)[-1]] for level in (0.5, 0.1))
    assert half == pytest.approx(KERNELS[name].mtf50_per_cm, rel=0.06)
    assert tenth == pytest.approx(KERNELS[name].mtf10_per_cm, rel=0.06)


def test_detector_blur_comes_on_top_of_the_kernel():
    """A Gaussian of 1.2 mm: its own transfer at 2 and 4 line pairs per cm is 0.66 and 0.19."""
    plain, blurred = (modulation_transfer(edge_profile("sharp", blur)) for blur in (0.0, 1.2))
    for per_cm in (2.0, 4.0):
        wanted = np.exp(-((np.pi * per_cm * 0.12) ** 2) / (4 * np.log(2)))
        at = np.searchsorted(FREQUENCY, per_cm - 1e-9)
        assert blurred[at] / plain[at] == pytest.approx(wanted, rel=0.08)


def test_only_the_sharp_kernel_overshoots_at_an_edge():
    overshoot = {name: edge_profile(name).max() for name in KERNELS}
    assert overshoot["sharp"] > 50 > 15 > max(overshoot["smooth"], overshoot["standard"])


def test_response_is_the_definition():
    for kernel in KERNELS.values():
        asked = np.array([0, kernel.mtf50_per_cm, kernel.mtf10_per_cm])
        np.testing.assert_allclose(kernel.response(asked), [1, 0.5, 0.1], rtol=1e-5)
    assert SHARP.response(np.linspace(0, 8, 50)).max() > 1.1
    assert Kernel(1.0, 1.8226).response(2.0) == pytest.approx(0.5**4, rel=1e-3)  # a Gaussian: exp(-ln2 x^2)


def noise(name: str) -> np.ndarray:
    image = image_of(name, 64, 28.0, 1.0, 24, 2e4)
    return image[16:48, 16:48] - image[16:48, 16:48].mean(axis=2, keepdims=True)


def power_at(frequency_per_cm: np.ndarray, name: str) -> np.ndarray:
    """Noise power of filtered back-projection: ramp, kernel and the bins of 0.5 mm that are undone."""
    kept = KERNELS[name].response(frequency_per_cm)
    return frequency_per_cm * kept**2 / np.sinc(frequency_per_cm * 0.05) ** 2


def test_noise_power_follows_the_kernel():
    """Standard deviations are as the integral of the noise power says, over all frequencies that the detector has."""
    axis = np.linspace(-10, 10, 401)
    x, y = np.meshgrid(axis, axis)
    frequency, pixel = np.hypot(x, y), (np.sinc(x * 0.1) * np.sinc(y * 0.1)) ** 2
    wanted = {name: np.sum(power_at(frequency, name) * pixel * (frequency < 10)) ** 0.5 for name in KERNELS}
    measured = {name: noise(name).std() for name in KERNELS}
    assert measured["smooth"] / measured["standard"] == pytest.approx(wanted["smooth"] / wanted["standard"], rel=0.06)
    assert measured["sharp"] / measured["standard"] == pytest.approx(wanted["sharp"] / wanted["standard"], rel=0.06)
    assert measured["sharp"] > 1.5 * measured["standard"] > 1.5 * 1.3 * measured["smooth"]


def test_noise_is_finer_under_a_sharper_kernel():
    """The mean frequency of the noise rises, and there is little power at the lowest frequencies."""
    means = {}
    for name in KERNELS:
        power = (np.abs(np.fft.fft2(noise(name), axes=(0, 1))) ** 2).mean(axis=2)
        frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(32, 0.1), np.fft.fftfreq(32, 0.1)))
        means[name] = (power * frequency).sum() / power.sum()
        band = [power[(frequency >= low) & (frequency < low + 0.7)].mean() for low in (0.1, 0.8, 1.5, 3.0)]
        assert band[0] < 0.75 * max(band)  # the ramp
    assert means["smooth"] + 0.3 < means["standard"] < means["sharp"] - 0.3


def test_large_voxels_hide_the_kernel():
    """At 8 mm the same body under two kernels: alike inside, and close at the skin."""
    smooth, sharp = (image_of(name, 40, 110.0, 8.0, 1, 1e12)[:, :, 0] for name in ("smooth", "sharp"))
    assert np.abs(smooth - sharp)[radius_mm(40, 8.0) < 80].max() < 12
    assert smooth.sum() == pytest.approx(sharp.sum(), rel=1e-3)


@pytest.mark.parametrize("numbers", [(0, 5), (5, 5), (3, 6, -1)])
def test_impossible_kernels_are_refused(numbers):
    with pytest.raises(InputError, match="mtf50"):
        Kernel(*numbers)
