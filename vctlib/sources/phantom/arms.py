"""Paint the shoulder girdle and the bones of the arms and hands."""

import numpy as np

from vctlib.sources.phantom.canvas import Canvas
from vctlib.sources.phantom.geometry import outward, unit
from vctlib.sources.phantom.girdle import paint_girdle
from vctlib.sources.phantom.landmarks import Landmarks
from vctlib.sources.phantom.pose import SIDES
from vctlib.sources.phantom.ribcage import RibCage


def paint_arms(canvas: Canvas, landmarks: Landmarks, cage: RibCage) -> None:
    for side, suffix, sign in SIDES:
        paint_girdle(canvas, landmarks, cage, side, suffix, sign)
        _paint_arm(canvas, landmarks, side, suffix, sign)
        _paint_hand(canvas, landmarks, suffix)


def _paint_arm(canvas: Canvas, landmarks: Landmarks, side: str, suffix: str, sign: int) -> None:
    girth = landmarks.scale * landmarks.girth
    shoulder, elbow, wrist = (landmarks.joint(f"{n}.{suffix}") for n in ("upperarm01", "lowerarm01", "wrist"))
    upper, fore = unit(elbow - shoulder) * landmarks.scale, unit(wrist - elbow) * landmarks.scale
    hinge = unit(np.cross(upper, fore)) * landmarks.scale  # axis of the elbow
    thumb = landmarks.joint(f"finger1-1.{suffix}") - wrist
    thumb = unit(thumb - fore * (thumb @ fore) / (fore @ fore)) * landmarks.scale
    if thumb @ hinge < 0:  # the radius starts on the nearer side of the elbow and ends on the thumb's side of the wrist
        hinge = -hinge
    head = shoulder + outward(landmarks.scale, sign)(-2, 0, 2)
    across = unit(head - shoulder + outward(landmarks.scale, sign)(20, -6, 0)) * landmarks.scale
    thick = 4.8 * landmarks.cortex_left
    low, middle = elbow - upper * 52, (shoulder + elbow) / 2
    name = f"humerus_{side}"
    canvas.bone_ball(name, head, 23.5 * girth)
    canvas.bone_rods(
        name, girth,
        (head + across * 10 + upper * 2, head + across * 9 + upper * 34, 16, 15, 1, 1.4),  # greater tubercle
        (head + upper * 14, shoulder + upper * 64, 21, 12.5, 1.0, 0.6 * thick),
        (shoulder + upper * 64, middle, 12.2, 11, 0.6 * thick, thick),
        (middle, low, 11, 10.5, thick, 0.8 * thick),
        (low, elbow - upper * 16, 10.5, 11, 0.8 * thick, 1.4),
        (low + hinge * 4, elbow + hinge * 25 - upper * 16, 8, 9, 2, 1.2),  # the columns down to the epicondyles
        (low - hinge * 4, elbow - hinge * 27 - upper * 14, 8, 9, 2, 1.2),
        (elbow - hinge * 17 - upper * 2, elbow + hinge * 18 - upper * 2, 12, 11.5, 1, 1),  # trochlea and capitulum
    )  # fmt: skip
    bow = (elbow + wrist) / 2 + thumb * 13 + hinge * 4
    canvas.bone_ball("radius", wrist + thumb * 7 - fore * 12, 14 * girth)
    canvas.bone_rods(
        "radius", girth,
        (elbow + hinge * 16 + fore * 13, elbow + hinge * 15 + fore * 18, 11.5, 10.5, 1, 1),
        (elbow + hinge * 15 + fore * 18, elbow + hinge * 12 + fore * 42, 7.5, 8.5, 1.5, 2),
        (elbow + hinge * 12 + fore * 42, bow, 7.2, 7.2, 2.2, 0.65 * thick),
        (bow, wrist + thumb * 10 - fore * 38, 7.2, 8.5, 0.65 * thick, 1.8),
        (wrist + thumb * 10 - fore * 38, wrist + thumb * 9 - fore * 10, 9, 14, 1.8, 0.9),
        (wrist + thumb * 16 - fore * 10, wrist + thumb * 18 - fore * 1, 8, 6, 0.9, 0.9),  # styloid
    )  # fmt: skip
    shaft = (elbow + wrist) / 2 - thumb * 9 - hinge * 4
    canvas.bone_rods(
        "ulna", girth,
        (elbow - hinge * 5 - fore * 18 + upper * 7, elbow - hinge * 6 + fore * 14 + upper * 8, 12, 11, 1.4, 1.4),
        (elbow - hinge * 5 + fore * 12 + upper * 2, elbow - hinge * 6 + fore * 36 + upper * 3, 13, 9.5, 1.2, 1.8),
        (elbow - hinge * 6 + fore * 36 + upper * 3, shaft, 9, 7.5, 1.8, 0.65 * thick),
        (shaft, wrist - thumb * 13 - fore * 24, 7.5, 6, 0.65 * thick, 1.6),
        (wrist - thumb * 13 - fore * 24, wrist - thumb * 13 - fore * 10, 6.5, 8, 1.6, 1),
    )  # fmt: skip


def _paint_hand(canvas: Canvas, landmarks: Landmarks, suffix: str) -> None:
    scale, wrist = landmarks.scale * landmarks.girth, landmarks.joint(f"wrist.{suffix}")
    bases = [landmarks.joint(f"metacarpal{n}.{suffix}") for n in range(1, 5)]
    knuckles = [landmarks.joint(f"finger{finger}-1.{suffix}") for finger in range(1, 6)]
    forwards = unit(knuckles[2] - wrist) * landmarks.scale
    across = knuckles[1] - knuckles[4]
    across = unit(across - forwards * (across @ forwards) / (forwards @ forwards)) * landmarks.scale
    # Two rows of four carpal bones; the thumb stands on the outermost of the second.
    for row, (ahead, places) in enumerate(((8, (14, 5, -5, -14)), (23, (18, 7, -4, -15)))):
        for place in places:
            radii = (7.5, 8.5)[row], (8, 7)[row]
            start = wrist + forwards * ahead + across * place
            canvas.bone_capsule("carpal", start, start + forwards * 3, radii[0] * scale, radii[1] * scale)
    for finger, knuckle in enumerate(knuckles, 1):
        joints = [knuckle] + [landmarks.joint(f"finger{finger}-{n}.{suffix}") for n in (2, 3)]
        if finger == 1:
            base = wrist + forwards * 30 + across * 24
        else:
            base = wrist + forwards * 36 + across * (14, 4, -6, -15)[finger - 2]
            base = base + 0.3 * (bases[finger - 2] - base)
        tip = joints[-1] + (joints[-1] - joints[-2]) * 0.8
        gap = unit(joints[1] - joints[0]) * 2.5 * scale
        canvas.bone_rods(
            "metacarpal", scale,
            (base, (base + knuckle) / 2, 7.5, 5, 0.8, 1.8), ((base + knuckle) / 2, knuckle - 3 * gap, 5, 7.5, 1.8, 0.8),
        )  # fmt: skip
        for start, end, thick in zip(joints, joints[1:] + [tip], (6.5, 5.5, 4.5), strict=True):
            canvas.bone_rods("phalanges_hand", scale, (start + gap, end - gap, thick, thick - 1, 1.2, 1.0))
