"""Coordinates of the head: millimetres of one reference head, stretched onto the head of the body at hand.

The origin lies midway between the eyes; x is counted to the left, y to the back, z up. The reference head has the
proportions of cephalometric norms (nasion to sella 70 mm, sella to basion 46 mm, palate 50 mm under the nasion) and
was then adjusted by eye; everything drawn with it is a choice.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vctlib.sources.phantom.canvas import Canvas
from vctlib.sources.phantom.landmarks import HEAD_ABOVE_EYES_MM, Landmarks

HEAD_HALF_WIDTH_MM, HEAD_LENGTH_MM, CHIN_MM = 72.0, 200.0, 114.0  # of the reference head, over the skin
SCALP_MM = 5.0


@dataclass(frozen=True)
class HeadFrame:
    """`origin` (3,) in mm of the body frame; `size` (3,) mm per mm of the reference head, `face` the same along z
    below the eyes."""

    origin: np.ndarray
    size: np.ndarray
    face: float

    @property
    def scale(self) -> float:
        """The mean of all sizes, for thicknesses and radii."""
        return float(np.cbrt(self.size[0] * self.size[1] * (self.size[2] + self.face) / 2))

    def at(self, x: float, y: float, z: float) -> np.ndarray:
        """The point (3,) of the body at reference coordinates."""
        return self.origin + np.array([x, y, z]) * [self.size[0], self.size[1], self.size[2] if z > 0 else self.face]

    def side(self, sign: int) -> Callable[[float, float, float], np.ndarray]:
        """`at` with x counted away from the midline on the side of `sign`."""
        return lambda x, y, z: self.at(sign * x, y, z)

    def near(self, canvas: Canvas, low, high) -> tuple[np.ndarray, np.ndarray]:
        """Numbers (m,) of the voxels in a box of reference coordinates and their reference coordinates (m, 3)."""
        near = canvas.box(self.at(*low), self.at(*high), canvas.spacing)
        points = canvas.positions[near] - self.origin.astype(np.float32)
        points[:, :2] /= self.size[:2].astype(np.float32)
        points[:, 2] /= np.where(points[:, 2] > 0, self.size[2], self.face).astype(np.float32)
        return near, points


def find_head_frame(landmarks: Landmarks) -> HeadFrame:
    body = landmarks.body
    eyes = (landmarks.joint("eye.L") + landmarks.joint("eye.R")) / 2
    head = body.outer[np.isin(body.template.vertex_region, ("head", "eye.L", "eye.R"))]
    crown = head[head[:, 2] > eyes[2] + 15 * landmarks.scale]
    above = (head[:, 2].max() - eyes[2]) / HEAD_ABOVE_EYES_MM
    width = np.abs(crown[:, 0]).max() / HEAD_HALF_WIDTH_MM
    length = np.ptp(crown[:, 1]) / HEAD_LENGTH_MM
    profile = head[(np.abs(head[:, 0]) < 6) & (head[:, 1] < eyes[1] - 8) & (head[:, 2] < eyes[2] - 70 * above)]
    chin = (eyes[2] - profile[:, 2].min()) / CHIN_MM if len(profile) else above
    return HeadFrame(eyes, np.array([width, length, above]), float(np.clip(chin, 0.92 * above, 1.06 * above)))
