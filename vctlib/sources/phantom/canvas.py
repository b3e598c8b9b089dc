"""The body as a list of voxels that structures are painted on.

Voxels are sorted by height, so that a structure looks only at the voxels in its box. Bones are painted first, on a
layer of their own that knows how much of every voxel they fill; what `labels` names is what fills the rest.
"""

import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np
import scipy.ndimage as ndi

from vctlib.anatomy import TOTAL
from vctlib.sources.phantom.bone_layer import BALL, PLATE, ROD, BoneLayer, Bones, fullest, share_of_voxel
from vctlib.sources.phantom.fields import noise_tile, skin_depth
from vctlib.sources.phantom.geometry import capsule_distance, ellipsoid_radius, plate_position
from vctlib.sources.phantom.voxelize import Grid

LABEL = {name: number for number, name in TOTAL.items()}
LEAST_COVERAGE = 0.02  # voxels with less of the body in them are air
JOINT_MM, UNDER_SKIN_MM = 2.5, 2.0  # width of joint spaces; what covers every bone
LEAST_BINS = 2000  # of scores, of which `least` sorts one
Points = Callable[[np.ndarray], np.ndarray]


def random_stream(seed: int, name: str) -> np.random.Generator:
    """A generator of its own for every purpose, so that no part's draws depend on another part's."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


class Canvas:
    """Voxels of one body: `index` (n, 3) as it lies, `positions` (n, 3) in mm of the body frame, where each lies in the
    straight body that is painted (`head_pose`), `coverage` (n,) the share of a voxel inside the body, `skin` (n,) the
    share that is skin, `depth` (n,) mm under its surface, `labels` (n,) numbers of `TOTAL` (0: not painted yet),
    `contrast_hu` (n,) what a place adds to the mean HU of its structure, `bone_contrast_hu` (n,) what it adds to the HU
    of bone, `air` (n,) mm inside a hollow that bone was carved out of.

    After `settle_bones`: `bones`, `bone_share` (n,) and `is_bone` (n,), the voxels that count as bone. `labels` goes
    on under them, for what bone leaves of those voxels.
    """

    def __init__(self, coverage: np.ndarray, grid: Grid, seed: int, skin_mm: float, straighten: Points = np.asarray):
        """`coverage` (x, y, z) of the body as it lies; `straighten` takes points (n, 3) of it to the straight body."""
        self.grid, self.spacing, self.seed, self.straighten = grid, grid.spacing, seed, straighten
        inside = np.ascontiguousarray((coverage >= LEAST_COVERAGE).transpose(2, 0, 1))
        z, x, y = np.unravel_index(np.flatnonzero(inside), inside.shape)
        positions = np.empty((len(x), 3), np.float32)
        for axis, number in enumerate((x, y, z)):
            centres = np.arange(grid.shape[axis]) * grid.spacing + grid.origin[axis]
            positions[:, axis] = centres.astype(np.float32)[number]
        positions = straighten(positions)
        order = np.argsort(positions[:, 2], kind="stable")
        x, y, z, self.positions = x[order], y[order], z[order], positions[order]
        self.index, self.coverage = np.stack([x, y, z], 1), coverage[x, y, z]
        self.depth = skin_depth(coverage, grid.spacing, self.index)
        half = grid.spacing / 2
        skin = np.minimum(self.depth + half, skin_mm) - np.maximum(self.depth - half, 0)
        self.skin = np.clip(skin / grid.spacing, 0, self.coverage).astype(np.float32)
        self.labels = np.zeros(len(x), np.uint8)
        self.contrast_hu, self.bone_contrast_hu = np.zeros(len(x), np.float32), np.zeros(len(x), np.float32)
        self.air = np.full(len(x), -np.inf, np.float32)
        self.bone_layer = BoneLayer(len(x), grid.spacing)
        self.bones: Bones | None = None
        self.bone_share = np.zeros(len(x), np.float32)
        self.is_bone = np.zeros(len(x), bool)
        self._across, self._heights = self.positions[:, :2].T.copy(), self.positions[:, 2].copy()

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def voxel_ml(self) -> float:
        return self.spacing**3 / 1000

    @property
    def free(self) -> np.ndarray:
        """Boolean (n,): voxels that neither bone nor anything else has taken."""
        return (self.labels == 0) & ~self.is_bone

    @property
    def room(self) -> np.ndarray:
        """Share (n,) of every voxel that is neither air nor skin nor bone."""
        return np.maximum(self.coverage - self.skin - self.bone_share, 0)

    def box(self, low, high, pad: float = 0.0) -> np.ndarray:
        """Numbers of the voxels within a box (mm), widened by `pad` on every side."""
        left, front, bottom = (np.float32(mm) - np.float32(pad) for mm in low)
        right, back, top = (np.float32(mm) + np.float32(pad) for mm in high)
        first, last = self._heights.searchsorted([bottom, top])
        x, y = self._across[:, first:last]
        return ((x >= left) & (x <= right) & (y >= front) & (y <= back)).nonzero()[0] + first

    def are_in(self, points: np.ndarray, voxels: np.ndarray) -> np.ndarray:
        """Boolean (m,): whether points (m, 3) under the neck lie in one of some voxels."""
        wanted = np.zeros(self.grid.shape, bool)
        wanted[tuple(self.index[voxels].T)] = True
        index = np.rint((points - self.grid.origin) / self.spacing).astype(int)
        return wanted[tuple(np.clip(index, 0, np.array(self.grid.shape) - 1).T)]

    def around(self, points, radius: float) -> np.ndarray:
        """Numbers of the voxels within the points' bounding box, widened by `radius`."""
        points = np.atleast_2d(points)
        return self.box(points.min(0), points.max(0), radius)

    def is_any(self, *names: str) -> np.ndarray:
        """Boolean (n,): voxels of the named structures, bones excepted."""
        wanted = np.zeros(256, bool)
        wanted[[LABEL[name] for name in names]] = True
        return wanted[self.labels] & ~self.is_bone

    def noise(self, name: str, scale_mm: float, voxels=slice(None), z_stretch: float = 1.0) -> np.ndarray:
        """A smooth random field of unit variance at some voxels, of grain `scale_mm` (in z times `z_stretch`).

        The field belongs to the body, not to the grid: at every spacing it is the same. It repeats after some 25
        grains.
        """
        return self.noise_at(name, scale_mm, self.positions[voxels], z_stretch)

    def noise_at(self, name: str, scale_mm: float, points: np.ndarray, z_stretch: float = 1.0) -> np.ndarray:
        """`noise` at points (m, 3) in mm."""
        field = _noise_tile(self.seed, name)
        step = scale_mm / 1.5 * np.array([1, 1, z_stretch], np.float32)
        return ndi.map_coordinates(field, (points / step).T, order=1, mode="grid-wrap")

    def fill(self, name: str, voxels: np.ndarray, where: np.ndarray | None = None, over: bool = False) -> None:
        """Label voxels (those `where` holds) that are still free; with `over`, all that are not bone."""
        if where is not None:
            voxels = voxels[where]
        self.labels[voxels[~self.is_bone[voxels] if over else self.free[voxels]]] = LABEL[name]

    def pick(self, name: str, voxels: np.ndarray, score: np.ndarray, volume_ml: float, allowed=None) -> None:
        """Label the free (and `allowed`) voxels of least score until the volume is reached."""
        free = self.free[voxels]
        if allowed is not None:
            free &= allowed
        voxels, score = voxels[free], score[free]
        n = min(round(volume_ml / self.voxel_ml), len(voxels))
        if n > 0:
            self.labels[voxels[np.argpartition(score, n - 1)[:n]]] = LABEL[name]

    def convert(self, source: str, name: str, voxels: np.ndarray, score: np.ndarray, volume_ml: float) -> None:
        """Give another label to the voxels of least score of a structure, until the volume is reached."""
        own = np.flatnonzero(self.labels[voxels] == LABEL[source])
        n = min(round(volume_ml / self.voxel_ml), len(own))
        if n > 0:
            self.labels[voxels[own[np.argpartition(score[own], n - 1)[:n]]]] = LABEL[name]

    def tube(self, name: str, path, radii, over: bool = False) -> np.ndarray:
        """Label the voxels that a tube of some radii (k,) along a path (k, 3) fills most; see `fill_shape`."""
        path, radii = np.asarray(path), np.asarray(radii, float)
        near = self.around(path, radii.max() + self.spacing)
        points = self.positions[near]
        x, y, z = points.T.copy()
        distance, radius = np.full(len(near), np.inf, np.float32), np.full(len(near), radii.max(), np.float32)
        for start, end, r0, r1 in zip(path[:-1], path[1:], radii[:-1], radii[1:], strict=True):
            reach = max(r0, r1) + self.spacing
            low, high = np.minimum(start, end) - reach, np.maximum(start, end) + reach
            in_box = (x >= low[0]) & (x <= high[0]) & (y >= low[1]) & (y <= high[1]) & (z >= low[2]) & (z <= high[2])
            box = in_box.nonzero()[0]
            here = capsule_distance(points[box], start, end, r0, r1)
            closer = here < distance[box]
            distance[box[closer]], radius[box[closer]] = here[closer], (r0 + r1) / 2
        return self.fill_shape(name, near, distance, radius, ROD, over)

    def fill_shape(
        self, name: str, voxels: np.ndarray, distance: np.ndarray, half_thickness, kind: int = BALL, over: bool = False
    ) -> np.ndarray:
        """Label the voxels that a shape fills most, as many as it has volume, and return them.

        `distance` (m,) mm outside the shape, half its thickness in mm. Only free voxels, or with `over` all that are
        not bone.
        """
        half_thickness = np.broadcast_to(np.asarray(half_thickness, np.float32), distance.shape)
        share = share_of_voxel(-distance, half_thickness, np.full(len(voxels), kind), self.spacing / 2)
        chosen = (share > 0) & (~self.is_bone[voxels] if over else self.free[voxels])
        if chosen.any():
            chosen[chosen] = fullest(np.zeros(chosen.sum(), np.uint8), share[chosen])
            self.labels[voxels[chosen]] = LABEL[name]
        return voxels[chosen]

    def bone_capsule(self, name: str, start, end, start_radius: float, end_radius: float, cortex=None) -> None:
        """A rod; `cortex` (start, end) mm, where the bone's own thickness of compact bone does not hold."""
        near = self.around([start, end], max(start_radius, end_radius) + 2 * self.spacing)
        points = self.positions[near]
        distance = capsule_distance(points, start, end, start_radius, end_radius)
        radius = (start_radius + end_radius) / 2
        if cortex is None:
            self.bone_layer.add(LABEL[name], near, distance, radius, ROD)
            return
        axis = np.asarray(end, np.float32) - np.asarray(start, np.float32)
        along = np.clip((points - np.asarray(start, np.float32)) @ axis / max(float(axis @ axis), 1e-6), 0, 1)
        thickness = cortex[0] + (cortex[1] - cortex[0]) * along
        self.bone_layer.add(LABEL[name], near, distance, radius, ROD, thickness)

    def bone_rods(self, name: str, scale: float, *rods) -> None:
        """Rods one after another: start and end (mm), radii at both ends and, if given, cortex there, to be scaled."""
        for start, end, *sizes in rods:
            r0, r1, *cortex = (size * scale for size in sizes)
            self.bone_capsule(name, start, end, r0, r1, cortex or None)

    def bone_plate(self, name: str, a, b, c, half_thickness: float) -> None:
        near = self.around([a, b, c], half_thickness + 2 * self.spacing)
        distance, at_edge = plate_position(self.positions[near], a, b, c)
        self.bone_layer.add(LABEL[name], near, distance - half_thickness, half_thickness, np.where(at_edge, ROD, PLATE))

    def bone_ball(self, name: str, centre, radii) -> None:
        radii = np.broadcast_to(np.asarray(radii, float), 3)
        near = self.around(centre, radii.max() + 2 * self.spacing)
        distance = (ellipsoid_radius(self.positions[near], centre, radii) - 1) * radii.min()
        kind = (PLATE, ROD, BALL)[int((radii < 1.6 * radii.min()).sum()) - 1]
        self.bone_layer.add(LABEL[name], near, distance, radii.min(), kind)

    def bone_shape(
        self, name: str, voxels: np.ndarray, distance: np.ndarray, half_thickness, kind: int = PLATE
    ) -> None:
        """Any other shape: `distance` (m,) mm outside its surface at some voxels, half its thickness in mm."""
        self.bone_layer.add(LABEL[name], voxels, distance, half_thickness, kind)

    def settle_bones(self, cortex_mm: np.ndarray) -> None:
        """Give bones their voxels: `cortex_mm` (256,) by label. Afterwards nothing may be added to bones."""
        bones = self.bone_layer.settle(self.depth, cortex_mm, JOINT_MM, UNDER_SKIN_MM)
        # Both halves of a bone in the midline keep their volume, however the grid lies to it.
        left = self.positions[bones.voxels, 0] > 0
        halves = fullest(bones.labels + np.uint16(256) * left, bones.cortex + bones.marrow)
        self.bones = replace(bones, main=halves)
        self.bone_share[self.bones.voxels] = self.bones.cortex + self.bones.marrow
        self.is_bone[self.bones.voxels] = self.bones.main

    def label_map(self) -> np.ndarray:
        """Labels (n,): the bone where a voxel counts as bone, 0 where less than half of it lies in the body."""
        labels = np.where(self.coverage >= 0.5, self.labels, 0).astype(np.uint8)
        labels[self.bones.voxels[self.bones.main]] = self.bones.labels[self.bones.main]
        return labels


@lru_cache(maxsize=64)
def _noise_tile(seed: int, name: str) -> np.ndarray:
    """A periodic random field; a person's two or three scenes share it."""
    return noise_tile(random_stream(seed, name))


def least(score: np.ndarray, weight: np.ndarray, wanted: float) -> np.ndarray:
    """Positions of the least scores whose weights add up to `wanted`, to within half the last one's weight."""
    if wanted <= 0 or len(score) == 0:
        return np.zeros(0, np.intp)
    finite = score[np.isfinite(score)]  # an infinite score is a last resort
    low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 0.0)
    bins = np.clip((score - low) * (LEAST_BINS / max(float(high - low), 1e-9)), 0, LEAST_BINS + 1).astype(np.int32)
    held = np.concatenate([[0.0], np.cumsum(np.bincount(bins, weight))])
    last = int(np.searchsorted(held, wanted)) - 1  # only the bin that it ends in has to be sorted
    some = np.flatnonzero(bins == last)
    some = some[np.argsort(score[some], kind="stable")]
    total = held[min(last, len(held) - 1)] + np.cumsum(weight[some], dtype=np.float64)
    some = some[: int(np.searchsorted(total - weight[some] / 2, wanted))]
    return np.concatenate([np.flatnonzero(bins < last), some])
