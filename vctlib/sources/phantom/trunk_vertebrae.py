"""Paint the vertebrae of chest and loin: body, arch, facets and processes, tilted as the spine is there.

Sizes are those of a man of 175 cm, read off anatomical atlases.
"""

import numpy as np

from vctlib.sources.phantom.bone_layer import BALL, PLATE, ROD
from vctlib.sources.phantom.canvas import LABEL, Canvas
from vctlib.sources.phantom.conditions import Fracture
from vctlib.sources.phantom.fracture import beyond_endplates, whole_height
from vctlib.sources.phantom.geometry import capsule_distance, cross, plate_position, unit
from vctlib.sources.phantom.landmarks import L1, L5, T1, T12, Landmarks

WAIST = 0.07  # how much narrower a body is in its middle


def body_radii(i: int, size: float) -> tuple[float, float]:
    """Half depth and half width (mm) of the body of vertebra `i` (T1 to L5)."""
    rows = [T1, T1 + 3, T1 + 7, T12, L1, L5]
    depth = np.interp(i, rows, [10.5, 12.5, 14.5, 16.5, 17, 18.5])
    width = np.interp(i, rows, [15.5, 15, 16.5, 20.5, 22.5, 26.5])
    return float(depth) * size, float(width) * size


def paint_trunk_vertebra(
    canvas: Canvas, landmarks: Landmarks, i: int, name: str, size: float, fracture: Fracture | None = None
) -> None:
    """Paint vertebra `i` (T1 to L5) of a spine of relative size `size`, with its fracture if it has one."""
    spine, height = landmarks.spine, whole_height(landmarks.vertebra_heights[i], fracture)
    depth, width = body_radii(i, size)
    low, high = np.array([-52, -24, -46]) * size, np.array([52, 80, 40]) * size
    near = canvas.box(spine[i] + low, spine[i] + high, canvas.spacing)
    up = unit(spine[i - 1] - spine[min(i + 1, L5)]) if i < L5 else unit(spine[i - 1] - spine[i])
    across = unit(cross([0, 1.0, 0], up))
    axes = np.stack([across, cross(up, across), up]).astype(np.float32)  # to the left, backwards, up
    points = (canvas.positions[near] - spine[i].astype(np.float32)) @ axes.T
    half_height = 0.41 * height
    x, y, z = points.T
    waist = 1 - WAIST * np.clip(1 - (z / half_height) ** 2, 0, 1)
    # Bodies are broader than deep and flat behind.
    flat = np.where(y > 0, 0.9 * depth, depth)
    radius = ((np.abs(x) / width) ** 2.3 + (np.abs(y) / flat) ** 2.3) ** (1 / 2.3) / waist
    best = np.maximum((radius - 1) * depth, beyond_endplates(-z, y / depth, half_height, fracture))
    half, kind = np.full(len(near), half_height, np.float32), np.full(len(near), PLATE, np.uint8)

    def merge(distance: np.ndarray, thickness: float, primitive) -> None:
        closer = distance < best
        best[closer], half[closer] = distance[closer], thickness
        kind[closer] = primitive[closer] if isinstance(primitive, np.ndarray) else primitive

    for corners, thickness in _arch(i, depth, height, size):
        if len(corners) == 3:
            distance, at_edge = plate_position(points, *corners)
            merge(distance - thickness, thickness, np.where(at_edge, ROD, PLATE))
        elif len(corners) == 2:
            merge(capsule_distance(points, *corners, thickness, thickness), thickness, ROD)
        else:
            merge(np.linalg.norm(points - np.asarray(corners[0], np.float32), axis=1) - thickness, thickness, BALL)
    canvas.bone_layer.add(LABEL[name], near, best, half, kind)


def _arch(i: int, depth: float, height: float, size: float) -> list:
    """Corners (mm, left, back and up of the body's centre) and half thickness of the parts behind the body."""
    chest = i <= T12
    low = float(np.interp(i, [T1, T1 + 5, T1 + 9, T12, L1], [18, 34, 26, 10, 4])) * size  # how far spines point down
    long = float(np.interp(i, [T1, T1 + 5, T12, L1 + 2, L5], [32, 30, 24, 32, 25])) * size
    tall = float(np.interp(i, [T1 + 8, T12, L1], [4, 9, 11])) * size
    top, bottom = 0.5 * height, -0.5 * height
    x0, canal = (9 if chest else 14) * size, depth + 19 * size
    back = np.array([0, canal, -0.05 * height])
    tip = back + [0, long, -low]
    parts = [
        ((back + [0, 1, 2], tip + [0, 0, tall / 2], tip - [0, 0, tall / 2]), 3.3 * size),
        ((back + [0, 1, 2], tip - [0, 0, tall / 2]), 4.0 * size),
        ((tip + [0, 0, tall / 2], tip - [0, 0, tall / 2]), 4.0 * size),
    ]
    for sign in (1, -1):
        x = sign * x0
        side = np.array([x, canal - 8 * size, 0.08 * height])
        pedicle = (4.6 if chest else 6.6) * size
        parts.append(((np.array([x, 0.5 * depth, 0.16 * height]), side + [0, 0, 0.06 * height]), pedicle))
        lamina_low = np.array([0.8 * x, canal - 2 * size, -0.32 * height])
        parts.append(((side, back + [0, 2 * size, 0], lamina_low), 3.7 * size))
        parts.append(((side, lamina_low), 5.0 * size))
        facet = (5.0 if chest else 7.4) * size
        parts.append(((np.array([1.25 * x, canal - 7 * size, top - 1.5 * size]),), facet))
        parts.append(((np.array([0.85 * x, canal - 1 * size, bottom - 1.5 * size]),), facet))
        out, behind = ((19 - 0.9 * max(0, i - T1 - 6)) * size, 13 * size) if chest else (27 * size, 4 * size)
        end = side + [sign * out, behind, (3 if chest else -1) * size]
        parts.append(((side, end), (5.6 if chest else 4.8) * size))
    return parts
