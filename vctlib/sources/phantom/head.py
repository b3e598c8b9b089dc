"""Paint the skull, the brain with its fluid, eyes, jaws and the airway down to the neck."""

from dataclasses import dataclass

import numpy as np

from vctlib.sources.phantom.canvas import LABEL, Canvas, random_stream
from vctlib.sources.phantom.geometry import ellipsoid_radius, outward
from vctlib.sources.phantom.landmarks import C1, C7, Landmarks
from vctlib.sources.phantom.pose import SIDES

SCALP, SKULL = 2.5, 7.0  # thickness, mm
MAX_BRAIN_SHARE = 0.94  # of the brain case; the rest is fluid


@dataclass(frozen=True)
class Cranium:
    """The brain case: an ellipsoid under the scalp, cut off by the skull base. mm."""

    centre: np.ndarray
    radii: np.ndarray
    top_z: float
    front_y: float
    back_y: float


def paint_skull(canvas: Canvas, landmarks: Landmarks) -> None:
    eyes, between_eyes = _eyes(landmarks)
    cranium = _find_cranium(landmarks, between_eyes)
    _paint_brain_case(canvas, landmarks, cranium)
    for (_, _, sign), eye in zip(SIDES, eyes, strict=True):
        _paint_face_side(canvas, landmarks, eye, between_eyes[1], sign)
    half, behind_chin = np.array([14, 0, 0]) * landmarks.scale, _chin(landmarks, between_eyes[1]) + [0, 2, 0]
    teeth = between_eyes + np.array([0, 6, -50]) * landmarks.scale
    canvas.bone_capsule("skull", teeth + half, teeth - half, 8 * landmarks.scale, 8 * landmarks.scale)
    canvas.bone_capsule("mandible", behind_chin + half, behind_chin - half, 10 * landmarks.scale, 10 * landmarks.scale)
    for _, centre, radii in _hollows(landmarks):
        near = canvas.around(centre, radii.max() + canvas.spacing)
        distance = (ellipsoid_radius(canvas.positions[near], centre, radii) - 1) * radii.min()
        canvas.bone_layer.carve(near, distance)


def paint_head(canvas: Canvas, landmarks: Landmarks) -> None:
    """Brain and fluid, eyes, the airway; the bones must be there already."""
    _, between_eyes = _eyes(landmarks)
    _paint_brain(canvas, landmarks, _find_cranium(landmarks, between_eyes))
    for name, centre, radii in _hollows(landmarks):
        near = canvas.around(centre, radii.max())
        canvas.fill(name, near, ellipsoid_radius(canvas.positions[near], centre, radii) < 1, over=True)
    scale, c7_z = landmarks.scale, landmarks.spine[C7, 2]
    near = canvas.box([-20 * scale, -300, c7_z - 20 * scale], [20 * scale, 300, landmarks.c1_z + 30 * scale])
    points = canvas.positions[near]
    throat_y = landmarks.spine_at(points[:, 2])[1] - 26 * scale
    canvas.fill("trachea", near, np.hypot(points[:, 0] / 9.5, (points[:, 1] - throat_y) / 8) < scale)


def _eyes(landmarks: Landmarks) -> tuple[list[np.ndarray], np.ndarray]:
    """Both eyes, left first, and the point between them."""
    eyes = [landmarks.joint(f"eye.{suffix}") for suffix in "LR"]
    return eyes, (eyes[0] + eyes[1]) / 2


def _hollows(landmarks: Landmarks) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """What has no bone in it: name, centre and radii (mm)."""
    scale, (eyes, between_eyes) = landmarks.scale, _eyes(landmarks)
    hollows = [("nasal_cavity", between_eyes + np.array([0, 40, -34]) * scale, np.array([9, 42, 20]) * scale)]
    for (_, _, sign), eye in zip(SIDES, eyes, strict=True):
        out = outward(scale, sign)
        hollows.append(("nasal_cavity", eye + out(0, 28, -32), np.array([13, 18, 17]) * scale))  # maxillary sinus
        hollows.append(("eye", eye + out(0, 4, 0), 12.5 * np.ones(3) * scale))
    return hollows


def _find_cranium(landmarks: Landmarks, between_eyes: np.ndarray) -> Cranium:
    scale, body = landmarks.scale, landmarks.body
    head = body.outer[body.template.vertex_region == "head"]
    top_z = head[:, 2].max()
    crown = head[head[:, 2] > between_eyes[2] + 15 * scale]
    half_width, front, back = np.abs(crown[:, 0]).max(), crown[:, 1].min(), crown[:, 1].max()
    height = top_z - landmarks.c1_z
    centre = np.array([0, (front + back) / 2 + scale, top_z - 0.40 * height])
    inset = (SCALP + SKULL - 1) * scale
    radii = np.array([half_width - inset, (back - front) / 2 - inset, 0.48 * height])
    return Cranium(centre, radii, top_z, front, back)


def _case(canvas: Canvas, landmarks: Landmarks, cranium: Cranium):
    """Voxels near the brain case, how far they lie outside the inner table of the skull, and above its base (mm)."""
    scale, c1_z = landmarks.scale, landmarks.c1_z
    near = canvas.box([-150, cranium.front_y - 60, c1_z - 130 * scale], [150, cranium.back_y + 60, cranium.top_z + 10])
    points = canvas.positions[near]
    radius = ellipsoid_radius(points, cranium.centre, cranium.radii)
    # The skull also stays well under the scalp.
    outside = np.maximum((radius - 1) * cranium.radii.min(), (SCALP + SKULL) * scale - canvas.depth[near])
    above = points[:, 2] - (c1_z + 2 * scale + (cranium.centre[1] - points[:, 1]) * 0.28)  # it rises to the front
    return near, outside, above


def _paint_brain_case(canvas: Canvas, landmarks: Landmarks, cranium: Cranium) -> None:
    scale = landmarks.scale
    near, outside, above = _case(canvas, landmarks, cranium)
    points, half = canvas.positions[near], SKULL * scale / 2
    dome = np.maximum(np.abs(outside - half) - half, -7 * scale - above)
    canvas.bone_shape("skull", near, dome, half)
    below = cranium.centre - [0, 0, 0.8 * cranium.radii[2]]
    across = ellipsoid_radius(points, below, [0.95 * cranium.radii[0], 0.9 * cranium.radii[1], 60 * scale])
    base = np.maximum(np.abs(above + 8 * scale) - 8 * scale, (across - 1) * 60 * scale)
    base = np.maximum(base, points[:, 1] - landmarks.spine[C1, 1] - 60 * scale)
    canvas.bone_shape("skull", near, np.maximum(base, 12 * scale - canvas.depth[near]), 8 * scale)


def _paint_brain(canvas: Canvas, landmarks: Landmarks, cranium: Cranium) -> None:
    near, outside, above = _case(canvas, landmarks, cranium)
    age, cavity = landmarks.age, canvas.free[near] & (outside <= 0) & (above > 0)
    radius = ellipsoid_radius(canvas.positions[near], cranium.centre, cranium.radii)
    rng = random_stream(canvas.seed, "brain")
    brain_ml = (1370 if landmarks.male else 1215) * rng.normal(1, 0.06) * (1 - 0.0018 * max(0, age - 35))
    brain_ml = min(brain_ml, MAX_BRAIN_SHARE * cavity.sum() * canvas.voxel_ml)
    canvas.pick("brain", near, radius + 0.02 * canvas.noise("brain surface", 9, near), brain_ml, cavity)
    canvas.fill("subarachnoid_space", near, cavity)
    _paint_ventricles(canvas, near, cranium.centre, landmarks.scale, age)


def _paint_ventricles(canvas: Canvas, near: np.ndarray, centre: np.ndarray, scale: float, age: float) -> None:
    brain = near[canvas.labels[near] == LABEL["brain"]]
    radii = np.array([6 * scale + 0.08 * max(0, age - 40), 28 * scale, 8 * scale])  # they widen with age
    for sign in (1, -1):
        in_ventricle = ellipsoid_radius(canvas.positions[brain], centre + outward(scale, sign)(9, 0, 4), radii) < 1
        canvas.labels[brain[in_ventricle]] = LABEL["subarachnoid_space"]


def _paint_face_side(canvas: Canvas, landmarks: Landmarks, eye: np.ndarray, eye_y: float, sign: int) -> None:
    scale, c1_z, atlas_y = landmarks.scale, landmarks.c1_z, landmarks.spine[C1, 1]
    out = outward(scale, sign)
    for start, end, start_radius, end_radius in (
        (out(18, 14, -22), out(40, 62, -26), 6, 4),  # cheekbone and its arch
        (out(22, 14, 20), out(-20, 4, 22), 6, 7),  # brow
        (out(22, 14, 20), out(24, 12, -24), 6, 8),  # outer rim of the orbit
        (out(6, 6, -26), out(-14, 2, -52), 9, 8),  # upper jaw
        (out(-18, 4, 10), out(-16, 4, -22), 4.5, 4.5),  # bridge of the nose
    ):
        canvas.bone_capsule("skull", eye + start, eye + end, start_radius * scale, end_radius * scale)
    atlas = np.array([0, atlas_y, c1_z])
    jaw_joint, jaw_angle = atlas + out(46, -22, 4), atlas + out(44, -26, -50)
    chin = _chin(landmarks, eye_y)
    canvas.bone_capsule("mandible", jaw_joint, jaw_angle, 6.5 * scale, 7.5 * scale)
    canvas.bone_capsule("mandible", jaw_angle, chin + out(14, 2, 0), 8 * scale, 9 * scale)
    canvas.bone_capsule("skull", atlas + out(46, 8, 16), atlas + out(50, 4, -12), 13 * scale, 8 * scale)  # mastoid


def _chin(landmarks: Landmarks, eye_y: float) -> np.ndarray:
    return np.array([0, eye_y + 2 * landmarks.scale, landmarks.c1_z - 72 * landmarks.scale])
