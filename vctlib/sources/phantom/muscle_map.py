"""Which muscle a place belongs to: every muscle is a few rods and plates, and a place is the nearest one's.

Names are those of TotalSegmentator's muscle tasks where it has the muscle.
"""

import numpy as np

from vctlib.sources.phantom.canvas import LABEL, Canvas
from vctlib.sources.phantom.geometry import capsule_distance, outward, plate_distance
from vctlib.sources.phantom.landmarks import C7, L5, T1, T12, Landmarks
from vctlib.sources.phantom.legs import leg_frame
from vctlib.sources.phantom.pelvis import hip_centre
from vctlib.sources.phantom.ribcage import RibCage
from vctlib.sources.phantom.thorax import sternum_ends

REACH_MM = 45.0  # how far from its rods and plates a muscle may be


def label_of(owner: np.ndarray) -> np.ndarray:
    """Label numbers (m,) of muscles: those that `TOTAL` does not name are `skeletal_muscle`."""
    return np.where(owner > len(LABEL), np.uint8(LABEL["skeletal_muscle"]), owner)


def nearest_muscle(canvas: Canvas, voxels: np.ndarray, muscles: list, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Which of some muscles voxels (m,), sorted, are nearest to, and how far they lie outside of it in mm.

    `muscles` holds a side and the rods and plates of its muscles by name. A muscle that `TOTAL` names has its label
    number, another a number above all labels; a voxel near none is `skeletal_muscle`, at infinity.
    """
    best = np.full(len(canvas), np.inf, np.float32)
    owner = np.full(len(canvas), LABEL["skeletal_muscle"], np.uint8)
    wanted = np.zeros(len(canvas), bool)
    wanted[voxels] = True
    unnamed = 255
    for side, parts_by_name in muscles:
        for name, parts in parts_by_name.items():
            number = LABEL.get(f"{name}_{side}", unnamed)
            unnamed = max(unnamed - (number == unnamed), len(LABEL) + 1)
            for part in parts:
                corners, radii = part[:-1], part[-1]
                near = canvas.around(np.array(corners), REACH_MM * scale)
                near = near[wanted[near]]
                measure = capsule_distance if len(corners) == 2 else plate_distance
                sizes = radii if len(corners) == 2 else (radii,)
                distance = measure(canvas.positions[near], *corners, *sizes)
                closer = distance < best[near]
                best[near[closer]] = distance[closer]
                owner[near[closer]] = number
    return owner[voxels], best[voxels]


def trunk_and_limbs(landmarks: Landmarks, cage: RibCage, suffix: str, sign: int) -> dict[str, list]:
    """Rods (two points, two radii) and plates (three points, half thickness) of one side, by muscle, in mm."""
    return _leg(landmarks, suffix, sign) | _arm(landmarks, suffix, sign) | _trunk(landmarks, cage, suffix, sign)


def _leg(landmarks: Landmarks, suffix: str, sign: int) -> dict[str, list]:
    scale = landmarks.scale
    out = outward(scale, sign)
    head = hip_centre(landmarks, sign)
    knee, ankle = landmarks.joint(f"lowerleg01.{suffix}"), landmarks.joint(f"foot.{suffix}")
    thigh, shin = knee - head, ankle - knee
    iliac_spine = np.array([0, head[1], landmarks.hip_z]) + out(120 * landmarks.pelvis_width, -46, 62)
    pubis, ischium = np.array([0, head[1], landmarks.hip_z]) + out(18, -40, -34), head + out(-34, 40, -74)
    out = leg_frame(landmarks, suffix, sign)

    def r(*radii: float) -> tuple[float, ...]:
        return tuple(radius * scale for radius in radii)

    return {
        "quadriceps_femoris": [
            (head + 0.15 * thigh + out(28, -30, 0), head + 0.85 * thigh + out(4, -26, 0), r(28, 20)),
            (head + 0.25 * thigh + out(40, -4, 0), head + 0.8 * thigh + out(26, -12, 0), r(20, 14)),
            (head + 0.5 * thigh + out(-18, -16, 0), head + 0.92 * thigh + out(-24, -14, 0), r(16, 16)),
        ],
        "sartorius": [
            (iliac_spine, head + 0.5 * thigh + out(-38, -26, 0), r(8, 8)),
            (head + 0.5 * thigh + out(-38, -26, 0), knee + out(-38, 6, 0), r(8, 6)),
        ],
        "thigh_medial_compartment": [
            (pubis, head + 0.5 * thigh + out(-26, 2, 0), r(24, 18)),
            (ischium, head + 0.75 * thigh + out(-28, 8, 0), r(20, 8)),
        ],
        "thigh_posterior_compartment": [
            (ischium, head + 0.55 * thigh + out(4, 34, 0), r(16, 22)),
            (head + 0.55 * thigh + out(14, 34, 0), knee + out(26, 26, 10), r(18, 9)),
            (head + 0.55 * thigh + out(-12, 34, 0), knee + out(-28, 24, 10), r(18, 9)),
        ],
        "calf_posterior_compartment": [
            (knee + 0.05 * shin + out(18, 34, 0), knee + 0.4 * shin + out(14, 38, 0), r(15, 18)),
            (knee + 0.05 * shin + out(-18, 34, 0), knee + 0.45 * shin + out(-14, 38, 0), r(15, 20)),
            (knee + 0.3 * shin + out(4, 26, 0), knee + 0.85 * shin + out(-2, 30, 0), r(24, 9)),
        ],
        "leg_anterior_compartment": [
            (knee + 0.15 * shin + out(30, -8, 0), knee + 0.75 * shin + out(16, -12, 0), r(14, 8)),
            (knee + 0.2 * shin + out(42, 10, 0), knee + 0.8 * shin + out(30, 12, 0), r(9, 6)),
        ],
    }


def _arm(landmarks: Landmarks, suffix: str, sign: int) -> dict[str, list]:
    scale = landmarks.scale
    out = outward(scale, sign)
    shoulder, elbow, wrist = (landmarks.joint(f"{n}.{suffix}") for n in ("upperarm01", "lowerarm01", "wrist"))
    upper, fore = elbow - shoulder, wrist - elbow
    bend = np.cross(upper, fore)
    flexor = np.cross(bend, upper)  # from the bone towards the side that the elbow closes on
    flexor *= scale / np.linalg.norm(flexor)
    palm = np.cross(bend, fore)
    palm *= scale / np.linalg.norm(palm)

    def r(*radii: float) -> tuple[float, ...]:
        return tuple(radius * scale for radius in radii)

    return {
        "biceps_brachii": [(shoulder + 0.25 * upper + 20 * flexor, shoulder + 0.95 * upper + 18 * flexor, r(16, 16))],
        "triceps_brachii": [(shoulder + 0.2 * upper - 20 * flexor, shoulder + 0.92 * upper - 18 * flexor, r(18, 15))],
        "deltoid": [
            (shoulder + out(10, -26, 20), shoulder + 0.45 * upper + out(14, 0, 0), r(15, 9)),
            (shoulder + out(26, 0, 18), shoulder + 0.45 * upper + out(14, 0, 0), r(15, 9)),
            (shoulder + out(6, 26, 20), shoulder + 0.45 * upper + out(14, 0, 0), r(15, 9)),
        ],
        "forearm_flexors": [(elbow + 0.05 * fore + 14 * palm, elbow + 0.75 * fore + 10 * palm, r(20, 8))],
        "forearm_extensors": [(elbow + 0.02 * fore - 16 * palm, elbow + 0.75 * fore - 10 * palm, r(18, 8))],
    }


def _trunk(landmarks: Landmarks, cage: RibCage, suffix: str, sign: int) -> dict[str, list]:
    scale, spine, hip_z = landmarks.scale, landmarks.spine, landmarks.hip_z
    out = outward(scale, sign)
    shoulder, elbow = landmarks.joint(f"upperarm01.{suffix}"), landmarks.joint(f"lowerarm01.{suffix}")
    acromion, humerus = shoulder + out(4, 8, 34), shoulder + 0.3 * (elbow - shoulder)
    top, bottom = sternum_ends(cage)
    breastbone = [np.array([sign * 14 * scale, cage.front(z) - 6 * scale, z]) for z in (top, bottom)]
    behind = {i: spine[i] + np.array([sign * 8, 62, 0]) * scale for i in (C7, T1 + 6, T12, L5)}
    blade = [cage.back_point(sign * x * scale, spine[i, 2], 12 * scale) for x, i in ((66, T1 + 1), (88, T1 + 6))]
    crest = np.array([0, spine[L5, 1], hip_z]) + out(128 * landmarks.pelvis_width, 2, 118)
    iliac_spine = np.array([0, spine[L5, 1] - 40 * scale, hip_z]) + out(122 * landmarks.pelvis_width, -20, 70)
    flank_z = spine[T12, 2]
    flank = np.array([sign * (cage.half_width + 8 * scale), (cage.front(flank_z) + spine[T12, 1]) / 2, flank_z])
    front = {z: landmarks.lean.front(z) + 12 * scale for z in (bottom, hip_z)}
    belly = [np.array([sign * 36 * scale, front[z], z]) for z in (bottom, hip_z)]
    side = flank + out(0, 20, 70)
    return {
        "pectoralis_major": [(breastbone[0], breastbone[1], humerus, 8 * scale)],
        "pectoralis_minor": [
            (
                breastbone[0] + out(60, 14, -40),
                breastbone[0] + out(70, 20, -90),
                shoulder + out(-16, -28, 14),
                4 * scale,
            )
        ],
        "trapezius": [
            (behind[C7], behind[T12], acromion, 6 * scale),
            (behind[C7], np.array([sign * 14 * scale, spine[0, 1] + 52 * scale, landmarks.c1_z]), acromion, 6 * scale),
        ],
        "latissimus_dorsi": [
            (behind[T1 + 6], behind[L5], flank + out(-6, 40, 60), 6 * scale),
            (flank + out(0, 36, 40), humerus, (12 * scale, 8 * scale)),
        ],
        "infraspinatus": [(blade[0] + out(8, 10, -20), blade[1], shoulder + out(-14, 20, 4), 8 * scale)],
        "supraspinatus": [(blade[0] + out(0, -2, 10), shoulder + out(-6, 4, 24), (11 * scale, 8 * scale))],
        "subscapularis": [
            (blade[0] + out(6, -14, -14), blade[1] + out(0, -12, 0), shoulder + out(-18, -12, 0), 7 * scale)
        ],
        "teres_major": [(blade[1] + out(4, 4, 10), humerus, (14 * scale, 9 * scale))],
        "serratus_anterior": [
            (flank + out(4, -10, 60), flank + out(4, -30, 120), blade[1] + out(20, -10, 40), 5 * scale)
        ],
        "rectus_abdominis": [(*belly, (16 * scale, 12 * scale))],
        "external_oblique": [
            (side, flank + out(2, -40, 0), crest, 4 * scale),
            (flank + out(2, -40, 0), crest, iliac_spine, 4 * scale),
        ],
        "internal_oblique": [
            (flank + out(-10, -20, -20), crest + out(-8, 0, 0), belly[1] + out(30, 10, 60), 5 * scale)
        ],
        "quadratus_lumborum": [(spine[T12] + out(48, 26, 0), crest + out(-62, 34, 6), (12 * scale, 14 * scale))],
    }
