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
    corners = faces.T.astype(np.intp, order="C")
    ray, y, side = _crossings(*(axis.take(corners) for axis in fine.T.copy()), nx * rays, nz * rays)
    order = np.lexsort((y, ray))
    ray, y, winding = ray[order], y[order].clip(-0.5, ny - 0.5), np.cumsum(side[order])  # 0 again after every ray
    if winding.size and -winding.min() > winding.max():
        winding = -winding  # faces turned inside out
    inside = winding > 0
    before = np.concatenate([[False], inside[:-1]])
    column = (ray // (nz * rays) // rays) * nz + ray % (nz * rays) // rays
    voxel = np.floor(y + 0.5).astype(np.intp)
    # What lies before a crossing, less what lies before the one where the ray came in: whole voxels, then a part.
    changes = (inside != before).nonzero()[0]
    sign = np.where(inside[changes], -1.0, 1.0)
    place, size = (column * (ny + 2) + voxel)[changes], nx * nz * (ny + 2)
    part = np.bincount(place, sign * (y + 0.5 - voxel)[changes], size).astype(np.float32)
    whole = np.bincount(place, sign, size).astype(np.float32)
    part, whole = (values.reshape(nx * nz, ny + 2) for values in (part, whole))
    part[:, :-1] += np.cumsum(whole[:, :0:-1], axis=1)[:, ::-1]
    return np.clip(part[:, :ny].reshape(nx, nz, ny).transpose(0, 2, 1) / rays**2, 0, 1)


def _crossings(x, y, z, n_x: int, n_z: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ray number (x * n_z + z), y, and side (1: into the mesh's outside) of every crossing of a ray and a face.

    `x`, `y` and `z` (3, m) are of the faces' corners.
    """
    to_b, to_c = (np.stack([axis[corner] - axis[0] for axis in (x, y, z)]) for corner in (1, 2))
    area = to_b[0] * to_c[2] - to_c[0] * to_b[2]
    seen = np.abs(area) > 1e-12  # not edge-on
    area = np.where(seen, area, 1.0)
    face, ix, iz = _rays_under(x, z, seen, n_x, n_z)
    # Rays a hair beside their places never run exactly along an edge, where a crossing would count twice.
    dx, dz = ix + 1.23e-5 - x[0].take(face), iz + 2.71e-5 - z[0].take(face)
    along_b = dx * (to_c[2] / area).take(face) - dz * (to_c[0] / area).take(face)
    along_c = dz * (to_b[0] / area).take(face) - dx * (to_b[2] / area).take(face)
    hit = ((along_b >= 0) & (along_c >= 0) & (along_b + along_c <= 1)).nonzero()[0]
    face = face[hit]
    crossing = y[0].take(face) + along_b[hit] * to_b[1].take(face) + along_c[hit] * to_c[1].take(face)
    return (ix * n_z + iz)[hit], crossing, np.sign(area).astype(np.int32)[face]


def _rays_under(x, z, wanted: np.ndarray, n_x: int, n_z: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every (face, x index, z index) whose ray may cross a wanted face: its bounding box seen along y."""
    slack = 1e-4
    first_x, first_z = (np.ceil(v.min(0) - slack).astype(int).clip(0, n - 1) for v, n in ((x, n_x), (z, n_z)))
    last_x, last_z = (np.floor(v.max(0) + slack).astype(int).clip(-1, n - 1) for v, n in ((x, n_x), (z, n_z)))
    width = (last_x - first_x + 1).clip(0)
    count = width * (last_z - first_z + 1).clip(0) * wanted
    face = np.repeat(np.arange(len(count)), count)
    within = np.arange(len(face)) - (np.cumsum(count) - count).take(face)
    row, column = np.divmod(within, width.take(face))
    return face, first_x.take(face) + column, first_z.take(face) + row
