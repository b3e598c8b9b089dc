"""Paint the brain case: the vault with its varying thickness, the three steps of the skull base, the petrous bones."""

from dataclasses import dataclass

import numpy as np

from vctlib.sources.phantom.canvas import Canvas, random_stream
from vctlib.sources.phantom.geometry import capsule_distance, ellipsoid_radius
from vctlib.sources.phantom.head_frame import SCALP_MM, HeadFrame
from vctlib.sources.phantom.pose import SIDES

VAULT_MM = 6.0  # thickness of the vault
CASE_CENTRE, CASE_RADII, CASE_RADIUS_BELOW = (0, 75, 26), (63.2, 89, 72.4), 86  # of the brain case, mm of the head
PETROUS_HU, MARROW_OF_BASE_HU = 550.0, 120.0  # denser than other bone, a choice
# Heights of the floor of the brain case and thickness of the bone under it (mm) from front to back, at the midline and
# at four distances from it: front fossa over the orbits, middle fossa, ridge of the petrous bone, back fossa.
FLOOR_X = (0, 18, 32, 46, 62)
FLOOR_Y = (-25, -12, 0, 20, 36, 44, 52, 60, 68, 76, 84, 94, 110, 130, 150, 165)
FLOOR_Z = (
    (30, 10, 3, 3, 4, 5, -3, 7, -14, -36, -42, -43, -44, -40, -26, -5),
    (32, 15, 13, 11, 8, -2, -7, -5, -2, -14, -36, -43, -45, -42, -27, -4),
    (34, 19, 20, 17, 9, -7, -14, -14, -9, -5, -22, -41, -45, -41, -25, -3),
    (38, 22, 19, 13, 3, -12, -20, -20, -15, -3, -8, -36, -44, -40, -22, 0),
    (46, 36, 26, 14, 4, -3, -8, -9, -8, -4, -7, -28, -36, -32, -14, 4),
)
FLOOR_MM = (
    (8, 7, 2.5, 3, 4, 4, 4, 8, 10, 7, 4, 4, 5, 5, 8, 10),
    (8, 6, 2, 2, 4, 5, 5, 12, 17, 12, 6, 4, 4, 4, 6, 8),
    (7, 5, 2, 2, 5, 4, 4, 8, 14, 16, 11, 6, 4, 4, 5, 8),
    (7, 5, 2, 2, 5, 3.5, 3, 5, 9, 18, 15, 7, 4, 4, 5, 7),
    (6, 5, 3, 3, 4, 3, 3, 4, 6, 15, 16, 9, 5, 4, 5, 6),
)
FORAMEN, FORAMEN_RADII = (0, 94), (15, 18)  # foramen magnum, seen from above


@dataclass(frozen=True)
class BrainCase:
    """Voxels (m,) in and around the brain case, their reference coordinates (m, 3), how far they lie outside the inner
    table (m,) in mm, and the thickness of bone there (m,) in mm."""

    voxels: np.ndarray
    points: np.ndarray
    outside: np.ndarray
    thickness: np.ndarray


def find_brain_case(canvas: Canvas, frame: HeadFrame) -> BrainCase:
    near, points = frame.near(canvas, (-90, -40, -78), (90, 190, 130))
    radii = np.array([*CASE_RADII[:2], CASE_RADII[2]], np.float32)
    relative = points - np.array(CASE_CENTRE, np.float32)
    relative[:, 2] *= np.where(relative[:, 2] < 0, CASE_RADII[2] / CASE_RADIUS_BELOW, 1)
    radius = np.linalg.norm(relative / radii, axis=1)
    # First-order distance from the ellipsoid; near its middle it is only a large negative number.
    gradient = np.linalg.norm(relative / radii**2, axis=1) / np.maximum(radius, 0.3)
    vault = (radius - 1) / np.maximum(gradient, 1e-3)
    vault_mm = VAULT_MM + 0.8 * canvas.noise("vault", 30, near) - 3.0 * _bump(points, (60, 62, 8), 30, mirrored=True)
    vault_mm += 2.5 * _bump(points, (0, 166, 0), 26) + 2.0 * _bump(points, (0, -18, 10), 26)
    floor, floor_mm, slope = _floor(points)
    base = (floor - points[:, 2]) / np.sqrt(1 + slope**2)
    outside = np.maximum(vault, base) * frame.scale
    thickness = np.where(base > vault, floor_mm, vault_mm).clip(1.5) * frame.scale
    # The skull stays under the scalp, ears and neck apart.
    cover = (SCALP_MM * frame.scale + thickness) - canvas.depth[near]
    outside = np.maximum(outside, np.where((points[:, 2] > -30) & (vault > -10), cover, -99))
    return BrainCase(near, points, outside.astype(np.float32), thickness.astype(np.float32))


def paint_brain_case(canvas: Canvas, frame: HeadFrame, case: BrainCase) -> None:
    half = case.thickness / 2
    distance = np.abs(case.outside - half) - half
    x, y, z = case.points.T
    foramen = np.hypot((x - FORAMEN[0]) / FORAMEN_RADII[0], (y - FORAMEN[1]) / FORAMEN_RADII[1]) - 1
    hole = np.where(z < -24, -foramen * FORAMEN_RADII[0] * frame.scale, -99)
    canvas.bone_shape("skull", case.voxels, np.maximum(distance, hole), half)
    for _, _, sign in SIDES:
        out = frame.side(sign)
        apex, ear = out(14, 63, -14), out(56, 82, -14)
        for start, end, r0, r1 in (
            (apex, ear, 7, 10),  # petrous bone
            (out(57, 92, -16), out(53, 90, -46), 12, 6),  # mastoid
            (out(19, 90, -40), out(15, 83, -42), 5, 5),  # condyle
            (out(47, 80, -24), out(40, 70, -52), 2.6, 1.6),  # styloid
            (out(46, 57, -18), out(58, 58, -17), 4, 4),  # before the joint of the jaw
        ):
            canvas.bone_capsule("skull", start, end, r0 * frame.scale, r1 * frame.scale)
        near = canvas.around([apex, ear], 12 * frame.scale)
        depth = -capsule_distance(canvas.positions[near], apex, ear, 8 * frame.scale, 9 * frame.scale)
        canvas.bone_contrast_hu[near] += PETROUS_HU * np.clip(depth / (4 * frame.scale), 0, 1)
    _carve_air_cells(canvas, frame)


def _carve_air_cells(canvas: Canvas, frame: HeadFrame) -> None:
    """Cells of the mastoid, in some people few, the middle ear and the ear canal."""
    filled, scale = random_stream(canvas.seed, "mastoid cells").uniform(-0.1, 0.7), frame.scale

    def carve(near: np.ndarray, hollow: np.ndarray) -> None:
        canvas.bone_layer.carve(near, hollow)
        canvas.air[near] = np.maximum(canvas.air[near], -hollow)

    for _, _, sign in SIDES:
        out = frame.side(sign)
        for centre, radii in ((out(57, 93, -18), (8, 12, 14)), (out(54, 90, -36), (5, 6, 9))):
            near, radii = canvas.around(centre, 15 * scale), np.array(radii) * scale
            region = (ellipsoid_radius(canvas.positions[near], centre, radii) - 1) * radii.min()
            cells = (filled + canvas.noise("air cells", 5, near)) * 3 * scale
            carve(near, np.maximum(region, cells))
        canal, middle_ear = (out(48, 77, -17), out(66, 79, -19), 3.2), (out(44, 76, -20), out(45, 76, -11), 3.5)
        for start, end, radius in (canal, middle_ear):
            near = canvas.around([start, end], 2 * canvas.spacing + radius * scale)
            carve(near, capsule_distance(canvas.positions[near], start, end, radius * scale, radius * scale))


def _bump(points: np.ndarray, centre, width: float, mirrored: bool = False) -> np.ndarray:
    """A smooth hill of height 1 around a point of the head, and around its mirror image."""
    x = np.abs(points[:, 0]) if mirrored else points[:, 0]
    squared = (x - centre[0]) ** 2 + (points[:, 1] - centre[1]) ** 2 + (points[:, 2] - centre[2]) ** 2
    return np.exp(-squared / width**2)


def _floor(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Height of the floor of the brain case, thickness of its bone, and its slope at points (n, 3), each (n,)."""
    x, y = np.abs(points[:, 0]), points[:, 1]

    def table(rows, shift: float = 0.0) -> np.ndarray:
        lines = np.stack([np.interp(y + shift, FLOOR_Y, row) for row in rows])
        place = np.interp(x, FLOOR_X, np.arange(len(FLOOR_X)))
        first = np.minimum(place.astype(int), len(FLOOR_X) - 2)
        columns = np.arange(len(x))
        return lines[first, columns] * (1 - place + first) + lines[first + 1, columns] * (place - first)

    before, behind = table(FLOOR_Z, -5), table(FLOOR_Z, 5)
    return (before + behind + 2 * table(FLOOR_Z)) / 4, table(FLOOR_MM), (behind - before) / 10
