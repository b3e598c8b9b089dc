"""Take a leg off below or above the knee, with a rounded stump closed by fat and skin.

The body is made whole first, of the person's weight before the operation; the truth is of what is left.
"""

from dataclasses import replace

import numpy as np

from vctlib.sources.phantom.canvas import LABEL, Canvas
from vctlib.sources.phantom.geometry import capsule_distance, unit
from vctlib.sources.phantom.landmarks import Landmarks
from vctlib.sources.phantom.pelvis import hip_centre
from vctlib.sources.phantom.pose import SIDES
from vctlib.sources.phantom.tissues import MUSCLE_IDS

# Where the limb ends, as a share of shin or thigh, and how far before it the bone is sawn: choices near common practice
# (a bone of 12 to 15 cm below the knee; more than half of the thigh).
CUT_AT = {"below": 0.33, "above": 0.60}
BONE_ENDS_MM, FAT_MM, ROUNDING = 24.0, 8.0, 0.5


def amputate(canvas: Canvas, landmarks: Landmarks, amputation: str, skin_mm: float) -> np.ndarray | None:
    """Remove the limb from a painted canvas; the middle of its end (3,) in mm, or None for "none"."""
    if amputation == "none":
        return None
    level, _, side = amputation.split("_")
    suffix, sign = next((suffix, sign) for name, suffix, sign in SIDES if name == side)
    hip, knee, ankle, _ = _line(landmarks, suffix, sign)
    start, end = (knee, ankle) if level == "below" else (hip, knee)
    axis, cut = unit(end - start), start + CUT_AT[level] * (end - start)
    limb = _limb(canvas, landmarks, suffix, sign, cut[2] + 100 * landmarks.scale)
    beyond = _beyond_stump(canvas.positions[limb], cut, axis)
    chosen = beyond > -3 * (BONE_ENDS_MM + canvas.spacing)
    limb, beyond = limb[chosen], beyond[chosen]
    _cut_bone(canvas, limb, beyond + BONE_ENDS_MM * landmarks.scale)
    _close(canvas, limb, beyond, skin_mm, FAT_MM * landmarks.scale)
    return cut


def _line(landmarks: Landmarks, suffix: str, sign: int) -> list[np.ndarray]:
    """Hip, knee, ankle and toe of a leg (3,), mm."""
    joints = [landmarks.joint(f"{name}.{suffix}") for name in ("lowerleg01", "foot", "toe3-2")]
    return [hip_centre(landmarks, sign), *joints]


def _limb(canvas: Canvas, landmarks: Landmarks, suffix: str, sign: int, top: float) -> np.ndarray:
    """Numbers of the voxels under the height `top` (mm) that are nearer to this leg than to the other."""
    voxels = np.flatnonzero(canvas.positions[:, 2] < top)
    points = canvas.positions[voxels]

    def distance(suffix: str, sign: int) -> np.ndarray:
        line = _line(landmarks, suffix, sign)
        pairs = zip(line[:-1], line[1:], strict=True)
        return np.min([capsule_distance(points, a, b, 0, 0) for a, b in pairs], axis=0)

    other = next(suffix for _, suffix, other_sign in SIDES if other_sign == -sign)
    return voxels[distance(suffix, sign) < distance(other, -sign)]


def _beyond_stump(points: np.ndarray, cut: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """How far (mm, negative inside) points (m, 3) lie beyond the stump's rounded end, along the limb."""
    relative = points - cut.astype(np.float32)
    along = relative @ axis.astype(np.float32)
    radius = np.linalg.norm(relative - along[:, None] * axis.astype(np.float32), axis=1)
    widest = np.quantile(radius[np.abs(along) < 15], 0.95)
    return along + ROUNDING * widest * (radius / widest) ** 2


def _cut_bone(canvas: Canvas, limb: np.ndarray, beyond: np.ndarray) -> None:
    """Leave of every bone of the limb what lies before the saw; what it was is then filled with soft tissue."""
    keep = np.ones(len(canvas), np.float32)
    keep[limb] = np.clip(0.5 - beyond / canvas.spacing, 0, 1)
    bones = canvas.bones
    kept = keep[bones.voxels]
    main = bones.main & (kept >= 0.5)
    canvas.bones = replace(bones, cortex=bones.cortex * kept, marrow=bones.marrow * kept, main=main)
    canvas.bone_share[bones.voxels] *= kept
    canvas.is_bone[bones.voxels] = main
    sawn = bones.voxels[kept < 0.5]
    bare = sawn[~np.isin(canvas.labels[sawn], MUSCLE_IDS)]
    canvas.labels[bare] = LABEL["skeletal_muscle"]


def _close(canvas: Canvas, limb: np.ndarray, beyond: np.ndarray, skin_mm: float, fat_mm: float) -> None:
    """End the limb where `beyond` is 0, under skin and fat."""
    half, spacing = canvas.spacing / 2, canvas.spacing
    left = np.clip(0.5 - beyond / spacing, 0, 1)
    skin = (np.minimum(half - beyond, skin_mm) - np.maximum(-beyond - half, 0)) / spacing
    coverage = canvas.coverage[limb] * left
    skin = np.clip(np.maximum(canvas.skin[limb] * left, skin), 0, np.maximum(coverage - canvas.bone_share[limb], 0))
    canvas.coverage[limb], canvas.skin[limb] = coverage, skin
    canvas.labels[limb[(beyond > -fat_mm) & (left > 0)]] = LABEL["subcutaneous_fat"]
