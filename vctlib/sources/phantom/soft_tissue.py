"""Share the voxels that are neither bone nor organ out among fat, muscle, bowel and connective tissue."""

import numpy as np
from scipy.spatial import cKDTree

from vctlib.sources.phantom.balance import Balance
from vctlib.sources.phantom.bowel import LARGE, find_bowel
from vctlib.sources.phantom.canvas import LABEL, Canvas, least, random_stream
from vctlib.sources.phantom.cavity import Cavity, pelvic_y
from vctlib.sources.phantom.geometry import ellipsoid_radius
from vctlib.sources.phantom.landmarks import L1, T1, Landmarks
from vctlib.sources.phantom.muscle_map import label_of
from vctlib.sources.phantom.muscles import between_muscles, name_muscles
from vctlib.sources.phantom.pose import TRUNK
from vctlib.sources.phantom.ribcage import RibCage

BOWEL_ML, BOWEL_SPREAD = {"male": 1600.0, "female": 1500.0}, 0.22  # walls and content, 1.67 and 1.56 kg: icrp89
COLON_SHARE = 0.42  # of that: 0.67 and 0.68 kg, icrp89
BOWEL_CONTENT_HU, FAECES_HU, MESENTERY_HU = -22.0, 90.0, 90.0  # less than the wall; gas in faeces; vessels in fat
SKIN_FOLD_MM, LEAST_VOXELS = 6.0, 1.5  # the belly's wall begins under the skin; a thinner one would have holes
MOST_BOWEL, FULL_RADIUS = 1.3, 0.94  # how much more bowel may fill a belly that has room up to there; choices
PECTORAL_MM, ON_RIBS_MM = {"male": 26.0, "female": 14.0}, 15.0  # muscle in front of upper and lower ribs; choices
KEEP_OUT = 9.0  # score that keeps subcutaneous fat away from a place
LOOKUP_MM = 12.0  # grain at which the fat thickness is carried from skin to voxels
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
    share = _Share(canvas)
    visceral_ml, gut_ml, belly_wall = _paint_cavity(canvas, landmarks, share, cavity, balance)
    thickness, in_trunk = _nearest_skin(canvas, landmarks)
    free = share.free()
    # Subcutaneous fat: the outermost voxels, measured in the thickness that fat has at that place.
    outermost = (canvas.depth[free] + canvas.noise("fat border", 7, free)) / thickness[free]
    of_voxel = np.zeros(len(canvas), np.float32)
    of_voxel[belly_wall] = KEEP_OUT
    _favour_fossae(canvas, landmarks, of_voxel)
    _favour_breasts(canvas, landmarks, cage, in_trunk, of_voxel)
    outermost += of_voxel[free]
    share.give("subcutaneous_fat", free, outermost, balance.subcutaneous + balance.visceral - visceral_ml)
    free = share.free()
    sheets = np.abs(canvas.noise("connective sheets", 10, free, z_stretch=2.5))
    sheets *= (0.5 + 0.5 * np.clip(canvas.depth[free] / 12, 0, 1.5)) * np.clip(thickness[free] / 5, 0.35, 1)
    share.give("connective_tissue", free, sheets, balance.gas + balance.other - gut_ml)
    free = share.free()
    owner = name_muscles(canvas, landmarks, cage, free)
    planes = np.abs(canvas.noise("between muscles", 9, free, z_stretch=3.0))
    planes += 0.12 * np.abs(canvas.noise("fine between muscles", 5, free))
    share.give("intermuscular_fat", free, planes - 2 * between_muscles(canvas, free, owner), balance.intermuscular)
    muscle = canvas.labels[free] == 0
    canvas.labels[free[muscle]] = label_of(owner[muscle])


def _favour_fossae(canvas: Canvas, landmarks: Landmarks, score: np.ndarray) -> None:
    """Lower the score (canvas size,) of the fat-filled fossae beside the anus."""
    scale, y, z = landmarks.scale, pelvic_y(landmarks) + 42 * landmarks.scale, landmarks.hip_z - 58 * landmarks.scale
    for sign in (1, -1):
        centre = np.array([sign * 30 * scale, y, z])
        near = canvas.around(centre, 40 * scale)
        radius = ellipsoid_radius(canvas.positions[near], centre, np.array([19, 30, 32]) * scale)
        score[near] -= KEEP_OUT * (radius < 1)


def _favour_breasts(canvas: Canvas, landmarks: Landmarks, cage: RibCage, in_trunk, score: np.ndarray) -> None:
    """Lower the score of what lies in front of the muscles on the ribs: breasts, and fat under arms that rest there."""
    scale, spine = landmarks.scale, landmarks.spine
    near = canvas.box([-150 * scale, -500, spine[L1, 2]], [150 * scale, spine[T1 + 5, 1] - 60, spine[T1 + 3, 2]])
    points = canvas.positions[near]
    # Where an arm rests on the belly the nearest skin may be the arm's.
    behind_front = (points[:, 1] > landmarks.outer.front(points[:, 2])) & (np.abs(points[:, 0]) < 90 * scale)
    near = near[in_trunk[near] | behind_front]
    points = canvas.positions[near]
    thick = (ON_RIBS_MM, PECTORAL_MM[landmarks.person.sex])
    muscle_mm = np.interp(points[:, 2], spine[[T1 + 9, T1 + 6], 2], thick) * scale
    score[near] -= KEEP_OUT * np.clip((cage.locate(points).distance - muscle_mm) / (8 * scale), 0, 1)


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
    canvas: Canvas, landmarks: Landmarks, share: _Share, cavity: Cavity, balance: Balance
) -> tuple[float, float, np.ndarray]:
    """Fill the middle of the abdomen with visceral fat and bowel; their volumes (ml), and the voxels around."""
    cavity.capsule_first()
    bulges = 0.02 * canvas.noise("cavity wall", 22, cavity.voxels)
    core = cavity.core.copy()
    core[cavity.voxels] += bulges
    free = np.flatnonzero((canvas.labels == 0) & np.isfinite(core))
    # Where visceral fat is scarce fuller bowel keeps the belly's wall thin.
    usual_ml = _bowel_ml(landmarks, canvas.seed)
    room_ml = share.volume_ml(free[core[free] < FULL_RADIUS]) - balance.visceral - balance.gas
    gut_ml = balance.gas + min(np.clip(room_ml, usual_ml, MOST_BOWEL * usual_ml), balance.other)
    voxels = share.give("torso_fat", free, core[free], balance.visceral + gut_ml)
    used_ml = share.volume_ml(voxels)
    gut_ml = max(min(gut_ml, used_ml - balance.visceral), min(0.75 * gut_ml, used_ml))
    bowel = find_bowel(canvas, landmarks, cavity, voxels)
    number, outside = bowel.nearest(canvas.positions[voxels])
    in_capsule = np.zeros(len(canvas), bool)
    in_capsule[cavity.voxels[cavity.fat_rim]] = True
    tubes = outside / bowel.radius[number] + 0.06 * canvas.noise("bowel surface", 9, voxels) + in_capsule[voxels]
    wall, path = np.zeros(len(canvas), np.float32), np.zeros(len(canvas), np.intp)
    wall[voxels], path[voxels] = tubes, number
    _paint_mesentery(canvas, voxels)
    of_colon = bowel.part[number] == LARGE
    colon = share.give("colon", voxels[of_colon], tubes[of_colon], balance.gas + COLON_SHARE * (gut_ml - balance.gas))
    rest = np.flatnonzero(canvas.labels[voxels] == LABEL["torso_fat"])
    coils = share.give("small_bowel", voxels[rest], tubes[rest] + of_colon[rest], gut_ml - share.volume_ml(colon))
    gut = np.sort(np.concatenate([colon, coils]))
    number, large = path[gut], canvas.labels[gut] == LABEL["colon"]
    # Gas rises to the front of those stretches that hold some; the wall stays.
    above = (bowel.points[number, 1] - canvas.positions[gut, 1]) / bowel.radius[number]
    inner = wall[gut] < np.quantile(wall[gut], 0.62) if len(gut) else np.zeros(0, bool)
    bubbles = np.clip(canvas.noise("faeces", 6, gut) - 0.5, 0, 1.5) * (large & (bowel.gas[number] > 0.3))
    canvas.contrast_hu[gut] = np.where(inner, BOWEL_CONTENT_HU - FAECES_HU * bubbles, 0)
    gas = share.give("bowel_gas", gut[inner], -(bowel.gas[number] + 1.2 * above)[inner], balance.gas)
    canvas.contrast_hu[gas] = 0
    level = float(np.quantile(core[voxels], 0.99)) if len(voxels) else 1.0
    near = cavity.outside_mm(level - bulges) < np.maximum(cavity.wall_mm(), LEAST_VOXELS * canvas.spacing)
    near &= canvas.depth[cavity.voxels] > SKIN_FOLD_MM * landmarks.scale
    return used_ml - gut_ml, gut_ml, cavity.voxels[near]


def _bowel_ml(landmarks: Landmarks, seed: int) -> float:
    """Small and large bowel with their content, without gas and duodenum."""
    rng = random_stream(seed, "bowel volume")
    return BOWEL_ML[landmarks.person.sex] * landmarks.scale**2 * rng.lognormal(-(BOWEL_SPREAD**2) / 2, BOWEL_SPREAD)


def _paint_mesentery(canvas: Canvas, voxels: np.ndarray) -> None:
    """Vessels in visceral fat: thin lines where two random sheets meet."""
    line = canvas.noise("mesentery a", 12, voxels) ** 2 + canvas.noise("mesentery b", 12, voxels) ** 2
    canvas.contrast_hu[voxels] = MESENTERY_HU * np.clip(1 - line / 0.08, 0, 1)


def _nearest_skin(canvas: Canvas, landmarks: Landmarks) -> tuple[np.ndarray, np.ndarray]:
    """At the skin next to every voxel: the relative thickness of subcutaneous fat, which is what lies between lean and
    outer mesh, and whether it is the trunk's (both canvas size)."""
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
    cells = tuple((canvas.index // step).T)
    number = np.zeros(np.array(canvas.grid.shape) // step + 1, np.intp)
    number[cells] = 1
    occupied = np.nonzero(number)
    number[occupied] = np.arange(len(occupied[0]))
    centres = (np.stack(occupied, 1) * step + (step - 1) / 2) * canvas.spacing + canvas.grid.origin
    _, nearest = cKDTree(body.outer).query(canvas.straighten(centres))
    nearest = nearest[number[cells]]
    return profile[nearest], template.in_region(*TRUNK)[nearest]
