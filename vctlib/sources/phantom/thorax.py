"""Paint ribs, costal cartilages and sternum into the surface of the rib cage."""

import numpy as np

from vctlib.sources.phantom.bone_layer import PLATE
from vctlib.sources.phantom.canvas import LABEL, Canvas
from vctlib.sources.phantom.landmarks import Landmarks
from vctlib.sources.phantom.pose import SIDES
from vctlib.sources.phantom.ribcage import CagePosition, RibCage

INTO_CAGE = 4.5  # the middle of the ribs lies this far inside the surface, mm
RIB_HALF_THICKNESS, RIB_HALF_HEIGHT = 3.6, 6.6  # mm
CARTILAGE_FROM = 0.80  # share of the way from the spine to the sternum at which a rib turns into cartilage
CARTILAGE_HALF_HEIGHT = 8.0
RIB_MIDDLE = 0.23  # of the pitch, from where the count of ribs goes up


def paint_thorax(canvas: Canvas, landmarks: Landmarks, cage: RibCage) -> None:
    scale = landmarks.scale
    voxels = canvas.box(
        [-1.3 * cage.half_width, -400, cage.bottom - 60 * scale],
        [1.3 * cage.half_width, 400, landmarks.c1_z - 20 * scale],
    )
    position = cage.locate(canvas.positions[voxels])
    shell = np.abs(position.distance + INTO_CAGE * scale) < 6 * scale + canvas.spacing
    voxels, position = voxels[shell], CagePosition(*(values[shell] for values in vars(position).values()))
    _paint_ribs(canvas, cage, scale, voxels, position)
    points = canvas.positions[voxels]
    top, bottom = sternum_ends(cage)
    half_width = np.where(points[:, 2] > top - 45 * scale, 27, 17) * scale  # manubrium above the body
    sides = np.abs(points[:, 0]) - half_width, points[:, 2] - top, bottom - points[:, 2]
    sternum = np.maximum.reduce([np.abs(position.distance + INTO_CAGE * scale) - 5.5 * scale, *sides])
    canvas.bone_shape("sternum", voxels, np.where(position.backwards < 0, sternum, np.inf), 5.5 * scale)


def sternum_ends(cage: RibCage) -> tuple[float, float]:
    """Heights of the upper and lower end of the sternum."""
    return cage.first_rib_z - 1.6 * cage.pitch, cage.first_rib_z - 8.3 * cage.pitch


def _paint_ribs(canvas: Canvas, cage: RibCage, scale: float, voxels: np.ndarray, position: CagePosition) -> None:
    """Every rib is a flat rod in the cage's surface that slopes downwards from back to front."""
    points = canvas.positions[voxels]
    forwards = np.clip((1 - position.backwards) / 2, 0, 1)  # 0 at the spine, 1 at the sternum
    down = (cage.top - points[:, 2]) / (cage.top - cage.bottom)
    slope = np.interp(down, [0, 1], [38, 92]) * scale
    turn = (cage.first_rib_z + 6 * scale - points[:, 2] - slope * forwards**1.1) / cage.pitch + 1.25
    number = np.floor(turn - RIB_MIDDLE + 0.5)
    from_middle = np.abs(turn - number - RIB_MIDDLE) * cage.pitch * 0.9  # across a rib that slopes
    # True ribs reach the sternum, false ones end further and further back, the last two float.
    reach = np.select([number <= 7, number <= 10, number == 11], [0.93, 0.90 - 0.07 * (number - 7), 0.48], 0.36)
    ends = np.maximum((forwards - reach) * 3 * position.half_depth, (0.02 - forwards) * 2 * position.half_depth)
    ends = np.maximum(ends, 22 * scale - np.abs(points[:, 0]))
    outwards = np.abs(position.distance + INTO_CAGE * scale)
    is_rib = (number >= 1) & (number <= 12)
    cartilage = (forwards > CARTILAGE_FROM) & (number <= 10)
    half_height = np.where(cartilage, CARTILAGE_HALF_HEIGHT, RIB_HALF_HEIGHT) * scale
    half = RIB_HALF_THICKNESS * scale
    distance = (np.hypot(outwards / half, from_middle / half_height) - 1) * half
    distance = np.where(is_rib, np.maximum(distance, ends), np.inf)
    numbers = np.clip(number, 1, 12).astype(int) - 1
    for side, _, sign in SIDES:
        names = np.array([LABEL[f"rib_{side}_{n}"] for n in range(1, 13)], np.uint8)
        labels = np.where(cartilage, np.uint8(LABEL["costal_cartilages"]), names[numbers])
        here = points[:, 0] * sign > 0
        canvas.bone_layer.add(labels[here], voxels[here], distance[here], half, PLATE)
