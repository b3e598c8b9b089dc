"""Paint the bladder, and prostate and seminal vesicles or uterus and ovaries, each to a volume drawn for the person.

The prostate of young men has 20 ml and grows from the fifth decade on, by 5 ml in ten years: berry1984. The bladder's
volume is a choice: 200 ml on average, the reference phantoms' content (icrp110), but as skewed as after death
(rohner2013: above 330 ml in one of four drunken and one of thirty others). Ovaries shrink with age: pavlik2000, means
by decade. Both seminal vesicles have 6.5 ml in men of 36 years by MRI (barrett2017, three days after they were last
emptied); that they are the same in age is a choice, and so are the spreads.
"""

import numpy as np

from vctlib.sources.phantom.canvas import Canvas, random_stream
from vctlib.sources.phantom.cavity import Cavity, pelvic_y
from vctlib.sources.phantom.geometry import ellipsoid_radius, outward, rotation, shape_factor
from vctlib.sources.phantom.landmarks import Landmarks
from vctlib.sources.phantom.pose import SIDES

BLADDER_ML, BLADDER_SPREAD, BLADDER_RANGE = 178.0, 0.50, (50.0, 560.0)  # median, of the logarithm
PROSTATE_ML, PROSTATE_ML_PER_YEAR, PROSTATE_GROWS_FROM, PROSTATE_SPREAD = 20.0, 0.5, 45.0, 0.30
UTERUS_ML, UTERUS_OLD_ML, UTERUS_SPREAD = 75.0, 40.0, 0.25  # before and after 52 years; 80 g: icrp89
OVARY_ML = ((25, 35, 45, 55, 65, 75), (6.6, 6.1, 4.8, 2.6, 2.1, 1.8))  # of one by age, years
OVARY_SPREAD, VESICLES_ML, VESICLES_SPREAD, ASYMMETRY = 0.35, 6.45, 0.40, 0.15  # spreads of logarithms
# From the perineum up to what counts as the hips' level; choices.
PERINEUM_MM = {"male": 46.0, "female": 18.0}


def paint_pelvic_organs(canvas: Canvas, landmarks: Landmarks, cavity: Cavity) -> None:
    rng = random_stream(canvas.seed, "pelvic organs")
    scale, age, hip_z, y = landmarks.scale, landmarks.age, landmarks.hip_z, pelvic_y(landmarks)
    near = np.flatnonzero(cavity.points[:, 2] < hip_z + 130 * scale)
    voxels, points = cavity.voxels[near], cavity.points[near]
    deep = canvas.depth[voxels] > 20 * scale
    # In slender people the perineum is high: the organs stand on it.
    middle = deep & (np.abs(points[:, 0]) < 10 * scale) & (np.abs(points[:, 1] - y) < 16 * scale)
    if middle.any():
        hip_z += np.clip(points[middle, 2].min() + PERINEUM_MM[landmarks.person.sex] * scale - hip_z, 0, 40 * scale)
    above_floor = deep & (points[:, 2] > hip_z - 34 * scale)
    wobble = 0.03 * canvas.noise("pelvic organs", 16, voxels)

    def grow(name: str, centre, radii, volume_ml: float, allowed: np.ndarray, axes=None, spread: float = 0.07) -> None:
        factor = shape_factor(points, centre, random_stream(canvas.seed, f"{name} shape"), spread)
        canvas.pick(name, voxels, ellipsoid_radius(points, centre, radii, axes) / factor + wobble, volume_ml, allowed)

    def grow_pair(name: str, mean_ml: float, spread: float, place, radii, tilt: float) -> None:
        pair_rng = random_stream(canvas.seed, name)
        pair_ml = mean_ml * _log_normal(pair_rng, spread)
        for side, _, sign in SIDES:
            centre = np.array([0, y, hip_z]) + outward(scale, sign)(*place)
            own_side, axes = deep & (points[:, 0] * sign > 0), rotation([0, 1, 0], -sign * tilt)
            volume_ml = pair_ml * _log_normal(pair_rng, ASYMMETRY)
            grow(f"{name}_{side}", centre, np.array(radii) * scale, volume_ml, own_side, axes)

    if landmarks.male:
        grown = PROSTATE_ML + PROSTATE_ML_PER_YEAR * max(0.0, age - PROSTATE_GROWS_FROM)
        prostate_ml = np.clip(grown * _log_normal(rng, PROSTATE_SPREAD), 11, 120)
        grow("prostate", [0, y + 8 * scale, hip_z - 36 * scale], np.array([24, 17, 18]) * scale, prostate_ml, deep)
    bladder_ml = np.clip(BLADDER_ML * np.exp(rng.normal(0, BLADDER_SPREAD)), *BLADDER_RANGE)
    size = (bladder_ml / 180) ** (1 / 3)
    bladder = [0, y, hip_z + (22 * size - 18) * scale]
    if landmarks.male:
        # Behind the bladder's base and above the prostate, from near the midline outwards and up.
        place = 20, 27 * size / scale + 6, -10
        grow_pair("seminal_vesicle", VESICLES_ML / 2, VESICLES_SPREAD, place, (19, 7, 8), 0.35)
    grow("urinary_bladder", bladder, np.array([40, 33, 31]), bladder_ml, above_floor)
    if not landmarks.male:
        uterus_ml = np.clip((UTERUS_ML if age < 52 else UTERUS_OLD_ML) * _log_normal(rng, UTERUS_SPREAD), 20, 160)
        uterus = [0, y + (14 + 22 * size) * scale, hip_z + 26 * scale]
        grow("uterus", uterus, np.array([25, 19, 38]) * scale, uterus_ml, deep, rotation([1, 0, 0], 0.6))
        # Beside the uterus.
        grow_pair("ovary", np.interp(age, *OVARY_ML), OVARY_SPREAD, (47, 22 + 8 * size, 36), (9, 11, 17), -0.3)
    own = canvas.is_any("urinary_bladder")[voxels]
    edge = np.linalg.norm((points - np.array(bladder, np.float32)) / [40, 33, 31], axis=1)
    canvas.contrast_hu[voxels[own & (edge > 0.9 * size)]] = 18.0  # its wall


def _log_normal(rng: np.random.Generator, spread: float) -> float:
    """A factor with mean 1."""
    return float(np.exp(rng.normal(-(spread**2) / 2, spread)))
