"""Body measurements of appendix B: an image and its labels in, numbers with units out."""

import numpy as np

from vctlib.anatomy import LabelTable
from vctlib.measure.axes import patient_axes
from vctlib.measure.calibration import LinearCalibration, linear_calibration
from vctlib.measure.composition import composition_by_labels, composition_by_windows
from vctlib.measure.density import bone_density_g_per_cm3, l1_trabecular_hu
from vctlib.measure.height import Height, measure_height
from vctlib.measure.mask import body_mask
from vctlib.measure.mass import body_volume_l
from vctlib.measure.organs import organ_measures
from vctlib.measure.scan import Scan

__all__ = [
    "Height",
    "LinearCalibration",
    "Scan",
    "body_mask",
    "linear_calibration",
    "measure_body",
    "measure_height",
]


def measure_body(hu: np.ndarray, labels: np.ndarray, table: LabelTable, affine: np.ndarray) -> dict[str, float]:
    """Everything that is measured of one body, by column name; units stand in the names, NaN is "cannot be measured".

    `hu`: HU, int16 or float (x, y, z); `labels`: integers of `table` (`TOTAL` or `MEASURE`), same shape; `affine`:
    4x4, mm, of any orientation and spacing. Columns with `windows` rest on HU windows, those without on labels.
    Raises InputError for NaN, labels of another shape or table, a singular affine, or a volume without a body.
    """
    scan = Scan.of(hu, labels, table, affine)
    axes = patient_axes(scan)
    labelled, windowed = composition_by_labels(scan), composition_by_windows(scan)
    row = {
        "mass_kg_measured": labelled.mass_kg,
        "body_volume_l_measured": body_volume_l(scan),
        "height_cm_measured": measure_height(scan, axes).total_cm,
        "body_fat_percent_measured": labelled.body_fat_percent,
        "muscle_percent_measured": labelled.muscle_percent,
        "body_fat_percent_windows_measured": windowed.body_fat_percent,
        "muscle_percent_windows_measured": windowed.muscle_percent,
        "bone_density_g_per_cm3_measured": bone_density_g_per_cm3(scan),
        "l1_trabecular_hu_measured": l1_trabecular_hu(scan),
    }
    for name, (volume_ml, centroid) in organ_measures(scan, axes).items():
        row[f"{name}_volume_ml_measured"] = volume_ml
        for axis, position in zip("ras", centroid, strict=True):
            row[f"{name}_centroid_{axis}_mm_measured"] = float(position)
    return row
