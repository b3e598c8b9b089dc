"""Shape of a person at rest: a lean and an outer skin mesh whose volumes are solved for.

The lean mesh (muscle direction of the template) bounds the fat-free body, the outer mesh (fat direction added on
top) is the skin. The distance between them says where subcutaneous fat lies.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy.optimize import brentq

from vctlib.sources.phantom.template import HEAD_JOINTS, Template

MUSCLE_RANGE = (-0.5, 1.6)  # how far the template may be followed along each direction, in corners of the template
FAT_RANGE = (-0.1, 2.5)
HEAD_GROWTH = 0.4  # exponent of height that the size of the head follows
# Where the template's heavy corner is followed less far, in corners: beyond, necks vanish and backs hunch. Choices.
LIMITS = {"head": 0.7, "eye": 0.7, "neck": 0.55, "clavicle": 0.7, "shoulder": 0.8, "spine01": 1.0, "spine02": 1.5,
          "upperarm01": 1.3,
          "wrist": 0.8, "metacarpal": 0.8, "finger": 0.8, "foot": 0.9, "toe": 0.9, "lowerleg02": 1.3}  # fmt: skip
ELSEWHERE = 8.0


@dataclass(frozen=True)
class RestBody:
    """Vertices (n, 3) and joints (104, 3) of both meshes in mm, in the template's rest pose."""

    lean_vertices: np.ndarray
    lean_joints: np.ndarray
    outer_vertices: np.ndarray
    outer_joints: np.ndarray


def mesh_volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Volume in mm^3 of a closed mesh with outward faces, by the divergence theorem."""
    corners = faces.T.astype(np.intp, order="C")
    # One coordinate at a time: the same from `numpy.cross` takes eight times as long.
    (ax, bx, cx), (ay, by, cy), (az, bz, cz) = (axis.take(corners) for axis in vertices.T.astype(float, order="C"))
    return float(cx @ (ay * bz - az * by) + cy @ (az * bx - ax * bz) + cz @ (ax * by - ay * bx)) / 6


def rest_body(
    template: Template, sex: str, age_years: float, height_mm: float, lean_volume_mm3: float, total_volume_mm3: float
) -> RestBody:
    """Meshes of the wanted standing height and volumes, as near as the template's range allows."""
    shape = _Shape(template, sex, age_years, height_mm)
    muscle = _lean_muscle(shape, lean_volume_mm3)
    fatness = _solve(lambda value: shape.volume(muscle, value) - total_volume_mm3, FAT_RANGE)
    return RestBody(*shape(muscle, 0.0), *shape(muscle, fatness))


@dataclass(frozen=True)
class _Shape:
    """Everybody of a sex, an age and a standing height (mm), by muscle and fatness."""

    template: Template
    sex: str
    age_years: float
    height_mm: float

    @cached_property
    def _corners(self) -> list[tuple[np.ndarray, ...]]:
        """Of vertices and of joints: the slim body, what muscle and fat add to it, and how far either may go."""
        slim, muscular, fat = (
            [self.template.corner(kind, self.sex, self.age_years, *corner) for kind in "vb"]
            for corner in ((0, 0), (1, 1), (1, 0))
        )
        limits = _limits(self.template)
        return [(s, m - s, f - s, limit) for s, m, f, limit in zip(slim, muscular, fat, limits, strict=True)]

    def __call__(self, muscle: float, fatness: float) -> tuple[np.ndarray, np.ndarray]:
        """Vertices and joints."""
        vertices, joints = (
            slim + _bounded(muscle, limit) * to_muscular + _bounded(fatness, limit) * to_fat
            for slim, to_muscular, to_fat, limit in self._corners
        )
        vertices, joints = _size_head(self.template, vertices, joints, self.height_mm)
        to_height = self.height_mm / np.ptp(vertices[:, 2])
        return vertices * to_height, joints * to_height

    def volume(self, muscle: float, fatness: float) -> float:
        return mesh_volume(self(muscle, fatness)[0], self.template.faces)


@lru_cache(maxsize=2)
def _lean_muscle(shape: _Shape, lean_volume_mm3: float) -> float:
    """The muscle that gives a lean body its volume; a person's trials mostly share it."""
    return _solve(lambda value: shape.volume(value, 0.0) - lean_volume_mm3, MUSCLE_RANGE)


@lru_cache(maxsize=1)
def _limits(template: Template) -> tuple[np.ndarray, np.ndarray]:
    """How far every vertex (n, 1) and joint (104, 1) may follow a direction of the template: smooth over the skin."""
    slack = np.full(len(template.vertex_region), 1 / ELSEWHERE)
    for region, limit in LIMITS.items():
        slack[template.in_region(region)] = 1 / limit
    for _ in range(40):
        slack = template.neighbour_mean @ slack
    joints = np.full(len(template.joint_names), 1 / ELSEWHERE)
    for number, name in enumerate(template.joint_names):
        own = template.vertex_region == name
        if own.any():
            joints[number] = slack[own].mean()
    return 1 / slack[:, None], 1 / joints[:, None]


def _bounded(amount: float, limit: np.ndarray) -> np.ndarray:
    """An amount that grows ever more slowly and stays under its limit."""
    return limit * np.tanh(amount / limit)


def _size_head(template: Template, vertices: np.ndarray, joints: np.ndarray, height_mm: float):
    """Grow the head of a short body and shrink that of a tall one: heads vary less than heights do."""
    factor = (height_mm / 1750) ** (HEAD_GROWTH - 1)
    pivot = joints[template.joint_index["head"]]
    joints = joints.copy()
    in_head = [template.joint_index[name] for name in HEAD_JOINTS]
    joints[in_head] = pivot + factor * (joints[in_head] - pivot)
    return vertices + (factor - 1) * template.head_weight[:, None] * (vertices - pivot), joints


def _solve(excess, bounds: tuple[float, float]) -> float:
    """The root of an increasing function, or the nearer bound when the root lies outside."""
    low, high = bounds
    if excess(low) >= 0:
        return low
    if excess(high) <= 0:
        return high
    return float(brentq(excess, low, high, xtol=1e-4))
