"""Paint ribs, costal cartilages and sternum into the surface of the rib cage.

Sizes are those of a man of 175 cm; how far ribs sink and where they turn to cartilage is read off anatomical atlases.
"""

import numpy as np

from vctlib.sources.phantom.bone_layer import PLATE
from vctlib.sources.phantom.canvas import LABEL, Canvas
from vctlib.sources.phantom.landmarks import T1, Landmarks
from vctlib.sources.phantom.pose import SIDES
from vctlib.sources.phantom.ribcage import CagePosition, RibCage

INTO_CAGE = 4.5  # the middle of the ribs lies this far inside the surface, mm
RIB_HALF_THICKNESS, RIB_HALF_HEIGHT = 3.6, 6.6  # mm
CARTILAGE_HALF_THICKNESS, CARTILAGE_HALF_HEIGHT = 6.2, 8.4
RIB_CORTEX_MM = 0.9
# By rib: how far (mm) its bone sinks from the spine to its end, and where that is on the way round to the sternum
# (0 at the spine, 0.5 at the side, 1 in the midline in front).
SINKS = (34, 50, 64, 76, 87, 97, 106, 112, 116, 112, 72, 36)
BONE_ENDS = (0.90, 0.89, 0.87, 0.84, 0.81, 0.78, 0.74, 0.70, 0.65, 0.59, 0.47, 0.30)
CARTILAGE_ENDS = (0.965,) * 7 + (0.87, 0.79, 0.71)
AT_STERNUM = (10, 46, 70, 92, 111, 127, 138)  # mm below the top of the sternum
MANUBRIUM_MM, XIPHOID_MM = 47.0, 26.0


def paint_thorax(canvas: Canvas, landmarks: Landmarks, cage: RibCage) -> None:
    scale = landmarks.scale
    voxels = canvas.box(
        [-1.3 * cage.half_width, -400, cage.bottom - 60 * scale],
        [1.3 * cage.half_width, 400, landmarks.c1_z - 20 * scale],
    )
    position = cage.locate(canvas.positions[voxels])
    shell = np.abs(position.distance + INTO_CAGE * scale) < 6 * scale + canvas.spacing
    voxels, position = voxels[shell], CagePosition(*(values[shell] for values in vars(position).values()))
    _paint_ribs(canvas, landmarks, cage, voxels, position)
    _paint_sternum(canvas, landmarks, cage, voxels, position)


def sternum_ends(cage: RibCage) -> tuple[float, float]:
    """Heights of the upper and lower end of the sternum, its xiphoid process left out."""
    return cage.first_rib_z - 1.6 * cage.pitch, cage.first_rib_z - 8.3 * cage.pitch


def _paint_sternum(canvas: Canvas, landmarks: Landmarks, cage: RibCage, voxels, position: CagePosition) -> None:
    girth = landmarks.scale * landmarks.girth
    x, _, z = canvas.positions[voxels].T
    top, bottom = sternum_ends(cage)
    down = (top - z) / landmarks.scale
    end = (top - bottom) / landmarks.scale
    rows = [0, 12, MANUBRIUM_MM - 6, MANUBRIUM_MM, MANUBRIUM_MM + 5, 0.8 * end, end, end + 2, end + XIPHOID_MM]
    half_width = np.interp(down, rows, [26, 30, 18, 14, 16, 21, 13, 8, 4]) * girth
    half = np.interp(down, [0, MANUBRIUM_MM, end, end + 2], [6.5, 6, 5, 2.5]).astype(np.float32) * girth
    notch = 6 * np.clip(1 - np.abs(x) / (14 * girth), 0, 1)  # for the root of the neck
    sides = np.abs(x) - half_width, (notch - down) * landmarks.scale, (down - end - XIPHOID_MM) * landmarks.scale
    distance = np.maximum.reduce([np.abs(position.distance + 6 * girth) - half, *sides])
    canvas.bone_shape("sternum", voxels, np.where(position.backwards < 0, distance, np.inf), half)


def _rib_heights(landmarks: Landmarks, cage: RibCage, around: np.ndarray) -> np.ndarray:
    """Heights z (12, m) of the ribs' middle lines, mm, by how far `around` (m,) they have come."""
    scale, heights, above = landmarks.scale, [], ([], [])
    top = sternum_ends(cage)[0]
    for n, (sinks, bone_end) in enumerate(zip(SINKS, BONE_ENDS, strict=True)):
        z0 = landmarks.spine[T1 + n, 2] + 0.35 * landmarks.vertebra_heights[T1 + n]
        rows, values = [], []
        for share in np.linspace(0, 1, 6):  # steeper behind than at the side
            rows.append(share * bone_end)
            values.append(z0 - sinks * scale * share * (1.3 - 0.3 * share))
        if n < 10:
            end = CARTILAGE_ENDS[n]
            if n < 7:
                z_end = top - AT_STERNUM[n] * scale
            else:  # false ribs lean on the cartilage above
                z_end = float(np.interp(end, *above)) - 0.6 * CARTILAGE_HALF_HEIGHT * 2 * scale
            # From the third on, cartilages go on down for a little before they turn up.
            rows.append(bone_end + 0.3 * (end - bone_end))
            values.append(values[-1] + 0.18 * (z_end - values[-1]))
            rows.append(end)
            values.append(z_end)
        above = rows, values
        heights.append(np.interp(around, rows, values))
    return np.stack(heights)


def _paint_ribs(canvas: Canvas, landmarks: Landmarks, cage: RibCage, voxels: np.ndarray, position: CagePosition) -> None:
    """Every rib is a flat rod in the cage's surface that sinks from the spine to its end; cartilage goes on from there."""
    scale, girth = landmarks.scale, landmarks.scale * landmarks.girth
    points = canvas.positions[voxels]
    around = np.arctan2(np.abs(position.across), position.backwards) / np.pi
    steps = np.linspace(0, 1, 201)
    lines = _rib_heights(landmarks, cage, steps)
    # Lengths along the cage per step, for the ribs' slopes: an ellipse of the cage's axes.
    way = np.pi * np.hypot(cage.half_width * np.cos(np.pi * steps), 95 * scale * np.sin(np.pi * steps)) * (steps[1] - steps[0])
    upright = 1 / np.hypot(1, np.gradient(lines, axis=1) / np.maximum(way, 0.5))
    slot = np.clip(np.rint(around * 200), 0, 200).astype(np.intp)
    best, rib = np.full(len(voxels), np.inf, np.float32), np.zeros(len(voxels), np.intp)
    for n in range(12):
        away = np.abs(points[:, 2] - np.interp(around, steps, lines[n]).astype(np.float32)) * upright[n, slot]
        last = CARTILAGE_ENDS[n] if n < 10 else BONE_ENDS[n]
        away = np.where(around < last, away, np.inf)
        closer = away < best
        best[closer], rib[closer] = away[closer], n
    cartilage = (around > np.array(BONE_ENDS)[rib]) & (rib < 10)
    half_height = np.where(cartilage, CARTILAGE_HALF_HEIGHT, RIB_HALF_HEIGHT * (1 - 0.25 * (rib > 9))) * girth
    half = np.where(cartilage, CARTILAGE_HALF_THICKNESS, RIB_HALF_THICKNESS).astype(np.float32) * girth
    outwards = np.abs(position.distance + INTO_CAGE * scale)
    distance = (np.hypot(outwards / half, best / half_height) - 1) * half
    distance = np.maximum(distance, 20 * scale - np.abs(points[:, 0]))  # from the vertebra outwards
    for side, _, sign in SIDES:
        names = np.array([LABEL[f"rib_{side}_{n}"] for n in range(1, 13)], np.uint8)
        labels = np.where(cartilage, np.uint8(LABEL["costal_cartilages"]), names[rib])
        here = points[:, 0] * sign > 0
        cortex = np.where(cartilage[here], 0, RIB_CORTEX_MM * girth * landmarks.cortex_left)
        canvas.bone_layer.add(labels[here], voxels[here], distance[here], half[here], PLATE, cortex)
