"""Paint heart, great vessels, airway, oesophagus, thyroid and lungs; what is left in the chest is mediastinal fat."""

import numpy as np

from vctlib.sources.phantom.canvas import Canvas, random_stream
from vctlib.sources.phantom.geometry import ellipsoid_radius, rotation
from vctlib.sources.phantom.landmarks import C7, L5, T1, Landmarks
from vctlib.sources.phantom.ribcage import CagePosition, Diaphragm, RibCage

PLEURA = 9.5  # the lungs end this far inside the surface of the rib cage, mm


def paint_thoracic_organs(canvas: Canvas, landmarks: Landmarks, cage: RibCage, diaphragm: Diaphragm) -> None:
    scale, spine = landmarks.scale, landmarks.spine
    voxels = canvas.box(
        [-1.3 * cage.half_width, -400, cage.bottom - 60 * scale],
        [1.3 * cage.half_width, 400, landmarks.c1_z - 20 * scale],
    )
    position = cage.locate(canvas.positions[voxels])
    within = position.distance < -PLEURA * scale  # the rest of the body plays no part here
    voxels = voxels[within]
    position = CagePosition(*(values[within] for values in vars(position).values()))
    points = canvas.positions[voxels]
    ripple = canvas.noise("thoracic organs", 14, voxels)
    dome = diaphragm.height(points, position)
    heart = _heart_centre(scale, cage, diaphragm)
    _paint_heart(canvas, landmarks, voxels, heart, ripple, points[:, 2] > dome - 12 * scale)
    _paint_vessels(canvas, landmarks, cage, heart)
    _paint_airway(canvas, landmarks)
    above = points[:, 2] > dome + 1.5 * ripple
    _paint_lungs(canvas, landmarks, voxels, ripple, above & (points[:, 2] < spine[T1, 2] + 14 * scale))
    canvas.fill("torso_fat", voxels, above)


def _heart_centre(scale: float, cage: RibCage, diaphragm: Diaphragm) -> np.ndarray:
    z = diaphragm.left_top
    return np.array([22 * scale, cage.front(z + 32 * scale) + 62 * scale, z + 36 * scale])


def _paint_heart(canvas: Canvas, landmarks: Landmarks, voxels, centre, ripple, above_diaphragm) -> None:
    rng = random_stream(canvas.seed, "heart")
    volume_ml = (690 if landmarks.male else 540) * landmarks.scale**2
    volume_ml *= rng.normal(1, 0.13) * (1 + 0.002 * (landmarks.age - 50))
    axes = rotation([0, 1, 0], -0.75) @ rotation([1, 0, 0], -0.5)  # the apex points left, forwards and down
    radius = ellipsoid_radius(canvas.positions[voxels], centre, [44, 45, 64], axes)
    canvas.pick("heart", voxels, radius + 0.04 * ripple, volume_ml, above_diaphragm)


def _paint_vessels(canvas: Canvas, landmarks: Landmarks, cage: RibCage, heart: np.ndarray) -> None:
    scale, spine = landmarks.scale, landmarks.spine
    radius = (12.5 if landmarks.male else 11) * scale * (1 + 0.004 * (landmarks.age - 50))
    arch_z = spine[T1 + 3, 2]
    arch = np.array([8 * scale, (cage.front(arch_z) + spine[T1 + 3, 1]) / 2 + 6 * scale, arch_z + 4 * scale])
    below_arch = np.array([-12 * scale, arch[1] - 14 * scale, spine[T1 + 4, 2]])
    ascending = [heart + np.array([-20, 8, 22]) * scale, below_arch]
    descending = [spine[T1 + 4] + np.array([22, -4, 0]) * scale - [0, 0.3 * radius, 0]]
    for i in range(T1 + 5, L5):  # it runs from beside the spine to before it
        aside, before = np.interp(i, [12, 23], [24, 6]), 16 if i < 19 else 32
        descending.append(spine[i] + np.array([aside, -before, 0]) * scale)
    canvas.tube("aorta", [*ascending, arch, *descending], 1.1 * radius, 0.75 * radius)
    lower_cava = [spine[i] + np.array([-22, -24 if i >= 19 else -20, 0]) * scale for i in range(14, 24)]
    canvas.tube("inferior_vena_cava", lower_cava, 10 * scale, 9 * scale)
    upper_cava = [heart + np.array([-28, 6, 30]) * scale, np.array([-22 * scale, arch[1], spine[T1 + 1, 2]])]
    canvas.tube("superior_vena_cava", upper_cava, 10 * scale, 9 * scale)


def _paint_airway(canvas: Canvas, landmarks: Landmarks) -> None:
    scale, spine = landmarks.scale, landmarks.spine

    def before(i: int, x: float, y: float, z: float = 0) -> np.ndarray:
        return spine[i] + np.array([x, y, z]) * scale

    carina = before(T1 + 3, 0, -26)
    canvas.tube("trachea", [before(C7, 0, -28), carina], 9 * scale, 8.5 * scale)
    canvas.tube("trachea", [carina, before(T1 + 5, -28, -24)], 7.5 * scale, 6 * scale)
    canvas.tube("trachea", [carina, before(T1 + 5, 30, -22)], 7 * scale, 5.5 * scale)
    canvas.tube("esophagus", [before(i, 4, -18) for i in range(T1, T1 + 11)], 6.5 * scale, 6.5 * scale)
    for sign in (1, -1):
        lobe = [before(C7, sign * 16, -24, 12), before(C7, sign * 15, -26, -12)]
        canvas.tube("thyroid_gland", lobe, 8 * scale, 7 * scale)


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
