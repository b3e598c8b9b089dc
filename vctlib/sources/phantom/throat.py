"""Paint the airway from the nose to the windpipe: pharynx, epiglottis, larynx with its cartilages, hyoid bone."""

import numpy as np

from vctlib.sources.phantom.bone_layer import ROD
from vctlib.sources.phantom.canvas import LABEL, Canvas, random_stream
from vctlib.sources.phantom.face import SEPTUM_MIDDLE, septum_bend
from vctlib.sources.phantom.head_frame import HeadFrame
from vctlib.sources.phantom.landmarks import C7, Landmarks

BEFORE_SPINE_MM = 9.0  # from the middle of the vertebral bodies of the neck to their front
SWOLLEN_BY_TURNS, SWOLLEN_PER_MM = 0.12, 0.05  # of the conchae's radius, choices
# Down the pharynx, larynx and windpipe, at millimetres under the eyes: half width, half depth, tissue before the spine.
DOWN = (-20, -28, -38, -48, -54, -62, -72, -84, -96, -108, -116, -124, -132, -137, -144, -154, -175, -190)
HALF_WIDTH = (6, 12, 13, 12, 10, 11, 13, 13, 15, 14, 9, 6.5, 3.0, 6.0, 8, 8.5, 9, 9)
HALF_DEPTH = (3, 9, 12, 8, 3.5, 4, 6, 6.5, 7, 7, 8, 8, 8, 8.5, 8.5, 8.5, 8.5, 8.5)
BEFORE = (4, 3, 3, 3, 3, 3, 3, 3, 3.5, 5, 9, 11, 12, 12, 12, 12, 12, 12)


class Throat:
    """Where the airway runs: `level` turns millimetres under the eyes into heights, `centre_y` gives its middle."""

    def __init__(self, canvas: Canvas, landmarks: Landmarks, frame: HeadFrame):
        rng = random_stream(canvas.seed, "throat")
        self.frame, self.landmarks, self.size = frame, landmarks, landmarks.scale * (1 if landmarks.male else 0.88)
        # Under the atlas the neck has its own length: levels are stretched so that the seventh vertebra is at -164.
        c1, c7 = -57.0, -164.0
        self._levels = np.array([c7 - 40, c7, c1, 0.0])
        c7_z = landmarks.spine[C7, 2]
        below = c7_z - 40 * landmarks.scale
        self._heights = np.array([below, c7_z, frame.at(0, 0, c1)[2], frame.origin[2]])
        self.open = rng.uniform(0.75, 1.25)  # how wide the pharynx stands open

    def z(self, level: float) -> float:
        return float(np.interp(level, self._levels, self._heights))

    def level(self, z: np.ndarray) -> np.ndarray:
        """Millimetres under the eyes, negative, of heights z in the reference neck."""
        return np.interp(z, self._heights, self._levels)

    def section(self, level: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Half width, half depth and y of the middle of the airway, mm of the body."""
        order = DOWN[::-1]
        half_width, half_depth, before = (
            np.interp(level, order, values[::-1]) * self.size for values in (HALF_WIDTH, HALF_DEPTH, BEFORE)
        )
        half_depth = half_depth * np.where(level > -112, self.open, 1)
        _, spine_y = self.landmarks.spine_at(np.interp(level, self._levels, self._heights))
        clivus_y = self.frame.at(0, 66, 0)[1]  # above the atlas the wall follows the skull base forwards
        wall = np.where(level > -50, np.minimum(spine_y - BEFORE_SPINE_MM * self.size, clivus_y), 0)
        wall = np.where(level > -50, wall, spine_y - BEFORE_SPINE_MM * self.size)
        slope = np.interp(level, [-50, -20], [0, 12]) * self.size
        return half_width, half_depth, wall - slope - before - half_depth

    def at(self, level: float, x: float, before: float) -> np.ndarray:
        """The point (3,) at a level, x mm from the midline and `before` mm in front of the airway's middle."""
        _, _, y = self.section(np.array([level]))
        return np.array([x * self.size, float(y[0]) - before * self.size, self.z(level)])


def paint_throat_bones(canvas: Canvas, throat: Throat) -> None:
    """Hyoid bone, and the cartilages of the larynx, which turn into bone with age."""
    size, at = throat.size, throat.at
    for sign in (1, -1):
        canvas.bone_capsule("hyoid", at(-108, 0, 22), at(-107, sign * 12, 17), 3.6 * size, 3 * size)
        canvas.bone_capsule("hyoid", at(-107, sign * 12, 17), at(-103, sign * 20, -8), 2.4 * size, 2 * size)
        top, bottom = at(-118, 0, 23), at(-134, 0, 15)
        back_top, back_bottom = at(-117, sign * 19, -10), at(-137, sign * 15, -10)
        canvas.bone_plate("thyroid_cartilage", top, bottom, back_top, 1.3 * size)
        canvas.bone_plate("thyroid_cartilage", bottom, back_bottom, back_top, 1.3 * size)
        canvas.bone_capsule("thyroid_cartilage", back_top, at(-109, sign * 20, -12), 1.8 * size, 1.4 * size)
        canvas.bone_capsule("thyroid_cartilage", back_bottom, at(-142, sign * 14, -9), 1.8 * size, 1.4 * size)
    near = canvas.around(at(-141, 0, 0), 24 * size)
    relative = canvas.positions[near] - at(-141, 0, 0).astype(np.float32)
    ring = np.abs(np.hypot(relative[:, 0], relative[:, 1]) - 11.5 * size) - 2.2 * size
    height = np.interp(relative[:, 1], [-12 * size, 12 * size], [3.5 * size, 10 * size])  # a signet ring
    shape = np.maximum(ring, np.abs(relative[:, 2]) - height)
    canvas.bone_shape("cricoid_cartilage", near, shape, 2.2 * size, ROD)


def paint_airway(canvas: Canvas, throat: Throat, frame: HeadFrame) -> None:
    """Air of nose, sinuses, ears and throat, down to where the windpipe of the chest begins."""
    _paint_hollows(canvas, frame)
    half = 30 * throat.size
    low, high = throat.z(-178), frame.at(0, 0, -20)[2]
    near = canvas.box([-half, -400, low], [half, 400, high])
    points = canvas.positions[near]
    level = throat.level(points[:, 2])
    half_width, half_depth, y = throat.section(level)
    across, back = points[:, 0] / half_width, (points[:, 1] - y) / half_depth
    smaller = np.minimum(half_width, half_depth)
    distance = (np.hypot(across, back) - 1) * smaller
    # The epiglottis hangs in it as a sheet, and the cushion of the windpipe's back wall is flat.
    sheet_y = y - 1.5 * throat.size + (level + 108) * 0.25 * throat.size
    sheet = 1.6 * throat.size - np.abs(points[:, 1] - sheet_y)
    leaf = (level < -90) & (level > -112) & (np.abs(points[:, 0]) < 10 * throat.size)
    distance = np.maximum(distance, np.where(leaf, sheet, -99))
    canvas.fill_shape("trachea", near, distance, smaller, ROD)


def _paint_hollows(canvas: Canvas, frame: HeadFrame) -> None:
    """Fill what was carved: mucosa on the conchae, air elsewhere."""
    near, points = frame.near(canvas, (-75, -40, -60), (75, 115, 45))
    hollow = canvas.air[near] > 0
    near, points = near[hollow], points[hollow]
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    nose = (x < 16) & (z < 2) & (y < 37)
    bend, rng = septum_bend(canvas.seed), random_stream(canvas.seed, "conchae")
    swollen = rng.uniform(0.95, 1.45)
    away = np.hypot((y - SEPTUM_MIDDLE[0]) / 18, (z - SEPTUM_MIDDLE[1]) / 20)
    from_septum = np.abs(points[:, 0] - bend * np.clip(1 - away, 0, 1))
    conchae = np.minimum(
        np.hypot((x - 9) / 3.4, (z + 37) / 5) + 9 * ((y < -6) | (y > 31)),
        np.hypot((x - 6.5) / 2.4, (z + 21) / 6) + 9 * ((y < 8) | (y > 33)),
    )
    # One side is more swollen than the other, by turns, and so is the wider one.
    side = np.sign(points[:, 0]) * (rng.choice([-1, 1]) * SWOLLEN_BY_TURNS - SWOLLEN_PER_MM * bend)
    mucosa = nose & ((conchae < swollen + side) | (from_septum < 1.8))
    free = canvas.labels[near] == 0
    for name, where in (
        ("connective_tissue", mucosa),
        ("nasal_cavity", nose & ~mucosa),
        ("paranasal_sinuses", ~nose),
    ):
        canvas.labels[near[where & free]] = LABEL[name]
