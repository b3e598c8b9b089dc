"""Paint heart, airway, oesophagus, thyroid and lungs; what is left in the chest is mediastinal fat.

At the mean density of -770 HU the lungs hold 4.1 and 3.15 litres in men and women of 176 and 163 cm: midway between
full inspiration (5.5 and 4.2 l) and quiet expiration (2.7 and 2.1 l) of people lying down; a choice. Their tissue and
blood are then 943 and 725 g, and how far they are blown up follows from their HU; the diaphragm stands where that
leaves it. They grow with the square
of height, as quanjer1993's total capacity does (7.99 L/m at 6.9 L). Shares of the lobes: yamada2020, table 3. The
heart with its blood weighs 840 and 620 g at 176 and 163 cm: icrp89.
"""

import numpy as np

from vctlib.sources.phantom.bone_layer import PLATE, share_of_voxel
from vctlib.sources.phantom.canvas import Canvas, random_stream
from vctlib.sources.phantom.geometry import outward, rotation, shape_factor
from vctlib.sources.phantom.landmarks import C7, T1, Landmarks
from vctlib.sources.phantom.lung_tree import LOBES
from vctlib.sources.phantom.ribcage import CagePosition, Diaphragm, RibCage
from vctlib.sources.phantom.vessels import lung_hilum, paint_vessels

PLEURA = 8.5  # the lungs end this far inside the surface of the rib cage, mm
LUNG_G, LUNG_G_SPREAD = {"male": 943.0, "female": 725.0}, 0.12  # spread of the logarithm, as of total capacity
LUNG_ML = {"male": (2200.0, 6200.0), "female": (1700.0, 4700.0)}  # hardly more or less even when breathing hard
LUNG_SHARE = {-1: 0.536, 1: 0.464}  # right and left
LOBE_SHARE = {-1: (0.334, 0.174, 0.492), 1: (0.498, 0.502)}  # of a lung, in the order of `LOBES`
LOBE_SPREAD = 0.09  # SD of a lower lobe's share, relative
HEART_ML, HEART_SPREAD = {"male": 792.0, "female": 585.0}, 0.16  # at 1.06 g/ml
REFERENCE_CM = {"male": 176.0, "female": 163.0}
FISSURE_MM = 1.0


def paint_thoracic_organs(canvas: Canvas, landmarks: Landmarks, cage: RibCage, diaphragm: Diaphragm) -> None:
    """Heart, vessels, airway and lungs; moves the diaphragm to where the lungs end."""
    scale, spine = landmarks.scale, landmarks.spine
    voxels = canvas.box(
        [-1.3 * cage.half_width, -400, cage.bottom - 60 * scale],
        [1.3 * cage.half_width, 400, landmarks.c1_z - 20 * scale],
    )
    position = cage.locate(canvas.positions[voxels])
    within = (position.distance < -PLEURA * scale) & cage.under_inlet(canvas.positions[voxels])
    voxels = voxels[within]
    position = CagePosition(*(values[within] for values in vars(position).values()))
    points = canvas.positions[voxels]
    ripple = canvas.noise("thoracic organs", 14, voxels)
    pleural = canvas.free[voxels] & (points[:, 2] < spine[T1, 2] + 3 * scale)
    pleural &= ~_in_mediastinum(landmarks, points, ripple)
    heart_ml, lung_ml = _volumes(canvas, landmarks)
    pleural_position = CagePosition(*(v[pleural] for v in vars(position).values()))
    beside_ml = {1: 0.60 * heart_ml, -1: 0.25 * heart_ml}  # what lies of the heart and its fat where a lung would
    for _ in range(2):
        room_ml = {sign: lung_ml * LUNG_SHARE[sign] + beside_ml[sign] for sign in (1, -1)}
        diaphragm.settle(points[pleural], pleural_position, canvas.voxel_ml, room_ml)
        dome = diaphragm.height(points, position)
        heart = _Heart(canvas, landmarks, voxels, _heart_centre(landmarks, cage, diaphragm), ripple)
        above, above_tendon = points[:, 2] > dome + 1.5 * ripple, points[:, 2] > dome - 14 * scale
        around_heart = heart.place(heart_ml, above_tendon & canvas.free[voxels])
        beside = pleural & above & around_heart
        beside_ml = {sign: (beside & (points[:, 0] * sign > 0)).sum() * canvas.voxel_ml for sign in (1, -1)}
    heart.paint()
    paint_vessels(canvas, landmarks, cage, heart.centre)
    _paint_airway(canvas, landmarks)
    _paint_lungs(canvas, landmarks, voxels[pleural & above & ~around_heart])
    canvas.fill("torso_fat", voxels, above & (points[:, 2] < spine[T1, 2] + 4 * scale))


def _volumes(canvas: Canvas, landmarks: Landmarks) -> tuple[float, float]:
    """Volumes of the heart and of both lungs, ml."""
    rng, person = random_stream(canvas.seed, "chest volumes"), landmarks.person
    size = person.height_cm / REFERENCE_CM[person.sex]
    heart_ml = HEART_ML[person.sex] * size**2 * np.exp(rng.normal(-(HEART_SPREAD**2) / 2, HEART_SPREAD))
    grams = LUNG_G[person.sex] * size**2 * np.exp(rng.normal(-(LUNG_G_SPREAD**2) / 2, LUNG_G_SPREAD))
    return heart_ml, float(np.clip(grams / (1 + person.lung_hu / 1000), *(ml * size**2 for ml in LUNG_ML[person.sex])))


def _in_mediastinum(landmarks: Landmarks, points: np.ndarray, ripple: np.ndarray) -> np.ndarray:
    """Boolean (n,): between the lungs. Fat widens it."""
    scale, (x, y, z) = landmarks.scale, points.T
    behind = (y - landmarks.spine[T1 + 5, 1]) / scale
    fat = np.clip((landmarks.person.body_fat_percent - 15) / 20, 0, 1.5)
    half_width = (np.interp(behind, [-170, -110, -60, 0], [6, 16, 30, 26]) + 4 * fat) * scale
    return (np.abs(x - 4 * scale) < half_width + 1.5 * ripple) | (
        np.hypot(x, y - landmarks.spine_at(z)[1]) < 29 * scale
    )


def _heart_centre(landmarks: Landmarks, cage: RibCage, diaphragm: Diaphragm) -> np.ndarray:
    scale, z = landmarks.scale, (diaphragm.left_top + diaphragm.right_top) / 2
    return np.array([24 * scale, cage.front(z + 25 * scale) + 64 * scale, z + 18 * scale])


class _Heart:
    """The heart at some voxels (n,): an egg whose tip points left, forwards and down."""

    def __init__(self, canvas: Canvas, landmarks: Landmarks, voxels: np.ndarray, centre: np.ndarray, ripple):
        self.canvas, self.voxels, self.centre, self.ripple = canvas, voxels, centre, ripple
        axes = rotation([0, 1, 0], -0.75) @ rotation([1, 0, 0], -0.5)
        points = canvas.positions[voxels]
        relative = (points - centre.astype(np.float32)) @ axes.astype(np.float32)
        # Towards the heart's left side, and towards its base.
        self.across, self.along = relative[:, 0] / landmarks.scale, relative[:, 2] / landmarks.scale
        slim = 1 + np.clip(-self.along / 160, 0, 0.5) - np.clip(self.along / 500, 0, 0.1)  # it tapers to the apex
        factor = shape_factor(points, centre, random_stream(canvas.seed, "heart"), 0.06)
        self.radius = np.linalg.norm(relative / np.array([44, 45, 64], np.float32), axis=1) * slim / factor
        self.radius += 0.02 * ripple
        self.fat = np.clip((landmarks.person.body_fat_percent - 10) / 20, 0.2, 1.5)

    def place(self, volume_ml: float, allowed: np.ndarray) -> np.ndarray:
        """Choose its voxels among those allowed (n,); Boolean (n,): they and the fat around, which lungs leave free."""
        # Fat lies in the groove between atria and ventricles.
        groove = 0.30 * np.exp(-(((self.along - 22) / 7) ** 2)) * np.clip((self.radius - 0.6) / 0.4, 0, 1)
        score = np.where(allowed, self.radius + groove, np.inf)
        n = min(round(volume_ml / self.canvas.voxel_ml), int(allowed.sum()))
        self.own = np.zeros(len(score), bool)
        self.own[np.argpartition(score, n - 1)[:n]] = n > 0
        edge = float(np.quantile(self.radius[self.own], 0.98)) if n else 1.0
        self.inside = self.radius / edge
        return self.inside < 1 + (0.05 + 0.05 * (self.along > 0)) * self.fat + 0.02 * self.ripple

    def paint(self) -> None:
        """The heart with its four chambers."""
        self.canvas.fill("heart", self.voxels, self.own)
        for left, base in ((1, 0), (-1, 0), (1, 1), (-1, 1)):
            middle = np.hypot(self.across - 17 * left, (self.along - (38 if base else -8)) / (1.0 if base else 1.9))
            size = {(1, 0): 17, (-1, 0): 19, (1, 1): 18, (-1, 1): 18}[left, base]
            blood = self.own & (middle < size) & (self.inside < 0.82)
            self.canvas.contrast_hu[self.voxels[blood]] = -8.0  # thinner than the muscle


def _paint_airway(canvas: Canvas, landmarks: Landmarks) -> None:
    scale, spine = landmarks.scale, landmarks.spine

    def before(i: int, x: float, y: float, z: float = 0) -> np.ndarray:
        return spine[i] + np.array([x, y, z]) * scale

    carina = before(T1 + 3, 0, -26)
    canvas.tube("trachea", [before(C7, 0, -28), carina], [9 * scale, 8.5 * scale])
    for sign, radius in ((-1, 7.5), (1, 6.5)):
        hilum = lung_hilum(landmarks, sign) + np.array([-4 * sign, 8, 4]) * scale
        canvas.tube("trachea", [carina, hilum], [radius * scale, 5.5 * scale])
        out = outward(scale, sign)
        for branch in (out(16, -6, 22), out(18, 8, -34)) + ((out(18, -22, -14),) if sign < 0 else ()):
            canvas.tube("trachea", [hilum, hilum + branch], [4.6 * scale, 3.4 * scale])  # lobar bronchi
    gullet = [before(i, 4, -18) for i in range(C7, T1 + 11)]
    canvas.tube("esophagus", gullet, [6.5 * scale] * len(gullet))
    for sign in (1, -1):
        lobe = [before(C7, sign * 16, -24, 12), before(C7, sign * 15, -26, -12)]
        canvas.tube("thyroid_gland", lobe, [8 * scale, 7 * scale])


def _paint_lungs(canvas: Canvas, landmarks: Landmarks, voxels: np.ndarray) -> None:
    """Share the lungs out among their lobes, in front of and behind the fissures, which show as thin lines."""
    scale, spine = landmarks.scale, landmarks.spine
    voxels = voxels[canvas.free[voxels]]
    x, y, z = canvas.positions[voxels].T
    ripple = canvas.noise("fissures", 40, voxels)
    behind = (y - spine[T1 + 5, 1]) / scale
    oblique = z - (spine[T1 + 9, 2] - spine[T1 + 2, 2]) * np.clip((25 - behind) / 190, -0.3, 1.2) + 4 * ripple
    rng = random_stream(canvas.seed, "lobes")
    fissures = np.zeros(len(voxels), np.float32)
    half = canvas.spacing / 2

    def split(own: np.ndarray, score: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
        """Voxels below and above the surface of a fissure that cuts off a share from below."""
        order = np.argsort(score[own], kind="stable")
        n = int(np.clip(share, 0, 1) * len(own))
        if 0 < n < len(own):
            depth = FISSURE_MM / 2 - np.abs(score[own] - score[own[order[n]]]) * 0.75  # across a sloping surface
            thin = np.full(len(own), PLATE)
            fissures[own] += share_of_voxel(depth, np.full(len(own), FISSURE_MM / 2), thin, half)
        return own[order[:n]], own[order[n:]]

    for sign, names in LOBES.items():
        own = np.flatnonzero(x * sign > 0)
        shares = LOBE_SHARE[sign]
        lower, upper = split(own, oblique, shares[-1] * rng.normal(1, LOBE_SPREAD))
        canvas.fill(names[-1], voxels[lower])
        if sign < 0:
            middle, upper = split(
                upper, z + 2 * ripple, shares[1] / (shares[0] + shares[1]) * rng.normal(1, LOBE_SPREAD)
            )
            canvas.fill(names[1], voxels[middle])
        canvas.fill(names[0], voxels[upper])
    canvas.contrast_hu[voxels] += fissures * (0.8 * -landmarks.person.lung_hu)
