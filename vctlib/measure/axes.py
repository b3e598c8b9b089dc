"""The patient's own right, anterior and superior axes, whatever way the body lies in the scanner."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.measure import marching_cubes

from vctlib.measure.scan import Scan

SYMMETRIC_STRUCTURES = ("hip", "clavicula", "scapula")  # killeen2025, B.0.2
_FALLBACK_STRUCTURES = ("femur", "kidney")  # where a label table knows none of the above
_STEEPEST_TILT = np.cos(np.deg2rad(45.0))


@dataclass(frozen=True)
class PatientAxes:
    """Unit vectors in world coordinates (3,) and the body's centre (3,), mm."""

    right: np.ndarray
    anterior: np.ndarray
    superior: np.ndarray
    centre_mm: np.ndarray

    def coordinates(self, points: np.ndarray) -> np.ndarray:
        """World points (..., 3) in mm to (right, anterior, superior) in mm relative to the centre."""
        return (points - self.centre_mm) @ np.stack([self.right, self.anterior, self.superior], axis=1)

    def height(self, points: np.ndarray) -> np.ndarray:
        """World points (..., 3) in mm to their place on the superior axis (...), mm from the centre."""
        return (points - self.centre_mm) @ self.superior


def principal_axis(points: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Direction (3,) of largest spread of points (n, 3); its sign is such that z is positive."""
    direction = np.linalg.eigh(np.cov(points.T, aweights=weights))[1][:, -1]
    return direction if direction[2] >= 0 else -direction


def body_surface(scan: Scan) -> tuple[np.ndarray, np.ndarray]:
    """Centres (n, 3) in mm and areas (n,) in mm2 of the triangles of the body's mesh, by marching cubes at the skin."""
    # One voxel around the body belongs to its surface; where the image ends earlier, air closes the mesh.
    inside = ndimage.find_objects(scan.mask.view(np.uint8))[0]
    box = tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in inside)
    corner = np.array([side.start for side in box])
    vertices, faces, _, _ = marching_cubes(np.pad(scan.surface[box], 1), 0.5)
    triangles = scan.world(vertices - 1.0 + corner)[faces]
    edges = triangles[:, 1:] - triangles[:, :1]
    return triangles.mean(axis=1), np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1) / 2.0


def patient_axes(scan: Scan) -> PatientAxes:
    """Superior from the principal axis of the body's mesh, right from the paired bones, anterior to complete them.

    Right is the mean difference of the centroids of the halves of the pelvis, the clavicles and the scapulae, made
    orthogonal to superior (Gram-Schmidt). Source: killeen2025, B.0.2. Deviations: the mesh is weighted by area, so
    that the axis does not depend on the voxel grid; where less than a standing body is in view (the principal axis is
    more than 45 degrees off the scanner's) superior is the scanner's own; without any pair, right is the scanner's.
    """
    points, areas = body_surface(scan)
    superior = principal_axis(points, areas)
    if superior[2] < _STEEPEST_TILT:
        superior = np.array([0.0, 0.0, 1.0])
    across = _differences(scan, SYMMETRIC_STRUCTURES) or _differences(scan, _FALLBACK_STRUCTURES)
    right = np.mean(across, axis=0) if across else np.array([1.0, 0.0, 0.0])
    right = right - (right @ superior) * superior
    right /= np.linalg.norm(right)
    inside = np.argwhere(scan.mask)
    return PatientAxes(right, np.cross(superior, right), superior, scan.world(inside.mean(axis=0)))


def _differences(scan: Scan, structures: tuple[str, ...]) -> list[np.ndarray]:
    """Right minus left centroid of every pair that is there."""
    pairs = [(scan.centroid(f"{name}_right"), scan.centroid(f"{name}_left")) for name in structures]
    return [right - left for right, left in pairs if right is not None and left is not None]
