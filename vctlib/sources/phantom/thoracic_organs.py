"""Paint heart, airway, oesophagus, thyroid and lungs; what is left in the chest is mediastinal fat."""

import numpy as np

from vctlib.sources.phantom.canvas import Canvas, random_stream
from vctlib.sources.phantom.geometry import ellipsoid_radius, outward, rotation, shape_factor
from vctlib.sources.phantom.landmarks import C7, T1, Landmarks
from vctlib.sources.phantom.lung_tree import paint_lung_vessels
from vctlib.sources.phantom.ribcage import CagePosition, Diaphragm, RibCage
from vctlib.sources.phantom.vessels import lung_hilum, paint_vessels

PLEURA = 9.5  # the lungs end this far inside the surface of the rib cage, mm


def paint_thoracic_organs(canvas: Canvas, landmarks: Landmarks, cage: RibCage, diaphragm: Diaphragm) -> None:
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
    dome = diaphragm.height(points, position)
    heart = _heart_centre(scale, cage, diaphragm)
    _paint_heart(canvas, landmarks, voxels, heart, ripple, points[:, 2] > dome - 12 * scale)
    paint_vessels(canvas, landmarks, cage, heart)
    _paint_airway(canvas, landmarks)
    above = points[:, 2] > dome + 1.5 * ripple
    _paint_lungs(canvas, landmarks, voxels, ripple, above & (points[:, 2] < spine[T1, 2] + 14 * scale))
    paint_lung_vessels(canvas, landmarks)
    canvas.fill("torso_fat", voxels, above)


def _heart_centre(scale: float, cage: RibCage, diaphragm: Diaphragm) -> np.ndarray:
    z = diaphragm.left_top
    return np.array([22 * scale, cage.front(z + 32 * scale) + 62 * scale, z + 36 * scale])


def _paint_heart(canvas: Canvas, landmarks: Landmarks, voxels, centre, ripple, above_diaphragm) -> None:
    """The heart with its four chambers; fat lies in the groove between atria and ventricles."""
    rng, scale = random_stream(canvas.seed, "heart"), landmarks.scale
    volume_ml = (690 if landmarks.male else 540) * scale**2
    volume_ml *= rng.normal(1, 0.13) * (1 + 0.002 * (landmarks.age - 50))
    axes = rotation([0, 1, 0], -0.75) @ rotation([1, 0, 0], -0.5)  # the apex points left, forwards and down
    points = canvas.positions[voxels]
    factor = shape_factor(points, centre, rng, 0.06)
    radius = ellipsoid_radius(points, centre, [44, 45, 64], axes) / factor + 0.03 * ripple
    along = (points - centre.astype(np.float32)) @ axes[:, 2].astype(np.float32) / scale  # towards the base
    groove = 0.30 * np.exp(-(((along - 22) / 7) ** 2))
    canvas.pick("heart", voxels, radius + groove * np.clip((radius - 0.6) / 0.4, 0, 1), volume_ml, above_diaphragm)
    across = (points - centre.astype(np.float32)) @ axes[:, 0].astype(np.float32) / scale
    for left, base in ((1, 0), (-1, 0), (1, 1), (-1, 1)):
        middle = np.hypot(across - 17 * left, (along - (38 if base else -8)) / (1.0 if base else 1.9))
        size = {(1, 0): 17, (-1, 0): 19, (1, 1): 18, (-1, 1): 18}[left, base]
        blood = voxels[(middle < size) & (radius < 0.82)]
        canvas.contrast_hu[blood[canvas.is_any("heart")[blood]]] = -8.0  # blood, less dense than its muscle


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


def _paint_lungs(canvas: Canvas, landmarks: Landmarks, voxels: np.ndarray, ripple: np.ndarray, where) -> None:
    scale, spine, points = landmarks.scale, landmarks.spine, canvas.positions[voxels]
    x, y, z = points.T
    behind = (y - spine[T1 + 5, 1]) / scale
    half_width = np.interp(behind, [-170, -120, -60, 0], [5, 14, 24, 20]) * scale
    mediastinum = np.abs(x - 4 * scale) < half_width + 1.5 * ripple
    mediastinum |= np.hypot(x, y - landmarks.spine_at(z)[1]) < 27 * scale
    forwards = np.clip((25 - behind) / 190, 0, 1.2)
    oblique_z = spine[T1 + 2, 2] + (spine[T1 + 9, 2] - spine[T1 + 2, 2]) * forwards + 3 * ripple
    horizontal_z = spine[T1 + 4, 2] - 8 * scale + 2 * ripple
    lung, right, lower = where & ~mediastinum, x < 0, z < oblique_z
    canvas.fill("lung_lower_lobe_right", voxels, lung & right & lower)
    canvas.fill("lung_middle_lobe_right", voxels, lung & right & ~lower & (z < horizontal_z))
    canvas.fill("lung_upper_lobe_right", voxels, lung & right & ~lower)
    canvas.fill("lung_lower_lobe_left", voxels, lung & ~right & lower)
    canvas.fill("lung_upper_lobe_left", voxels, lung & ~right & ~lower)
