"""The body as a list of voxels that structures are painted on.

Voxels are sorted by height, so that a structure looks only at the voxels in its box. Bones remember how deep each of
their voxels lies under the bone's surface, from which `render` gives them a cortex.
"""

import zlib

import numpy as np
import scipy.ndimage as ndi

from vctlib.anatomy import TOTAL
from vctlib.sources.phantom.geometry import capsule_distance, ellipsoid_radius, plate_distance
from vctlib.sources.phantom.voxelize import Grid

LABEL = {name: number for number, name in TOTAL.items()}
NOT_BONE = -1000.0  # bone depth of everything that is not bone, mm


def random_stream(seed: int, name: str) -> np.random.Generator:
    """A generator of its own for every purpose, so that no part's draws depend on another part's."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


class Canvas:
    """Voxels of one body: `index` (n, 3), `positions` (n, 3) in mm (body frame), `depth` (n,) mm under the skin,
    `labels` (n,) numbers of `TOTAL` (0: not painted yet), `bone_depth` (n,) mm under the bone's surface."""

    def __init__(self, inside: np.ndarray, grid: Grid, seed: int):
        self.grid, self.spacing, self.seed = grid, grid.spacing, seed
        z, x, y = np.nonzero(inside.transpose(2, 0, 1))
        self.index = np.stack([x, y, z], 1)
        self.positions = (self.index * grid.spacing + grid.origin).astype(np.float32)
        to_air = ndi.distance_transform_edt(inside, sampling=grid.spacing)
        self.depth = (to_air[x, y, z] - grid.spacing / 2).astype(np.float32)
        self.labels = np.zeros(len(x), np.uint8)
        self.bone_depth = np.full(len(x), NOT_BONE, np.float32)
        self._heights = self.positions[:, 2]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def voxel_ml(self) -> float:
        return self.spacing**3 / 1000

    def box(self, low, high, pad: float = 0.0) -> np.ndarray:
        """Numbers of the voxels within a box (mm), widened by `pad` on every side."""
        low, high = np.asarray(low) - pad, np.asarray(high) + pad
        first, last = np.searchsorted(self._heights, [low[2], high[2]])
        x, y = self.positions[first:last, 0], self.positions[first:last, 1]
        return np.flatnonzero((x >= low[0]) & (x <= high[0]) & (y >= low[1]) & (y <= high[1])) + first

    def around(self, points, radius: float) -> np.ndarray:
        """Numbers of the voxels within the points' bounding box, widened by `radius`."""
        points = np.atleast_2d(points)
        return self.box(points.min(0), points.max(0), radius)

    def is_any(self, *names: str) -> np.ndarray:
        """Boolean (n,): voxels of the named structures."""
        wanted = np.zeros(256, bool)
        wanted[[LABEL[name] for name in names]] = True
        return wanted[self.labels]

    def noise(self, name: str, scale_mm: float, voxels=slice(None), z_stretch: float = 1.0) -> np.ndarray:
        """A smooth random field of unit variance at some voxels, of grain `scale_mm` (in z times `z_stretch`)."""
        index = self.index[voxels]
        if len(index) == 0:
            return np.zeros(0, np.float32)
        step = max(1, int(scale_mm / self.spacing / 1.5))  # drawn on a coarser lattice where the grain allows
        first = index.min(0)
        shape = np.ceil((index.max(0) + 1 - first) / step).astype(int) + 3
        sigma = max(scale_mm / self.spacing / step, 0.35)
        field = random_stream(self.seed, name).standard_normal(shape, dtype=np.float32)
        field = ndi.gaussian_filter(field, (sigma, sigma, sigma * z_stretch))
        field /= field.std()
        coordinates = (index - first).T.astype(np.float32) / step + 1
        return ndi.map_coordinates(field, coordinates, order=1, mode="nearest")

    def fill(self, name: str, voxels: np.ndarray, where: np.ndarray | None = None, over: bool = False) -> None:
        """Label voxels (those `where` holds) that are still free; with `over`, whatever they are."""
        if where is not None:
            voxels = voxels[where]
        if not over:
            voxels = voxels[self.labels[voxels] == 0]
        self.labels[voxels] = LABEL[name]
        if over:
            self.bone_depth[voxels] = NOT_BONE

    def pick(self, name: str, voxels: np.ndarray, score: np.ndarray, volume_ml: float, allowed=None) -> None:
        """Label the free (and `allowed`) voxels of least score until the volume is reached."""
        free = self.labels[voxels] == 0
        if allowed is not None:
            free &= allowed
        voxels, score = voxels[free], score[free]
        n = min(round(volume_ml / self.voxel_ml), len(voxels))
        if n > 0:
            self.labels[voxels[np.argpartition(score, n - 1)[:n]]] = LABEL[name]

    def tube(self, name: str, path, start_radius: float, end_radius: float) -> None:
        """Label the free voxels of a tube along a path (k, 3)."""
        path = np.asarray(path)
        radii = np.linspace(start_radius, end_radius, len(path))
        for start, end, r0, r1 in zip(path[:-1], path[1:], radii[:-1], radii[1:], strict=True):
            near = self.around([start, end], max(r0, r1) + 4)
            self.fill(name, near, capsule_distance(self.positions[near], start, end, r0, r1) < 0)

    def bone(self, name: str, voxels: np.ndarray, distance: np.ndarray) -> None:
        """Label as bone the voxels of negative distance (mm) that are under the skin and not deeper in another bone."""
        take = (distance < 0) & (self.depth[voxels] > 0.8 * self.spacing)
        take &= (self.labels[voxels] == 0) | (-distance > self.bone_depth[voxels])
        chosen = voxels[take]
        self.labels[chosen] = LABEL[name]
        self.bone_depth[chosen] = np.maximum(self.bone_depth[chosen], -distance[take])

    def bone_capsule(self, name: str, start, end, start_radius: float, end_radius: float) -> None:
        near = self.around([start, end], max(start_radius, end_radius) + 2 + 2 * self.spacing)
        self.bone(name, near, capsule_distance(self.positions[near], start, end, start_radius, end_radius))

    def bone_plate(self, name: str, a, b, c, half_thickness: float) -> None:
        near = self.around([a, b, c], half_thickness + 2 * self.spacing)
        self.bone(name, near, plate_distance(self.positions[near], a, b, c, half_thickness))

    def bone_ball(self, name: str, centre, radii) -> None:
        radii = np.broadcast_to(np.asarray(radii, float), 3)
        near = self.around(centre, radii.max() + 2 * self.spacing)
        self.bone(name, near, (ellipsoid_radius(self.positions[near], centre, radii) - 1) * radii.min())

    def ensure(self, name: str, point) -> None:
        """Give a structure that no voxel fell to the nearest voxel of the body that is not another's only one."""
        count = np.bincount(self.labels, minlength=256)
        if count[LABEL[name]] == 0:
            distance = np.square(self.positions - np.asarray(point, np.float32)).sum(1)
            nearest = int(np.where(count[self.labels] == 1, np.inf, distance).argmin())
            self.labels[nearest] = LABEL[name]
            self.bone_depth[nearest] = 0.0
