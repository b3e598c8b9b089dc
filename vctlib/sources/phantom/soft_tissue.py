"""Share the voxels that are neither bone nor organ out among fat, muscle, bowel and connective tissue."""

import numpy as np
from scipy.spatial import cKDTree

from vctlib.sources.phantom.abdominal_organs import Cavity
from vctlib.sources.phantom.balance import Balance
from vctlib.sources.phantom.bowel import LARGE, find_bowel
from vctlib.sources.phantom.canvas import LABEL, Canvas, least
from vctlib.sources.phantom.landmarks import Landmarks
from vctlib.sources.phantom.muscle_map import label_of
from vctlib.sources.phantom.muscles import between_muscles, name_muscles
from vctlib.sources.phantom.ribcage import RibCage

BOWEL_CONTENT_HU = -22.0  # less than the wall
LOOKUP_MM = 8.0  # grain at which the fat thickness is carried from skin to voxels


def paint_soft_tissue(canvas: Canvas, landmarks: Landmarks, cage: RibCage, cavity: Cavity, balance: Balance) -> None:
    """Paint all that is still free, to the volumes of the balance."""
    core = cavity.core + 0.02 * canvas.noise("cavity wall", 22)
    share = _Share(canvas)
    in_cavity_ml = _paint_cavity(canvas, landmarks, share, cavity, core, balance)
    thickness = _fat_thickness(canvas, landmarks)
    free = share.free()
    # Subcutaneous fat: the outermost voxels, measured in the thickness that fat has at that place.
    outermost = (canvas.depth[free] + canvas.noise("fat border", 7, free)) / thickness[free]
    share.give("subcutaneous_fat", free, outermost, balance.subcutaneous)
    free = share.free()
    sheets = np.abs(canvas.noise("connective sheets", 10, free, z_stretch=2.5))
    sheets *= (0.5 + 0.5 * np.clip(canvas.depth[free] / 12, 0, 1.5)) * np.clip(thickness[free] / 5, 0.35, 1)
    share.give("connective_tissue", free, sheets, balance.visceral + balance.gas + balance.other - in_cavity_ml)
    free = share.free()
    owner = name_muscles(canvas, landmarks, cage, free)
    planes = np.abs(canvas.noise("between muscles", 9, free, z_stretch=3.0))
    planes += 0.12 * np.abs(canvas.noise("fine between muscles", 5, free))
    share.give("intermuscular_fat", free, planes - 2 * between_muscles(canvas, free, owner), balance.intermuscular)
    muscle = canvas.labels[free] == 0
    canvas.labels[free[muscle]] = label_of(owner[muscle])


class _Share:
    """Gives free voxels away by volume: a voxel counts as much as it has room."""

    def __init__(self, canvas: Canvas):
        self.canvas, self.room_ml = canvas, canvas.room * canvas.voxel_ml

    def free(self) -> np.ndarray:
        return np.flatnonzero(self.canvas.labels == 0)

    def give(self, name: str, voxels: np.ndarray, score: np.ndarray, volume_ml: float) -> np.ndarray:
        """Label the voxels of least score until the volume is reached, and return them."""
        chosen = voxels[least(score, self.room_ml[voxels], volume_ml)]
        self.canvas.labels[chosen] = LABEL[name]
        return chosen

    def volume_ml(self, voxels: np.ndarray) -> float:
        return float(self.room_ml[voxels].sum(dtype=np.float64))


def _paint_cavity(
    canvas: Canvas, landmarks: Landmarks, share: _Share, cavity: Cavity, core: np.ndarray, balance: Balance
) -> float:
    """Fill the middle of the abdomen with visceral fat and bowel; the volume (ml) used."""
    wanted_ml = balance.visceral + balance.gas + balance.other
    free = np.flatnonzero((canvas.labels == 0) & np.isfinite(core))
    voxels = share.give("torso_fat", free, core[free], wanted_ml)
    bowel = find_bowel(canvas, landmarks, cavity)
    number, outside = bowel.nearest(canvas.positions[voxels])
    radius = bowel.radius[number]
    tubes = (
        outside / radius + 0.06 * canvas.noise("bowel surface", 9, voxels) + np.clip((core[voxels] - 0.9) / 0.05, 0, 9)
    )
    used_ml = share.volume_ml(voxels)
    wall = np.zeros(len(canvas), np.float32)
    wall[voxels] = tubes
    gut = share.give("small_bowel", voxels, tubes, used_ml - balance.visceral)
    path = np.zeros(len(canvas), np.intp)
    path[voxels] = number
    number = path[gut]
    canvas.labels[gut[bowel.part[number] == LARGE]] = LABEL["colon"]
    # Gas rises to the front of those stretches that hold some; the wall stays.
    above = (bowel.points[number, 1] - canvas.positions[gut, 1]) / bowel.radius[number]
    inner = wall[gut] < np.quantile(wall[gut], 0.6) if len(gut) else np.zeros(0, bool)
    canvas.contrast_hu[gut] = np.where(inner, BOWEL_CONTENT_HU, 0)
    gas = share.give("bowel_gas", gut[inner], -(bowel.gas[number] + 0.8 * above)[inner], balance.gas)
    canvas.contrast_hu[gas] = 0
    return used_ml


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
