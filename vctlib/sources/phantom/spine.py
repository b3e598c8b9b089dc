"""Paint the vertebrae, and between and behind them the discs and the spinal cord."""

import numpy as np

from vctlib.anatomy import VERTEBRAE
from vctlib.sources.phantom.canvas import LABEL, Canvas
from vctlib.sources.phantom.conditions import Fracture
from vctlib.sources.phantom.fracture import beyond_endplates, whole_height
from vctlib.sources.phantom.geometry import unit
from vctlib.sources.phantom.landmarks import C1, C7, L1, L5, T1, T12, Landmarks
from vctlib.sources.phantom.neck_spine import paint_neck_vertebra

# Half depth and half width of the vertebral bodies of neck, chest and loin; mm.
BODY_RADII = {"C": (8, 11), "T": (13, 16), "L": (17, 24)}
CANAL_BEHIND_BODY = 9.0


def paint_spine(canvas: Canvas, landmarks: Landmarks, fracture: Fracture | None = None) -> None:
    size = _size(landmarks)
    for i, name in enumerate(VERTEBRAE):
        broken = fracture is not None and name == f"vertebrae_{fracture.level}"
        if i < T1:
            paint_neck_vertebra(canvas, landmarks, i, name, size)
        else:
            _paint_vertebra(canvas, landmarks, i, name, size, fracture if broken else None)


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
    depth, width = BODY_RADII[VERTEBRAE[i].removeprefix("vertebrae_")[0]]
    return depth * size, width * size


def _paint_vertebra(canvas: Canvas, landmarks: Landmarks, i: int, name: str, size: float, fracture) -> None:
    spine, scale = landmarks.spine, landmarks.scale
    centre = spine[i]
    chest = i <= T12
    depth, width = _body_radii(i, size)
    if chest:  # thoracic bodies grow from T1 to T12
        growth = 0.85 + 0.3 * (i - T1) / 12
        depth, width = depth * growth, width * growth
    half_height = 0.40 * whole_height(landmarks.vertebra_heights[i], fracture)
    near = canvas.around(centre, 45 * scale + 2 * canvas.spacing)
    relative = canvas.positions[near] - centre.astype(np.float32)
    axis = unit(spine[min(i + 1, L5)] - spine[i - 1])
    along = relative @ axis
    backwards = (relative[:, 1] - along * axis[1]) / depth
    radius = np.hypot(relative[:, 0] / width, backwards)
    beyond = beyond_endplates(along, backwards, half_height, fracture)
    canvas.bone_shape(name, near, np.maximum((radius - 1) * depth, beyond), half_height)
    canal = np.array([0, depth + CANAL_BEHIND_BODY * size, 0])
    from_canal = relative - canal.astype(np.float32)
    ring = np.sqrt(0.7 * from_canal[:, 0] ** 2 + from_canal[:, 1] ** 2)
    arch = np.maximum(np.abs(ring - 9 * size) - 3.2 * size, np.abs(from_canal[:, 2] + 3) - 0.8 * half_height)
    canvas.bone_shape(name, near, arch, 3.2 * size)
    length = 34 if chest else 30
    slope = 0.75 if T1 + 2 <= i < T12 else 0.3
    root = centre + [0, depth + 18 * size, 0]
    canvas.bone_capsule(name, root, root + np.array([0, 0.75, -slope]) * length * size, 4 * size, 3.5 * size)
    transverse = (32, 8) if chest else (40, -2)  # how far outwards and backwards
    for sign in (1, -1):
        start = centre + canal + np.array([sign * 8, -4, 0]) * size
        end = centre + canal + np.array([sign * transverse[0], transverse[1], 0]) * size
        canvas.bone_capsule(name, start, end, 4 * size, 3.5 * size)


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
    depth = np.interp(position[:, 2], spine[rows, 2], [17, 17, 13, 13, 8, 8])
    behind = spine_y + (depth + CANAL_BEHIND_BODY) * size
    canvas.fill("spinal_cord", near, np.hypot(position[:, 0], position[:, 1] - behind) < 7 * size)
