"""Paint hip bones and sacrum. Sizes are those of a man of 175 cm."""

import numpy as np

from vctlib.sources.phantom.canvas import Canvas
from vctlib.sources.phantom.geometry import capsule_distance, outward, unit
from vctlib.sources.phantom.landmarks import L5, Landmarks
from vctlib.sources.phantom.pose import SIDES

HEAD_SPACE = 26.8  # radius of the hollow of the hip joint: the head of the femur and its cartilage
# Sacral vertebrae and coccyx along the line from base to tip: place (0 to 1), half width, half thickness.
SACRUM = ((0.05, 58, 20), (0.26, 52, 18), (0.46, 44, 15), (0.66, 36, 12), (0.82, 26, 9.5), (0.98, 9, 7))


def hip_centre(landmarks: Landmarks, sign: int) -> np.ndarray:
    """Centre of the femoral head on the side of `sign`, mm."""
    suffix = "L" if sign > 0 else "R"
    y = min(landmarks.joint(f"upperleg02.{suffix}")[1], landmarks.spine[L5, 1] - 8 * landmarks.scale)
    return np.array([sign * 88 * landmarks.pelvis_width * landmarks.scale, y, landmarks.hip_z])


def paint_pelvis(canvas: Canvas, landmarks: Landmarks) -> None:
    for side, _, sign in SIDES:
        _paint_hip(canvas, landmarks, f"hip_{side}", sign)
    _paint_sacrum(canvas, landmarks)


def _paint_hip(canvas: Canvas, landmarks: Landmarks, name: str, sign: int) -> None:
    scale, wide, girth = landmarks.scale, landmarks.pelvis_width, 1.04 * landmarks.scale * landmarks.girth
    low = 1.0 if landmarks.male else 0.92  # women's pelvis is lower
    out = outward(scale, sign)
    head = hip_centre(landmarks, sign)
    behind = np.array([0, landmarks.spine[L5, 1], landmarks.hip_z])  # in the midline, as deep as L5
    beside = np.array([0, head[1], landmarks.hip_z])  # in the midline, as deep as the femoral heads
    front_spine, lower_spine = beside + out(121 * wide, -44, 76 * low), head + out(10, -28, 36)
    tubercle, top = beside + out(139 * wide, -14, 106 * low), behind + out(129 * wide, 0, 124 * low)
    back_crest, back_spine = behind + out(88 * wide, 34, 116 * low), behind + out(47 * wide, 56, 82 * low)
    joint, notch = behind + out(52 * wide, 34, 52 * low), behind + out(56 * wide, 30, 18)
    roof = head + out(-8, 4, 36)
    for a, b, c, half in (
        (front_spine, tubercle, lower_spine, 5.6), (tubercle, top, lower_spine, 5.2), (top, lower_spine, roof, 5.6),
        (top, roof, joint, 5.0), (top, back_crest, joint, 5.8), (back_crest, back_spine, joint, 7.6), (roof, joint, notch, 8.5),
    ):  # fmt: skip
        canvas.bone_plate(name, a, b, c, half * girth)
    pubis_top, pubis_low = beside + out(13, -46, -14), beside + out(12, -38, -46)
    ischium, tuber = head + out(-16, 30, -46), beside + out((56 if landmarks.male else 63) * wide, 30, -84)
    ramus = beside + out((26 if landmarks.male else 32) * wide, -12, -70)
    for start, end, r0, r1 in (
        (front_spine, tubercle, 6.5, 8), (tubercle, top, 8, 7.5), (top, back_crest, 7.5, 8), (back_crest, back_spine, 8, 9),
        (front_spine, lower_spine, 6, 8.5), (back_spine, joint, 9, 10), (joint, notch, 11, 10), (notch, roof, 11, 19),
        (lower_spine, roof, 9, 17), (roof, head + out(-26, 8, 0), 20, 18), (head + out(-22, -4, 4), head + out(-26, 12, -10), 20, 19),
        (head + out(-24, -14, 0), pubis_top, 13, 8.5), (pubis_top, pubis_low, 9, 9.5), (pubis_low, ramus, 8, 7),
        (ramus, tuber, 7, 10), (tuber, ischium, 15.5, 13), (ischium, head + out(-18, 22, -20), 15, 17),
        (head + out(-14, 30, -6), head + out(-6, 26, 18), 10, 11),
    ):  # fmt: skip
        canvas.bone_capsule(name, start, end, r0 * girth, r1 * girth)
    opening = unit(out(0.75, -0.25, -0.55))  # the socket looks outwards, a little forwards and down
    near = canvas.around(head, 62 * scale)
    hollow = capsule_distance(canvas.positions[near], head, head + opening * 60 * scale, HEAD_SPACE * girth, 34 * girth)
    canvas.bone_layer.carve(near, hollow)


def _paint_sacrum(canvas: Canvas, landmarks: Landmarks) -> None:
    scale, girth = landmarks.scale, 1.03 * landmarks.scale * landmarks.girth
    spine_y, hip_z = landmarks.spine[L5, 1], landmarks.hip_z
    base = landmarks.spine[L5] + np.array([0, 9, -0.5 * landmarks.vertebra_heights[L5] / scale - 12]) * scale
    middle = np.array([0, spine_y + 52 * scale, hip_z + 26 * scale])
    tip = np.array([0, spine_y + 38 * scale, hip_z - 36 * scale])

    def place(t: float) -> np.ndarray:
        return (1 - t) ** 2 * base + 2 * t * (1 - t) * (2 * middle - (base + tip) / 2) + t**2 * tip

    for t, half_width, half in SACRUM:
        reach = np.array([max(half_width * landmarks.pelvis_width * scale - half * girth, 1), 0, 0])
        drop = np.array([0, 5, -3]) * scale * (half_width > 40)  # wings lie behind and below the bodies
        for sign in (1, -1):
            canvas.bone_capsule("sacrum", place(t), place(t) + sign * reach + drop, half * girth, 0.85 * half * girth)
    canvas.bone_capsule("sacrum", base, base + np.array([0, 4, -10]) * scale, 21 * girth, 17 * girth)
    canvas.bone_capsule("sacrum", place(0.98), place(1.25) + [0, -6 * scale, 0], 6 * girth, 3 * girth)  # coccyx
    forwards = np.array([0, -40, -8]) * scale
    for t, x, radius in ((0.16, 26, 4.4), (0.37, 23, 4.0), (0.57, 20, 3.6), (0.75, 17, 3.2)):
        for sign in (1, -1):  # holes for the nerves
            centre = place(t) + np.array([sign * x, 0, 0]) * scale
            near = canvas.around([centre - forwards, centre + forwards], 8 * scale)
            hole = capsule_distance(canvas.positions[near], centre - forwards, centre + forwards, radius, radius)
            canvas.bone_layer.carve(near, hole / 1.0)
