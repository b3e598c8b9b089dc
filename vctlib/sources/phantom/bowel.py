"""Where the bowel runs: the colon round the abdomen, the coils of the small bowel in the room that is left.

Both are tubes along smooth paths; who paints them decides how thick they are. Lengths and radii of a 175 cm person.
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial import cKDTree

from vctlib.sources.phantom.canvas import Canvas, random_stream
from vctlib.sources.phantom.cavity import Cavity, pelvic_y
from vctlib.sources.phantom.landmarks import L1, L5, Landmarks

STEP_MM = 5.0  # between points of a path
COLON_RADII = (27, 26, 24, 21, 19, 20, 17, 15, 14, 14, 13, 15, 16, 17, 15)  # at the turns below, mm
HAUSTRUM_MM, HAUSTRUM_DEPTH = 34.0, 0.16  # length of a pouch of the colon, and how much it bulges
COIL_RADIUS, COIL_SPACING = 12.0, 33.0  # of the small bowel, mm
MAX_COILS = 70  # times the spacing is the length of the small bowel in a body lying still, some 2.3 m
SMALL, LARGE = 0, 1


@dataclass(frozen=True)
class Bowel:
    """Points (k, 3) of both paths in mm, `radius` (k,) mm, `part` (k,) SMALL or LARGE, `gas` (k,) how gassy (SD 1)."""

    points: np.ndarray
    radius: np.ndarray
    part: np.ndarray
    gas: np.ndarray

    def nearest(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Number of the path point whose tube is nearest to positions (n, 3), and mm outside of that tube."""
        best, outside = np.zeros(len(positions), np.intp), np.full(len(positions), np.inf)
        for part in (SMALL, LARGE):
            own = np.flatnonzero(self.part == part)
            if len(own):
                distance, number = cKDTree(self.points[own]).query(positions, distance_upper_bound=200.0)
                number = own[np.minimum(number, len(own) - 1)]
                distance = distance - self.radius[number]
                closer = distance < outside
                best[closer], outside[closer] = number[closer], distance[closer]
        return best, outside


def find_bowel(canvas: Canvas, landmarks: Landmarks, cavity: Cavity, room: np.ndarray) -> Bowel:
    """The paths in a person's cavity; the small bowel keeps to the voxels `room` that organs leave."""
    rng = random_stream(canvas.seed, "bowel")
    colon, colon_radius = _colon(landmarks, cavity, rng)
    coils = _coils(canvas, landmarks, cavity, room, colon, colon_radius, rng)
    points = np.concatenate([coils, colon])
    radius = np.concatenate([np.full(len(coils), COIL_RADIUS * landmarks.scale), colon_radius])
    part = np.repeat([SMALL, LARGE], [len(coils), len(colon)])
    return Bowel(points, radius, part, np.concatenate([_gas(len(coils), 30, rng), 0.8 + _gas(len(colon), 16, rng)]))


def _gas(n: int, grain: int, rng: np.random.Generator) -> np.ndarray:
    """A smooth random course of gas along a path of n points."""
    knots = np.arange(-1, n // grain + 3)
    return CubicSpline(knots * grain, rng.normal(size=len(knots)))(np.arange(n))


def _smooth(turns: np.ndarray, radii) -> tuple[np.ndarray, np.ndarray]:
    """Points every `STEP_MM` of a smooth path through the turns (k, 3), and the radius there."""
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(turns, axis=0), axis=1).clip(1))])
    at = np.arange(0, along[-1], STEP_MM)
    return CubicSpline(along, turns)(at), np.interp(at, along, radii)


def _colon(landmarks: Landmarks, cavity: Cavity, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    scale, spine, hip_z = landmarks.scale, landmarks.spine, landmarks.hip_z
    z_of = {"flexure": spine[L1 + 1, 2], "left flexure": spine[L1, 2] + 18 * scale, "crest": spine[L5, 2] - 5 * scale}
    sag = rng.uniform(20, 95) * scale  # how far the transverse colon hangs
    loop = rng.uniform(-15, 25) * scale  # of the sigmoid

    def at(side: float, share: float, z: float) -> np.ndarray:
        """A point at shares of the cavity's half width to the left (right: negative) and of its depth from the back."""
        half_width, front, back = cavity.section(np.array([z]))
        return np.array([side * half_width[0], back[0] + share * (front[0] - back[0]), z])

    sacrum_y, pelvis_y = spine[L5, 1] + 26 * scale, pelvic_y(landmarks)
    middle = z_of["flexure"] - sag
    turns = np.array(
        [
            at(-0.62, 0.55, hip_z + 62 * scale),  # caecum
            at(-0.70, 0.42, hip_z + 95 * scale),
            at(-0.74, 0.34, z_of["crest"] + 45 * scale),
            at(-0.70, 0.38, z_of["flexure"] + 2 * scale),  # under the liver
            at(-0.45, 0.68, z_of["flexure"] - 0.45 * sag),
            at(0.0, 0.80, middle),
            at(0.42, 0.74, z_of["flexure"] - 0.35 * sag),
            at(0.70, 0.46, z_of["left flexure"]),  # under the spleen
            at(0.76, 0.26, z_of["flexure"] - 30 * scale),
            at(0.76, 0.30, z_of["crest"] + 20 * scale),
            at(0.68, 0.45, hip_z + 85 * scale),
            at(0.34, 0.62, hip_z + 62 * scale + loop),  # sigmoid
            np.array([-8 * scale + loop, (pelvis_y + sacrum_y) / 2, hip_z + 66 * scale]),
            np.array([0, sacrum_y - 4 * scale, hip_z + 34 * scale]),
            np.array([0, sacrum_y - 2 * scale, hip_z - 34 * scale]),  # rectum
        ]
    )
    turns[1:-3] += rng.normal(0, 5 * scale, (len(turns) - 4, 3))
    points, radius = _smooth(turns, COLON_RADII)
    size = landmarks.scale * rng.normal(1, 0.12)
    pouches = 1 + HAUSTRUM_DEPTH * np.cos(2 * np.pi * np.arange(len(points)) * STEP_MM / HAUSTRUM_MM)
    return points, radius * size * pouches


def _coils(canvas, landmarks, cavity, room, colon, colon_radius, rng) -> np.ndarray:
    """A path through anchors that fill the room between the other organs, from left of the spine to the caecum."""
    scale = landmarks.scale
    low, high = landmarks.hip_z + 12 * scale, landmarks.spine[L1 + 1, 2] + 5 * scale
    points = rng.uniform([-160, 0, low], [160, 1, high], (2500, 3)) * [scale, 1, 1]
    half_width, front, back = cavity.section(points[:, 2])
    points[:, 1] = back + points[:, 1] * (front - back)
    to_colon, nearest = cKDTree(colon).query(points)
    open_to_bowel = (cavity.radius_at(points) < 0.84) & (np.abs(points[:, 0]) < 0.66 * half_width)
    open_to_bowel &= to_colon > colon_radius[nearest] + COIL_RADIUS * scale
    points = points[open_to_bowel & canvas.are_in(points, room)]
    # The mesentery holds the coils together: they fill the room from its middle.
    middle = np.array([10 * scale, np.median(points[:, 1]) if len(points) else 0.0, low + 0.42 * (high - low)])
    points = points[
        np.argsort(np.linalg.norm((points - middle) * [0.8, 1.0, 0.8], axis=1) // (45 * scale), kind="stable")
    ]
    anchors = _spread(points, COIL_SPACING * scale)
    if len(anchors) < 4:
        return np.zeros((0, 3))
    start = np.array([30 * scale, anchors[:, 1].mean(), high])
    path = anchors[_tour(anchors, start, colon[0])]
    return _smooth(path, np.ones(len(path)))[0]


def _spread(points: np.ndarray, spacing: float) -> np.ndarray:
    """Of points (n, 3) in their order, those that no earlier one is nearer to than the spacing."""
    chosen = []
    while len(points) and len(chosen) < MAX_COILS:
        chosen.append(points[0])
        points = points[np.linalg.norm(points - points[0], axis=1) >= spacing]
    return np.array(chosen).reshape(-1, 3)


def _tour(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """A short order of points between two ends: nearest neighbours, then turning stretches round while that helps."""
    nodes = np.concatenate([[start], points, [end]])
    distance = np.linalg.norm(nodes[:, None] - nodes[None], axis=-1)
    order, left = [0], set(range(1, len(nodes) - 1))
    while left:
        order.append(min(left, key=lambda node: distance[order[-1], node]))
        left.remove(order[-1])
    order = np.array([*order, len(nodes) - 1])
    for _ in range(200):
        first, last = order[:-1], order[1:]
        gain = distance[first, last][:, None] + distance[first, last][None] - distance[first][:, first]
        gain = np.triu(gain - distance[last][:, last], 2)
        i, j = np.unravel_index(gain.argmax(), gain.shape)
        if gain[i, j] < 1e-6:
            break
        order[i + 1 : j + 1] = order[i + 1 : j + 1][::-1]
    return order[1:-1] - 1
