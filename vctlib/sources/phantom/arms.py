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
    scale = landmarks.scale
    shoulder, elbow, wrist = (landmarks.joint(f"{n}.{suffix}") for n in ("upperarm01", "lowerarm01", "wrist"))
    upper, fore = unit(elbow - shoulder) * scale, unit(wrist - elbow) * scale
    hinge = unit(np.cross(upper, fore)) * scale  # axis of the elbow
    name = f"humerus_{side}"
    canvas.bone_ball(name, shoulder + outward(scale, sign)(-2, 0, 2), 23 * scale * (1 if landmarks.male else 0.92))
    for start, end, start_radius, end_radius in (
        (shoulder, shoulder + upper * 50, 21, 13),
        (shoulder + upper * 50, elbow - upper * 45, 11.5, 11),
        (elbow - upper * 40, elbow - upper * 6, 11, 13),
        (elbow - hinge * 22 - upper * 4, elbow + hinge * 22 - upper * 4, 11, 11),
    ):
        canvas.bone_capsule(name, start, end, start_radius * scale, end_radius * scale)
    # The radius ends on the thumb's side of the wrist and starts on the nearer side of the elbow.
    thumb = landmarks.joint(f"finger1-1.{suffix}") - wrist
    thumb = unit(thumb - fore * (thumb @ fore) / (fore @ fore)) * scale
    if thumb @ hinge < 0:
        hinge = -hinge
    canvas.bone_capsule("radius", elbow + hinge * 14 + fore * 14, wrist + thumb * 12 - fore * 6, 8 * scale, 8 * scale)
    canvas.bone_capsule("radius", wrist + thumb * 11 - fore * 22, wrist + thumb * 8, 12 * scale, 13 * scale)
    canvas.bone_capsule("ulna", elbow - hinge * 8 - upper * 4, wrist - thumb * 12 - fore * 6, 10 * scale, 6 * scale)
    canvas.bone_capsule("ulna", elbow - hinge * 3 - fore * 12, elbow - hinge * 6 + fore * 24, 11 * scale, 11 * scale)


def _paint_hand(canvas: Canvas, landmarks: Landmarks, suffix: str) -> None:
    scale, wrist = landmarks.scale, landmarks.joint(f"wrist.{suffix}")
    palm = np.mean([landmarks.joint(f"metacarpal{n}.{suffix}") for n in range(1, 5)], axis=0)
    canvas.bone_capsule("carpal", wrist, wrist + (palm - wrist) * 0.95, 15 * scale, 17 * scale)
    for finger in range(1, 6):
        joints = [landmarks.joint(f"finger{finger}-{n}.{suffix}") for n in (1, 2, 3)]
        if finger == 1:
            base = wrist + (joints[0] - wrist) * 0.4
        else:
            base = landmarks.joint(f"metacarpal{finger - 1}.{suffix}")
        tip = joints[-1] + (joints[-1] - joints[-2]) * 0.8
        canvas.bone_capsule("metacarpal", base, joints[0], 5 * scale, 4 * scale)
        for start, end in zip(joints, joints[1:] + [tip], strict=True):
            canvas.bone_capsule("phalanges_hand", start, end, 5 * scale, 4 * scale)
