"""Paint ribs, costal cartilages and sternum into the surface of the rib cage."""

import numpy as np

from vctlib.sources.phantom.canvas import LABEL, Canvas
from vctlib.sources.phantom.landmarks import Landmarks
from vctlib.sources.phantom.pose import SIDES
from vctlib.sources.phantom.ribcage import CagePosition, RibCage

INTO_CAGE = 4.5  # the middle of the ribs lies this far inside the surface, mm
CARTILAGE_FROM = 0.80  # share of the way from the spine to the sternum at which a rib turns into cartilage
RIB_SHARE = 0.46  # of the pitch; the rest is the gap between two ribs


def paint_thorax(canvas: Canvas, landmarks: Landmarks, cage: RibCage) -> None:
    scale = landmarks.scale
    voxels = canvas.box(
        [-1.3 * cage.half_width, -400, cage.bottom - 60 * scale],
        [1.3 * cage.half_width, 400, landmarks.c1_z - 20 * scale],
    )
    voxels = voxels[canvas.depth[voxels] > canvas.spacing]
    points = canvas.positions[voxels]
    position = cage.locate(points)
    _paint_ribs(canvas, cage, scale, voxels, position)
    top, bottom = sternum_ends(cage)
    half_width = np.where(points[:, 2] > top - 45 * scale, 27, 17) * scale  # manubrium above the body
    sternum = (np.abs(position.distance + INTO_CAGE * scale) < 5.5 * scale) & (position.backwards < 0)
    sternum &= (np.abs(points[:, 0]) < half_width) & (points[:, 2] < top) & (points[:, 2] > bottom)
    canvas.labels[voxels[sternum]] = LABEL["sternum"]
    canvas.bone_depth[voxels[sternum]] = 4.0


def sternum_ends(cage: RibCage) -> tuple[float, float]:
    """Heights of the upper and lower end of the sternum."""
    return cage.first_rib_z - 1.6 * cage.pitch, cage.first_rib_z - 8.3 * cage.pitch


def _paint_ribs(canvas: Canvas, cage: RibCage, scale: float, voxels: np.ndarray, position: CagePosition) -> None:
    """Every rib is a band of the cage's surface that slopes downwards from back to front."""
    points = canvas.positions[voxels]
    forwards = np.clip((1 - position.backwards) / 2, 0, 1)  # 0 at the spine, 1 at the sternum
    down = (cage.top - points[:, 2]) / (cage.top - cage.bottom)
    slope = np.interp(down, [0, 1], [38, 92]) * scale
    turn = (cage.first_rib_z + 6 * scale - points[:, 2] - slope * forwards**1.1) / cage.pitch + 1.25
    number = np.floor(turn)
    in_band = turn - number < RIB_SHARE
    in_shell = np.abs(position.distance + INTO_CAGE * scale) < np.maximum(4.2 * scale, 0.62 * canvas.spacing)
    # True ribs reach the sternum, false ones end further and further back, the last two float.
    reach = np.select([number <= 7, number <= 10, number == 11], [0.93, 0.90 - 0.07 * (number - 7), 0.48], 0.36)
    rib = in_shell & in_band & (number >= 1) & (number <= 12) & (forwards < reach) & (forwards > 0.02)
    rib &= (np.abs(points[:, 0]) > 22 * scale) & (canvas.labels[voxels] == 0)
    cartilage = rib & (forwards > CARTILAGE_FROM) & (number <= 10)
    for side, _, sign in SIDES:
        on_side = rib & ~cartilage & (points[:, 0] * sign > 0)
        for n in range(1, 13):
            chosen = voxels[on_side & (number == n)]
            canvas.labels[chosen] = LABEL[f"rib_{side}_{n}"]
            canvas.bone_depth[chosen] = 3.0
    canvas.labels[voxels[cartilage]] = LABEL["costal_cartilages"]
