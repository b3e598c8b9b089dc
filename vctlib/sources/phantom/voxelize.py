"""Cover a voxel grid with a closed triangle mesh: the share of every voxel that lies inside, by winding number."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Grid:
    """Voxel centres at `origin + index * spacing` (body frame, mm)."""

    origin: np.ndarray
    spacing: float
    shape: tuple[int, int, int]

    @classmethod
    def around(cls, points: np.ndarray, spacing: float, margin: int = 4) -> "Grid":
        """The smallest grid that holds all points (n, 3) with `margin` voxels of air on every side."""
        origin = points.min(0) - margin * spacing
        shape = np.ceil((points.max(0) + margin * spacing - origin) / spacing).astype(int) + 1
        return cls(origin, float(spacing), tuple(int(n) for n in shape))


def cover_mesh(vertices: np.ndarray, faces: np.ndarray, grid: Grid, rays: int = 2) -> np.ndarray:
    """Share of every voxel that the mesh encloses: float32 (x, y, z) from 0 to 1.

    `rays` squared rays run along y through every voxel column. Each crossing adds the side it is crossed from, and a
    ray is inside while the running sum is positive, so parts of the mesh that cut each other (a hand on the chest)
    count as one body. Along a ray the share is exact. Vertices (n, 3) in mm, faces (m, 3).
    """
    nx, ny, nz = grid.shape
    fine = (vertices - grid.origin) / grid.spacing * [rays, 1, rays] + [(rays - 1) / 2, 0, (rays - 1) / 2]
    ray, y, side = _crossings(*(fine[faces[:, corner]] for corner in range(3)), nx * rays, nz * rays)
    order = np.lexsort((y, ray))
    ray, y, winding = ray[order], y[order].clip(-0.5, ny - 0.5), np.cumsum(side[order])  # 0 again after every ray
    if winding.size and -winding.min() > winding.max():
        winding = -winding  # faces turned inside out
    inside = winding > 0
    before = np.concatenate([[False], inside[:-1]])
    column = (ray // (nz * rays) // rays) * nz + ray % (nz * rays) // rays
    voxel = np.floor(y + 0.5).astype(np.intp)
    # What lies before a crossing, less what lies before the one where the ray came in: whole voxels, then a part.
    share, whole = (np.zeros((nx * nz, ny + 2), np.float32) for _ in range(2))
    for changes, sign in ((before & ~inside, 1), (inside & ~before, -1)):
        place = column[changes], voxel[changes]
        np.add.at(share, place, (sign * (y + 0.5 - voxel)[changes]).astype(np.float32))
        np.add.at(whole, place, np.float32(sign))
    share[:, :-1] += np.cumsum(whole[:, :0:-1], axis=1)[:, ::-1]
    return np.clip(share[:, :ny].reshape(nx, nz, ny).transpose(0, 2, 1) / rays**2, 0, 1)


def _crossings(a, b, c, n_x: int, n_z: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ray number (x * n_z + z), y, and side (1: into the mesh's outside) of every crossing of a ray and a face."""
    twice_area = (b[:, 0] - a[:, 0]) * (c[:, 2] - a[:, 2]) - (c[:, 0] - a[:, 0]) * (b[:, 2] - a[:, 2])
    face, ix, iz = _rays_under(a, b, c, n_x, n_z)
    seen_edge_on = np.abs(twice_area[face]) <= 1e-12
    area = np.where(seen_edge_on, 1.0, twice_area[face])
    # Rays a hair beside their places never run exactly along an edge, where a crossing would count twice.
    px, pz = ix + 1.23e-5, iz + 2.71e-5
    a, b, c = a[face], b[face], c[face]
    to_b = ((px - a[:, 0]) * (c[:, 2] - a[:, 2]) - (c[:, 0] - a[:, 0]) * (pz - a[:, 2])) / area
    to_c = ((b[:, 0] - a[:, 0]) * (pz - a[:, 2]) - (px - a[:, 0]) * (b[:, 2] - a[:, 2])) / area
    hit = ~seen_edge_on & (to_b >= 0) & (to_c >= 0) & (to_b + to_c <= 1)
    y = (a[:, 1] + to_b * (b[:, 1] - a[:, 1]) + to_c * (c[:, 1] - a[:, 1]))[hit]
    return (ix * n_z + iz)[hit], y, np.sign(area[hit]).astype(np.int32)


def _rays_under(a, b, c, nx: int, nz: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every (face, x index, z index) whose ray may cross the face: its bounding box seen along y."""
    x = np.stack([a[:, 0], b[:, 0], c[:, 0]], 1)
    z = np.stack([a[:, 2], b[:, 2], c[:, 2]], 1)
    slack = 1e-4
    x0 = np.ceil(x.min(1) - slack).astype(int).clip(0, nx - 1)
    x1 = np.floor(x.max(1) + slack).astype(int).clip(-1, nx - 1)
    z0 = np.ceil(z.min(1) - slack).astype(int).clip(0, nz - 1)
    z1 = np.floor(z.max(1) + slack).astype(int).clip(-1, nz - 1)
    width = (x1 - x0 + 1).clip(0)
    count = width * (z1 - z0 + 1).clip(0)
    face = np.repeat(np.arange(len(a)), count)
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return face, x0[face] + within % width[face], z0[face] + within // width[face]
