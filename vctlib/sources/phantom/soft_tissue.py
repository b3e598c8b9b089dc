"""Share the voxels that are neither bone nor organ out among fat, muscle, bowel and connective tissue."""

import numpy as np
from scipy.spatial import cKDTree

from vctlib.sources.phantom.abdominal_organs import Cavity
from vctlib.sources.phantom.balance import Balance
from vctlib.sources.phantom.canvas import LABEL, Canvas
from vctlib.sources.phantom.landmarks import L1, Landmarks
from vctlib.sources.phantom.muscles import name_muscles

LOOKUP_MM = 8.0  # grain at which the fat thickness is carried from skin to voxels


def paint_soft_tissue(canvas: Canvas, landmarks: Landmarks, cavity: Cavity, balance: Balance) -> None:
    """Paint every free voxel, exactly in the balance's numbers."""
    core = cavity.core + 0.02 * canvas.noise("cavity wall", 22)
    free = np.flatnonzero(canvas.labels == 0)
    in_cavity = _paint_cavity(canvas, landmarks, free, core, balance)
    thickness = _fat_thickness(canvas, landmarks)
    free = free[canvas.labels[free] == 0]
    # Subcutaneous fat: the outermost voxels, measured in the thickness that fat has at that place.
    outermost = (canvas.depth[free] + canvas.noise("fat border", 7, free)) / thickness[free]
    canvas.labels[_least(free, outermost, balance.subcutaneous)] = LABEL["subcutaneous_fat"]
    free = free[canvas.labels[free] == 0]
    connective = balance.visceral + balance.gas + balance.other - in_cavity
    sheets = np.abs(canvas.noise("connective sheets", 10, free, z_stretch=2.5))
    sheets *= (0.5 + 0.5 * np.clip(canvas.depth[free] / 12, 0, 1.5)) * np.clip(thickness[free] / 5, 0.35, 1)
    canvas.labels[_least(free, sheets, connective)] = LABEL["connective_tissue"]
    free = free[canvas.labels[free] == 0]
    between = np.abs(canvas.noise("between muscles", 9, free, z_stretch=3.0))
    between += 0.12 * np.abs(canvas.noise("fine between muscles", 5, free))
    canvas.labels[_least(free, between, balance.intermuscular)] = LABEL["intermuscular_fat"]
    muscle = free[canvas.labels[free] == 0]
    canvas.labels[muscle] = LABEL["skeletal_muscle"]
    name_muscles(canvas, landmarks, muscle)


def _least(voxels: np.ndarray, score: np.ndarray, n: int) -> np.ndarray:
    """The n voxels of least score."""
    n = int(np.clip(n, 0, len(voxels)))
    return voxels[np.argpartition(score, n - 1)[:n]] if n else voxels[:0]


def _paint_cavity(canvas: Canvas, landmarks: Landmarks, free: np.ndarray, core: np.ndarray, balance: Balance) -> int:
    """Fill the middle of the abdomen with visceral fat and bowel; the number of voxels used."""
    scale, wanted = landmarks.scale, balance.visceral + balance.gas + balance.other
    voxels = _least(free, core[free], min(wanted, int(np.isfinite(core[free]).sum())))
    depth_in, z = core[voxels], canvas.positions[voxels, 2]
    # Bowel follows the folds of two noise fields, thickest in a ring inside the wall, fat above and along the wall.
    folds = np.minimum(
        np.abs(canvas.noise("bowel folds", 13, voxels) - 0.2), np.abs(canvas.noise("bowel loops", 15, voxels) + 0.1)
    )
    folds += 0.12 * canvas.noise("bowel packing", 26, voxels) - 0.35 * np.exp(-(((depth_in - 0.66) / 0.2) ** 2))
    folds += np.clip((z - landmarks.spine[L1 + 1, 2]) / (90 * scale), 0, 1.5)
    folds += 0.6 * np.clip((depth_in - 0.86) / 0.1, 0, 2)
    bowel = _least(voxels, folds, len(voxels) - balance.visceral)
    canvas.labels[voxels] = LABEL["torso_fat"]
    canvas.labels[bowel] = LABEL["small_bowel"]
    canvas.labels[bowel[_in_colon_frame(canvas, landmarks, bowel, core)]] = LABEL["colon"]
    bubbles = -canvas.noise("bowel gas", 12, bowel) + 5 * np.clip(core[bowel] - 0.9, 0, 1)
    canvas.labels[_least(bowel, bubbles, balance.gas)] = LABEL["bowel_gas"]
    return len(voxels)


def _in_colon_frame(canvas: Canvas, landmarks: Landmarks, bowel: np.ndarray, core: np.ndarray) -> np.ndarray:
    """Boolean: bowel voxels of the frame that the colon makes, up both flanks and across below liver and stomach."""
    scale = landmarks.scale
    x, _, z = canvas.positions[bowel].T
    flanks = (core[bowel] > 0.55) & (np.abs(x) > 75 * scale) & (z > landmarks.hip_z + 40 * scale)
    across = z > landmarks.spine[L1 + 1, 2] - 15 * scale
    rectum = (z < landmarks.hip_z + 40 * scale) & (np.abs(x) < 35 * scale)
    return flanks | across | rectum


def _fat_thickness(canvas: Canvas, landmarks: Landmarks) -> np.ndarray:
    """Relative thickness of subcutaneous fat at the skin next to every voxel: what lies between lean and outer mesh."""
    body, male = landmarks.body, landmarks.male
    template = body.template
    base = np.full(len(body.outer), 4.0 if male else 7.0)
    for regions, thickness in (
        (("finger", "metacarpal", "wrist", "toe", "foot"), 1.6),
        (("head", "neck"), 2.2),
        (("lowerleg",), 3.0 if male else 5.0),
        (("lowerarm",), 2.5 if male else 4.0),
        (("pelvis", "upperleg"), 5.0 if male else 11.0),
    ):
        base[template.in_region(*regions)] = thickness
    profile = base + 0.9 * np.minimum(np.linalg.norm(body.outer - body.lean, axis=1), 70)
    for _ in range(6):
        profile = 0.4 * profile + 0.6 * (template.neighbour_mean @ profile)
    step = max(1, round(LOOKUP_MM / canvas.spacing))
    cells = (canvas.index // step) @ np.array([1, 4096, 4096**2])
    unique, cell_of_voxel = np.unique(cells, return_inverse=True)
    corner = np.stack([unique % 4096, unique // 4096 % 4096, unique // 4096**2], 1) * step
    centres = (corner + (step - 1) / 2) * canvas.spacing + canvas.grid.origin
    _, nearest = cKDTree(body.outer).query(centres)
    return profile[nearest][cell_of_voxel]
