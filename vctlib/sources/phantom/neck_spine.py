"""Paint the seven vertebrae of the neck."""

import numpy as np

from vctlib.sources.phantom.bone_layer import ROD
from vctlib.sources.phantom.canvas import Canvas
from vctlib.sources.phantom.geometry import unit
from vctlib.sources.phantom.landmarks import C1, C7, Landmarks
from vctlib.sources.phantom.pose import SIDES

BODY_DEPTH, BODY_WIDTH = 8.0, (11, 9, 10, 10.5, 11, 12, 13.5)  # half axes of the bodies, mm
CANAL = (12.0, 8.0)  # half width and half depth of the spinal canal
SPINE_LENGTHS = (6, 16, 15, 16, 20, 26, 34)  # of the spinous processes
SPREAD = (0, 6, 4, 4, 4, 3, 0)  # how far apart the two tips of a split process end
TRANSVERSE = (38, 26, 27, 28, 29, 31, 34)  # how far the transverse processes reach outwards


def canal_centre(landmarks: Landmarks, i: int, size: float) -> np.ndarray:
    return landmarks.spine[i] + np.array([0, (BODY_DEPTH + CANAL[1] + 1) * size, 0])


def paint_neck_vertebra(canvas: Canvas, landmarks: Landmarks, i: int, name: str, size: float) -> None:
    spine, centre = landmarks.spine, landmarks.spine[i]
    near = canvas.around(centre + [0, 18 * size, 0], 40 * size + 2 * canvas.spacing)
    relative = canvas.positions[near] - centre.astype(np.float32)
    tilt = unit(spine[min(i + 1, C7 + 1)] - spine[max(i - 1, 0)])  # along the spine, downwards
    if i == C1:
        _paint_atlas(canvas, centre, size, name, near, relative)
        return
    _paint_body(canvas, landmarks, i, name, size, near, relative, tilt)
    _paint_arch(canvas, landmarks, i, name, size, near, relative)


def _paint_atlas(canvas: Canvas, centre, size: float, name: str, near, relative) -> None:
    """A ring without a body: two thick side masses, thin arches."""
    ring = np.hypot(relative[:, 0] / 1.2, relative[:, 1] - 10 * size)
    thick = np.interp(np.abs(relative[:, 0]) / size, [0, 10, 16, 22], [4.2, 4.2, 5.2, 5.2])
    distance = np.maximum(np.abs(ring - 20.5 * size) - thick * size, np.abs(relative[:, 2]) - 6 * size)
    canvas.bone_shape(name, near, distance, 4.2 * size, ROD)
    for _, _, sign in SIDES:
        at = centre + np.array([sign * 21, 7, 0]) * size
        canvas.bone_ball(name, at, np.array([8, 10, 8]) * size)
        canvas.bone_capsule(name, at, centre + np.array([sign * 38, 8, -1]) * size, 4.5 * size, 3.5 * size)
    canvas.bone_capsule(name, centre + [0, 30 * size, 0], centre + [0, 33 * size, 0], 4 * size, 3.5 * size)


def _paint_body(canvas: Canvas, landmarks: Landmarks, i: int, name: str, size: float, near, relative, tilt) -> None:
    width, half_height = BODY_WIDTH[i] * size, 0.42 * landmarks.vertebra_heights[i]
    along = relative @ tilt.astype(np.float32)
    across = np.abs(relative[:, 0]) / width
    back = (relative[:, 1] - along * tilt[1]) / (BODY_DEPTH * size)
    section = (across**3 + np.abs(back) ** 3) ** (1 / 3)
    hooks = 3.5 * size * np.clip((across - 0.55) / 0.45, 0, 1)  # the upper face is a saddle with raised sides
    ends = np.maximum(along - half_height + 0.4 * hooks, -along - half_height - hooks + 0.8 * size)
    canvas.bone_shape(name, near, np.maximum((section - 1) * BODY_DEPTH * size, ends), half_height)
    if i == C1 + 1:  # the dens, in the ring of the atlas
        centre = landmarks.spine[i]
        top = landmarks.spine[C1] + np.array([0, 0, 10]) * size
        canvas.bone_capsule(name, centre, top, 5.5 * size, 4.5 * size)


def _paint_arch(canvas: Canvas, landmarks: Landmarks, i: int, name: str, size: float, near, relative) -> None:
    """Arch around the canal, joint pillars and the processes."""
    centre, canal, height = landmarks.spine[i], canal_centre(landmarks, i, size), landmarks.vertebra_heights[i]
    from_canal = relative - (canal - centre).astype(np.float32)
    ring = np.hypot(from_canal[:, 0] / (CANAL[0] * size), from_canal[:, 1] / (CANAL[1] * size))
    lamina = np.abs((ring - 1) * CANAL[1] * size - 2.4 * size) - 2.4 * size
    slanted = from_canal[:, 2] + 0.35 * from_canal[:, 1]  # laminae overlap like tiles
    lamina = np.maximum(lamina, np.abs(slanted + 1 * size) - 0.40 * height)
    canvas.bone_shape(name, near, np.maximum(lamina, -4 * size - from_canal[:, 1]), 2.4 * size)
    root = canal + np.array([0, CANAL[1] + 3, -2]) * size
    for _, _, sign in SIDES:
        upper, lower = canal + np.array([[sign * 19, -1, 0], [sign * 19, 3, 0]]) * size
        upper, lower = upper + [0, 0, 0.40 * height], lower - [0, 0, 0.46 * height]
        canvas.bone_capsule(name, upper, lower, 5.5 * size, 5.5 * size)  # pillar of the facet joints
        canvas.bone_capsule(
            name, centre + np.array([sign * 9, 4, 1]) * size, (upper + lower) / 2, 3.5 * size, 4 * size
        )  # pedicle
        tip = centre + np.array([sign * TRANSVERSE[i], 4, -3]) * size
        canvas.bone_capsule(name, centre + np.array([sign * 11, 0, 0]) * size, tip, 3 * size, 3 * size)
        canvas.bone_capsule(name, canal + np.array([sign * 17, 0, 0]) * size, tip, 3 * size, 3 * size)
        end = root + np.array([sign * SPREAD[i] / SPINE_LENGTHS[i], 0.88, -0.42]) * SPINE_LENGTHS[i] * size
        canvas.bone_capsule(name, root, end, 3.6 * size, 3.6 * size)
