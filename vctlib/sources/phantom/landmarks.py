"""Where the skeleton lies in a posed body: spine, hips, and the surfaces of the trunk by height.

Everything is in the body frame (x left, y back, z up; mm) and grows with the person's height: `scale` is 1 at 175 cm.
Sizes in this folder are of that 175 cm person, read off anatomical atlases and then adjusted by eye.
"""

from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi

from vctlib.sources.phantom.canvas import random_stream
from vctlib.sources.phantom.conditions import Fracture
from vctlib.sources.phantom.fracture import room_left
from vctlib.sources.phantom.person import Person
from vctlib.sources.phantom.pose import SIDES, TRUNK, PosedBody

REFERENCE_HEIGHT_CM = 175.0  # of the person that the sizes in this folder belong to
HEAD_ABOVE_EYES_MM, ATLAS_BELOW_EYES_MM = 111.0, 57.0  # of the reference head: the atlas is level with the palate
SHOULDER_MM = 47.0, 46.0  # from the middle of the humeral head to the side and the top of the lean shoulder
C1, C7, T1, T12, L1, L5 = 0, 6, 7, 18, 19, 23  # rows of `Landmarks.spine`, numbered as in `anatomy.VERTEBRAE`


class Profile:
    """Half width, front and back of a part of a mesh by height, near the midline for front and back (mm)."""

    def __init__(self, vertices: np.ndarray, heights: np.ndarray, scale: float, half_window: float = 22.0):
        by_height = vertices[np.argsort(vertices[:, 2])]
        first = np.searchsorted(by_height[:, 2], heights - half_window)
        last = np.searchsorted(by_height[:, 2], heights + half_window)
        values = np.full((3, len(heights)), np.nan)
        for i in np.flatnonzero(last - first >= 6):
            ring = by_height[first[i] : last[i]]
            values[0, i] = np.abs(ring[:, 0]).max()
            middle = ring[np.abs(ring[:, 0]) < 35 * scale, 1]
            if len(middle):
                values[1:, i] = middle.min(), middle.max()
        self.heights = heights
        self._values = [np.interp(heights, heights[~np.isnan(v)], v[~np.isnan(v)]) for v in values]

    def half_width(self, z):
        return np.interp(z, self.heights, self._values[0])

    def front(self, z):
        return np.interp(z, self.heights, self._values[1])

    def back(self, z):
        return np.interp(z, self.heights, self._values[2])


@dataclass(frozen=True)
class Landmarks:
    """`spine` (24, 3) centres of the vertebral bodies C1 to L5, `vertebra_heights` (24,), profiles, and more in mm."""

    body: PosedBody
    person: Person
    scale: float
    hip_z: float
    c1_z: float
    spine: np.ndarray
    vertebra_heights: np.ndarray
    lean: Profile
    outer: Profile
    central: Profile  # of the lean body with neck and shoulders
    shoulders: dict[str, np.ndarray]  # joints of the template that are moved to where shoulders are

    @property
    def male(self) -> bool:
        return self.person.male

    @property
    def age(self) -> float:
        return self.person.age_years

    @property
    def pelvis_width(self) -> float:
        """Width of the pelvis relative to a man's of the same height."""
        return 1.0 if self.male else 1.06

    @property
    def girth(self) -> float:
        """Thickness of bones relative to the sizes in this folder: a choice that gives both sexes their bone mass."""
        return 1.10 if self.male else 1.07

    @property
    def cortex_left(self) -> float:
        """Share of the compact bone of youth that is left: women lose more of it after 50 years (a choice)."""
        return 1 - (0.004 if self.male else 0.007) * max(0.0, self.age - 50)

    def joint(self, name: str) -> np.ndarray:
        return self.shoulders[name] if name in self.shoulders else self.body.joint(name)

    def spine_at(self, z) -> tuple[np.ndarray, np.ndarray]:
        """x and y of the line of vertebral bodies at heights z."""
        upward = self.spine[::-1]
        return np.interp(z, upward[:, 2], upward[:, 0]), np.interp(z, upward[:, 2], upward[:, 1])


def find_landmarks(body: PosedBody, person: Person, seed: int, fracture: Fracture | None = None) -> Landmarks:
    scale = person.height_cm / REFERENCE_HEIGHT_CM
    hip_z = (body.joint("upperleg02.L")[2] + body.joint("upperleg02.R")[2]) / 2 + 20 * scale
    eyes_z = (body.joint("eye.L")[2] + body.joint("eye.R")[2]) / 2
    c1_z = eyes_z - (body.outer[:, 2].max() - eyes_z) * ATLAS_BELOW_EYES_MM / HEAD_ABOVE_EYES_MM
    heights = np.arange(hip_z - 120 * scale, c1_z, 8.0)
    trunk = body.template.in_region(*TRUNK)
    central = body.lean[trunk | body.template.in_region("neck", "clavicle", "shoulder")]
    central_profile = Profile(central[np.abs(central[:, 0]) < 40 * scale], heights, scale)
    rng = random_stream(seed, "spine")
    vertebra_heights, spine = _spine(person, scale, hip_z, c1_z, central_profile, rng, fracture)
    return Landmarks(
        body=body,
        person=person,
        scale=scale,
        hip_z=float(hip_z),
        c1_z=float(c1_z),
        spine=spine,
        vertebra_heights=vertebra_heights,
        lean=Profile(body.lean[trunk], heights, scale),
        outer=Profile(body.outer[trunk], heights, scale),
        central=central_profile,
        shoulders={f"upperarm01.{suffix}": _shoulder(body, suffix, sign, scale) for _, suffix, sign in SIDES},
    )


def _shoulder(body: PosedBody, suffix: str, sign: int, scale: float) -> np.ndarray:
    """The middle of the humeral head, mm: the template's joint lies too deep under the top and the side of the arm."""
    joint = body.joint(f"upperarm01.{suffix}")
    away = (body.lean - joint) * [sign, 1, 1]
    above = away[(np.hypot(away[:, 0], away[:, 1]) < 22 * scale) & (away[:, 2] > 0)]
    beside = away[(np.hypot(away[:, 1], away[:, 2]) < 18 * scale) & (away[:, 0] > 0)]
    rise = above[:, 2].max() - SHOULDER_MM[1] * scale if len(above) else 0
    out = beside[:, 0].max() - SHOULDER_MM[0] * scale if len(beside) else 0
    return joint + np.array([sign * np.clip(out, 0, 14), 0, np.clip(rise, 0, 24)])


def _spine(person: Person, scale: float, hip_z, c1_z, central: Profile, rng, fracture: Fracture | None):
    """Heights (24,) and centres (24, 3) of the vertebral bodies, from under the skull to above the sacrum."""
    heights = np.array([13, 19] + [14.8] * 5 + list(np.linspace(20, 27, 12)) + list(np.linspace(32, 36, 5)), float)
    heights *= room_left(fracture)
    top = c1_z + 7 * scale
    bottom = hip_z + (62 if person.male else 58) * scale
    heights *= (top - bottom) / heights.sum()
    z = top - np.cumsum(heights) + heights / 2
    # The bodies' distance from the skin of the back grows downwards.
    from_back = np.interp(np.linspace(0, 1, 24), [0, 0.28, 0.45, 0.75, 1], [58, 58, 56, 70, 76]) * scale
    y = central.back(z) - from_back * (1.0 if person.male else 0.93)
    y[:2] = y[2] - np.array([6, 3]) * scale
    y = ndi.gaussian_filter1d(y, 1.2, mode="nearest")
    x = rng.normal(0, 3.0) * scale * np.sin(np.linspace(0, np.pi * 1.5, 24))  # a slight scoliosis
    return heights, np.stack([x, y, z], 1)
