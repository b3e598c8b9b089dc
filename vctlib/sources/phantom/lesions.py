"""Lesions of the liver, nodules in the lungs, and free fluid in the abdomen."""

import numpy as np
from scipy.spatial import cKDTree

from vctlib.sources.phantom.abdominal_organs import Cavity
from vctlib.sources.phantom.bone_layer import BALL, fullest, share_of_voxel
from vctlib.sources.phantom.canvas import LABEL, Canvas, random_stream
from vctlib.sources.phantom.conditions import Conditions
from vctlib.sources.phantom.landmarks import Landmarks
from vctlib.sources.phantom.tissues import HU

NODULE_HU = 35.0  # solid, without contrast medium; a choice
PLACES = 400  # tried for every lesion
MAX_FLUID = 0.45  # share of the room between the organs that ascites may take: bowel and fat need the rest
WALL = 0.9  # of the cavity's radius: outside are the muscles of the abdominal wall
AROUND_LIVER_MM = 14.0


def paint_lesions(canvas: Canvas, landmarks: Landmarks, cavity: Cavity, conditions: Conditions) -> list[dict]:
    """Paint everything, after all organs. What was painted, with `position_mm` (body frame) and `diameter_mm`."""
    findings = []
    rng = random_stream(canvas.seed, "liver lesion places")
    for lesion in conditions.liver_lesions:
        place = _paint_ball(canvas, "liver", "liver_lesion", lesion.diameter_mm, lesion.contrast_hu, rng)
        findings.append({"kind": "liver_lesion", "position_mm": place, **vars(lesion)})
    rng = random_stream(canvas.seed, "lung nodule places")
    for nodule in conditions.lung_nodules:
        contrast = NODULE_HU - landmarks.person.lung_hu
        place = _paint_ball(canvas, nodule.lobe, "lung_nodule", nodule.diameter_mm, contrast, rng)
        findings.append({"kind": "lung_nodule", "position_mm": place, **vars(nodule)})
    if conditions.ascites_ml > 0:
        findings.append(_paint_ascites(canvas, landmarks, cavity, conditions))
    return findings


def _paint_ball(canvas: Canvas, organ: str, name: str, diameter: float, contrast: float, rng) -> np.ndarray:
    """Paint a ball into an organ at the first of some random places where it fits best; its centre (3,), mm.

    Every voxel gets the ball's contrast by the share it fills; the fullest ones, to its volume, get its name.
    """
    radius = diameter / 2
    inside = np.flatnonzero(canvas.is_any(organ))
    centre = _place(canvas, inside, radius, rng)
    near = canvas.around(centre, radius + canvas.spacing)
    near = near[canvas.is_any(organ)[near]]
    distance = np.linalg.norm(canvas.positions[near] - centre, axis=1)
    share = share_of_voxel(radius - distance, np.full(len(near), radius), np.full(len(near), BALL), canvas.spacing / 2)
    canvas.contrast_hu[near] = (1 - share) * canvas.contrast_hu[near] + share * contrast
    whole = share > 0.05
    if whole.any() and round(np.pi / 6 * diameter**3 / canvas.spacing**3) >= 1:
        chosen = near[whole][fullest(np.zeros(whole.sum(), np.uint8), share[whole])]
        canvas.labels[chosen] = LABEL[name]
    return centre


def _place(canvas: Canvas, inside: np.ndarray, radius: float, rng: np.random.Generator) -> np.ndarray:
    """A random point (3,) at which a ball, and a voxel around it, lies in the voxels `inside`, or the most of it."""
    filled = np.zeros(canvas.grid.shape, bool)
    filled[tuple(canvas.index[inside].T)] = True
    low, high = canvas.positions[inside].min(0), canvas.positions[inside].max(0)
    surface = rng.normal(size=(40, 3))
    surface *= (radius + 0.5 * canvas.spacing) / np.linalg.norm(surface, axis=1, keepdims=True)
    centres = rng.uniform(low, high, (PLACES, 3))
    index = np.rint((centres[:, None] + np.vstack([surface, surface / 2]) - canvas.grid.origin) / canvas.spacing)
    index = np.clip(index.astype(int), 0, np.array(filled.shape) - 1)
    return centres[filled[tuple(np.moveaxis(index, -1, 0))].mean(1).argmax()]


def _paint_ascites(canvas: Canvas, landmarks: Landmarks, cavity: Cavity, conditions: Conditions) -> dict:
    """Fluid where it gathers in somebody who lies on the back: around the liver, in the flanks and in the pelvis."""
    scale, voxels = landmarks.scale, cavity.voxels
    points = canvas.positions[voxels]
    half_width, front, back = cavity.section(points[:, 2])
    sideways = np.abs(points[:, 0]) / half_width
    deep = (points[:, 1] - front) / (back - front)
    flanks = 2.2 * (1 - sideways) + 0.9 * (1 - deep)
    pelvis = 0.15 + np.clip((points[:, 2] - landmarks.hip_z + 30 * scale) / (60 * scale), 0, 9)
    liver = canvas.positions[canvas.is_any("liver")]
    from_liver, _ = cKDTree(liver).query(points, distance_upper_bound=2 * AROUND_LIVER_MM)
    around_liver = 0.2 + 0.3 * from_liver / AROUND_LIVER_MM
    score = np.minimum(np.minimum(flanks, pelvis), around_liver) + 0.08 * canvas.noise("ascites", 14, voxels)
    allowed = cavity.core[voxels] < WALL
    room_ml = np.count_nonzero(allowed & canvas.free[voxels]) * canvas.voxel_ml
    canvas.pick("ascites", voxels, score, min(conditions.ascites_ml, MAX_FLUID * room_ml), allowed)
    fluid = canvas.is_any("ascites")
    canvas.contrast_hu[fluid] = conditions.ascites_hu - HU["ascites"]
    volume_ml = float(fluid.sum() * canvas.voxel_ml)
    place = canvas.positions[fluid].mean(0, dtype=np.float64)
    return {"kind": "ascites", "position_mm": place, "volume_ml": volume_ml, "hu": conditions.ascites_hu}
