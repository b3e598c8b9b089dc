"""Paint the brain with its fluid: grey and white matter, sulci, ventricles, falx; it shrinks with age."""

import numpy as np

from vctlib.sources.phantom.canvas import LABEL, Canvas, random_stream
from vctlib.sources.phantom.geometry import capsule_distance
from vctlib.sources.phantom.head_frame import HeadFrame
from vctlib.sources.phantom.landmarks import Landmarks
from vctlib.sources.phantom.pose import SIDES
from vctlib.sources.phantom.skull import CASE_CENTRE, CASE_RADII, BrainCase

# Parenchyma, and all that the brain case holds, means of 49 normal people of 24 to 80 years (ml). Source: matsumae1996.
# Their heads differ; so do ours, and a brain is a share of its case. The spread of that share is a choice.
BRAIN_ML, CASE_ML = {"male": 1302, "female": 1143}, {"male": 1469, "female": 1289}
SHARE_SPREAD = 0.03
MEAN_AGE_YEARS, SHRINKS_FROM_YEARS, LOSS_PER_YEAR = 50.0, 40.0, 0.003
MOST_OF_CASE = 0.95  # share of the brain case that the brain may take
FOLD_MM = 11.0  # how deep a sulcus is
WIDER_PER_YEAR = 0.014  # width of the ventricles after 35 years
GREY_HU, FALX_HU = 8.0, 22.0  # above white matter, above the brain


def paint_brain(canvas: Canvas, landmarks: Landmarks, frame: HeadFrame, case: BrainCase) -> None:
    """Fill the brain case; the bones must be settled."""
    inside = case.outside < 0
    voxels, points, depth = case.voxels[inside], case.points[inside], -case.outside[inside] / frame.scale
    free = canvas.free[voxels]
    # What bone leaves of the voxels at the inner table is fluid.
    canvas.labels[voxels[canvas.labels[voxels] == 0]] = LABEL["subarachnoid_space"]
    fluid = np.zeros(len(canvas), bool)
    fluid[_ventricles(canvas, landmarks, frame)] = True
    free &= ~fluid[voxels]
    wanted_ml = _share_of_case(canvas, landmarks) * inside.sum() * canvas.voxel_ml
    wanted_ml = min(wanted_ml, MOST_OF_CASE * free.sum() * canvas.voxel_ml)
    folds = _folds(canvas, voxels, points, depth)
    score = FOLD_MM * folds - depth + _fluid_first(points, depth)
    voxels, points, depth, score, folds = (values[free] for values in (voxels, points, depth, score, folds))
    n = min(round(wanted_ml / canvas.voxel_ml), len(voxels))
    chosen = np.argpartition(score, n - 1)[:n]
    brain = voxels[chosen]
    canvas.labels[brain] = LABEL["brain"]
    canvas.contrast_hu[brain] = _grey_matter(points[chosen], depth[chosen], folds[chosen])


def _share_of_case(canvas: Canvas, landmarks: Landmarks) -> float:
    sex, years = landmarks.person.sex, landmarks.age - SHRINKS_FROM_YEARS
    aged = (1 - LOSS_PER_YEAR * max(0, years)) / (1 - LOSS_PER_YEAR * (MEAN_AGE_YEARS - SHRINKS_FROM_YEARS))
    return aged * BRAIN_ML[sex] / CASE_ML[sex] * random_stream(canvas.seed, "brain").normal(1, SHARE_SPREAD)


def _folds(canvas: Canvas, voxels: np.ndarray, points: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """How near (1 to 0) a place is to the middle of a sulcus: sheets that run inwards from the surface."""
    outwards = points - np.array(CASE_CENTRE, np.float32)  # the sheets are those of the surface, carried inwards
    outwards *= CASE_RADII[2] / np.maximum(np.linalg.norm(outwards, axis=1, keepdims=True), 1)
    sheets = np.abs(canvas.noise_at("brain folds", 8, outwards) + 0.3 * canvas.noise("finer brain folds", 7, voxels))
    reach = np.clip((20 - depth) / 8, 0, 1) * np.where(points[:, 2] > -12, 1, 0.4)
    return (np.clip(1 - sheets / 0.4, 0, 1) * reach).astype(np.float32)


def _fluid_first(points: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """How much sooner (mm of depth) a place in the brain case is fluid than brain: fissures and cisterns."""
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    between = 14 * np.clip(1.5 - x, 0, 1) * (z > 12) * np.clip((34 - depth) / 8, 0, 1)
    sylvian = 10 * np.exp(-(((x - 50) / 9) ** 2) - ((z - 6 - 0.25 * (y - 50)) / 3.5) ** 2) * (y > 30) * (y < 90)
    stem = capsule_distance(points, (0, 88, -44), (0, 74, -2), 9, 13)
    basal = (y > 42) & (y < 92) & (z < 4) & (x < 16)
    cistern = np.where(basal & (stem > 0), 9, 0)
    return (between + sylvian + cistern - 12 * (stem < 0)).astype(np.float32)


def _ventricles(canvas: Canvas, landmarks: Landmarks, frame: HeadFrame) -> np.ndarray:
    """Voxels of the ventricles, now fluid: they widen with age, a choice."""
    wide = (
        frame.scale
        * (1 + 0.014 * max(0, landmarks.age - 35))
        * random_stream(canvas.seed, "ventricles").uniform(0.8, 1.3)
    )
    found = []
    for _, _, sign in SIDES:
        out = frame.side(sign)
        path = [out(8, 22, 24), out(9, 45, 32), out(13, 78, 36), out(22, 100, 26), out(29, 84, 4), out(30, 64, -4)]
        found.append(canvas.tube("subarachnoid_space", path, np.array([4.2, 4.6, 4.6, 6, 2.4, 1.6]) * wide, over=True))
        horn = [out(22, 100, 26), out(20, 126, 20)]
        found.append(canvas.tube("subarachnoid_space", horn, np.array([5, 2]) * wide, over=True))
    third = [frame.at(0, 58, 6), frame.at(0, 74, 14), frame.at(0, 86, -8)]
    found.append(canvas.tube("subarachnoid_space", third, np.array([2.4, 2.6, 1.2]) * wide, over=True))
    fourth = [frame.at(0, 94, -14), frame.at(0, 97, -22)]
    found.append(canvas.tube("subarachnoid_space", fourth, np.array([4.5, 4]) * wide, over=True))
    return np.concatenate(found)


def _grey_matter(points: np.ndarray, depth: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """HU that grey matter and falx add: the cortex along surface and sulci, the nuclei beside the ventricles."""
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    cortex = np.clip(np.maximum((6.5 - depth) / 3, folds * 3 - 0.3), 0, 1)
    nuclei = np.exp(-(((x - 18) / 9) ** 2) - ((y - 55) / 24) ** 2 - ((z - 17) / 11) ** 2)
    falx = np.clip(1.6 - x, 0, 1) * (z > 28) * np.clip((30 - depth) / 6, 0, 1)
    return GREY_HU * np.maximum(cortex, 1.2 * nuclei) + FALX_HU * falx
