"""Body mass from Hounsfield units: equation B1 with one mass-normalised HU for each tissue.

Source: killeen2025, B.0.1; sudhyadhom2020. The phantoms' own truth uses density = (HU + 1000) / 1000 instead, so
measured and true mass differ by a few percent on purpose; `calibration` corrects such a difference.
"""

from collections.abc import Mapping
from math import sqrt
from types import MappingProxyType

import numpy as np

from vctlib.anatomy import AIR_HU, LabelTable, tissue
from vctlib.measure.scan import Scan

AIR_SMOOTHING_HU = -900.0  # killeen2025, B.0.1: at or below this a voxel is air

# Mass attenuation coefficients in cm2/g at 60 and 80 keV, compositions of icru44. Source: hubbell1995 (NIST), table 4.
MASS_ATTENUATION_CM2_PER_G: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "water": (0.2059, 0.1837),
        "air": (0.1875, 0.1662),
        "adipose tissue": (0.1974, 0.1800),
        "skeletal muscle": (0.2048, 0.1823),
        "soft tissue": (0.2048, 0.1823),
        "lung tissue": (0.2053, 0.1826),
        "cortical bone": (0.3148, 0.2229),
    }
)
# The reference skeletons, male and female, in grams. Source: icrp110, table 4.1 (masses of ICRP 89). Tissues without
# an entry in the NIST table take the nearest one that has: inactive marrow is fat, active marrow about 40 % of it.
SKELETON_G: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "cortical bone": (5500.0, 4000.0),  # mineral bone, cortical and trabecular
        "adipose tissue": (2480.0 + 0.4 * 1170.0, 1800.0 + 0.4 * 900.0),  # inactive marrow; fat of active marrow
        "soft tissue": (0.6 * 1170.0 + 1350.0, 0.6 * 900.0 + 1100.0),  # the rest: cartilage, vessels, teeth
    }
)


def mass_normalised_hu(material: str) -> float:
    """HU_rho: the HU that the material would have at the density of water.

    HU_rho = 1000 ((mu/rho) / (mu/rho of water) - 1), at 69.3 keV, the geometric mean of the two tabulated energies
    (mu/rho is close to a power law between them) and about the effective energy of a 120 kVp scan.
    Source: sudhyadhom2020, from the definition of HU.
    """
    (low, high), (water_low, water_high) = MASS_ATTENUATION_CM2_PER_G[material], MASS_ATTENUATION_CM2_PER_G["water"]
    return 1000.0 * (sqrt(low * high) / sqrt(water_low * water_high) - 1.0)


def _whole_bone() -> float:
    """HU_rho of bone with its marrow: the mass-weighted mean over both reference skeletons."""
    grams = {material: sum(both) for material, both in SKELETON_G.items()}
    return sum(mass * mass_normalised_hu(material) for material, mass in grams.items()) / sum(grams.values())


HU_RHO: Mapping[str, float] = MappingProxyType(
    {
        "fat": mass_normalised_hu("adipose tissue"),  # -30.8
        "muscle": mass_normalised_hu("skeletal muscle"),  # -6.5
        "bone": _whole_bone(),  # 178
        "lung": mass_normalised_hu("lung tissue"),  # -4.5
        "gas": mass_normalised_hu("air"),  # -92.3
        "skin": mass_normalised_hu("soft tissue"),  # -6.5
        "organ": mass_normalised_hu("soft tissue"),  # -6.5, also for voxels without a label
    }
)


def density_g_per_ml(hu: np.ndarray, labels: np.ndarray, table: LabelTable) -> np.ndarray:
    """Mass density of every voxel in g/ml (float32, shape of `hu`), each label with the HU_rho of its tissue.

    `hu` in HU (x, y, z); `labels` uint8, numbers of `table`; 0 counts as soft tissue. Air (HU <= -900) is set to -1000.
    Source: killeen2025, equation B1 and the adjustment below it.
    """
    divisor = np.full(256, HU_RHO["organ"] + 1000.0, np.float32)
    for number, name in table.items():
        divisor[number] = HU_RHO[tissue(name)] + 1000.0
    adjusted = np.where(hu <= AIR_SMOOTHING_HU, np.float32(AIR_HU), hu.astype(np.float32))
    return (adjusted + np.float32(1000.0)) / divisor[labels]


def mass_kg(scan: Scan) -> float:
    """Body mass in kg: the density summed over the body mask. Source: killeen2025, B.0.1."""
    density = density_g_per_ml(scan.hu, scan.labels, scan.table)
    return float(density[scan.mask].sum(dtype=np.float64)) * scan.voxel_ml / 1000.0


def body_volume_l(scan: Scan) -> float:
    """Volume inside the skin in litres, lungs and bowel gas included."""
    return float(np.count_nonzero(scan.mask)) * scan.voxel_ml / 1000.0
