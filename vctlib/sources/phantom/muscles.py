"""Name the muscles, first those that are measured on their own: back extensors, iliopsoas, gluteal muscles."""

import numpy as np

from vctlib.sources.phantom.canvas import LABEL, Canvas, random_stream
from vctlib.sources.phantom.cavity import iliopsoas_distance
from vctlib.sources.phantom.geometry import ellipsoid_radius, outward, rotation
from vctlib.sources.phantom.landmarks import L5, Landmarks
from vctlib.sources.phantom.muscle_map import nearest_muscle
from vctlib.sources.phantom.neck_muscles import all_muscles
from vctlib.sources.phantom.pose import SIDES
from vctlib.sources.phantom.ribcage import RibCage

# Shares of all skeletal muscle: mean and relative spread. Of some 28 and 19 litres (janssen2000) they make gluteal
# muscles of 2.6 and 1.8 l (handsfield2014, split between the sexes by a choice) and iliopsoas of 0.8 and 0.55 l
# (fitzpatrick2020). No published volume of the back's was found: theirs is a choice.
AUTOCHTHON_SHARE, ILIOPSOAS_SHARE, GLUTEUS_SHARE = (0.058, 0.05), (0.031, 0.06), (0.094, 0.05)
GLUTEI = ("gluteus_maximus", "gluteus_medius", "gluteus_minimus")
FAR = 9.0  # score of a voxel that cannot belong to the muscle
FARTHEST = 4.0  # score at which a muscle ends even if its volume is not reached


def name_muscles(canvas: Canvas, landmarks: Landmarks, cage: RibCage, voxels: np.ndarray) -> np.ndarray:
    """Numbers (m,) of the muscles that voxels (m,) belong to, as `muscle_map` counts them, the fat between included.

    The muscles that are measured take their shares of all of it; the others what is nearest to them.
    """
    rng = random_stream(canvas.seed, "muscle shares")
    points = canvas.positions[voxels]
    muscles = [(side, all_muscles(canvas, landmarks, cage, suffix, sign)) for side, suffix, sign in SIDES]
    owner, _ = nearest_muscle(canvas, voxels, muscles, landmarks.scale)
    taken = canvas.is_bone[voxels]  # what bone leaves of its voxels is in no muscle's volume
    n_free = int((~taken).sum())

    def take(score: np.ndarray, share: tuple[float, float]) -> np.ndarray:
        """Boolean: the free voxels of least score that make up the share."""
        n = int(share[0] * rng.normal(1, share[1]) * n_free)
        chosen = np.zeros(len(voxels), bool)
        if n:
            chosen[np.argpartition(np.where(taken, np.inf, score), n)[:n]] = True
        chosen &= ~taken & (score < FARTHEST)
        taken[chosen] = True
        return chosen

    def label(name: str, chosen: np.ndarray, x: np.ndarray) -> None:
        owner[chosen] = np.where(x[chosen] > 0, LABEL[f"{name}_left"], LABEL[f"{name}_right"])

    spine_x, _ = landmarks.spine_at(points[:, 2])
    label("autochthon", take(_autochthon_score(points, landmarks), AUTOCHTHON_SHARE), points[:, 0] - spine_x)
    label(
        "iliopsoas",
        take(1 + iliopsoas_distance(points, landmarks) / (20 * landmarks.scale), ILIOPSOAS_SHARE),
        points[:, 0],
    )
    scores = _gluteus_scores(points, landmarks)
    gluteus, nearest = take(scores.min(0), GLUTEUS_SHARE), scores.argmin(0)
    for number, name in enumerate(GLUTEI):
        label(name, gluteus & (nearest == number), points[:, 0])
    return owner


def between_muscles(canvas: Canvas, voxels: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Share (m,) of a voxel's six neighbours that belong to another muscle than it does."""
    dense = np.zeros(np.array(canvas.grid.shape) + 2, np.uint8)
    index = canvas.index[voxels] + 1
    dense[tuple(index.T)] = owner
    other = np.zeros(len(voxels), np.float32)
    for axis in range(3):
        for step in (-1, 1):
            neighbour = index.copy()
            neighbour[:, axis] += step
            there = dense[tuple(neighbour.T)]
            other += (there != owner) & (there > 0)
    return other / 6


def _autochthon_score(points: np.ndarray, landmarks: Landmarks) -> np.ndarray:
    """Two columns beside the spinous processes, from the sacrum to the skull."""
    scale, z = landmarks.scale, points[:, 2]
    spine_x, spine_y = landmarks.spine_at(z)
    beside = (np.abs(points[:, 0] - spine_x) - 26 * scale) / (27 * scale)
    score = np.hypot(beside, (points[:, 1] - spine_y - 36 * scale) / (24 * scale))
    score += 2 * np.clip((landmarks.spine[L5, 2] - 30 * scale - z) / 50, 0, 9)
    score += 2 * np.clip((z - landmarks.c1_z) / 20, 0, 9)
    return np.where(points[:, 1] < spine_y + 6 * scale, FAR, score)


def _gluteus_scores(points: np.ndarray, landmarks: Landmarks) -> np.ndarray:
    """Scores (3, m) of `GLUTEI`: maximus behind the hip joints, medius on the iliac wings, minimus under it."""
    scale, wide = landmarks.scale, landmarks.pelvis_width
    centre = np.array([0, landmarks.spine[L5, 1], landmarks.hip_z])
    scores = np.full((3, len(points)), FAR, np.float32)
    for sign in (1, -1):
        out = outward(scale, sign)
        axes = rotation([0, 1, 0], -0.35 * sign)
        behind = ellipsoid_radius(points, centre + out(92, 58, -6), np.array([68, 52, 92]) * scale, axes)
        aside = ellipsoid_radius(points, centre + out(128 * wide, 14, 58), np.array([30, 44, 60]) * scale)
        under = ellipsoid_radius(points, centre + out(112 * wide, 4, 36), np.array([16, 34, 42]) * scale)
        scores = np.minimum(scores, [behind, aside, under + 0.25])
    in_front = points[:, 1] < landmarks.spine[L5, 1] - 26 * scale
    return np.where(in_front, FAR, scores)
