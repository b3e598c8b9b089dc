"""Paint the bones of the legs and feet."""

import numpy as np

from vctlib.sources.phantom.canvas import Canvas
from vctlib.sources.phantom.geometry import outward, unit
from vctlib.sources.phantom.landmarks import Landmarks
from vctlib.sources.phantom.pelvis import hip_centre
from vctlib.sources.phantom.pose import SIDES


def paint_legs(canvas: Canvas, landmarks: Landmarks) -> None:
    for side, suffix, sign in SIDES:
        knee, ankle = landmarks.joint(f"lowerleg01.{suffix}"), landmarks.joint(f"foot.{suffix}")
        _paint_thigh(canvas, landmarks, f"femur_{side}", sign, hip_centre(landmarks, sign), knee)
        _paint_shin(canvas, landmarks.scale, sign, hip_centre(landmarks, sign), knee, ankle)
        _paint_foot(canvas, landmarks, suffix, unit(ankle - knee))


def _paint_thigh(canvas: Canvas, landmarks: Landmarks, name: str, sign: int, head, knee) -> None:
    scale = landmarks.scale
    out = outward(scale, sign)
    down = unit(knee - head)
    trochanter = head + out(62, 14, -14)
    below_trochanter = head + out(50, 8, -62)
    knee = knee + down * 4 * scale
    condyles = knee - down * 14 * scale
    flare = knee - down * 70 * scale
    shaft_middle = (below_trochanter + flare) / 2 + out(0, -9, 0)  # the femur bows forwards
    canvas.bone_ball(name, head, 24 * scale * (1 if landmarks.male else 0.92))
    canvas.bone_capsule(name, head, trochanter + out(-12, 0, -8), 15 * scale, 17 * scale)
    canvas.bone_ball(name, trochanter, np.array([15, 19, 22]) * scale)
    for start, end, start_radius, end_radius in (
        (trochanter, below_trochanter, 19, 17),
        (below_trochanter, shaft_middle, 15.5, 13.5),
        (shaft_middle, flare, 13.5, 17),
        (flare, knee - down * 22 * scale, 18, 26),
    ):
        canvas.bone_capsule(name, start, end, start_radius * scale, end_radius * scale)
    for inwards in (1, -1):
        canvas.bone_ball(name, condyles + out(21 * inwards, 6, 0), np.array([19, 29, 20]) * scale)
    canvas.bone_ball("patella", knee + np.array([0, -42, 14]) * scale, np.array([20, 9, 21]) * scale)


def _paint_shin(canvas: Canvas, scale: float, sign: int, head, knee, ankle) -> None:
    out = outward(scale, sign)
    plateau = knee + unit(knee - head) * 26 * scale
    down = unit(ankle - knee)
    at = {mm: down * mm * scale for mm in (-40, -10, -6, -4, 8, 12, 16, 55)}  # offsets along the shin
    for inwards in (1, -1):
        canvas.bone_ball("tibia", plateau + out(18 * inwards, 0, 0), np.array([20, 24, 15]) * scale)
    for start, end, start_radius, end_radius in (
        (plateau, plateau + at[55], 25, 15),
        (plateau + at[55] + out(0, -5, 0), ankle + at[-40], 13.5, 11),
        (ankle + at[-40], ankle + at[-4], 12, 19),
        (ankle + out(-16, 0, 0) + at[-10], ankle + out(-19, 0, 0) + at[8], 8, 6),  # medial malleolus
    ):
        canvas.bone_capsule("tibia", start, end, start_radius * scale, end_radius * scale)
    head_of_fibula = plateau + out(34, 12, 0) + at[16]
    lateral_malleolus = ankle + out(26, 6, 0) + at[12]
    canvas.bone_capsule("fibula", head_of_fibula, lateral_malleolus, 6 * scale, 6 * scale)
    canvas.bone_ball("fibula", head_of_fibula, 9 * scale)
    canvas.bone_ball("fibula", lateral_malleolus + at[-6], np.array([8, 10, 14]) * scale)


def _paint_foot(canvas: Canvas, landmarks: Landmarks, suffix: str, shin: np.ndarray) -> None:
    scale, ankle = landmarks.scale, landmarks.joint(f"foot.{suffix}")
    middle_toe = landmarks.joint(f"toe3-1.{suffix}")
    forwards = unit(middle_toe - ankle) * scale
    talus = ankle + shin * 22 * scale
    heel = ankle + shin * 38 * scale - forwards * 34
    canvas.bone_ball("tarsal", talus, np.array([19, 26, 17]) * scale)
    canvas.bone_capsule("tarsal", talus + shin * 10 * scale, heel, 17 * scale, 19 * scale)
    canvas.bone_capsule("tarsal", talus + forwards * 18, talus + forwards * 52, 18 * scale, 20 * scale)
    for toe in range(1, 6):
        big = toe == 1
        root, joint = landmarks.joint(f"toe{toe}-1.{suffix}"), landmarks.joint(f"toe{toe}-2.{suffix}")
        base = talus + forwards * 52 + (root - middle_toe) * 0.45
        tip = joint + (joint - root) * (0.9 if big else 1.0)
        canvas.bone_capsule("metatarsal", base, root, 6.5 * scale, (7 if big else 5) * scale)
        canvas.bone_capsule("phalanges_feet", root, joint, 5 * scale, 4.5 * scale)
        canvas.bone_capsule("phalanges_feet", joint, tip, (6 if big else 4.5) * scale, (5 if big else 4) * scale)
