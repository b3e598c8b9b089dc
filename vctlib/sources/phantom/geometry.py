"""Small vector geometry: rotations, and signed distances to the primitives that anatomy is drawn with (mm)."""

from collections.abc import Callable

import numpy as np


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.sqrt(vector @ vector)


def cross(first, second) -> np.ndarray:
    """The cross product of two vectors: `numpy.cross` takes ten times as long over two."""
    (x, y, z), (u, v, w) = first, second
    return np.array([y * w - z * v, z * u - x * w, x * v - y * u])


def rotation(axis, angle_rad: float) -> np.ndarray:
    """The 3x3 rotation by an angle about an axis (Rodrigues' formula)."""
    x, y, z = unit(np.asarray(axis, float))
    product = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])  # with the axis
    return np.eye(3) + np.sin(angle_rad) * product + (1 - np.cos(angle_rad)) * product @ product


def frame(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The 3x3 orthonormal frame whose first column is along `first` and whose first two span both vectors."""
    e1 = unit(first)
    e3 = unit(cross(first, second))
    return np.stack([e1, cross(e3, e1), e3], 1)


def outward(scale: float, sign: int) -> Callable[[float, float, float], np.ndarray]:
    """A function (x, y, z) -> offset in mm, scaled, with x counted away from the midline on the side of `sign`."""
    factors = scale * np.array([sign, 1.0, 1.0])
    return lambda x, y, z: factors * np.array([x, y, z])


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Outward unit normals (n, 3) of a mesh's vertices."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    of_face = np.cross(b - a, c - a)
    normals = np.zeros_like(vertices)
    for i in range(3):
        for axis in range(3):
            normals[:, axis] += np.bincount(faces[:, i], of_face[:, axis], len(vertices))
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)


def capsule_distance(points: np.ndarray, start, end, start_radius: float, end_radius: float) -> np.ndarray:
    """Distance in mm (negative inside) from points (n, 3) to a rounded cone between two points."""
    start, end = np.asarray(start, np.float32), np.asarray(end, np.float32)
    axis = end - start
    radial = points - start
    along = _limited(radial @ (axis / max(float(axis @ axis), 1e-6)))
    radial -= along[:, None] * axis
    return _lengths(radial) - (float(start_radius) + float(end_radius - start_radius) * along)


def plate_distance(points: np.ndarray, a, b, c, half_thickness: float) -> np.ndarray:
    """Distance in mm (negative inside) from points (n, 3) to a rounded triangular plate."""
    return plate_position(points, a, b, c)[0] - half_thickness


def plate_position(points: np.ndarray, a, b, c) -> tuple[np.ndarray, np.ndarray]:
    """Distance in mm (n,) from points (n, 3) to a triangle, and boolean (n,) whether an edge of it is the nearest."""
    a, b, c = (np.asarray(corner, np.float32) for corner in (a, b, c))
    corners, edges = (a, b, c), (b - a, c - b, a - c)
    normal = unit(cross(edges[0], edges[2]))
    inwards = [cross(edge, normal) for edge in edges]
    beside = np.stack([*inwards, normal]) @ (points - a).T
    sides = np.sign(beside[0])
    for number in (1, 2):
        sides += np.sign(beside[number] - (corners[number] - a) @ inwards[number])
    at_edge = np.abs(sides) < 2
    distance, outside = np.abs(beside[3]), points[at_edge]
    square = np.full(len(outside), np.inf, np.float32)
    for corner, edge in zip(corners, edges, strict=True):
        away = outside - corner
        away -= _limited(away @ (edge / (edge @ edge)))[:, None] * edge
        np.minimum(square, np.einsum("ij,ij->i", away, away), out=square)
    distance[at_edge] = np.sqrt(square)
    return distance, at_edge


def _limited(share: np.ndarray) -> np.ndarray:
    """Shares between 0 and 1, in place."""
    return np.minimum(np.maximum(share, 0, out=share), 1, out=share)


def _lengths(vectors: np.ndarray) -> np.ndarray:
    """Lengths (n,) of vectors (n, 3)."""
    return np.sqrt(np.einsum("ij,ij->i", vectors, vectors))


def ellipsoid_radius(points: np.ndarray, centre, radii, axes: np.ndarray | None = None) -> np.ndarray:
    """Distance of points (n, 3) from the centre in units of the ellipsoid: 1 on its surface."""
    relative = points - np.asarray(centre, np.float32)
    if axes is not None:
        relative = relative @ np.asarray(axes, np.float32)
    relative /= np.asarray(radii, np.float32)
    return _lengths(relative)


def shape_factor(points: np.ndarray, centre, rng: np.random.Generator, spread: float) -> np.ndarray:
    """How much farther than usual a random organ reaches in the direction of points (n, 3): mean 1, SD `spread`.

    Spherical harmonics of degree two and three, whose coefficients are the modes of an organ's shape.
    """
    relative = points - np.asarray(centre, np.float32)
    x, y, z = (relative / np.maximum(np.linalg.norm(relative, axis=1, keepdims=True), 1e-6)).T
    modes = [x * y, y * z, z * x, (x * x - y * y) / 2, (3 * z * z - 1) / 12**0.5]
    modes += [2.65 * x * y * z, 0.66 * x * (5 * z * z - 1), 0.66 * y * (5 * z * z - 1), 1.32 * z * (x * x - y * y)]
    weights = rng.normal(0, spread * (15 / (2 * len(modes))) ** 0.5, len(modes))
    return np.maximum(1 + np.tensordot(weights.astype(np.float32), np.stack(modes), 1), 0.4)
