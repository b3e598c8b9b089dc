"""Body composition: fat and muscle as percentages of body mass."""

from dataclasses import dataclass

import numpy as np

from vctlib.anatomy import FAT_WINDOW, MUSCLE_WINDOW, tissue
from vctlib.measure.mass import AIR_SMOOTHING_HU, HU_RHO, density_g_per_ml
from vctlib.measure.scan import Scan


@dataclass(frozen=True)
class Composition:
    """Body mass in kg, and the mass of fat and of muscle in percent of it."""

    mass_kg: float
    body_fat_percent: float
    muscle_percent: float


def composition_by_labels(scan: Scan) -> Composition:
    """Fat is what is labelled as fat, muscle what is labelled as skeletal muscle (named muscles included).

    Percentages of the mass inside the body mask; NaN for a tissue that no voxel is labelled with, since every body has
    it. Source: killeen2025, B.0.1 (tissues by segmentation).
    """
    density = density_g_per_ml(scan.hu, scan.labels, scan.table)
    by_label = np.bincount(scan.labels[scan.mask], weights=density[scan.mask], minlength=256)

    def share(name: str) -> float:
        numbers = [number for number, structure in scan.table.items() if tissue(structure) == name]
        mass = float(by_label[numbers].sum())
        return 100.0 * mass / float(by_label.sum()) if mass > 0 else float("nan")

    return Composition(float(by_label.sum()) * scan.voxel_ml / 1000.0, share("fat"), share("muscle"))


def composition_by_windows(scan: Scan) -> Composition:
    """The same from Hounsfield windows alone, for images without trusted labels.

    Fat is -190 to -30 HU, "muscle" -29 to 150 HU: the second counts every lean soft tissue, organs and blood too, so
    it is not comparable with the labelled percentage. Source: aubrey2014 (windows); killeen2025, equation B1.
    """
    hu = scan.hu[scan.mask].astype(np.float32)
    fat = (hu >= FAT_WINDOW.low) & (hu < FAT_WINDOW.high)
    lean = (hu >= MUSCLE_WINDOW.low) & (hu < MUSCLE_WINDOW.high)
    hu_rho = np.full(hu.shape, HU_RHO["organ"], np.float32)
    for where, name in (
        (hu < FAT_WINDOW.low, "lung"), (fat, "fat"), (lean, "muscle"), (hu >= MUSCLE_WINDOW.high, "bone")
    ):  # fmt: skip
        hu_rho[where] = HU_RHO[name]
    density = np.where(hu <= AIR_SMOOTHING_HU, 0.0, (hu + 1000.0) / (hu_rho + 1000.0)).astype(np.float64)
    total = float(density.sum())
    percent = [100.0 * float(density[where].sum()) / total for where in (fat, lean)]
    return Composition(total * scan.voxel_ml / 1000.0, *percent)
