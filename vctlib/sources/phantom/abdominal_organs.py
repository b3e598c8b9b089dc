"""Paint the organs of the abdomen, which lean on its walls and on each other, to volumes drawn for the person.

Means: liver 1505 ml (kromrey2018) and spleen 215 ml (prassopoulos1997) over both sexes, whose ratios are those of
icrp89's masses (1800 to 1400 g, 150 to 130 g); kidneys with the medians, quartiles and ages of the SHIP study
(dabers2024), in proportion to body surface; stomach with its content of 400 and 370 g: icrp89.
"""

import numpy as np

from vctlib.sources.phantom.canvas import Canvas, random_stream
from vctlib.sources.phantom.cavity import Cavity
from vctlib.sources.phantom.geometry import capsule_distance, ellipsoid_radius, rotation, shape_factor
from vctlib.sources.phantom.landmarks import L1, T12, Landmarks
from vctlib.sources.phantom.ribcage import Diaphragm, RibCage

LIVER_ML, LIVER_SPREAD = {"male": 1693.0, "female": 1317.0}, 0.19  # spreads are of logarithms
SPLEEN_ML, SPLEEN_SPREAD = {"male": 230.0, "female": 199.0}, 0.30
STOMACH_ML, STOMACH_SPREAD = {"male": 390.0, "female": 360.0}, 0.30
PANCREAS_ML, GALLBLADDER_ML, ADRENAL_ML = 75.0, 28.0, 4.5  # choices
KIDNEY_ML = {"male": (174.0, 180.0), "female": (138.0, 144.0)}  # right and left
KIDNEY_SPREAD, PAIR_SPREAD = 0.13, 0.06  # of a person's kidneys, and of either one
KIDNEY_AGE = [30, 50, 70], [0.99, 1.02, 0.95]  # relative size at these years
SURFACE_M2 = {"male": 2.05, "female": 1.78}  # of the people whose kidneys were measured: dabers2024
SINUS_SHARE = {"male": 0.12, "female": 0.08}  # fat inside the kidney, of its parenchyma; a choice


def paint_abdominal_organs(
    canvas: Canvas, landmarks: Landmarks, cage: RibCage, diaphragm: Diaphragm, cavity: Cavity
) -> None:
    _Painter(canvas, landmarks, cage, diaphragm, cavity).paint()


class _Painter:
    def __init__(self, canvas, landmarks, cage, diaphragm, cavity):
        self.canvas, self.landmarks, self.cage, self.diaphragm, self.cavity = canvas, landmarks, cage, diaphragm, cavity
        self.rng = random_stream(canvas.seed, "abdominal organs")
        self.upper = np.flatnonzero(cavity.points[:, 2] > landmarks.spine[L1 + 3, 2])  # organs of the belly end at L4
        self.voxels, self.points = cavity.voxels[self.upper], cavity.points[self.upper]
        self.inside, self.from_wall = cavity.inside[self.upper], cavity.from_wall[self.upper]
        self.wobble = canvas.noise("abdominal organs", 16, self.voxels)
        self.scale, self.sex = landmarks.scale, landmarks.person.sex

    def paint(self) -> None:
        self.paint_kidneys()
        self.paint_spleen()
        self.paint_stomach_and_duodenum()
        self.paint_pancreas()
        self.paint_liver_and_gallbladder()

    def draw_ml(self, mean_ml: float, spread: float) -> float:
        return mean_ml * float(np.exp(self.rng.normal(-(spread**2) / 2, spread)))

    def before_spine(self, i: int, x: float, y: float, z: float = 0.0) -> np.ndarray:
        """The point x, y, z mm (of a 175 cm person) from the centre of a vertebra."""
        return self.landmarks.spine[i] + np.array([x, y, z]) * self.scale

    def along(self, path, radii, reach: float = 3.0) -> np.ndarray:
        """Distance (n,) of the points from a path in units of the radii (mm) there; `reach` beyond which it is less
        exact."""
        path, radii = np.asarray(path, float), np.asarray(radii, float)
        score = np.full(len(self.points), 9.0, np.float32)
        pad = reach * radii.max()
        near = np.flatnonzero(((self.points > path.min(0) - pad) & (self.points < path.max(0) + pad)).all(1))
        for start, end, r0, r1 in zip(path[:-1], path[1:], radii[:-1], radii[1:], strict=True):
            here = 1 + capsule_distance(self.points[near], start, end, r0, r1) / ((r0 + r1) / 2)
            score[near] = np.minimum(score[near], here)
        return score

    def paint_kidneys(self) -> None:
        landmarks, scale, rng = self.landmarks, self.scale, self.rng
        person = landmarks.person
        surface = 0.007184 * person.weight_kg**0.425 * person.height_cm**0.725  # du Bois, m2
        both = surface / SURFACE_M2[self.sex] * np.interp(landmarks.age, *KIDNEY_AGE)
        both *= np.exp(rng.normal(-(KIDNEY_SPREAD**2) / 2, KIDNEY_SPREAD))
        lean_on = float(np.clip((person.body_fat_percent - 12) / 25, 0.1, 1.3)) * (1.0 if landmarks.male else 0.6)
        for number, (sign, side, lower) in enumerate(((-1, "right", -12), (1, "left", 4))):
            z = landmarks.spine[L1 + 1, 2] + lower * scale
            centre = np.array([sign * 60 * scale, float(landmarks.spine_at(z)[1]) - 1 * scale, z])
            volume_ml = self.draw_ml(KIDNEY_ML[self.sex][number], PAIR_SPREAD) * both
            axes = rotation([0, 1, 0], sign * 0.22) @ rotation([1, 0, 0], -0.22)  # upper poles to the spine and back
            shape = random_stream(self.canvas.seed, f"kidney {side}")
            size = (volume_ml / 160) ** (1 / 3)
            factor = shape_factor(self.points, centre, shape, 0.05)
            radius = ellipsoid_radius(self.points, centre, np.array([29, 25, 55]) * size, axes) / factor
            radius += 0.02 * self.wobble
            hilum = centre - np.array([sign * 16, 5, 0]) * size
            sinus = ellipsoid_radius(self.points, hilum, np.array([13, 8, 22]) * size, axes)
            with_sinus = volume_ml * (1 + SINUS_SHARE[self.sex])
            self.canvas.pick(f"kidney_{side}", self.voxels, radius, with_sinus, self.inside)
            self.canvas.convert(f"kidney_{side}", "torso_fat", self.voxels, sinus, with_sinus - volume_ml)
            top = centre + axes @ np.array([-sign * 6, -4, 56]) * size
            gland = np.minimum(
                self.along([top, top + np.array([-sign * 4, -6, 14]) * scale], [4 * scale] * 2),
                self.along([top + np.array([sign * 5, 2, -8]) * scale, top], [4 * scale] * 2),
            )
            self.canvas.pick(f"adrenal_gland_{side}", self.voxels, gland, self.draw_ml(ADRENAL_ML, 0.2), self.inside)
            rim = radius < 1 + (0.10 + 0.42 * lean_on)  # the capsule of fat
            self.inside &= ~rim
            self.cavity.fat_rim[self.upper[rim]] = True

    def paint_spleen(self) -> None:
        scale, half_width = self.scale, self.cage.half_width
        z = self.diaphragm.left_top - 62 * scale
        centre = np.array([0.8 * half_width, float(self.landmarks.spine_at(z)[1]) + 2 * scale, z])
        volume_ml = self.draw_ml(SPLEEN_ML[self.sex], SPLEEN_SPREAD)
        size = (volume_ml / 200) ** (1 / 3)
        _, y, z = (self.points - centre.astype(np.float32)).T
        along, across = -0.72 * y - 0.69 * z, 0.69 * y - 0.72 * z  # the tenth rib runs forwards and down
        radius = np.sqrt((along / 58) ** 2 + (across / 38) ** 2 + (np.maximum(self.from_wall, 0) / 36) ** 2) / size
        radius /= shape_factor(self.points, centre - [25, 0, 0], random_stream(self.canvas.seed, "spleen shape"), 0.07)
        aside = self.inside & (self.points[:, 0] > 0.3 * half_width)
        self.canvas.pick("spleen", self.voxels, radius + 0.03 * self.wobble, volume_ml, aside)

    def paint_stomach_and_duodenum(self) -> None:
        """Wall, content with an air-fluid level, and the loop of the duodenum around the head of the pancreas."""
        canvas, scale, width, top = self.canvas, self.scale, self.cage.half_width, self.diaphragm.left_top
        front = float(self.cavity.front(top - 110 * scale))
        back = float(self.landmarks.spine_at(top - 60 * scale)[1])
        path = [
            [0.46 * width, back - 22 * scale, top - 48 * scale],
            [0.50 * width, 0.6 * back + 0.4 * front, top - 85 * scale],
            [0.34 * width, front + 46 * scale, top - 120 * scale],
            [0.02 * width, front + 44 * scale, top - 138 * scale],
            [-0.20 * width, front + 60 * scale, top - 122 * scale],
        ]
        path = np.array(path) + self.rng.normal(0, 6, (5, 3)) * scale
        score = self.along(path, np.array([34, 30, 24, 19, 11]) * scale) + 0.04 * self.wobble
        volume_ml = self.draw_ml(STOMACH_ML[self.sex], STOMACH_SPREAD)
        canvas.pick("stomach", self.voxels, score, volume_ml, self.inside)
        own = canvas.is_any("stomach")[self.voxels]
        if own.any():
            lumen = own & (score < np.quantile(score[own], 0.66))
            canvas.contrast_hu[self.voxels[lumen]] = -22.0
            gas_ml = volume_ml * self.rng.uniform(0.06, 0.26)
            level = np.where(lumen, self.points[:, 1], np.inf)
            gas_ml = min(gas_ml, 0.8 * lumen.sum() * canvas.voxel_ml)
            canvas.convert("stomach", "bowel_gas", self.voxels, level, gas_ml)
            canvas.contrast_hu[canvas.is_any("bowel_gas")] = 0
        before = self.before_spine
        loop = [path[-1], before(L1, -42, -48, 4), before(L1 + 1, -48, -40), before(L1 + 2, -40, -38, 4)]
        loop += [before(L1 + 2, 0, -46, 0), before(L1 + 1, 34, -44, -6)]
        canvas.tube("duodenum", loop, np.array([11, 13, 13, 13, 11, 12]) * scale)

    def paint_pancreas(self) -> None:
        before, scale = self.before_spine, self.scale
        path = [before(L1 + 1, -26, -46, 4), before(L1, -14, -56, 4), before(L1, 14, -60, 12), before(T12, 50, -44, 0)]
        path.append(before(T12, 84, -18, 8))
        score = self.along(path, np.array([15, 12, 9, 9, 7]) * scale) + 0.10 * self.canvas.noise(
            "lobules", 7, self.voxels
        )
        volume_ml = self.draw_ml(PANCREAS_ML, 0.2) * (1 - 0.004 * max(0, self.landmarks.age - 50))
        self.canvas.pick("pancreas", self.voxels, score, volume_ml, self.inside)

    def paint_liver_and_gallbladder(self) -> None:
        """The liver hangs under the diaphragm; its lower border rises from the right flank to the left lobe."""
        scale, width, top = self.scale, self.cage.half_width, self.diaphragm.right_top
        x, y, z = self.points.T
        front, back = float(self.cavity.front(top - 90 * scale)), float(self.landmarks.spine_at(top - 90 * scale)[1])
        backwards = (y - front) / (back - front)  # 0 at the front of the belly, 1 at the spine
        border = np.interp(x / width, [-0.9, -0.45, 0.0, 0.35, 0.75], [158, 140, 98, 66, 40]) * scale
        border *= 1 + 0.10 * np.clip(0.5 - backwards, -0.5, 0.5)
        middle = np.array([-0.35 * width, (front + back) / 2, top - 70 * scale])
        shape = shape_factor(self.points, middle, random_stream(self.canvas.seed, "liver shape"), 0.08)
        lobes = self.canvas.noise("liver lobes", 45, self.voxels)
        score = (top + 6 * scale - z) / (border * shape) + 0.02 * self.wobble + 0.05 * lobes
        left = np.clip((x / scale - 8) / 55, 0, 1)  # the left lobe lies in front of the stomach
        score += left * 1.6 * np.clip(backwards - 0.34, 0, 1)
        gallbladder = [-0.36 * width, front + 42 * scale, top - 118 * scale]
        axes = rotation([1, 0, 0], 0.6)
        bag = ellipsoid_radius(self.points, gallbladder, np.array([15, 16, 32]) * scale, axes)
        self.canvas.pick("gallbladder", self.voxels, bag, self.draw_ml(GALLBLADDER_ML, 0.4), self.inside)
        size = (self.landmarks.person.weight_kg / (80 if self.landmarks.male else 74)) ** 0.5
        liver_ml = self.draw_ml(LIVER_ML[self.sex], LIVER_SPREAD) * size
        self.canvas.pick("liver", self.voxels, score, liver_ml, self.inside)
