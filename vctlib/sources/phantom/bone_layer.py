"""The bones of a body as depths under their surfaces, from which every voxel's share of bone and of its cortex follows.

A voxel is half bone where a surface cuts it in half, at every spacing: bones thinner than a voxel keep their mass, and
a label map made of the fullest voxels keeps their volume.
"""

from dataclasses import dataclass

import numpy as np

FAR = -1000.0  # depth of a voxel that no bone is near, mm
PLATE, ROD, BALL = 1, 2, 3  # along how many directions a primitive ends: how thin ones fill a voxel
_THICKNESS = np.geomspace(0.02, 1.0, 40)  # half thickness in half voxels


@dataclass(frozen=True)
class Bones:
    """Voxels that hold bone: `voxels` (k,) numbers on the canvas, `labels` (k,), `cortex` and `marrow` (k,) shares of
    the voxel from 0 to 1, `main` (k,) whether the label map calls the voxel bone, `depth` (k,) mm under the surface,
    `cortex_mm` (k,) thickness of the compact bone there."""

    voxels: np.ndarray
    labels: np.ndarray
    cortex: np.ndarray
    marrow: np.ndarray
    main: np.ndarray
    depth: np.ndarray
    cortex_mm: np.ndarray


class BoneLayer:
    """What is known of every voxel (n,) while bones are painted: the bone it lies deepest in and how deep, half the
    thickness and kind of the primitive there and its cortex if it has one of its own (mm), and its depth in the next
    bone, for the joint between the two."""

    def __init__(self, n: int, spacing: float):
        self.spacing = spacing
        self.label = np.zeros(n, np.uint8)
        self.depth, self.rival = (np.full(n, FAR, np.float32) for _ in range(2))
        self.half_thickness = np.ones(n, np.float32)
        self.kind = np.full(n, PLATE, np.uint8)
        self.cortex = np.full(n, np.nan, np.float32)

    def add(self, label, voxels: np.ndarray, distance: np.ndarray, half_thickness, kind=PLATE, cortex=np.nan) -> None:
        """Add a primitive: `distance` (m,) mm outside its surface at some voxels, `half_thickness` mm at its middle.

        `cortex` is the thickness (mm) of its compact bone, NaN for the bone's own. `label`, `half_thickness`, `kind`
        and `cortex` are one for all voxels, or (m,).
        """
        near = (distance < self.spacing).nonzero()[0]
        voxels, depth = voxels[near], -distance[near].astype(np.float32)
        label = _some(label, near)
        old, old_label = self.depth[voxels], self.label[voxels]
        other = ((old_label != label) & (old_label > 0)).nonzero()[0]
        if len(other):
            contested = voxels[other]
            self.rival[contested] = np.maximum(self.rival[contested], np.minimum(old[other], depth[other]))
        deeper = (depth > old).nonzero()[0]
        won, near = voxels[deeper], near[deeper]
        self.label[won], self.depth[won] = _some(label, deeper), depth[deeper]
        self.half_thickness[won], self.kind[won] = _some(half_thickness, near), _some(kind, near)
        self.cortex[won] = _some(cortex, near)

    def carve(self, voxels: np.ndarray, distance: np.ndarray) -> None:
        """Take away the bone inside a hollow: `distance` (m,) mm outside of it."""
        self.depth[voxels] = np.minimum(self.depth[voxels], distance)

    def ensure(self, label: int, positions: np.ndarray, point) -> None:
        """Give a bone that has no voxel the nearest one that is not another bone's only one."""
        in_sight = self.depth > -self.spacing / 2
        if not (in_sight & (self.label == label)).any():
            visible = np.where(in_sight, self.label, 0)
            count = np.bincount(visible, minlength=256)
            distance = np.square(positions - np.asarray(point, np.float32)).sum(1)
            nearest = int(np.where(count[visible] == 1, np.inf, distance).argmin())
            self.label[nearest], self.depth[nearest], self.rival[nearest] = label, self.spacing / 2, FAR
            self.half_thickness[nearest], self.kind[nearest], self.cortex[nearest] = self.spacing / 2, PLATE, np.nan

    def settle(self, skin_depth: np.ndarray, cortex_mm: np.ndarray, joint_mm: float, under_skin_mm: float) -> Bones:
        """Shares of bone from depths, at least `under_skin_mm` under the skin and with a gap between two bones.

        `skin_depth` (n,) mm, `cortex_mm` (256,) by label, for what was added without its own. Of every bone, the
        fullest voxels are `main`, as many as the bone fills.
        """
        depth = np.minimum(self.depth, (self.depth - self.rival - joint_mm) / 2)
        depth = np.minimum(depth, skin_depth - under_skin_mm)
        half = self.spacing / 2
        voxels = np.flatnonzero((depth > -half) & (self.label > 0))
        depth, labels = depth[voxels], self.label[voxels]
        thickness, kind = self.half_thickness[voxels], self.kind[voxels]
        bone = share_of_voxel(depth, thickness, kind, half)
        cortex = np.where(np.isnan(self.cortex[voxels]), cortex_mm[labels], self.cortex[voxels])
        inner = share_of_voxel(depth - cortex, thickness - cortex, kind, half)
        inner = np.minimum(inner, bone)
        kept = bone > 1e-3
        voxels, labels, bone, inner, depth, cortex = (v[kept] for v in (voxels, labels, bone, inner, depth, cortex))
        return Bones(voxels, labels, bone - inner, inner, fullest(labels, bone), depth, cortex)


def _some(values, chosen: np.ndarray):
    """The chosen of values (m,), or the one value that all have."""
    return values[chosen] if isinstance(values, np.ndarray) and values.ndim else values


def share_of_voxel(depth: np.ndarray, thickness: np.ndarray, kind: np.ndarray, half: float) -> np.ndarray:
    """Share of a voxel of half width `half` that a primitive fills, from the depth of its centre under the surface.

    Along one direction the overlap of two intervals; what rods and balls lack in the others is made up so that their
    volume holds on the average over all places.
    """
    thin = np.maximum(thickness, 1e-6) / half
    rounding = (kind - 1) / 6 / np.maximum(thin, 1)  # a curved surface leaves a corner of the voxel empty
    reach = np.maximum(thickness - rounding * half, thickness / 4)
    from_middle = np.maximum(thickness - depth, 0)
    overlap = np.minimum(from_middle + half, reach) - np.maximum(from_middle - half, -reach)
    filled = np.ones_like(thin)
    for rounded in (ROD, BALL):
        chosen = kind == rounded
        filled[chosen] = np.interp(thin[chosen], _THICKNESS, _FILLED[rounded])
    return np.where(thickness > 0, np.clip(overlap / (2 * half) * filled, 0, 1), 0).astype(np.float32)


def _filled(kind: int) -> np.ndarray:
    """What the overlap is multiplied with, by `_THICKNESS`, to give a rod's cross-section or a ball's volume."""
    s = np.linspace(0, 3, 3001)
    circle = {ROD: 2 * np.pi * s, BALL: 4 * np.pi * s**2}[kind]
    exact = {ROD: np.pi * _THICKNESS**2, BALL: 4 / 3 * np.pi * _THICKNESS**3}[kind]
    reach = np.maximum(_THICKNESS - (kind - 1) / 6, _THICKNESS / 4)
    overlap = [(np.minimum(s + 1, r) - np.maximum(s - 1, -r)).clip(0) / 2 for r in reach]
    return exact / np.array([np.trapezoid(circle * o, s) for o in overlap])


_FILLED = {kind: _filled(kind) for kind in (ROD, BALL)}


def fullest(labels: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Boolean (k,): of every label the voxels of the greatest share, as many as the shares add up to, at least one."""
    order = np.lexsort((-share, labels))
    ordered = labels[order]
    first = np.concatenate([[True], ordered[1:] != ordered[:-1]]) if len(ordered) else np.zeros(0, bool)
    group = np.cumsum(first) - 1
    wanted = np.maximum(np.rint(np.bincount(group, share[order])), 1) if len(ordered) else np.zeros(0)
    rank = np.arange(len(ordered)) - np.flatnonzero(first)[group]
    main = np.zeros(len(labels), bool)
    main[order] = rank < wanted[group]
    return main
