"""Modulation of the tube current: more photons for thick views and slices, fewer for thin ones."""

from dataclasses import dataclass

import numpy as np

from vctlib.anatomy import AIR_HU
from vctlib.errors import InputError
from vctlib.sources.phantom.projector import n_bins, projector
from vctlib.sources.phantom.spectrum import Spectrum

LOCALIZER_MM = 16.0  # pixels of the quick look that sets the current
LOCALIZER_VIEWS = 24


@dataclass(frozen=True)
class TubeCurrent:
    """How the current follows the attenuation factor exp(p) of a view, p being that of its thickest ray.

    Within a slice photons go with exp(angular p), from slice to slice with exp(longitudinal p): 0 is none, 0.5 the
    square root rule, which has the least noise for its photons; 1 keeps the noise of the projections even. Photons are
    those set on the scan's average, or, with `reference_water_cm`, in a slice as thick as that much water, and then at
    most `most` times as many, the tube's limit. Raises InputError for exponents outside 0 to 1.

    Source: gies1999 (the square root rule), kalender1999 (views), mccollough2006 (views and slices). Deviation: the
    body is looked at beforehand, as a localizer does.
    """

    angular: float = 0.0
    longitudinal: float = 0.0
    reference_water_cm: float | None = None
    most: float = 5.0

    def __post_init__(self) -> None:
        if not (0 <= self.angular <= 1 and 0 <= self.longitudinal <= 1):
            raise InputError(f"tube current: exponents lie in 0 to 1, not {self.angular:g} and {self.longitudinal:g}")
        if not self.most > 0 or (self.reference_water_cm is not None and not self.reference_water_cm > 0):
            raise InputError("tube current: reference_water_cm and most must be positive")


def localizer(hu: np.ndarray, spacing_mm: float, spectrum: Spectrum) -> np.ndarray:
    """-log of the transmission of each view's thickest ray (`LOCALIZER_VIEWS`, z), the body (x, y, z) seen as water."""
    pixels = max(1, round(LOCALIZER_MM / spacing_mm))
    nx, ny, nz = hu.shape
    density = np.maximum((np.asarray(hu, np.float32) - AIR_HU) / -AIR_HU, 0)
    density = np.pad(density, [(0, -nx % pixels), (0, -ny % pixels), (0, 0)])
    coarse = density.reshape(density.shape[0] // pixels, pixels, density.shape[1] // pixels, pixels, nz).mean(
        axis=(1, 3)
    )
    shape = coarse.shape[:2]
    paths = projector(shape, LOCALIZER_VIEWS) @ coarse.reshape(-1, nz) * (pixels * spacing_mm / 10)
    thickest = paths.reshape(LOCALIZER_VIEWS, n_bins(shape), nz).max(axis=1)
    return spectrum.attenuation_of_water(thickest)


def relative_photons(
    hu: np.ndarray, spacing_mm: float, n_angles: int, spectrum: Spectrum, current: TubeCurrent
) -> np.ndarray:
    """Photons of each view and slice (n_angles, z; float32) in units of the photons set; `hu` (x, y, z) is the body."""
    attenuation = localizer(hu, spacing_mm, spectrum)
    turns = np.arange(n_angles) / n_angles * LOCALIZER_VIEWS
    low = turns.astype(int)
    share = (turns - low)[:, None]  # views half a turn apart see the same
    attenuation = (1 - share) * attenuation[low] + share * attenuation[(low + 1) % LOCALIZER_VIEWS]
    of_slice = attenuation.mean(axis=0)
    angular = np.exp(current.angular * (attenuation - of_slice))
    angular /= angular.mean(axis=0)
    if current.reference_water_cm is None:
        along = np.exp(current.longitudinal * (of_slice - of_slice.max()))
        return (angular * along / along.mean()).astype(np.float32)
    reference = spectrum.attenuation_of_water(np.float64(current.reference_water_cm))
    along = np.exp(current.longitudinal * (of_slice - reference))
    return np.minimum(angular * along, current.most).astype(np.float32)
