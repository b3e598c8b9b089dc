"""How a head lies: turned, bent and tilted on a neck that bends with it, let down towards the table, never symmetric.

Head and neck are painted straight. This file carries the straight body to the lying one and back: the neck is a rod
whose cross-sections turn ever more from the first vertebra of the chest to the atlas, the jaw going with the head. The
map is smooth and one to one, so that nothing is torn, and dies away at the inlet of the chest: the front of the first
ribs moves by a millimetre or two, what lies lower not at all. All numbers are choices.
"""

from dataclasses import dataclass

import numpy as np

from vctlib.sources.phantom.canvas import random_stream
from vctlib.sources.phantom.geometry import unit
from vctlib.sources.phantom.landmarks import C1, T1, Landmarks

SPREAD_DEG, LARGEST_DEG = np.array([6.0, 3.0, 8.0]), np.array([12.0, 7.0, 25.0])  # flexion, tilt, turn
FACE_RISE, BESIDE_FALL = 0.65, 0.7  # mm up the neck per mm before the spine, and down per mm beside the neck
FRONT_MM, BEYOND_MM, BESIDE_MM, ROUND_MM = 95.0, 130.0, 70.0, 15.0  # the face ends, so do chins; the neck's half width
REST_MM, LARGEST_DROP_MM = 20.0, 30.0  # what lies under every head; how far a neck lets it down
SLANT, WIDER, JAW_MM = 0.02, 0.02, 1.5  # spreads: y per x, x per x, sideways way of the chin
JAW_BELOW_EYES_MM = (40.0, 110.0)  # where that way begins and is whole
STEPS = 6  # of the fixed-point iteration; each leaves at most a third of the error


@dataclass(frozen=True)
class HeadPose:
    """`flexion_deg` (chin to the chest), `tilt_deg` (crown to the left) and `turn_deg` (face to the left): parts of one
    rotation vector. `slant`, `wider` and `jaw_mm`: how far the left half lies behind the right, is wider than it, and
    the chin beside the middle."""

    flexion_deg: float = 0.0
    tilt_deg: float = 0.0
    turn_deg: float = 0.0
    slant: float = 0.0
    wider: float = 0.0
    jaw_mm: float = 0.0

    @classmethod
    def draw(cls, seed: int) -> "HeadPose":
        rng = random_stream(seed, "head pose")
        angles = np.clip(rng.normal(0, SPREAD_DEG), -LARGEST_DEG, LARGEST_DEG)
        return cls(
            *(float(value) for value in (*angles, *np.clip(rng.normal(0, 1, 3), -2, 2) * [SLANT, WIDER, JAW_MM]))
        )


class NeckBend:
    """The map between the straight body and the lying one, in mm of the body frame."""

    def __init__(self, landmarks: Landmarks, pose: HeadPose, table_y: float):
        self.pose, self.scale, self._landmarks = pose, landmarks.scale, landmarks
        vector = np.deg2rad([pose.flexion_deg, pose.tilt_deg, pose.turn_deg])
        self._angle = float(np.linalg.norm(vector))
        self._axis = unit(vector) if self._angle > 0 else np.array([0.0, 0, 1])
        self._low, self._high = landmarks.spine[T1, 2], landmarks.spine[C1, 2]
        self._eyes = (landmarks.joint("eye.L") + landmarks.joint("eye.R")) / 2
        self._levels = np.linspace(self._low, self._high, 65)
        self._line = self._neck_line(self._levels)
        steps = self._turn(np.diff(self._line, axis=0), self._share((self._levels[1:] + self._levels[:-1]) / 2))
        self._bent = self._line[0] + np.vstack([np.zeros(3), np.cumsum(steps, axis=0)])
        head = landmarks.body.outer[landmarks.body.template.head_weight > 0.9]
        gap = table_y - REST_MM * self.scale - self.carry(head)[:, 1].max()
        extended = np.clip(1 - pose.flexion_deg / LARGEST_DEG[0], 0, 1)  # a bent head lies higher
        self.drop_mm = float(min(gap, LARGEST_DROP_MM * self.scale * extended))
        self._bent = self._bent + self._share(self._levels)[:, None] * [0, self.drop_mm, 0]

    @property
    def face_x(self) -> float:
        """How far to the left the middle of the face lies, mm."""
        return float(self.carry(self._eyes[None])[0, 0])

    def carry(self, points: np.ndarray) -> np.ndarray:
        """Points (n, 3) of the straight body where they lie."""
        carried = np.array(points, float)
        moved = self._level(carried) > self._low
        straight = carried[moved] + self._asymmetry(carried[moved])
        level = self._level(straight)
        carried[moved] = self._along(self._bent, level) + self._turn(
            straight - self._along(self._line, level), self._share(level)
        )
        return carried

    def straighten(self, points: np.ndarray) -> np.ndarray:
        """The inverse of `carry`: where points (n, 3) lie in the straight body."""
        straight = np.array(points)
        moved = np.flatnonzero(self._level(straight) > self._low)
        lying = straight[moved].astype(float)
        found = self._back(lying, np.full(len(moved), self._high))
        bent = np.flatnonzero(self._level(found) < self._high)  # the others belong to the head, which is rigid
        level = self._level(lying[bent])
        for _ in range(STEPS):
            found[bent] = self._back(lying[bent], level)
            level = self._level(found[bent])
        even = found - self._asymmetry(found)
        straight[moved] = found - self._asymmetry(even)
        return straight

    def _back(self, lying: np.ndarray, level: np.ndarray) -> np.ndarray:
        return self._along(self._line, level) + self._turn(lying - self._along(self._bent, level), -self._share(level))

    def _neck_line(self, z: np.ndarray) -> np.ndarray:
        x, y = self._landmarks.spine_at(z)
        return np.stack([x, y, z], 1)

    def _along(self, line: np.ndarray, level: np.ndarray) -> np.ndarray:
        """Points (n, 3) of a line at levels (n,)."""
        return np.stack([np.interp(level, self._levels, line[:, axis]) for axis in range(3)], 1)

    def _share(self, level: np.ndarray) -> np.ndarray:
        """Share (n,) of the head's rotation that a level of the neck has made."""
        t = np.clip((level - self._low) / (self._high - self._low), 0, 1)
        return t * t * (3 - 2 * t)

    def _level(self, points: np.ndarray) -> np.ndarray:
        """Height (n,) of the vertebra that a point goes with: above itself for the face, under it beside the neck."""
        front = self._landmarks.spine_at(points[:, 2])[1] - points[:, 1]
        size, rounding = self.scale, ROUND_MM * self.scale
        face = (front + np.hypot(front, rounding)) / 2
        face = np.minimum(face, FRONT_MM * size) - np.maximum(front - BEYOND_MM * size, 0)
        beside = np.abs(points[:, 0]) - BESIDE_MM * size
        return points[:, 2] + FACE_RISE * face - BESIDE_FALL * (beside + np.hypot(beside, rounding)) / 2

    def _turn(self, vectors: np.ndarray, share: np.ndarray) -> np.ndarray:
        """Vectors (n, 3) turned by shares (n,) of the head's rotation (Rodrigues' formula)."""
        cosine, sine = np.cos(share * self._angle)[:, None], np.sin(share * self._angle)[:, None]
        along = (vectors @ self._axis)[:, None] * self._axis
        return along + cosine * (vectors - along) + sine * np.cross(self._axis, vectors)

    def _asymmetry(self, points: np.ndarray) -> np.ndarray:
        """How far (n, 3) the head's own asymmetry moves points of a symmetric one."""
        x, below = points[:, 0], (self._eyes[2] - points[:, 2]) / self.scale
        width = x * x / np.hypot(x, ROUND_MM * self.scale)
        sideways = self.pose.wider / 2 * width + self.pose.jaw_mm * self.scale * np.interp(
            below, JAW_BELOW_EYES_MM, (0, 1)
        )
        moved = np.stack([sideways, self.pose.slant * x, np.zeros(len(x))], 1)
        return moved * self._share(self._level(points))[:, None]
