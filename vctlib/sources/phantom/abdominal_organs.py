"""Paint the organs of abdomen and pelvis, each grown from an ellipsoid to a volume drawn for the person."""

import numpy as np

from vctlib.sources.phantom.canvas import Canvas, random_stream
from vctlib.sources.phantom.geometry import ellipsoid_radius, rotation, shape_factor
from vctlib.sources.phantom.landmarks import L1, L5, T12, Landmarks
from vctlib.sources.phantom.ribcage import Diaphragm, RibCage

SINUS_SHARE = 0.12  # fat and pelvis inside the kidney, of its parenchyma; a choice


class Cavity:
    """The abdominal and pelvic cavity: a stack of super-ellipses inside the muscles of the trunk.

    `voxels` (n,) those near it, `radius` (n,) 0 in its middle and 1 at its wall, `inside` (n,) where organs may lie;
    `core` (canvas size,) the radius of every voxel of the body, infinite outside the cavity.
    """

    def __init__(self, canvas: Canvas, landmarks: Landmarks, cage: RibCage, diaphragm: Diaphragm):
        scale, hip_z = landmarks.scale, landmarks.hip_z
        self.voxels = canvas.box(
            [-260 * scale, -500, hip_z - 70 * scale], [260 * scale, 500, diaphragm.right_top + 10 * scale]
        )
        points = canvas.positions[self.voxels]
        x, y, z = points.T
        self._landmarks = landmarks
        radius = self.radius_at(points)
        spine_x, spine_y = landmarks.spine_at(z)
        in_ribs = (z > landmarks.spine[L1, 2]) & (cage.locate(points).distance > -9 * scale)
        self.radius = np.where(in_ribs, np.maximum(radius, 1.05), radius)
        deep = canvas.depth[self.voxels] > 8 * scale
        self.inside = (self.radius < 0.93) & deep & (np.hypot(x - spine_x, y - spine_y) > 26 * scale)
        self.core = np.full(len(canvas), np.inf, np.float32)
        self.core[self.voxels] = np.where(self.inside | ((self.radius < 1) & deep), self.radius, np.inf)

    def section(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Half width, and y of front and back wall in the midline, at heights z."""
        scale, hip_z, landmarks = self._landmarks.scale, self._landmarks.hip_z, self._landmarks
        pelvic = np.clip((hip_z + 75 * scale - z) / (110 * scale), 0, 1)  # the cavity narrows into the pelvis
        half_width = self._between(landmarks.lean.half_width(z), landmarks.outer.half_width(z)) * (1 - 0.42 * pelvic)
        back, front = landmarks.spine_at(z)[1] + 26 * scale, self.front(z)
        return half_width, front + (back - front) * 0.10 * pelvic, back + 16 * scale * pelvic

    def radius_at(self, points: np.ndarray) -> np.ndarray:
        """0 in the middle of the cavity, 1 at its wall: (n,) for points (n, 3)."""
        x, y, z = points.T
        half_width, front, back = self.section(z)
        centre, half_depth = (front + back) / 2, np.maximum((back - front) / 2, 20)
        radius = (np.abs(x / half_width) ** 2.4 + np.abs((y - centre) / half_depth) ** 2.4) ** (1 / 2.4)
        scale, hip_z = self._landmarks.scale, self._landmarks.hip_z
        return np.maximum(radius, 1 + (hip_z - 45 * scale - z) / (60 * scale))  # pelvic floor

    def front(self, z):
        """y of the front wall in the midline at heights z: it comes forward with visceral fat, more so in men."""
        return self._between(self._landmarks.lean.front(z), self._landmarks.outer.front(z))

    def _between(self, lean, outer):
        share = 0.55 if self._landmarks.male else 0.35
        return (1 - share) * lean + share * outer


def paint_abdominal_organs(
    canvas: Canvas, landmarks: Landmarks, cage: RibCage, diaphragm: Diaphragm, cavity: Cavity
) -> None:
    rng = random_stream(canvas.seed, "abdominal organs")
    wobble = 0.05 * canvas.noise("abdominal organs", 16, cavity.voxels)
    _paint_upper(canvas, landmarks, cage, diaphragm, cavity, wobble, rng)
    _paint_kidneys(canvas, landmarks, cavity, wobble, rng)
    _paint_pelvic(canvas, landmarks, cavity, wobble, rng)


def _grow(canvas, cavity, wobble, name, centre, radii, volume_ml, axes=None, allowed=None, spread=0.10) -> np.ndarray:
    """Paint an organ as an ellipsoid of a shape of its own; the radius (n,) of `cavity.voxels` in it, 1 at its surface
    before the volume is met. `spread` is the SD of the shape's reach in any direction."""
    points = canvas.positions[cavity.voxels]
    factor = shape_factor(points, centre, random_stream(canvas.seed, f"{name} shape"), spread)
    radius = ellipsoid_radius(points, centre, radii, axes) / factor + wobble
    canvas.pick(name, cavity.voxels, radius, volume_ml, cavity.inside if allowed is None else allowed)
    return radius


def _paint_upper(canvas, landmarks, cage, diaphragm, cavity, wobble, rng) -> None:
    """Liver, spleen, stomach, gallbladder and pancreas."""
    scale, male, age, width = landmarks.scale, landmarks.male, landmarks.age, cage.half_width
    points = canvas.positions[cavity.voxels]
    tilt = rotation([0, 1, 0], 0.4)
    z = diaphragm.right_top - 72 * scale
    spine_y = float(landmarks.spine_at(diaphragm.right_top - 70 * scale)[1])
    y = (cavity.front(z) + spine_y) / 2
    right_lobe = [0.50 * width, 0.92 * cage.half_depth(z), 86 * scale]
    right = ellipsoid_radius(points, [-0.50 * width, y + 12 * scale, z], right_lobe)
    left_centre = [10 * scale, cavity.front(z) + 52 * scale, z + 6 * scale]
    left = ellipsoid_radius(points, left_centre, np.array([75, 38, 38]) * scale)
    size = (landmarks.person.weight_kg / 78) ** 0.5 * scale
    liver_ml = (1650 if male else 1400) * size * rng.normal(1, 0.16)
    shape = random_stream(canvas.seed, "liver shape")
    right = right / shape_factor(points, [-0.50 * width, y, z], shape, 0.07)
    left = left / shape_factor(points, left_centre, shape, 0.15)
    canvas.pick("liver", cavity.voxels, np.minimum(right + wobble, left), liver_ml, cavity.inside)
    left_z = diaphragm.left_top
    spleen_ml = (230 if male else 185) * np.exp(rng.normal(0, 0.30))
    spleen = [0.70 * width, spine_y + 8 * scale, left_z - 62 * scale]
    _grow(canvas, cavity, wobble, "spleen", spleen, np.array([26, 40, 52]) * scale, spleen_ml, rotation([1, 0, 0], 0.5))
    stomach = [0.42 * width, y - 8 * scale, left_z - 70 * scale]
    stomach_ml = rng.uniform(180, 420) * scale
    _grow(canvas, cavity, wobble, "stomach", stomach, np.array([45, 52, 58]) * scale, stomach_ml, tilt)
    gallbladder = [-0.33 * width, cavity.front(z - 60 * scale) + 52 * scale, z - 74 * scale]
    _grow(canvas, cavity, wobble, "gallbladder", gallbladder, np.array([14, 15, 24]) * scale, rng.uniform(18, 45))
    pancreas = [12 * scale, spine_y - 58 * scale, landmarks.spine[T12 + 1, 2] - 4 * scale]
    pancreas_ml = 75 * rng.normal(1, 0.15) * (1 - 0.004 * max(0, age - 50))
    axes = rotation([0, 1, 0], -0.25)
    _grow(canvas, cavity, wobble, "pancreas", pancreas, np.array([68, 11, 14]) * scale, pancreas_ml, axes)


def _paint_kidneys(canvas, landmarks, cavity, wobble, rng) -> None:
    scale = landmarks.scale
    for sign, side, lower in ((-1, "right", -14), (1, "left", 4)):
        z = landmarks.spine[L1 + 1, 2] + lower * scale
        centre = [sign * 58 * scale, float(landmarks.spine_at(z)[1]) + 2 * scale, z]
        volume_ml = (175 if landmarks.male else 150) * rng.normal(1, 0.13) * scale**1.5
        volume_ml *= 1 - 0.003 * max(0, landmarks.age - 50)
        axes, radii = rotation([0, 1, 0], sign * 0.22), np.array([26, 21, 53]) * scale
        name, with_sinus = f"kidney_{side}", volume_ml * (1 + SINUS_SHARE)
        _grow(canvas, cavity, 0.6 * wobble, name, centre, radii, with_sinus, axes, spread=0.06)
        sinus = ellipsoid_radius(
            canvas.positions[cavity.voxels], np.array(centre) - [sign * 11 * scale, 4 * scale, 0], [11, 8, 24], axes
        )
        canvas.convert(name, "torso_fat", cavity.voxels, sinus, volume_ml * SINUS_SHARE)


def pelvic_y(landmarks: Landmarks) -> float:
    """y of the bladder: before the hip joints and well before the sacrum."""
    scale = landmarks.scale
    return min(landmarks.joint("upperleg02.L")[1] - 30 * scale, landmarks.spine[L5, 1] - 38 * scale)


def _paint_pelvic(canvas, landmarks, cavity, wobble, rng) -> None:
    """Bladder, and prostate or uterus."""
    scale, age, hip_z, y = landmarks.scale, landmarks.age, landmarks.hip_z, pelvic_y(landmarks)
    deep = canvas.depth[cavity.voxels] > 20 * scale
    above_floor = deep & (canvas.positions[cavity.voxels, 2] > hip_z - 38 * scale)
    bladder_ml = np.clip(rng.lognormal(np.log(160), 0.55), 40, 550)
    bladder = [0, y - 2 * scale, hip_z + 6 * scale]
    radii = np.array([38, 34, 32]) * scale
    _grow(canvas, cavity, wobble, "urinary_bladder", bladder, radii, bladder_ml, allowed=above_floor)
    if landmarks.male:
        prostate = [0, y + 6 * scale, hip_z - 36 * scale]
        prostate_ml = np.clip(22 + 0.55 * max(0, age - 35) * np.exp(rng.normal(0, 0.35)), 15, 95)
        radii = np.array([23, 17, 18]) * scale
        _grow(canvas, cavity, wobble, "prostate", prostate, radii, prostate_ml, allowed=deep)
    else:
        uterus = [0, y + 32 * scale, hip_z + 22 * scale]
        uterus_ml = np.clip((75 if age < 52 else 40) * np.exp(rng.normal(0, 0.25)), 20, 160)
        radii = np.array([26, 20, 38]) * scale
        _grow(canvas, cavity, wobble, "uterus", uterus, radii, uterus_ml, rotation([1, 0, 0], 0.6), deep)
