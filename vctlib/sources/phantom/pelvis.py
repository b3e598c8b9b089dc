"""Paint hip bones and sacrum."""

import numpy as np

from vctlib.sources.phantom.canvas import Canvas
from vctlib.sources.phantom.geometry import outward
from vctlib.sources.phantom.landmarks import L5, Landmarks
from vctlib.sources.phantom.pose import SIDES


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
    scale, wide = landmarks.scale, landmarks.pelvis_width
    out = outward(scale, sign)
    head = hip_centre(landmarks, sign)
    above_hip = np.array([0, landmarks.spine[L5, 1], landmarks.hip_z])  # in the midline, as deep as L5
    in_front = np.array([0, head[1], landmarks.hip_z])  # in the midline, as deep as the femoral heads
    sacroiliac = above_hip + out(48 * wide, 38, 45)
    crest = above_hip + out(128 * wide, 2, 118 if landmarks.male else 106)
    anterior_spine = in_front + out(120 * wide, -42, 62)
    posterior_spine = above_hip + out(50 * wide, 50, 75)
    acetabulum = head + out(-6, 6, 12)
    pubis = in_front + out(9 * wide, -48, -22)
    ischium = in_front + out((52 if landmarks.male else 60) * wide, 34, -78)
    roof = head + out(-8, 2, 38)
    canvas.bone_plate(name, sacroiliac, crest, posterior_spine, 7 * scale)
    canvas.bone_plate(name, sacroiliac, crest, roof, 6.2 * scale)
    canvas.bone_plate(name, crest, anterior_spine, roof, 6 * scale)
    canvas.bone_plate(name, anterior_spine, sacroiliac, roof, 6 * scale)
    for start, end, start_radius, end_radius in (
        (anterior_spine, crest, 7, 7),
        (crest, posterior_spine, 7, 7),
        (roof, acetabulum, 16, 18),
        (acetabulum, pubis, 11, 8),
        (acetabulum, ischium, 15, 12),
        (ischium, pubis, 8, 7),
    ):
        canvas.bone_capsule(name, start, end, start_radius * scale, end_radius * scale)
    near = canvas.around(head, 40 * scale + 2 * canvas.spacing)
    relative = canvas.positions[near] - head.astype(np.float32)
    socket = np.abs(np.linalg.norm(relative, axis=1) - 29 * scale) - 4 * scale
    opening = np.maximum(0, relative @ np.array([sign * 0.75, -0.2, -0.6], np.float32))  # the socket looks outwards
    canvas.bone_shape(name, near, socket + 0.6 * opening, 4 * scale)


def _paint_sacrum(canvas: Canvas, landmarks: Landmarks) -> None:
    scale = landmarks.scale
    wide = 38 * landmarks.pelvis_width * scale
    spine_y, hip_z = landmarks.spine[L5, 1], landmarks.hip_z
    base = landmarks.spine[L5] + np.array([0, 8, -18]) * scale
    middle = np.array([0, spine_y + 46 * scale, hip_z + 28 * scale])
    tip = np.array([0, spine_y + 40 * scale, hip_z - 30 * scale])
    wing = np.array([0, 6, 2]) * scale
    canvas.bone_plate("sacrum", base + wing - [wide, 0, 0], base + wing + [wide, 0, 0], middle, 13 * scale)
    canvas.bone_capsule("sacrum", base, middle, 20 * scale, 14 * scale)
    canvas.bone_capsule("sacrum", middle, tip, 11 * scale, 5 * scale)
