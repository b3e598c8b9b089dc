"""The X-ray beam: a tube's spectrum at six energies, and what water and bone leave of it.

Source: kak1988 chapter 4 (beam hardening); hubbell1995 (attenuation coefficients).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vctlib.anatomy import AIR_HU
from vctlib.errors import InputError

# Mass attenuation (cm2/g) at the energies that NIST tabulates; hubbell1995 (XCOM), liquid water and cortical bone of
# ICRU report 44.
TABULATED_KEV = np.array([40.0, 50.0, 60.0, 80.0, 100.0, 150.0])
TABULATED_WATER = np.array([0.2683, 0.2269, 0.2059, 0.1837, 0.1707, 0.1505])
TABULATED_BONE = np.array([0.6655, 0.4242, 0.3148, 0.2229, 0.1855, 0.1480])
TABULATED_TITANIUM = np.array([2.214, 1.213, 0.7661, 0.4052, 0.2721, 0.1649])
TITANIUM_G_PER_CM3 = 4.43  # of the alloy Ti-6Al-4V of implants
ENERGIES_KEV = np.array([40.0, 50.0, 60.0, 80.0, 100.0, 120.0])
# Voxels are water of varying density up to the first value, cortical bone from the second, and mixed between. From
# METAL_STARTS_HU on, which no bone reaches, they are partly titanium, and nothing else at TITANIUM_HU.
BONE_STARTS_HU, BONE_PURE_HU, METAL_STARTS_HU = 120.0, 1020.0, 3100.0
WATER_TABLE_G_PER_CM2 = np.linspace(0.0, 120.0, 481)  # water thickness for the beam-hardening correction


def _log_log(kev: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.exp(np.interp(np.log(kev), np.log(TABULATED_KEV), np.log(values)))


WATER = _log_log(ENERGIES_KEV, TABULATED_WATER)  # cm2/g
BONE = _log_log(ENERGIES_KEV, TABULATED_BONE)  # cm2/g
TITANIUM = _log_log(ENERGIES_KEV, TABULATED_TITANIUM)  # cm2/g


@dataclass(frozen=True)
class Spectrum:
    """Shares of the photons at `ENERGIES_KEV` (40 to 120 keV), which sum to one. Raises InputError otherwise."""

    shares: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.shares) != ENERGIES_KEV.size or min(self.shares) < 0 or abs(sum(self.shares) - 1) > 1e-6:
            raise InputError(f"a spectrum needs {ENERGIES_KEV.size} shares that sum to one, not {self.shares}")

    @cached_property
    def water_per_cm(self) -> float:
        """Attenuation of water (1/cm) in an unhardened beam."""
        return float(np.array(self.shares) @ WATER)

    @cached_property
    def hardened(self) -> np.ndarray:
        """-log of what each thickness of `WATER_TABLE_G_PER_CM2` transmits."""
        return -np.log(np.array(self.shares) @ np.exp(-np.outer(WATER, WATER_TABLE_G_PER_CM2)))

    def transmitted(self, *crossed: np.ndarray) -> np.ndarray:
        """Share of the photons (float32, any shape) that pass water, bone and perhaps titanium, in g/cm2."""
        passed = np.zeros_like(crossed[0], np.float32)
        for share, *coefficients in zip(self.shares, WATER, BONE, TITANIUM, strict=True):
            if share > 0:
                terms = zip(coefficients, crossed, strict=False)
                passed += np.float32(share) * np.exp(-sum(np.float32(each) * material for each, material in terms))
        return passed

    def attenuation_of_water(self, water: np.ndarray) -> np.ndarray:
        """-log of what a thickness of water (g/cm2, any shape) transmits."""
        return np.interp(water, WATER_TABLE_G_PER_CM2, self.hardened)

    def water_corrected(self, measured: np.ndarray) -> np.ndarray:
        """Line integrals (float32) of an unhardened beam, from -log of the transmission: exact for water."""
        straight = WATER_TABLE_G_PER_CM2 * self.water_per_cm
        return np.interp(measured, self.hardened, straight).astype(np.float32)


# Coarse spectra behind the patient filter, mean 64, 72 and 78 keV. The shares are choices; photons above 120 keV are
# counted at 120.
SPECTRUM_100KV = Spectrum((0.13, 0.24, 0.28, 0.26, 0.09, 0.0))
SPECTRUM_120KV = Spectrum((0.10, 0.19, 0.24, 0.24, 0.14, 0.09))
SPECTRUM_140KV = Spectrum((0.08, 0.15, 0.20, 0.24, 0.17, 0.16))

# Bone is given the density at which it keeps its Hounsfield units at 120 kV behind this much water, about half a trunk;
# behind less it looks denser, behind more or behind other bone less dense, as on a scanner. Other voltages show the
# same bone denser (100 kV) or less dense (140 kV).
REFERENCE_WATER_G_PER_CM2 = 20.0
_BEHIND_WATER = np.array(SPECTRUM_120KV.shares) * np.exp(-WATER * REFERENCE_WATER_G_PER_CM2)
WATER_PER_BONE = float((_BEHIND_WATER @ WATER) / (_BEHIND_WATER @ BONE))
_WATER_PER_TITANIUM = float((_BEHIND_WATER @ WATER) / (_BEHIND_WATER @ TITANIUM))
TITANIUM_HU = 1000 * (TITANIUM_G_PER_CM3 / _WATER_PER_TITANIUM - 1)  # some 11,600: no metal here has more


def materials(hu: np.ndarray) -> tuple[np.ndarray, ...]:
    """Densities (g/cm3, float32) of water, bone and, where there is any, titanium that stand for HU at 120 kV."""
    density = np.maximum((hu - AIR_HU) / -AIR_HU, 0.0).astype(np.float32)
    bone = np.clip((hu - BONE_STARTS_HU) / (BONE_PURE_HU - BONE_STARTS_HU), 0.0, 1.0).astype(np.float32)
    if hu.max(initial=AIR_HU) <= METAL_STARTS_HU:
        return density * (1 - bone), density * bone * np.float32(WATER_PER_BONE)
    metal = np.clip((hu - METAL_STARTS_HU) / (TITANIUM_HU - METAL_STARTS_HU), 0.0, 1.0).astype(np.float32)
    mixed = density * (1 - metal)
    return (
        mixed * (1 - bone),
        mixed * bone * np.float32(WATER_PER_BONE),
        density * metal * np.float32(_WATER_PER_TITANIUM),
    )
