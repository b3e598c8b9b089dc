"""Where arms lie on the trunk: both keep their skin's fat there, though together they are one body."""

import numpy as np
from scipy.spatial import cKDTree

from vctlib.sources.phantom.canvas import Canvas
from vctlib.sources.phantom.geometry import vertex_normals
from vctlib.sources.phantom.pose import SIDES, PosedBody

NEAR_MM = 40.0  # how far from an arm's skin the depths of voxels may need it
ARM = ("upperarm02", "lowerarm", "wrist", "metacarpal", "finger")
FREE_FROM = 0.5  # of the upper arm: nearer to the shoulder arm and trunk are one


def part_at_contacts(canvas: Canvas, body: PosedBody) -> None:
    """Give voxels near an arm their depth under the skin of the part that they lie in, where it is less than before.

    Bones are to be settled before: they keep their distance from the skin of the whole body.
    """
    normals, arms = vertex_normals(body.outer, body.template.faces), body.template.in_region(*ARM)
    parts = []
    for _, suffix, _ in SIDES:
        own = arms & np.char.endswith(body.template.vertex_region, f".{suffix}")
        shoulder, elbow = body.joint(f"upperarm01.{suffix}"), body.joint(f"lowerarm01.{suffix}")
        along = (body.outer - shoulder) @ (elbow - shoulder) / np.sum((elbow - shoulder) ** 2)
        parts.append((own, own & ((along > FREE_FROM) | ~body.template.in_region("upperarm"))))
    skin = body.outer[parts[0][0] | parts[1][0]]
    near = canvas.box(skin.min(0), skin.max(0))
    inside, close = np.full(len(near), -np.inf, np.float32), np.zeros(len(near), bool)
    for own, free in parts:
        distance, nearest = cKDTree(body.outer[own]).query(canvas.positions[near], distance_upper_bound=NEAR_MM)
        found = np.flatnonzero(np.isfinite(distance))
        vertex = np.flatnonzero(own)[nearest[found]]
        inside[found] = np.maximum(inside[found], _inside(canvas.positions[near[found]], body.outer[vertex], normals[vertex]))
        close[found] |= free[vertex]
    near, inside = near[close], inside[close]
    rest = ~(parts[0][0] | parts[1][0])
    _, nearest = cKDTree(body.outer[rest]).query(canvas.positions[near])
    trunk = _inside(canvas.positions[near], body.outer[rest][nearest], normals[rest][nearest])
    canvas.depth[near] = np.minimum(canvas.depth[near], np.maximum(np.maximum(inside, trunk), 0))


def _inside(points: np.ndarray, skin: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """How far points lie behind the planes of their vertices, arrays (n, 3), in mm (n,)."""
    return np.einsum("ni,ni->n", skin - points, normals).astype(np.float32)
