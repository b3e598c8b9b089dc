"""Share the voxels that are neither bone nor organ out among fat, muscle, bowel and connective tissue."""

import numpy as np
from scipy.spatial import cKDTree

from vctlib.sources.phantom.abdominal_organs import Cavity
from vctlib.sources.phantom.balance import Balance
from vctlib.sources.phantom.bowel import LARGE, find_bowel
from vctlib.sources.phantom.canvas import LABEL, Canvas, least
from vctlib.sources.phantom.landmarks import Landmarks
from vctlib.sources.phantom.muscles import between_muscles, name_muscles
from vctlib.sources.phantom.ribcage import RibCage

BOWEL_CONTENT_HU = -22.0  # less than the wall
LOOKUP_MM = 8.0  # grain at which the fat thickness is carried from skin to voxels
# Relative thickness of subcutaneous fat by region: of slim men, of slim women (mm), and how much of what lies between
# the lean and the outer mesh counts. Choices, so that at a BMI of 27 kg/m2 the fat is some 2 cm thick on men's belly
# and hips, 3 cm on buttocks and 1 cm on thighs, and half as much again to twice that in women.
FAT_MM = (
    (("spine01", "spine02", "clavicle", "shoulder"), 3.5, 4.5, 0.65), (("spine04", "spine05", "root"), 10, 10, 1.0),
    (("pelvis",), 6, 9, 0.85), (("upperleg01",), 5, 7, 0.75), (("upperleg02",), 2.5, 5, 0.5),
    (("lowerleg",), 2.5, 4, 0.55), (("upperarm",), 2.5, 4, 0.45), (("lowerarm",), 2, 3, 0.45),
    (("finger", "metacarpal", "wrist", "toe", "foot"), 1.6, 1.6, 0.5), (("head", "neck"), 2.2, 2.2, 0.7),
)  # fmt: skip


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
    canvas.labels[free[muscle]] = owner[muscle]


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
    base, by_mesh = (np.full(len(body.outer), value) for value in (5.0 if male else 7.5, 0.9))
    for regions, man, woman, weight in FAT_MM:
        here = template.in_region(*regions)
        base[here], by_mesh[here] = man if male else woman, weight
    profile = base + by_mesh * np.minimum(np.linalg.norm(body.outer - body.lean, axis=1), 70)
    for _ in range(6):
        profile = 0.4 * profile + 0.6 * (template.neighbour_mean @ profile)
    step = max(1, round(LOOKUP_MM / canvas.spacing))
    cells = (canvas.index // step) @ np.array([1, 4096, 4096**2])
    unique, cell_of_voxel = np.unique(cells, return_inverse=True)
    corner = np.stack([unique % 4096, unique // 4096 % 4096, unique // 4096**2], 1) * step
    centres = (corner + (step - 1) / 2) * canvas.spacing + canvas.grid.origin
    _, nearest = cKDTree(body.outer).query(centres)
    return profile[nearest][cell_of_voxel]
