"""A simple CT scanner: projections of a phantom through real X-ray physics, and their reconstruction.

Every axial slice is projected along parallel beams by one sparse matrix. Six photon energies are attenuated by water,
bone and titanium, photons are counted with Poisson noise, the sinogram is corrected for the beam hardening of water and
filtered back-projection gives Hounsfield units. Noise, streaks behind dense bone and metal and beam hardening are
thereby those of a scanner and not drawn on top.

Source: kak1988 chapters 3 (filtered back-projection, sampling) and 4 (beam hardening).
"""

from dataclasses import dataclass
from math import ceil, hypot, pi

import numpy as np
from scipy import fft, ndimage

from vctlib.anatomy import AIR_HU
from vctlib.errors import InputError
from vctlib.sources.phantom.projector import BINS_PER_PIXEL, angles_needed, n_bins, projector, ramp
from vctlib.sources.phantom.scanner_models import MODELS, ScannerModel
from vctlib.sources.phantom.slice_profile import FWHM_PER_SD, slice_matrix, through_slices
from vctlib.sources.phantom.spectrum import materials
from vctlib.sources.phantom.tube_current import TubeCurrent, relative_photons

FAINTEST_COUNT = 0.6  # photons a detector bin reports where none arrived, so that its logarithm exists
OBJECT_THRESHOLD_HU = -970.0  # everything denser is inside the reconstructed field of view, thin films too
MARGIN_VOXELS = 2
SLICES_AT_ONCE = 32
FINEST_BLUR_BINS = 0.3  # a narrower blur (SD) of the detector does not reach the next bin


@dataclass(frozen=True)
class ScannerSettings:
    """Views over 180 degrees, None for as many as sampling theory asks for; photons per detector bin and view in air.

    The noise goes with one over the square root of views times photons, whatever the two are. The model multiplies the
    photons by its exposure, the tube current by what each view and slice gets.
    """

    n_angles: int | None = None
    photons: float = 4e6
    model: ScannerModel = MODELS["standard_120kv"]
    tube_current: TubeCurrent = TubeCurrent()

    def __post_init__(self) -> None:
        if self.n_angles is not None and self.n_angles < 1:
            raise InputError(f"the scanner's n_angles is {self.n_angles}; it must be at least 1, or None")
        if not self.photons > 0:
            raise InputError(f"the scanner's photons is {self.photons}; it must be positive")


def _measure(
    crossed: list[np.ndarray],
    photons: np.ndarray,
    model: ScannerModel,
    bin_mm: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Line integrals as a detector sees them, water-corrected. In g/cm2 and photons (views, bins or 1, slices)."""
    transmitted = model.spectrum.transmitted(*crossed)
    blur_bins = model.detector_blur_mm / FWHM_PER_SD / bin_mm
    if blur_bins > FINEST_BLUR_BINS:
        transmitted = ndimage.gaussian_filter1d(transmitted, blur_bins, axis=1, mode="nearest")
    counts = np.maximum(rng.poisson(transmitted * photons), FAINTEST_COUNT)
    return model.spectrum.water_corrected(-np.log(counts.astype(np.float32) / photons))


def _scan_slices(
    hu: np.ndarray, spacing_mm: float, photons: np.ndarray, model: ScannerModel, rng: np.random.Generator
) -> np.ndarray:
    """Scan some slices (nx, ny, n) inside the field of view with photons (views, n); returns Hounsfield units."""
    (nx, ny, n_slices), n_angles = hu.shape, photons.shape[0]
    matrix, bins = projector((nx, ny), n_angles), n_bins((nx, ny))
    bin_mm = spacing_mm / BINS_PER_PIXEL
    crossed = [
        (matrix @ material.reshape(nx * ny, n_slices)).reshape(n_angles, bins, n_slices) * np.float32(spacing_mm / 10)
        for material in materials(hu)
    ]
    sinogram = _measure(crossed, photons[:, None], model, bin_mm, rng)
    n_fft = fft.next_fast_len(2 * bins, real=True)
    window = model.kernel.response(np.fft.rfftfreq(n_fft, bin_mm / 10))
    spectrum = fft.rfft(sinogram, n_fft, axis=1) * (ramp(bins, n_fft) * window)[:, None]
    filtered = fft.irfft(spectrum, n_fft, axis=1)[:, :bins].reshape(-1, n_slices)
    # The filter works in bins of bin_mm; the matrix's columns sum to BINS_PER_PIXEL per view.
    attenuation = (matrix.T @ filtered) * (pi / n_angles / (spacing_mm / 10))
    return ((attenuation / model.spectrum.water_per_cm - 1) * -AIR_HU).reshape(nx, ny, n_slices)


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
    """Scan a body (x, y, z; Hounsfield units at 120 kV; voxels of `spacing_mm`) and reconstruct it.

    Returns float32 Hounsfield units of the same shape; outside the box around the body there is air (-1000). The same
    seed gives the same image. Only slices that hold something denser than -970 HU are scanned.
    """
    hu = np.asarray(hu)
    if hu.ndim != 3 or not spacing_mm > 0:
        raise InputError(f"scan needs a 3-D volume and a positive spacing, not shape {hu.shape} and {spacing_mm} mm")
    rng, model = np.random.default_rng(seed), settings.model
    image = np.full(hu.shape, AIR_HU, np.float32)
    body = hu > OBJECT_THRESHOLD_HU
    if not body.any():
        return image
    widest = _box(body.any(axis=2), hu.shape[:2])
    n_angles = settings.n_angles or angles_needed(ceil(hypot(*(s.stop - s.start for s in widest))))
    slices = np.flatnonzero(body.any(axis=(0, 1)))
    current = relative_photons(hu[widest][:, :, slices], spacing_mm, n_angles, model.spectrum, settings.tube_current)
    photons = current * np.float32(settings.photons * model.exposure)
    for start in range(0, slices.size, SLICES_AT_ONCE):
        some = slices[start : start + SLICES_AT_ONCE]
        across, along = _box(body[:, :, some].any(axis=2), hu.shape[:2])
        part = np.asarray(hu[across, along][:, :, some], np.float32)
        now = photons[:, start : start + SLICES_AT_ONCE]
        image[across, along, some] = _scan_slices(part, spacing_mm, now, model, rng)
    matrix = slice_matrix(hu.shape[2], spacing_mm, model.slice_mm, model.interval_mm)
    image[widest] = through_slices(image[widest], matrix)
    return image
