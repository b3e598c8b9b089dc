"""The abdominal and pelvic cavity: where organs may lie, and the muscles it leaves room for."""

import numpy as np

from vctlib.sources.phantom.canvas import Canvas
from vctlib.sources.phantom.geometry import capsule_distance, outward, plate_distance
from vctlib.sources.phantom.landmarks import L1, L5, T12, Landmarks
from vctlib.sources.phantom.pose import SIDES
from vctlib.sources.phantom.ribcage import Diaphragm, RibCage

WALL_MM = 18.0  # skin, fat and muscle in front of the cavity, at least; a choice
SIDE_MM = {"male": 23.0, "female": 18.0}  # skin, a little fat and muscle beside the cavity; choices
FRONT_SQUARENESS, BACK_SQUARENESS = 2.3, 4.0  # a section is round in front and reaches back beside the spine
# Muscle around the belly (mm) inside and outside of the semilunar line, which lies at these shares of its half width.
# Transversus and internal oblique: rho2013 (15 and 11 mm in men and women); the rectus is the thickest of all
# (rankin2006), the external oblique thinner than the internal one: their values are choices.
MUSCLE_WALL_MM = {"male": (11.0, 22.0), "female": (9.0, 16.5)}
WALL_MUSCLE_KG, SEMILUNAR_LINE = {"male": 29.0, "female": 19.0}, (0.50, 0.75)  # the muscle mass they belong to
REFERENCE_MUSCLE_KG = 28.0  # of the person that the psoas' radii belong to


class Cavity:
    """The abdominal and pelvic cavity: a stack of super-ellipses inside the muscles of the trunk.

    `voxels` (n,) those near it, `points` (n, 3) their positions, `radius` (n,) 0 in its middle and 1 at its wall,
    `inside` (n,) where organs may lie, `from_wall` (n,) mm from the ribs, the diaphragm or the wall of the belly;
    `fat_rim` (n,) the capsules of fat around the kidneys, once these are painted;
    `core` (canvas size,) the radius of every voxel of the body, infinite outside the cavity.
    """

    def __init__(self, canvas: Canvas, landmarks: Landmarks, cage: RibCage, diaphragm: Diaphragm):
        scale, hip_z = landmarks.scale, landmarks.hip_z
        top = max(diaphragm.right_top, diaphragm.left_top) + 10 * scale
        self.voxels = canvas.box([-230 * scale, -500, hip_z - 70 * scale], [230 * scale, 500, top])
        self._landmarks = landmarks
        near = canvas.depth[self.voxels] > 8 * scale
        self.voxels = self.voxels[near]
        self.points = points = canvas.positions[self.voxels]
        x, y, z = points.T
        self.radius, reach = self._radius_and_reach(points)
        self._outer_radius, self._reach = self.radius, reach
        position = cage.locate(points)
        in_ribs = z > landmarks.spine[T12, 2]
        within_ribs = -8.5 * scale - position.distance
        under_dome = np.where(in_ribs, 0.75 * (diaphragm.height(points, position) - z), 200)
        self.from_wall = np.where(
            in_ribs, np.minimum(within_ribs, under_dome), (1 - self.radius) * reach / np.maximum(self.radius, 0.3)
        ).astype(np.float32)
        spine_x, spine_y = landmarks.spine_at(z)
        deep = canvas.depth[self.voxels] > WALL_MM * scale
        open_ = (
            deep
            & (np.hypot((x - spine_x) / 1.15, y - spine_y) > 24 * scale)
            & (iliopsoas_distance(points, landmarks) > 2)
        )
        self.radius = np.where(in_ribs, np.where(self.from_wall > 0, np.minimum(self.radius, 0.75), 1.2), self.radius)
        self.inside = (self.radius < 0.96) & open_
        self.fat_rim = np.zeros(len(self.voxels), bool)
        self.core = np.full(len(canvas), np.inf, np.float32)
        self.core[self.voxels] = np.where((self.radius < 1.02) & open_, self.radius, np.inf)

    def outside_mm(self, level: np.ndarray) -> np.ndarray:
        """Distance (n,) in mm from the belly's wall where it stands at a radius of `level` (n,); 99 within the ribs."""
        outside = (self._outer_radius - level) * self._reach / np.maximum(self._outer_radius, 0.3)
        return np.where(self.points[:, 2] > self._landmarks.spine[T12, 2], 99.0, outside)

    def wall_mm(self) -> np.ndarray:
        """Thickness (n,) in mm of the muscles around the belly: the rectus in front, three muscles at the sides."""
        person = self._landmarks.person
        usual_kg = WALL_MUSCLE_KG[person.sex]
        strong = np.clip((person.muscle_percent / 100 * person.weight_kg / usual_kg) ** 0.5, 0.8, 1.25)
        x, _, z = self.points.T
        aside = np.abs(x) / np.maximum(self.section(z)[0], 1)
        return strong * np.interp(aside, SEMILUNAR_LINE, MUSCLE_WALL_MM[person.sex]).astype(np.float32)

    def capsule_first(self) -> None:
        """Let fat fill the capsules of the kidneys before the rest of the cavity."""
        capsule = self.voxels[self.fat_rim]
        self.core[capsule] = np.minimum(self.core[capsule], 0.5)

    def section(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Half width, and y of front and back wall in the midline, at heights z."""
        scale, hip_z, landmarks = self._landmarks.scale, self._landmarks.hip_z, self._landmarks
        pelvic = np.clip((hip_z + 118 * scale - z) / (140 * scale), 0, 1)  # the cavity narrows into the pelvis
        wide = (
            self._between(landmarks.lean.half_width(z), landmarks.outer.half_width(z))
            - SIDE_MM[landmarks.person.sex] * scale
        )
        half_width = wide + (66 * landmarks.pelvis_width * scale - wide) * pelvic
        back = landmarks.spine_at(z)[1] + (24 + 18 * pelvic) * scale
        front = self.front(z)
        return half_width, front + (back - front) * 0.10 * pelvic, back

    def front(self, z):
        """y of the front wall in the midline at heights z: it comes forward with visceral fat, more so in men."""
        return self._between(self._landmarks.lean.front(z), self._landmarks.outer.front(z)) + 10 * self._landmarks.scale

    def radius_at(self, points: np.ndarray) -> np.ndarray:
        """0 in the middle of the cavity, 1 at its wall: (n,) for points (n, 3)."""
        return self._radius_and_reach(points)[0]

    def _radius_and_reach(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The radius, and mm from the section's centre."""
        x, y, z = points.T
        half_width, front, back = self.section(z)
        centre, half_depth = (front + back) / 2, np.maximum((back - front) / 2, 20)
        power = np.where(y > centre, BACK_SQUARENESS, FRONT_SQUARENESS)
        radius = (np.abs(x / half_width) ** power + np.abs((y - centre) / half_depth) ** power) ** (1 / power)
        scale, hip_z = self._landmarks.scale, self._landmarks.hip_z
        radius = np.maximum(radius, 1 + (hip_z - 45 * scale - z) / (60 * scale))  # pelvic floor
        return radius.astype(np.float32), np.hypot(x, y - centre).astype(np.float32)

    def _between(self, lean, outer):
        share = 0.55 if self._landmarks.male else 0.35
        return (1 - share) * lean + share * outer


def pelvic_y(landmarks: Landmarks) -> float:
    """y of the bladder: before the hip joints and well before the sacrum."""
    scale = landmarks.scale
    return min(landmarks.joint("upperleg02.L")[1] - 30 * scale, landmarks.spine[L5, 1] - 38 * scale)


def iliopsoas_distance(points: np.ndarray, landmarks: Landmarks) -> np.ndarray:
    """Distance in mm (n,), negative inside, from points (n, 3) to the nearer iliopsoas, from the loin to the thigh."""
    scale, spine, wide = landmarks.scale, landmarks.spine, landmarks.pelvis_width
    person = landmarks.person
    muscle_kg = person.muscle_percent / 100 * person.weight_kg
    thick = scale * np.clip((muscle_kg / REFERENCE_MUSCLE_KG) ** 0.5 / scale, 0.75, 1.25)
    distance = np.full(len(points), 99.0, np.float32)
    for _, suffix, sign in SIDES:
        out = outward(scale, sign)
        brim = np.array([0, pelvic_y(landmarks), landmarks.hip_z]) + out(70 * wide, 8, 36)
        trochanter = np.array([0, landmarks.joint(f"upperleg02.{suffix}")[1], landmarks.hip_z]) + out(84, 2, -50)
        path = [
            spine[T12] + out(26, 8, 0),
            spine[L1 + 1] + out(35, 8, 0),
            spine[L5 - 1] + out(46, 0, 0),
            brim,
            trochanter,
        ]
        radii = np.array([5, 13, 22, 20, 10]) * thick
        own = np.flatnonzero((points[:, 0] * sign > 0) & (points[:, 2] < spine[T12, 2] + 30))
        own = own[points[own, 2] > trochanter[2] - 60]
        for start, end, r0, r1 in zip(path[:-1], path[1:], radii[:-1], radii[1:], strict=True):
            distance[own] = np.minimum(distance[own], capsule_distance(points[own], start, end, r0, r1))
        wing = np.array([0, spine[L5, 1], landmarks.hip_z])
        own = own[points[own, 2] < wing[2] + 130 * scale]
        iliacus = wing + out(58 * wide, 22, 58), wing + out(112 * wide, -4, 104), wing + out(98 * wide, -30, 52)
        for corners in (iliacus, (iliacus[0], iliacus[2], brim)):
            distance[own] = np.minimum(distance[own], plate_distance(points[own], *corners, 8 * thick))
    return distance
