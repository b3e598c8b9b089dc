"""Name the muscles that are measured on their own: back extensors, iliopsoas and the gluteal muscles."""

import numpy as np

from vctlib.sources.phantom.abdominal_organs import pelvic_y
from vctlib.sources.phantom.canvas import LABEL, Canvas, random_stream
from vctlib.sources.phantom.geometry import capsule_distance, ellipsoid_radius, outward, plate_distance, rotation
from vctlib.sources.phantom.landmarks import L1, L5, Landmarks

# Shares of all skeletal muscle: mean and relative spread.
AUTOCHTHON_SHARE, ILIOPSOAS_SHARE, GLUTEUS_SHARE = (0.058, 0.05), (0.030, 0.06), (0.098, 0.05)
FAR = 9.0  # score of a voxel that cannot belong to the muscle
FARTHEST = 4.0  # score at which a muscle ends even if its volume is not reached


def name_muscles(canvas: Canvas, landmarks: Landmarks, muscle: np.ndarray) -> None:
    """Relabel the best placed of the muscle's voxels."""
    rng = random_stream(canvas.seed, "muscle shares")
    points = canvas.positions[muscle]
    n_muscle = len(muscle)

    def take(score: np.ndarray, share: tuple[float, float]) -> np.ndarray:
        """Boolean: the free voxels of least score that make up the share."""
        n = int(share[0] * rng.normal(1, share[1]) * n_muscle)
        score = np.where(canvas.labels[muscle] == LABEL["skeletal_muscle"], score, np.inf)
        chosen = np.zeros(n_muscle, bool)
        if n:
            chosen[np.argpartition(score, n)[:n]] = True
        return chosen & (score < FARTHEST)

    spine_x, _ = landmarks.spine_at(points[:, 2])
    back = take(_autochthon_score(points, landmarks), AUTOCHTHON_SHARE)
    _label_by_side(canvas, "autochthon", muscle[back], (points[:, 0] - spine_x)[back])
    psoas = take(_iliopsoas_score(points, landmarks), ILIOPSOAS_SHARE)
    _label_by_side(canvas, "iliopsoas", muscle[psoas], points[psoas, 0])
    maximus, medius = _gluteus_scores(points, landmarks)
    gluteus = take(np.minimum(maximus, medius), GLUTEUS_SHARE)
    behind = maximus <= medius
    for name, part in (("gluteus_maximus", gluteus & behind), ("gluteus_medius", gluteus & ~behind)):
        _label_by_side(canvas, name, muscle[part], points[part, 0])


def _label_by_side(canvas: Canvas, name: str, voxels: np.ndarray, x: np.ndarray) -> None:
    canvas.labels[voxels] = np.where(x > 0, LABEL[f"{name}_left"], LABEL[f"{name}_right"])


def _autochthon_score(points: np.ndarray, landmarks: Landmarks) -> np.ndarray:
    """Two columns beside the spinous processes, from the sacrum to the skull."""
    scale, z = landmarks.scale, points[:, 2]
    spine_x, spine_y = landmarks.spine_at(z)
    beside = (np.abs(points[:, 0] - spine_x) - 26 * scale) / (27 * scale)
    score = np.hypot(beside, (points[:, 1] - spine_y - 36 * scale) / (24 * scale))
    score += 2 * np.clip((landmarks.spine[L5, 2] - 30 * scale - z) / 50, 0, 9)
    score += 2 * np.clip((z - landmarks.c1_z) / 20, 0, 9)
    return np.where(points[:, 1] < spine_y + 6 * scale, FAR, score)


def _iliopsoas_score(points: np.ndarray, landmarks: Landmarks) -> np.ndarray:
    """Psoas from the loin down to the lesser trochanter, and iliacus on the inside of the iliac wing."""
    scale, spine, hip_z = landmarks.scale, landmarks.spine, landmarks.hip_z
    wide = landmarks.pelvis_width
    bladder_y = pelvic_y(landmarks)
    score = np.full(len(points), FAR, np.float32)
    for suffix, sign in (("L", 1), ("R", -1)):
        out = outward(scale, sign)
        upper, lower = spine[L1] + out(30, 0, 0), spine[L5 - 1] + out(44, -8, 0)
        brim = np.array([0, bladder_y, hip_z]) + out(74 * wide, 2, 30)
        trochanter = np.array([0, landmarks.joint(f"upperleg02.{suffix}")[1], hip_z]) + out(84, 2, -50)
        wing = np.array([0, spine[L5, 1], hip_z])
        inner, outer = wing + out(60 * wide, 20, 60), wing + out(118 * wide, -4, 105)
        iliacus = plate_distance(points, inner, outer, brim, 12 * scale)
        score = np.minimum(score, iliacus / (20 * scale) + 1.2)
        for start, end, r0, r1 in ((upper, lower, 10, 20), (lower, brim, 20, 19), (brim, trochanter, 18, 9)):
            distance = capsule_distance(points, start, end, r0 * scale, r1 * scale)
            score = np.minimum(score, distance / (20 * scale) + 1)
    return score


def _gluteus_scores(points: np.ndarray, landmarks: Landmarks) -> tuple[np.ndarray, np.ndarray]:
    """Maximus behind the hip joints, medius on the outside of the iliac wings."""
    scale = landmarks.scale
    centre = np.array([0, landmarks.spine[L5, 1], landmarks.hip_z])
    maximus, medius = (np.full(len(points), FAR, np.float32) for _ in range(2))
    for sign in (1, -1):
        out = outward(scale, sign)
        axes = rotation([0, 1, 0], -0.35 * sign)
        behind = ellipsoid_radius(points, centre + out(92, 58, -6), np.array([68, 52, 92]) * scale, axes)
        aside_centre = centre + out(128 * landmarks.pelvis_width, 14, 58)
        aside = ellipsoid_radius(points, aside_centre, np.array([30, 44, 60]) * scale)
        maximus, medius = np.minimum(maximus, behind), np.minimum(medius, aside)
    in_front = points[:, 1] < landmarks.spine[L5, 1] - 26 * scale
    return np.where(in_front, FAR, maximus), np.where(in_front, FAR, medius)
