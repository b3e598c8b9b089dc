"""The rib cage as one smooth surface, and the domes of the diaphragm below it."""

from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi

from vctlib.sources.phantom.canvas import random_stream
from vctlib.sources.phantom.landmarks import C7, L1, T1, T12, Landmarks

SQUARENESS = 2.3  # exponent of the super-ellipse that a horizontal section of the cage is


@dataclass(frozen=True)
class CagePosition:
    """Points seen from the rib cage, arrays (n,): `distance` mm outside its surface (negative inside), `across` and
    `backwards` in half axes of the section at the point's height, `centre_y` and `half_depth` of that section in mm."""

    distance: np.ndarray
    across: np.ndarray
    backwards: np.ndarray
    centre_y: np.ndarray
    half_depth: np.ndarray


class RibCage:
    def __init__(self, landmarks: Landmarks, seed: int):
        rng = random_stream(seed, "rib cage")
        lm, scale, spine_z = landmarks, landmarks.scale, landmarks.spine[:, 2]
        aging = lm.age - 45
        width = (141 if lm.male else 126) * scale * rng.normal(1, 0.03) * (1 + 0.0010 * aging)
        self.half_width = float(np.clip(0.91 * lm.lean.half_width(spine_z[15]), width * 0.93, width * 1.16))
        self.top, self.bottom = spine_z[C7] - 4 * scale, spine_z[L1 + 2]
        self.first_rib_z = spine_z[T1]
        self.pitch = (spine_z[T1] - spine_z[T12]) / 11.0  # height of one rib and the gap below it
        self._z = z = np.arange(lm.hip_z, lm.c1_z, 4.0)
        self._width = self._width_by_height(lm, z)
        back = lm.central.back(z) - 22 * scale
        front = lm.lean.front(z) + 11 * scale
        above_breast = z > spine_z[T1 + 1]
        front = np.where(above_breast, np.maximum(front, lm.central.front(z) + 14 * scale), front)
        self._back = ndi.gaussian_filter1d(back, 6)
        sternum_z = self.first_rib_z - 1.6 * self.pitch
        self._inlet = [lm.spine[T1, 1] - 16 * scale, self.first_rib_z + 10 * scale, sternum_z + 4 * scale]
        deepest = (215 if lm.male else 190) * scale * (1 + 0.0015 * aging)
        self._front = np.maximum(ndi.gaussian_filter1d(front, 6), self._back - deepest)

    def _width_by_height(self, lm: Landmarks, z: np.ndarray) -> np.ndarray:
        down = np.clip((self.top - z) / (self.top - self.bottom), 0, 1.1)
        shoulder_taper = 1 - 0.66 * np.clip(1 - down / 0.62, 0, 1) ** 2
        waist_taper = 1 - 0.10 * np.clip((down - 0.62) / 0.4, 0, 1)
        width = self.half_width * shoulder_taper * waist_taper
        inside_skin = np.minimum(width, lm.lean.half_width(z) - 14 * lm.scale)
        return np.where(z < self.first_rib_z - 5 * self.pitch, inside_skin, width)

    def front(self, z):
        """y of the front of the cage in the midline at heights z."""
        return np.interp(z, self._z, self._front)

    def half_depth(self, z):
        return np.interp(z, self._z, (self._back - self._front) / 2)

    def under_inlet(self, points: np.ndarray) -> np.ndarray:
        """Boolean (n,): below two domes on the plane through the first ribs, from the first vertebra to the sternum."""
        spine_y, spine_z, sternum_z = self._inlet
        forwards = np.clip((spine_y - points[:, 1]) / max(spine_y - self.front(sternum_z), 1), 0, 1)
        fall = (
            0.4
            * (spine_z - sternum_z)
            * ((np.abs(points[:, 0]) - 0.24 * self.half_width) / (0.2 * self.half_width)) ** 2
        )
        return points[:, 2] < np.maximum(spine_z + (sternum_z - spine_z) * forwards - fall, sternum_z)

    def locate(self, points: np.ndarray) -> CagePosition:
        """Positions of points (n, 3) relative to the cage."""
        z = points[:, 2]
        width, front, back = (np.interp(z, self._z, v) for v in (self._width, self._front, self._back))
        centre, depth = (front + back) / 2, np.maximum((back - front) / 2, 15)
        across, backwards = points[:, 0] / width, (points[:, 1] - centre) / depth
        radius = (np.abs(across) ** SQUARENESS + np.abs(backwards) ** SQUARENESS) ** (1 / SQUARENESS)
        gradient = np.hypot(across / width, backwards / depth) / np.maximum(radius, 0.2)
        return CagePosition((radius - 1) / np.maximum(gradient, 1e-4), across, backwards, centre, depth)

    def back_point(self, x: float, z: float, outside: float) -> np.ndarray:
        """The point of the back of the cage at x and z, moved `outside` mm backwards."""
        width, front, back = (np.interp(z, self._z, v) for v in (self._width, self._front, self._back))
        share = min(abs(x) / width, 0.97)
        y = (front + back) / 2 + (back - front) / 2 * (1 - share**SQUARENESS) ** (1 / SQUARENESS)
        return np.array([x, y + outside, z])


class Diaphragm:
    """Two domes; the left one stands a little lower. `right_top` and `left_top` are their heights in mm."""

    def __init__(self, landmarks: Landmarks, cage: RibCage, seed: int):
        level = 8.9 + random_stream(seed, "diaphragm").normal(0, 0.35)  # in thoracic vertebrae below T1
        self.right_top = float(np.interp(level, np.arange(12), landmarks.spine[T1 : T12 + 1, 2]))
        self.left_top = self.right_top - 14 * landmarks.scale
        self._cage, self._scale = cage, landmarks.scale
        self._highest, self._lowest = landmarks.spine[T1 + 5, 2], landmarks.spine[T1 + 10, 2]

    def height(self, points: np.ndarray, position: CagePosition) -> np.ndarray:
        """z of the diaphragm above or below points (n, 3)."""
        width, scale = self._cage.half_width, self._scale
        right = points[:, 0] < 0
        centre_x, top = np.where(right, -0.46 * width, 0.46 * width), np.where(right, self.right_top, self.left_top)
        across = (points[:, 0] - centre_x) / (0.75 * width)
        backwards = (points[:, 1] - (position.centre_y - 5 * scale)) / (1.15 * position.half_depth)
        return top - 88 * scale * np.clip(across**2 + backwards**2, 0, 1.7)

    def settle(self, points: np.ndarray, position: CagePosition, voxel_ml: float, wanted_ml: dict[int, float]) -> None:
        """Move the domes so that wanted volumes (ml, by side: 1 left, -1 right) of points (n, 3), those that lungs may
        take, lie above them."""
        above = points[:, 2] - self.height(points, position)
        for sign, volume_ml in wanted_ml.items():
            own = np.sort(above[points[:, 0] * sign > 0])[::-1]
            if len(own) == 0:
                continue  # voxels too coarse for a lung
            rise = float(own[min(int(volume_ml / voxel_ml), len(own) - 1)])
            if sign > 0:
                self.left_top = float(np.clip(self.left_top + rise, self._lowest, self._highest))
            else:
                self.right_top = float(np.clip(self.right_top + rise, self._lowest, self._highest))
