"""The muscles of head and neck as rods and plates, and the fat in the gaps between them."""

import numpy as np

from vctlib.sources.phantom.canvas import Canvas
from vctlib.sources.phantom.geometry import outward
from vctlib.sources.phantom.head_frame import find_head_frame
from vctlib.sources.phantom.landmarks import T1, Landmarks
from vctlib.sources.phantom.muscle_map import nearest_muscle, trunk_and_limbs
from vctlib.sources.phantom.pose import SIDES
from vctlib.sources.phantom.ribcage import RibCage
from vctlib.sources.phantom.thorax import sternum_ends
from vctlib.sources.phantom.throat import Throat

GAP_MM = ((10, 45), (6.5, 2.5))  # fat begins this far from a muscle at these percentages of body fat; a choice
UNDER_SKIN_MM, FARTHEST_MM = 4.0, 16.0  # such fat lies deeper than the one and nearer to a muscle than the other


def muscles_of_neck(canvas: Canvas, landmarks: Landmarks, cage: RibCage, suffix: str, sign: int) -> dict[str, list]:
    """Rods (two points, two radii) and plates (three points, half thickness) of one side, by muscle, in mm."""
    scale, spine, frame = landmarks.scale, landmarks.spine, find_head_frame(landmarks)
    out, head, throat = outward(scale, sign), frame.side(sign), Throat(canvas, landmarks, frame)
    top = sternum_ends(cage)[0]
    notch = np.array([sign * 18 * scale, cage.front(top) - 2 * scale, top + 8 * scale])
    blade = cage.back_point(sign * 66 * scale, spine[T1 + 1, 2] - 4 * scale, 9 * scale)
    rib = spine[T1] + out(50, -14, -6)

    def at(level: float, x: float, before: float) -> np.ndarray:
        return throat.at(level, sign * x, before)

    def r(*radii: float) -> tuple[float, ...]:
        return tuple(radius * scale for radius in radii)

    return {
        "sternocleidomastoid": [
            (head(54, 96, -42), spine[2] + out(52, 6, 0), r(9, 10)),
            (spine[2] + out(52, 6, 0), spine[5] + out(42, -22, 0), r(10, 10)),
            (spine[5] + out(42, -22, 0), notch, r(10, 7)),
        ],
        "levator_scapulae": [
            (spine[0] + out(38, 16, -6), spine[5] + out(44, 22, 0), r(8, 10)),
            (spine[5] + out(44, 22, 0), blade, r(10, 8)),
        ],
        "splenius": [
            (head(48, 110, -40), spine[3] + out(34, 38, 0), r(8, 11)),
            (spine[3] + out(34, 38, 0), spine[T1 + 1] + out(14, 58, 0), r(11, 5)),
        ],
        "semispinalis": [
            (head(15, 138, -40), spine[2] + out(15, 46, 0), r(12, 13)),
            (spine[2] + out(15, 46, 0), spine[T1] + out(17, 46, 0), r(13, 14)),
        ],
        "multifidus": [(spine[1] + out(13, 30, 0), spine[T1] + out(18, 30, 0), r(9, 12))],
        "suboccipital": [(head(22, 118, -50), spine[1] + out(16, 34, 0), r(11, 10))],
        "anterior_scalene": [(spine[2] + out(22, -7, 0), rib, r(5, 7))],
        "middle_scalene": [(spine[1] + out(30, 4, 0), rib + out(8, 12, 0), r(7, 11))],
        "prevertebral": [
            (spine[0] + out(8, -17, 0), spine[3] + out(10, -12, 0), r(5, 7)),
            (spine[3] + out(10, -12, 0), spine[T1 + 1] + out(8, -16, 0), r(7, 4)),
        ],
        "constrictor": [
            (at(-40, 13, -8), at(-84, 17, -4), r(3, 4)),
            (at(-84, 17, -4), at(-140, 13, -11), r(4, 4)),
            (at(-60, 4, -9), at(-140, 4, -12), r(3.5, 4)),
        ],
        "infrahyoid": [
            (at(-110, 9, 25), at(-140, 14, 17), r(5, 6)),
            (at(-140, 14, 17), notch + out(-6, 6, -4), r(6, 5)),
        ],
        "larynx": [(at(-118, 7, 8), at(-136, 8, 4), r(6, 6))],
        "digastric": [
            (head(50, 92, -50), at(-106, 20, 18), r(5, 3.5)),
            (at(-106, 20, 18), head(8, 2, -103), r(3.5, 6)),
        ],
        "mylohyoid": [(head(26, 28, -92), head(4, 2, -98), at(-108, 3, 24), 3 * scale)],
        "tongue": [
            (head(8, 2, -72), head(10, 30, -70), r(14, 17)),
            (head(10, 30, -70), at(-96, 9, 17), r(17, 12)),
        ],
        "genioglossus": [(head(5, 2, -92), head(8, 26, -86), r(7, 14))],
        "soft_palate": [(head(6, 36, -50), head(5, 48, -62), r(4, 4))],
        "lateral_pterygoid": [(head(20, 42, -28), head(45, 58, -24), r(9, 7))],
        "medial_pterygoid": [(head(21, 44, -38), head(40, 56, -80), r(7, 8))],
        "masseter": [(head(58, 30, -32), head(53, 50, -82), r(8, 11))],
        "temporalis": [
            (head(60, 30, 22), head(64, 78, 18), head(50, 36, -26), 5 * scale),
            (head(56, 30, -8), head(47, 38, -40), r(9, 6)),
        ],
        "lips": [
            (head(0, -26, -66), head(22, -14, -72), r(5, 4)),
            (head(0, -24, -84), head(22, -14, -78), r(6, 4)),
        ],
        "buccinator": [(head(24, -10, -64), head(34, 32, -54), head(35, 32, -82), 2 * scale)],
        "facial": [
            (head(0, -21, 4), head(40, -4, 24), r(1.5, 1.5)),
            (head(46, 4, -30), head(22, -16, -68), r(2.5, 2.5)),
        ],
    }


def all_muscles(canvas: Canvas, landmarks: Landmarks, cage: RibCage, suffix: str, sign: int) -> dict[str, list]:
    """The muscles of the whole body, as those of the neck."""
    return trunk_and_limbs(landmarks, cage, suffix, sign) | muscles_of_neck(canvas, landmarks, cage, suffix, sign)


def paint_neck_fat(canvas: Canvas, landmarks: Landmarks, cage: RibCage) -> None:
    """Give the gaps between the muscles of face and neck to fat; after the vessels, before the balance is solved."""
    frame, scale = find_head_frame(landmarks), landmarks.scale
    low = landmarks.spine[T1, 2] - 30 * scale
    near = canvas.box([-130 * scale, -500, low], [130 * scale, 500, frame.origin[2] + 12 * scale])
    near = near[canvas.free[near] & (canvas.depth[near] > UNDER_SKIN_MM)]
    points = canvas.positions[near]
    near = near[(cage.locate(points).distance > 0) | ~cage.under_inlet(points)]
    muscles = [(side, all_muscles(canvas, landmarks, cage, suffix, sign)) for side, suffix, sign in SIDES]
    _, outside = nearest_muscle(canvas, near, muscles, scale)
    gap = np.interp(landmarks.person.body_fat_percent, *GAP_MM) * scale
    uneven = 1.2 * scale * canvas.noise("neck fat", 8, near)
    canvas.fill("intermuscular_fat", near, (outside + uneven > gap) & (outside < FARTHEST_MM * scale))
