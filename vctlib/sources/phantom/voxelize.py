"""Fill a closed triangle mesh into a voxel grid by winding number."""

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


def fill_mesh(vertices: np.ndarray, faces: np.ndarray, grid: Grid) -> np.ndarray:
    """Boolean (x, y, z) array: voxels whose centre the mesh encloses.

    Rays run along y through every voxel column; each crossing adds the side it is crossed from, and a voxel is inside
    where the running sum is positive. Parts of the mesh that cut each other (a hand on the chest) count as one body.
    Vertices (n, 3) in mm, faces (m, 3).
    """
    nx, ny, nz = grid.shape
    a, b, c = ((vertices[faces[:, corner]] - grid.origin) / grid.spacing for corner in range(3))
    twice_area = (b[:, 0] - a[:, 0]) * (c[:, 2] - a[:, 2]) - (c[:, 0] - a[:, 0]) * (b[:, 2] - a[:, 2])
    face, ix, iz = _columns_under(a, b, c, nx, nz)
    seen_edge_on = np.abs(twice_area[face]) <= 1e-12
    area = np.where(seen_edge_on, 1.0, twice_area[face])
    # Rays a hair beside the voxel centres never run exactly along an edge, where a crossing would count twice.
    px, pz = ix + 1.23e-5, iz + 2.71e-5
    a, b, c = a[face], b[face], c[face]
    to_b = ((px - a[:, 0]) * (c[:, 2] - a[:, 2]) - (c[:, 0] - a[:, 0]) * (pz - a[:, 2])) / area
    to_c = ((b[:, 0] - a[:, 0]) * (pz - a[:, 2]) - (px - a[:, 0]) * (b[:, 2] - a[:, 2])) / area
    hit = ~seen_edge_on & (to_b >= 0) & (to_c >= 0) & (to_b + to_c <= 1)
    y = (a[:, 1] + to_b * (b[:, 1] - a[:, 1]) + to_c * (c[:, 1] - a[:, 1]))[hit]
    iy = np.clip(np.ceil(y).astype(int), 0, ny - 1)
    crossings = np.zeros(grid.shape, np.int16)
    np.add.at(crossings, (ix[hit], iy, iz[hit]), np.sign(area[hit]).astype(np.int16))
    winding = np.cumsum(crossings, axis=1, dtype=np.int16)
    inside, mirrored = winding > 0, winding < 0
    return mirrored if mirrored.sum() > inside.sum() else inside


def _columns_under(a, b, c, nx: int, nz: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every (face, x index, z index) for which the column may cross the face: its bounding box seen along y."""
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
