"""Paint the great vessels as trees: aorta and arteries, cavae and veins, the pulmonary trunk, the vessels of the limbs.

Diameters of the aorta: ascending 34.1 and 31.9 mm, descending 25.8 and 23.1 mm, below the kidneys 19.3 and 16.7 mm in
men and women, about a millimetre more for every ten years. Source: rogers2013.
"""

from dataclasses import dataclass

import numpy as np

from vctlib.sources.phantom.canvas import Canvas
from vctlib.sources.phantom.geometry import outward
from vctlib.sources.phantom.landmarks import C7, L1, L5, T1, Landmarks
from vctlib.sources.phantom.pelvis import hip_centre
from vctlib.sources.phantom.pose import SIDES
from vctlib.sources.phantom.ribcage import RibCage
from vctlib.sources.phantom.thorax import sternum_ends

AORTA_MM = {"male": (34.1, 25.8, 19.3), "female": (31.9, 23.1, 16.7)}  # ascending, descending, below the kidneys
AORTA_AT_YEARS, AORTA_MM_PER_YEAR = 50.0, 0.1


@dataclass(frozen=True)
class _Chest:
    """Points that the vessels of the chest start from, mm."""

    heart: np.ndarray
    arch: np.ndarray  # top of the aortic arch
    inlet_y: float  # front of the spine's vessels where they leave the chest

    @classmethod
    def find(cls, landmarks: Landmarks, cage: RibCage, heart: np.ndarray) -> "_Chest":
        scale, spine = landmarks.scale, landmarks.spine
        arch_z = spine[T1 + 3, 2]
        arch = np.array([8 * scale, (cage.front(arch_z) + spine[T1 + 3, 1]) / 2 + 6 * scale, arch_z + 4 * scale])
        top = sternum_ends(cage)[0]
        return cls(heart, arch, float(cage.front(top) + 24 * scale))


def paint_vessels(canvas: Canvas, landmarks: Landmarks, cage: RibCage, heart: np.ndarray) -> None:
    """All vessels; `heart` is the heart's centre. Small ones find the room that earlier organs leave."""
    chest = _Chest.find(landmarks, cage, heart)
    _paint_aorta(canvas, landmarks, chest)
    _paint_veins(canvas, landmarks, chest)
    _paint_pulmonary(canvas, landmarks, chest)
    for side, suffix, sign in SIDES:
        _paint_neck_and_arm(canvas, landmarks, chest, side, suffix, sign)
        _paint_pelvis_and_leg(canvas, landmarks, side, suffix, sign)


def _paint_aorta(canvas: Canvas, landmarks: Landmarks, chest: _Chest) -> None:
    scale, spine = landmarks.scale, landmarks.spine
    wider = AORTA_MM_PER_YEAR * (landmarks.age - AORTA_AT_YEARS)
    ascending, descending, lower = ((mm + wider) / 2 for mm in AORTA_MM[landmarks.person.sex])
    path = [chest.heart + np.array([-14, 0, 14]) * scale, chest.heart + np.array([-20, -4, 40]) * scale]
    path.append(chest.arch + np.array([-16, -12, -8]) * scale)
    path.append(chest.arch)
    radii = [ascending, ascending, 0.96 * ascending, (ascending + descending) / 2]
    path.append(spine[T1 + 4] + np.array([22, -6, 0]) * scale - [0, 0.4 * descending, 0])
    radii.append(descending)
    for i in range(T1 + 5, L5):  # it runs from beside the spine to before it
        aside, before = np.interp(i, [12, 23], [24, 4]), np.interp(i, [12, 19, 21], [16, 26, 32])
        path.append(spine[i] + np.array([aside, -before, 0]) * scale)
        radii.append(np.interp(i, [T1 + 5, L1, L1 + 2], [descending, 0.9 * descending, lower]))
    canvas.tube("aorta", path, radii)
    root = 0.25 * path[0] + 0.75 * path[1]
    canvas.tube("aorta", [root, path[1]], [ascending, ascending], over=True)  # it rises out of the heart


def _paint_veins(canvas: Canvas, landmarks: Landmarks, chest: _Chest) -> None:
    scale, spine = landmarks.scale, landmarks.spine
    atrium = chest.heart + np.array([-34, 8, 6]) * scale
    lower = [spine[i] + np.array([-20, -30, 0]) * scale for i in range(L1 - 1, L5)]
    canvas.tube("inferior_vena_cava", [atrium, *lower], [11 * scale] * 3 + [10 * scale] * (len(lower) - 2))
    meeting = np.array([-22 * scale, chest.arch[1] - 10 * scale, spine[T1 + 1, 2] - 6 * scale])
    canvas.tube("superior_vena_cava", [atrium + np.array([6, 0, 18]) * scale, meeting], [10 * scale, 9 * scale])
    for side, _, sign in SIDES:
        joint = np.array([sign * 26 * scale, chest.inlet_y, spine[T1, 2] - 8 * scale])
        canvas.tube(f"brachiocephalic_vein_{side}", [meeting, joint], [6.5 * scale] * 2)
    liver_door, confluence = spine[L1 - 1] + np.array([-38, -58, 8]) * scale, spine[L1] + np.array([-8, -46, 4]) * scale
    spleen_door = spine[L1 - 1] + np.array([78, -22, 6]) * scale
    canvas.tube("portal_vein_and_splenic_vein", [liver_door, confluence, spleen_door], np.array([6.5, 6, 4]) * scale)


def _paint_pulmonary(canvas: Canvas, landmarks: Landmarks, chest: _Chest) -> None:
    scale = landmarks.scale
    trunk = chest.heart + np.array([10, -22, 26]) * scale
    fork = np.array([6 * scale, chest.arch[1] + 2 * scale, landmarks.spine[T1 + 5, 2] + 6 * scale])
    canvas.tube("pulmonary_artery", [trunk, fork], [13 * scale, 12 * scale])
    atrium = chest.heart + np.array([-6, 30, 8]) * scale
    for sign in (1, -1):
        hilum = lung_hilum(landmarks, sign)
        canvas.tube("pulmonary_artery", [fork, hilum + np.array([0, -4, 6]) * scale], [9.5 * scale, 7 * scale])
        for up in (1, -1):
            canvas.tube("pulmonary_vein", [atrium, hilum + np.array([0, 2, 10 * up - 8]) * scale], [6 * scale] * 2)


def lung_hilum(landmarks: Landmarks, sign: int) -> np.ndarray:
    """Where bronchus and vessels enter the lung on the side of `sign`, mm."""
    return landmarks.spine[T1 + 5] + outward(landmarks.scale, sign)(38, -32, 0)


def _paint_neck_and_arm(canvas, landmarks: Landmarks, chest: _Chest, side: str, suffix: str, sign: int) -> None:
    scale, spine = landmarks.scale, landmarks.spine
    out = outward(scale, sign)
    inlet = np.array([sign * 22 * scale, chest.inlet_y + 10 * scale, spine[T1, 2] - 4 * scale])
    neck = [spine[i] + out(22, -22, 0) for i in (C7, 4, 2)] + [
        np.array([0, spine[1, 1], landmarks.c1_z]) + out(26, -14, -6)
    ]
    start = chest.arch + np.array([sign * 6 + 4, 0, 8]) * scale
    if sign < 0:
        canvas.tube("brachiocephalic_trunk", [start, inlet], [6.5 * scale, 6 * scale])
        start = inlet
    canvas.tube(f"common_carotid_artery_{side}", [start, inlet, *neck], [3.8 * scale] * (2 + len(neck)))
    jugular = [point + out(11, 3, 0) for point in neck[::-1]] + [inlet + out(6, -6, 0)]
    canvas.tube("blood_vessel", jugular, [5 * scale] * len(jugular))
    shoulder, elbow = landmarks.joint(f"upperarm01.{suffix}"), landmarks.joint(f"lowerarm01.{suffix}")
    armpit = shoulder + out(-26, -4, -22)
    over_rib = spine[T1] + out(52, -26, 2)
    canvas.tube(f"subclavian_artery_{side}", [inlet, over_rib, armpit], [4.8 * scale, 4.6 * scale, 4.2 * scale])
    canvas.tube(
        "blood_vessel", [inlet + out(8, -8, 0), over_rib + out(4, -12, 0), armpit + out(0, -6, -8)], [5 * scale] * 3
    )
    inner = armpit + 0.5 * (elbow - shoulder) + out(8, 0, 8)
    canvas.tube("blood_vessel", [armpit, inner, elbow + out(-12, -10, 6)], np.array([4, 3.2, 2.8]) * scale)


def _paint_pelvis_and_leg(canvas, landmarks: Landmarks, side: str, suffix: str, sign: int) -> None:
    scale, spine = landmarks.scale, landmarks.spine
    out = outward(scale, sign)
    head = hip_centre(landmarks, sign)
    knee, ankle = landmarks.joint(f"lowerleg01.{suffix}"), landmarks.joint(f"foot.{suffix}")
    brim, groin = spine[L5] + out(44, -16, -38), head + out(-6, -36, 6)
    fork = spine[L5 - 1] + np.array([4, -32, -6]) * scale
    canvas.tube(f"iliac_artery_{side}", [fork, brim, groin], np.array([5.5, 5, 4.5]) * scale)
    vein_fork = spine[L5] + np.array([-16, -28, -4]) * scale
    canvas.tube(
        f"iliac_vena_{side}", [vein_fork, brim + out(-8, 10, -4), groin + out(-11, 4, 0)], np.array([7, 6.5, 6]) * scale
    )
    inner_thigh = head + 0.45 * (knee - head) + out(-26, -14, 0)
    behind_knee, shin = knee + out(0, 30, 0), knee + 0.5 * (ankle - knee) + out(4, 26, 0)
    behind_ankle = ankle + out(-16, 20, 8)
    leg = [groin, inner_thigh, behind_knee, shin, behind_ankle]
    canvas.tube("blood_vessel", leg, np.array([4.5, 4, 3.6, 2.4, 2]) * scale)
    canvas.tube("blood_vessel", [p + out(-8, 6, 0) for p in leg[:3]], np.array([5.5, 5, 4.5]) * scale)
