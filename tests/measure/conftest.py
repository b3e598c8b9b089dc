"""A stick figure of labelled blocks with known lengths, drawn on any voxel grid; all numbers in mm and HU.

Standing along z with the soles at 0 and the crown at 1720, so that its height is 172.0 cm however the knees are bent.
Every face of the straight figure lies on a multiple of 8 mm, and so on voxel faces of 1, 2, 4 or 8 mm grids.
"""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from vctlib.anatomy import TOTAL, LabelTable, tissue

HEIGHT_MM = 1720.0
HIP_MM, THIGH_MM, SHIN_MM = 840.0, 400.0, 440.0  # the sole is THIGH + SHIN below the hip joint of a straight leg
SIDE = {"right": 1.0, "left": -1.0}
SOFT_HU, BONE_HU, FAT_HU = 40.0, 500.0, -100.0


@dataclass(frozen=True)
class Box:
    low: tuple[float, float, float]
    high: tuple[float, float, float]

    def holds(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        inside = np.ones(np.broadcast_shapes(x.shape, y.shape, z.shape), bool)
        for position, low, high in zip((x, y, z), self.low, self.high, strict=True):
            inside &= (position > low) & (position < high)
        return inside


@dataclass(frozen=True)
class Rod:
    """A flat-ended square rod of half width `half` from `start` to `end`, in a plane of constant x."""

    start: tuple[float, float, float]
    end: tuple[float, float, float]
    half: float

    def holds(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        start, end = np.array(self.start), np.array(self.end)
        length = np.linalg.norm(end - start)
        along = (end - start) / length
        distance = (y - start[1]) * along[1] + (z - start[2]) * along[2]
        across = (y - start[1]) * along[2] - (z - start[2]) * along[1]
        return (np.abs(x - start[0]) < self.half) & (np.abs(across) < self.half) & (distance > 0) & (distance < length)


def centred(x: float, half: float, low: float, high: float) -> Box:
    """A block around (x, 0) between two heights."""
    return Box((x - half, -half, low), (x + half, half, high))


def trunk() -> list[tuple[str, Box]]:
    """Head, neck and torso, the flesh first and the bones after it."""
    return [
        ("skeletal_muscle", Box((-160, -80, 800), (160, 80, 1400))),
        ("skeletal_muscle", centred(0, 40, 1400, 1504)),
        ("brain", centred(0, 80, 1504, HEIGHT_MM)),
        ("subcutaneous_fat", Box((-160, 40, 800), (160, 80, 1400))),
        ("liver", Box((32, -64, 1000), (128, 32, 1096))),
        ("hip_right", centred(32, 16, 800, 840)),
        ("hip_left", centred(-32, 16, 800, 840)),
        ("vertebrae_L1", centred(0, 24, 1040, 1072)),
        ("vertebrae_C7", centred(0, 16, 1400, 1416)),
        ("vertebrae_C2", centred(0, 16, 1480, 1496)),
        ("vertebrae_C1", centred(0, 16, 1504, 1520)),
    ]


def leg(side: str, bend_degrees: float = 0.0, amputated: str | None = None) -> list[tuple[str, Box | Rod]]:
    """One leg, thigh forward and shin back by the same angle; `amputated` "shin" or "thigh" takes it off there."""
    x, angle = 80.0 * SIDE[side], np.deg2rad(bend_degrees)
    forward, down = np.array([0.0, np.sin(angle), 0.0]), np.array([0.0, 0.0, -np.cos(angle)])
    hip = np.array([x, 0.0, HIP_MM])
    knee = hip + THIGH_MM * (forward + down)
    sole = knee + SHIN_MM * (down - forward)
    ankle = knee + (SHIN_MM - 40.0) * (down - forward)
    stump = hip + 0.5 * THIGH_MM * (forward + down)
    if amputated == "thigh":
        return [("skeletal_muscle", Rod(tuple(hip), tuple(stump), 40.0)), (f"femur_{side}", Rod(hip, stump, 16.0))]
    thigh = [("skeletal_muscle", Rod(tuple(hip), tuple(knee), 40.0))]
    femur = [(f"femur_{side}", Rod(tuple(hip), tuple(knee), 16.0))]
    if amputated == "shin":
        return thigh + femur
    flesh = [("skeletal_muscle", Rod(tuple(knee), tuple(sole), 40.0))]
    return thigh + flesh + femur + [("tibia", Rod(tuple(knee), tuple(ankle), 16.0))]


def draw(
    blocks: list[tuple[str, Box | Rod]],
    spacing: tuple[float, float, float] = (8.0, 8.0, 8.0),
    table: LabelTable = TOTAL,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """HU (int16), labels (uint8), both (x, y, z), and affine (mm); blocks are painted in order, bones last."""
    low, high = np.array([-192.0, -320.0, -48.0]), np.array([192.0, 320.0, 1776.0])
    shape = np.rint((high - low) / spacing).astype(int)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = low + np.array(spacing) / 2.0
    x, y, z = np.ix_(*(affine[i, 3] + spacing[i] * np.arange(shape[i]) for i in range(3)))
    hu, labels = np.full(shape, -1000, np.int16), np.zeros(shape, np.uint8)
    number = {name: i for i, name in table.items()}
    value_of = {"bone": BONE_HU, "fat": FAT_HU}
    for name, block in sorted(blocks, key=lambda named: tissue(named[0]) == "bone"):
        inside = block.holds(x, y, z)
        labels[inside] = number[name]
        hu[inside] = value_of.get(tissue(name), SOFT_HU)
    return hu, labels, affine


def standing(**legs: dict) -> list[tuple[str, Box | Rod]]:
    """The whole figure; `right` and `left` may give the arguments of `leg`."""
    return leg("right", **legs.get("right", {})) + leg("left", **legs.get("left", {})) + trunk()


@pytest.fixture(scope="session")
def figure() -> SimpleNamespace:
    """The parts of the figure, for tests to put together."""
    return SimpleNamespace(
        draw=draw,
        standing=standing,
        leg=leg,
        trunk=trunk,
        Box=Box,
        height_mm=HEIGHT_MM,
        thigh_mm=THIGH_MM,
        shin_mm=SHIN_MM,
    )
