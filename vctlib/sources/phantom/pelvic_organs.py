"""Paint the bladder, and prostate or uterus, each to a volume drawn for the person.

The prostate of young men has 20 ml and grows from the fifth decade on, by 5 ml in ten years: berry1984. The bladder's
volume is a choice: 200 ml on average, the reference phantoms' content (icrp110), but as skewed as after death
(rohner2013: above 330 ml in one of four drunken and one of thirty others).
"""

import numpy as np

from vctlib.sources.phantom.canvas import Canvas, random_stream
from vctlib.sources.phantom.cavity import Cavity, pelvic_y
from vctlib.sources.phantom.geometry import ellipsoid_radius, rotation, shape_factor
from vctlib.sources.phantom.landmarks import Landmarks

BLADDER_ML, BLADDER_SPREAD, BLADDER_RANGE = 178.0, 0.50, (50.0, 560.0)  # median, of the logarithm
PROSTATE_ML, PROSTATE_ML_PER_YEAR, PROSTATE_GROWS_FROM, PROSTATE_SPREAD = 20.0, 0.5, 45.0, 0.30
UTERUS_ML, UTERUS_OLD_ML, UTERUS_SPREAD = 75.0, 40.0, 0.25  # before and after 52 years; 80 g: icrp89


def paint_pelvic_organs(canvas: Canvas, landmarks: Landmarks, cavity: Cavity) -> None:
    rng = random_stream(canvas.seed, "pelvic organs")
    scale, age, hip_z, y = landmarks.scale, landmarks.age, landmarks.hip_z, pelvic_y(landmarks)
    near = np.flatnonzero(cavity.points[:, 2] < hip_z + 130 * scale)
    voxels, points = cavity.voxels[near], cavity.points[near]
    deep = canvas.depth[voxels] > 20 * scale
    above_floor = deep & (points[:, 2] > hip_z - 34 * scale)
    wobble = 0.03 * canvas.noise("pelvic organs", 16, voxels)

    def grow(name: str, centre, radii, volume_ml: float, allowed: np.ndarray, axes=None, spread: float = 0.07) -> None:
        factor = shape_factor(points, centre, random_stream(canvas.seed, f"{name} shape"), spread)
        canvas.pick(name, voxels, ellipsoid_radius(points, centre, radii, axes) / factor + wobble, volume_ml, allowed)

    if landmarks.male:
        grown = PROSTATE_ML + PROSTATE_ML_PER_YEAR * max(0.0, age - PROSTATE_GROWS_FROM)
        prostate_ml = np.clip(grown * _log_normal(rng, PROSTATE_SPREAD), 11, 120)
        grow("prostate", [0, y + 8 * scale, hip_z - 36 * scale], np.array([24, 17, 18]) * scale, prostate_ml, deep)
    bladder_ml = np.clip(BLADDER_ML * np.exp(rng.normal(0, BLADDER_SPREAD)), *BLADDER_RANGE)
    size = (bladder_ml / 180) ** (1 / 3)
    bladder = [0, y, hip_z + (22 * size - 18) * scale]
    grow("urinary_bladder", bladder, np.array([40, 33, 31]), bladder_ml, above_floor)
    if not landmarks.male:
        uterus_ml = np.clip((UTERUS_ML if age < 52 else UTERUS_OLD_ML) * _log_normal(rng, UTERUS_SPREAD), 20, 160)
        uterus = [0, y + (14 + 22 * size) * scale, hip_z + 26 * scale]
        grow("uterus", uterus, np.array([25, 19, 38]) * scale, uterus_ml, deep, rotation([1, 0, 0], 0.6))
    own = canvas.is_any("urinary_bladder")[voxels]
    edge = np.linalg.norm((points - np.array(bladder, np.float32)) / [40, 33, 31], axis=1)
    canvas.contrast_hu[voxels[own & (edge > 0.9 * size)]] = 18.0  # its wall


def _log_normal(rng: np.random.Generator, spread: float) -> float:
    """A factor with mean 1."""
    return float(np.exp(rng.normal(-(spread**2) / 2, spread)))
