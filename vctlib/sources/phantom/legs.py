"""Paint the bones of the legs and feet.

Sizes are those of a man of 175 cm; every bone turns with the leg, whose front is where the foot points.
"""

from collections.abc import Callable

import numpy as np

from vctlib.sources.phantom.canvas import Canvas
from vctlib.sources.phantom.geometry import unit
from vctlib.sources.phantom.landmarks import Landmarks
from vctlib.sources.phantom.pelvis import hip_centre
from vctlib.sources.phantom.pose import SIDES

FOOT_MM = 170.0  # from the ankle forwards to the third toe in the foot that the sizes below belong to
# Bones of the foot by centre and half axes: forwards and outwards of the ankle, down towards the sole.
TARSALS = (
    ((4, 0, 16), (25, 20, 15)), ((40, -5, 24), (18, 16, 14)),  # talus
    ((66, -9, 30), (8, 20, 15)), ((67, 20, 47), (19, 14, 14)),  # navicular, cuboid
    ((88, -22, 37), (13, 11, 15)), ((86, -4, 32), (11, 9, 13)), ((88, 12, 37), (12, 9, 14)),  # cuneiforms
)  # fmt: skip
METATARSAL_BASES = ((104, -21, 42), (101, -5, 37), (103, 9, 42), (101, 20, 48), (90, 33, 54))


def paint_legs(canvas: Canvas, landmarks: Landmarks) -> None:
    for side, suffix, sign in SIDES:
        head, knee = hip_centre(landmarks, sign), landmarks.joint(f"lowerleg01.{suffix}")
        ankle = landmarks.joint(f"foot.{suffix}")
        out = leg_frame(landmarks, suffix, sign)
        _paint_thigh(canvas, landmarks, f"femur_{side}", out, head, knee)
        _paint_shin(canvas, landmarks, out, head, knee, ankle)
        _paint_foot(canvas, landmarks, suffix, sign)


def leg_frame(landmarks: Landmarks, suffix: str, sign: int) -> Callable[[float, float, float], np.ndarray]:
    """A function (x, y, z) -> offset in mm, scaled: x outwards, y backwards and z upwards as the leg is turned."""
    knee, ankle = landmarks.joint(f"lowerleg01.{suffix}"), landmarks.joint(f"foot.{suffix}")
    up = unit(knee - ankle)
    forwards = landmarks.joint(f"toe2-1.{suffix}") - ankle
    back = -unit(forwards - up * (forwards @ up))
    axes = landmarks.scale * np.stack([sign * np.cross(back, up), back, up])
    return lambda x, y, z: np.array([x, y, z]) @ axes


def _rods(canvas: Canvas, name: str, scale: float, *rods) -> None:
    """Rods one after another: start and end (mm), radii at both ends and thickness of the cortex there (scaled)."""
    for start, end, *sizes in rods:
        r0, r1, *cortex = (size * scale for size in sizes)
        canvas.bone_capsule(name, start, end, r0, r1, cortex or None)


def _paint_thigh(canvas: Canvas, landmarks: Landmarks, name: str, out, head, knee) -> None:
    scale = landmarks.scale * landmarks.girth
    compact = landmarks.cortex_left
    down = unit(knee - head) * landmarks.scale
    neck_end, lesser = head + out(43, 5, -32), head + out(34, 17, -66)  # the neck meets the shaft at 127 degrees
    below = head + out(43, 4, -76)
    line = knee + down * 5  # of the joint
    length = np.linalg.norm(line - below) / landmarks.scale
    shaft = (line - below) / length
    middle, flare = (below + line) / 2 + out(0, -11, 0), below + shaft * (length - 88) + out(0, -5, 0)  # it bows forwards
    canvas.bone_ball(name, head, 24 * scale)
    canvas.bone_ball(name, head + out(59, 13, -8), np.array([15, 18, 23]) * scale)
    canvas.bone_ball(name, lesser, 10 * scale)
    thick = 7.0 * compact
    _rods(
        canvas, name, scale,
        (head, neck_end, 16.5, 17.5, 1.6, 2.2),
        (neck_end, below, 20, 17.5, 2.2, 0.7 * thick),
        (below, middle, 17, 14.3, 0.7 * thick, thick),
        (middle, flare, 14.3, 17.5, thick, 0.5 * thick),
        (flare, line - shaft * 38, 17.5, 25, 0.5 * thick, 1.4),
        (line - down * 30 + out(-22, 2, 0), line - down * 30 + out(22, 2, 0), 19, 18, 1.3, 1.3),
        (line - down * 22 + out(-12, -14, 0), line - down * 22 + out(14, -17, 0), 15, 15, 1.2, 1.2),  # groove
    )  # fmt: skip
    for inwards in (1, -1):
        canvas.bone_ball(name, line - down * 21 + out(23 * inwards, 8, 0), np.array([18, 30, 21]) * scale)
    canvas.bone_ball("patella", line + out(2, -44, 22), np.array([21, 10, 21]) * scale)


def _paint_shin(canvas: Canvas, landmarks: Landmarks, out, head, knee, ankle) -> None:
    scale, thick = landmarks.scale * landmarks.girth, 5.8 * landmarks.cortex_left
    down = unit(ankle - knee) * landmarks.scale
    plateau = knee + unit(knee - head) * 5 * landmarks.scale + down * 4  # under menisci and cartilage
    for inwards in (1, -1):
        canvas.bone_ball("tibia", plateau + down * 13 + out(20 * inwards, 4, 0), np.array([20, 25, 14]) * scale)
    canvas.bone_ball("tibia", plateau + down * 45 + out(2, -19, 0), np.array([10, 10, 15]) * scale)  # tuberosity
    below, middle, narrow = plateau + down * 75 + out(-2, 0, 0), (plateau + ankle) / 2 + out(-3, -4, 0), ankle - down * 70
    _rods(
        canvas, "tibia", scale,
        (plateau + down * 20, below, 25.5, 15.5, 1.2, 0.6 * thick),
        (below, middle, 15.5, 12.8, 0.6 * thick, thick),
        (middle, narrow, 12.8, 11.5, thick, 0.65 * thick),
        (narrow, ankle - down * 16, 11.5, 18, 0.65 * thick, 1.2),
        (ankle - down * 14 + out(-9, 0, 0), ankle - down * 14 + out(9, 0, 0), 15, 15, 1.2, 1.2),
        (ankle - down * 12 + out(-19, -2, 0), ankle + down * 4 + out(-23, -2, 0), 9, 7, 1.2, 1.2),  # inner malleolus
    )  # fmt: skip
    top, bottom = plateau + down * 30 + out(38, 18, 0), ankle + down * 6 + out(26, 7, 0)
    canvas.bone_ball("fibula", top - down * 2, np.array([11, 12, 14]) * scale)
    canvas.bone_ball("fibula", bottom, np.array([8, 11, 17]) * scale)
    _rods(canvas, "fibula", scale, (top, (top + bottom) / 2 + out(1, 4, 0), 6.2, 6.2, 1.5, 2.8), ((top + bottom) / 2 + out(1, 4, 0), bottom, 6.2, 6.8, 2.8, 1.5))


def _paint_foot(canvas: Canvas, landmarks: Landmarks, suffix: str, sign: int) -> None:
    ankle, middle_toe = landmarks.joint(f"foot.{suffix}"), landmarks.joint(f"toe3-1.{suffix}")
    across = unit(landmarks.joint(f"toe5-1.{suffix}") - landmarks.joint(f"toe1-1.{suffix}"))
    to_toe = middle_toe - ankle
    slanting = unit(to_toe - across * (to_toe @ across))
    sole = -sign * np.cross(slanting, across)
    forwards, down = slanting * 0.953 - sole * 0.303, sole * 0.953 + slanting * 0.303  # toes lie below the ankle
    outwards = sign * np.cross(forwards, down)
    size = (to_toe @ forwards) / FOOT_MM
    axes = size * np.stack([forwards, outwards, down])
    thin = size * landmarks.girth
    for centre, radii in TARSALS:
        near = canvas.around(ankle + np.array(centre) @ axes, 30 * size + 2 * canvas.spacing)
        relative = (canvas.positions[near] - (ankle + np.array(centre) @ axes).astype(np.float32)) @ axes.T / size**2
        half = min(radii) * thin
        distance = (np.linalg.norm(relative / np.array(radii, np.float32), axis=1) - 1) * half
        canvas.bone_shape("tarsal", near, distance, half, 3)
    heel, front = (ankle + np.array(place) @ axes for place in ((-38, 4, 53), (30, 9, 51)))
    canvas.bone_capsule("tarsal", heel, front, 21 * thin, 16 * thin)
    for toe, base in enumerate(METATARSAL_BASES, 1):
        big = toe == 1
        root, joint = landmarks.joint(f"toe{toe}-1.{suffix}"), landmarks.joint(f"toe{toe}-2.{suffix}")
        base, gap = ankle + np.array(base) @ axes, unit(joint - root) * 3.5 * size
        tip = joint + (joint - root) * (1.0 if big else 1.3)
        _rods(
            canvas, "metatarsal", thin,
            (base, (base + root) / 2, 10 if big else 7.5, 7 if big else 5, 0.8, 2),
            ((base + root) / 2, root - 2 * gap, 7 if big else 5, 9.5 if big else 6.5, 2, 0.8),
        )  # fmt: skip
        _rods(
            canvas, "phalanges_feet", thin,
            (root + gap, joint - gap / 2, 8 if big else 5.5, 6.5 if big else 4.5, 1, 1),
            (joint + gap, tip, 7 if big else 4.5, 5 if big else 3.5, 1, 1),
        )  # fmt: skip
