"""Paint the vertebrae, and between and behind them the discs and the spinal cord."""

import numpy as np

from vctlib.anatomy import VERTEBRAE
from vctlib.sources.phantom.canvas import LABEL, Canvas
from vctlib.sources.phantom.conditions import Fracture
from vctlib.sources.phantom.geometry import unit
from vctlib.sources.phantom.landmarks import C1, C7, L1, L5, T1, T12, Landmarks
from vctlib.sources.phantom.neck_spine import paint_neck_vertebra
from vctlib.sources.phantom.trunk_vertebrae import body_radii, paint_trunk_vertebra

# Half depth and half width of the vertebral bodies of the neck, mm.
NECK_BODY_RADII = (8, 11)
CANAL_BEHIND_BODY = 9.0


def paint_spine(canvas: Canvas, landmarks: Landmarks, fracture: Fracture | None = None) -> None:
    size = _size(landmarks)
    for i, name in enumerate(VERTEBRAE):
        broken = fracture is not None and name == f"vertebrae_{fracture.level}"
        if i < T1:
            paint_neck_vertebra(canvas, landmarks, i, name, size)
        else:
            girth = 1.03 * landmarks.scale * landmarks.girth
            paint_trunk_vertebra(canvas, landmarks, i, name, girth, fracture if broken else None)


def ensure_vertebrae(canvas: Canvas, landmarks: Landmarks) -> None:
    """Give every vertebra a voxel, which at a coarse spacing its neighbours may have taken. After all other bones."""
    for i, name in enumerate(VERTEBRAE):
        canvas.bone_layer.ensure(LABEL[name], canvas.positions, landmarks.spine[i])


def paint_discs_and_cord(canvas: Canvas, landmarks: Landmarks) -> None:
    scale, size = landmarks.scale, _size(landmarks)
    for i in range(1, L5):
        _paint_disc(canvas, landmarks.spine[i], landmarks.spine[i + 1], _body_radii(i, 0.95 * size), scale)
    _paint_cord(canvas, landmarks, size)


def _size(landmarks: Landmarks) -> float:
    return landmarks.scale * (1.0 if landmarks.male else 0.92)


def _body_radii(i: int, size: float) -> tuple[float, float]:
    if i >= T1:
        return body_radii(i, size)
    depth, width = NECK_BODY_RADII
    return depth * size, width * size


def _paint_disc(canvas: Canvas, upper: np.ndarray, lower: np.ndarray, radii: tuple[float, float], scale: float) -> None:
    depth, width = radii
    axis, length = unit(lower - upper), np.linalg.norm(lower - upper)
    near = canvas.around([upper, lower], 40 * scale)
    relative = canvas.positions[near] - upper.astype(np.float32)
    along = relative @ axis
    radius = np.hypot(relative[:, 0] / width, (relative[:, 1] - along * axis[1]) / depth)
    canvas.fill("intervertebral_discs", near, (radius < 1) & (along > 0) & (along < length))


def _paint_cord(canvas: Canvas, landmarks: Landmarks, size: float) -> None:
    scale, spine = landmarks.scale, landmarks.spine
    near = canvas.box([-15 * scale, -400, spine[L5, 2]], [15 * scale, 400, landmarks.c1_z])
    position = canvas.positions[near]
    _, spine_y = landmarks.spine_at(position[:, 2])
    rows = [L5, L1, T12, T1, C7, C1]  # from below: np.interp wants rising heights
    depth = np.interp(position[:, 2], spine[rows, 2], [18.5, 17, 16.5, 10.5, 8, 8])
    behind = spine_y + (depth + CANAL_BEHIND_BODY) * size
    canvas.fill("spinal_cord", near, np.hypot(position[:, 0], position[:, 1] - behind) < 7 * size)
