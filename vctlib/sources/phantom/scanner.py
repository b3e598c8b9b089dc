"""A simple CT scanner: projections of a phantom through real X-ray physics, and their reconstruction.

Every axial slice is projected along parallel beams by one sparse matrix. Six photon energies are attenuated by water,
bone and titanium, photons are counted with Poisson noise, the sinogram is corrected for the beam hardening of water and
filtered back-projection gives Hounsfield units. Noise, streaks behind dense bone and beam hardening are thereby those
of a scanner and not drawn on top.

Source: kak1988 chapters 3 (filtered back-projection, sampling) and 4 (beam hardening).
"""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, hypot, pi

import numpy as np
from scipy import fft, sparse

from vctlib.anatomy import AIR_HU
from vctlib.errors import InputError

# Mass attenuation (cm2/g) at the energies that NIST tabulates; hubbell1995 (XCOM), liquid water and cortical bone of
# ICRU report 44.
TABULATED_KEV = np.array([40.0, 50.0, 60.0, 80.0, 100.0, 150.0])
TABULATED_WATER = np.array([0.2683, 0.2269, 0.2059, 0.1837, 0.1707, 0.1505])
TABULATED_BONE = np.array([0.6655, 0.4242, 0.3148, 0.2229, 0.1855, 0.1480])
# Titanium, Table 3 of the same.
TABULATED_TITANIUM = np.array([2.214, 1.213, 0.7661, 0.4052, 0.2721, 0.1649])
TITANIUM_G_PER_CM3 = 4.43  # of the alloy Ti-6Al-4V of implants
# A coarse spectrum of 120 kV after the patient filter, mean 72 keV: shares of the photons at six energies. A choice.
SPECTRUM_KEV = np.array([40.0, 50.0, 60.0, 80.0, 100.0, 120.0])
SPECTRUM = np.array([0.10, 0.19, 0.24, 0.24, 0.14, 0.09])
# Voxels are water of varying density up to the first value, cortical bone from the second, and mixed between. From
# METAL_STARTS_HU on, which no bone reaches, they are partly titanium, and nothing else at TITANIUM_HU.
BONE_STARTS_HU, BONE_PURE_HU, METAL_STARTS_HU = 120.0, 1020.0, 3100.0
WATER_TABLE_G_PER_CM2 = np.linspace(0.0, 120.0, 481)  # water thickness for the beam-hardening correction
BINS_PER_PIXEL = 2  # the detector is finer than the image, as in a scanner
FAINTEST_COUNT = 0.6  # photons a detector bin reports where none arrived, so that its logarithm exists
BODY_THRESHOLD_HU = -900.0  # everything denser is inside the reconstructed field of view
MARGIN_VOXELS = 2
SLICES_AT_ONCE = 32


def _log_log(kev: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.exp(np.interp(np.log(kev), np.log(TABULATED_KEV), np.log(values)))


WATER = _log_log(SPECTRUM_KEV, TABULATED_WATER)  # cm2/g
BONE = _log_log(SPECTRUM_KEV, TABULATED_BONE)  # cm2/g
TITANIUM = _log_log(SPECTRUM_KEV, TABULATED_TITANIUM)  # cm2/g
WATER_MEAN = float(SPECTRUM @ WATER)  # of an unhardened beam
# Bone is given the density at which it keeps its Hounsfield units behind this much water, about half a trunk; behind
# less it looks denser, behind more or behind other bone less dense, as on a scanner.
REFERENCE_WATER_G_PER_CM2 = 20.0
_BEHIND_WATER = SPECTRUM * np.exp(-WATER * REFERENCE_WATER_G_PER_CM2)
WATER_PER_BONE = float((_BEHIND_WATER @ WATER) / (_BEHIND_WATER @ BONE))
_TITANIUM_PER_WATER = float((_BEHIND_WATER @ TITANIUM) / (_BEHIND_WATER @ WATER))
TITANIUM_HU = 1000 * (TITANIUM_G_PER_CM3 * _TITANIUM_PER_WATER - 1)  # some 11,600, the highest that metal can have here


@dataclass(frozen=True)
class ScannerSettings:
    """Views over 180 degrees, None for as many as sampling theory asks for; photons per detector bin and view in air.

    The noise goes with one over the square root of views times photons, whatever the two are.
    """

    n_angles: int | None = None
    photons: float = 4e6

    def __post_init__(self) -> None:
        if self.n_angles is not None and self.n_angles < 1:
            raise InputError(f"the scanner's n_angles is {self.n_angles}; it must be at least 1, or None")
        if not self.photons > 0:
            raise InputError(f"the scanner's photons is {self.photons}; it must be positive")


def angles_needed(n_pixels: int) -> int:
    """Views that sample a slice n_pixels wide as finely as its pixels do: pi/2 times as many. Source: kak1988, 5.1."""
    return ceil(pi / 2 * n_pixels)


def _n_bins(shape: tuple[int, int]) -> int:
    """Bins of a detector as wide as the slice's diagonal, and a pixel more on both sides."""
    return ceil(hypot(*shape) + 2) * BINS_PER_PIXEL


def _shadow_integral(s: np.ndarray, cos: float, sin: float) -> np.ndarray:
    """Share of a unit pixel's shadow that falls left of s, for beams at an angle. The shadow is a trapezium."""
    wide, narrow = max(abs(cos), abs(sin)), max(min(abs(cos), abs(sin)), 1e-6)
    outer, inner = (wide + narrow) / 2, (wide - narrow) / 2
    ramp_up = np.clip(s + outer, 0, narrow) ** 2 / (2 * narrow)
    flat = np.clip(s + inner, 0, 2 * inner)
    falling = np.clip(s - inner, 0, narrow)
    return (ramp_up + flat + falling - falling**2 / (2 * narrow)) / wide


@lru_cache(maxsize=16)
def projector(shape: tuple[int, int], n_angles: int) -> sparse.csc_array:
    """Matrix from a slice (nx*ny pixels, C order) to a sinogram (n_angles*n_bins), line integrals in pixels.

    A bin averages what lies in its strip, exactly, so that a uniform object projects without moire. The transpose
    averages a back-projection over each pixel: an image so made is not blurred beyond its own pixels.
    """
    n_bins, width = _n_bins(shape), 1 / BINS_PER_PIXEL
    touched = ceil(2**0.5 * BINS_PER_PIXEL) + 1  # bins that a pixel's shadow can reach
    x, y = np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in shape), indexing="ij")
    x, y = x.ravel(), y.ravel()
    rows = np.empty((x.size, n_angles, touched), np.int32)
    weights = np.empty((x.size, n_angles, touched), np.float32)
    for view in range(n_angles):
        cos, sin = np.cos(pi * view / n_angles), np.sin(pi * view / n_angles)
        centre = x * cos + y * sin + n_bins * width / 2  # in pixels from the detector's edge
        first = np.floor((centre - (abs(cos) + abs(sin)) / 2) / width).astype(np.int32)
        edges = (first[:, None] + np.arange(touched + 1)) * width - centre[:, None]
        rows[:, view] = view * n_bins + first[:, None] + np.arange(touched)
        weights[:, view] = np.diff(_shadow_integral(edges, cos, sin), axis=1) / width
    starts = np.arange(x.size + 1) * (touched * n_angles)
    return sparse.csc_array((weights.ravel(), rows.ravel(), starts), shape=(n_angles * n_bins, x.size))


@lru_cache(maxsize=8)
def _filter(n_bins: int, n_fft: int) -> np.ndarray:
    """Frequency response (n_fft//2 + 1) of the filter: the ramp, and what the bins' width took away.

    No window on top: averaging over the pixels, which are larger than the bins, is window enough.
    Source: kak1988 equation 3.61 (the ramp limited to the detector's band).
    """
    distance = np.minimum(np.arange(n_fft), n_fft - np.arange(n_fft))
    odd = (distance % 2 == 1) & (distance < n_bins)
    kernel = np.where(odd, -1.0 / (pi * np.maximum(distance, 1)) ** 2, 0.0)
    kernel[0] = 0.25
    frequency = np.fft.rfftfreq(n_fft)  # cycles per bin
    bin_width = np.sinc(frequency) ** 2  # averaged once by the detector and once by the back-projection
    return (np.fft.rfft(kernel).real / bin_width).astype(np.float32)


def _materials(hu: np.ndarray) -> tuple[np.ndarray, ...]:
    """Densities (g/cm3) of water, of bone and, where there is any, of titanium that stand for Hounsfield units."""
    density = np.maximum((hu - AIR_HU) / -AIR_HU, 0.0).astype(np.float32)
    bone = np.clip((hu - BONE_STARTS_HU) / (BONE_PURE_HU - BONE_STARTS_HU), 0.0, 1.0).astype(np.float32)
    if hu.max(initial=AIR_HU) <= METAL_STARTS_HU:
        return density * (1 - bone), density * bone * np.float32(WATER_PER_BONE)
    metal = np.clip((hu - METAL_STARTS_HU) / (TITANIUM_HU - METAL_STARTS_HU), 0.0, 1.0).astype(np.float32)
    titanium_density = np.float32(TITANIUM_G_PER_CM3 * -AIR_HU / (TITANIUM_HU - AIR_HU))
    mixed = density * (1 - metal)
    return mixed * (1 - bone), mixed * bone * np.float32(WATER_PER_BONE), density * metal * titanium_density


def _measure(materials: list[np.ndarray], photons: float, rng: np.random.Generator) -> np.ndarray:
    """Line integrals of attenuation as a detector sees them, water-corrected.

    `materials`: line integrals in g/cm2 of water, bone and perhaps titanium, of one shape.
    """
    transmitted = np.zeros_like(materials[0])
    for i, share in enumerate(SPECTRUM.astype(np.float32)):
        coefficients = (np.float32(material[i]) for material in (WATER, BONE, TITANIUM))
        transmitted += share * np.exp(-sum(c * m for c, m in zip(coefficients, materials, strict=False)))
    counts = np.maximum(rng.poisson(transmitted * photons), FAINTEST_COUNT)
    measured = -np.log(counts.astype(np.float32) / np.float32(photons))
    hardened = -np.log(SPECTRUM @ np.exp(-np.outer(WATER, WATER_TABLE_G_PER_CM2)))
    return np.interp(measured, hardened, WATER_TABLE_G_PER_CM2 * WATER_MEAN).astype(np.float32)


def _scan_slices(
    hu: np.ndarray, pixel_cm: float, n_angles: int, photons: float, rng: np.random.Generator
) -> np.ndarray:
    """Scan some slices (nx, ny, n) that lie wholly inside the field of view; returns Hounsfield units."""
    nx, ny, n_slices = hu.shape
    matrix, n_bins = projector((nx, ny), n_angles), _n_bins((nx, ny))
    materials = [matrix @ material.reshape(nx * ny, n_slices) * np.float32(pixel_cm) for material in _materials(hu)]
    sinogram = _measure(materials, photons, rng).reshape(n_angles, n_bins, n_slices)
    n_fft = fft.next_fast_len(2 * n_bins, real=True)
    spectrum = fft.rfft(sinogram, n_fft, axis=1) * _filter(n_bins, n_fft)[:, None]
    filtered = fft.irfft(spectrum, n_fft, axis=1)[:, :n_bins].reshape(-1, n_slices)
    # The filter works in bins of pixel_cm / BINS_PER_PIXEL; the matrix's columns sum to BINS_PER_PIXEL per view.
    attenuation = (matrix.T @ filtered) * (pi / n_angles / pixel_cm)
    return ((attenuation / WATER_MEAN - 1) * -AIR_HU).reshape(nx, ny, n_slices)


def _box(inside: np.ndarray, shape: tuple[int, int]) -> tuple[slice, slice]:
    """Smallest rectangle around a 2-D mask, with a margin and rounded up to multiples of 8 so that projectors recur."""
    slices = []
    for axis, size in enumerate(shape):
        where = np.flatnonzero(inside.any(axis=1 - axis))
        low, high = where[0] - MARGIN_VOXELS, where[-1] + 1 + MARGIN_VOXELS
        wanted = min(-(-(high - low) // 8) * 8, size)
        low = int(np.clip((low + high - wanted) // 2, 0, size - wanted))
        slices.append(slice(low, low + wanted))
    return slices[0], slices[1]


def scan(hu: np.ndarray, spacing_mm: float, settings: ScannerSettings, seed: int) -> np.ndarray:
    """Scan a body (x, y, z; Hounsfield units; square pixels of `spacing_mm` in x and y) and reconstruct it.

    Returns float32 Hounsfield units of the same shape; outside the box around the body there is air (-1000). The same
    seed gives the same image. Only slices that hold something denser than -900 HU are scanned.
    """
    hu = np.asarray(hu)
    if hu.ndim != 3 or not spacing_mm > 0:
        raise InputError(f"scan needs a 3-D volume and a positive spacing, not shape {hu.shape} and {spacing_mm} mm")
    rng = np.random.default_rng(seed)
    image = np.full(hu.shape, AIR_HU, np.float32)
    body = hu > BODY_THRESHOLD_HU
    if not body.any():
        return image
    widest = _box(body.any(axis=2), hu.shape[:2])
    n_angles = settings.n_angles or angles_needed(ceil(hypot(*(s.stop - s.start for s in widest))))
    slices = np.flatnonzero(body.any(axis=(0, 1)))
    for some in np.split(slices, range(SLICES_AT_ONCE, slices.size, SLICES_AT_ONCE)):
        across, along = _box(body[:, :, some].any(axis=2), hu.shape[:2])
        part = np.asarray(hu[across, along][:, :, some], np.float32)
        image[across, along, some] = _scan_slices(part, spacing_mm / 10, n_angles, settings.photons, rng)
    return image
