"""Paint the shoulder girdle: scapula with spine, acromion and coracoid, and the clavicle with its two bends."""

import numpy as np

from vctlib.sources.phantom.canvas import Canvas
from vctlib.sources.phantom.geometry import outward
from vctlib.sources.phantom.landmarks import T1, Landmarks
from vctlib.sources.phantom.ribcage import RibCage
from vctlib.sources.phantom.thorax import sternum_ends


def paint_girdle(canvas: Canvas, landmarks: Landmarks, cage: RibCage, side: str, suffix: str, sign: int) -> None:
    scale, spine_z = landmarks.scale, landmarks.spine[:, 2]
    out = outward(scale, sign)
    shoulder = landmarks.joint(f"upperarm01.{suffix}")
    socket, acromion = shoulder + out(-27, 5, 4), shoulder + out(0, 4, 31)
    upper_angle = cage.back_point(sign * 66 * scale, spine_z[T1 + 1] - 4 * scale, 9 * scale)
    lower_angle = cage.back_point(sign * 88 * scale, spine_z[T1 + 6] - 6 * scale, 9 * scale)
    ridge = upper_angle + (lower_angle - upper_angle) * 0.22 + out(2, 4, 0)
    crest = ridge + (acromion - ridge) * 0.55 + out(0, 14, 2)
    name = f"scapula_{side}"
    for a, b, c, half in (
        (upper_angle, lower_angle, socket, 1.8),
        (ridge, socket + out(-8, 0, 6), crest, 2.2),
        (crest, acromion + out(-4, 12, 0), acromion + out(8, -6, 0), 4.0),
    ):
        canvas.bone_plate(name, a, b, c, half * scale)
    for start, end, start_radius, end_radius in (
        (upper_angle, lower_angle, 2.6, 4),
        (lower_angle, socket + out(-8, 2, -12), 4.5, 6.5),
        (upper_angle, socket + out(-14, 0, 14), 2.2, 3),
        (ridge, crest, 3, 5.5),
        (crest, acromion, 5.5, 6),
        (socket + out(-10, -4, 10), socket + out(4, -24, 20), 7, 6),  # coracoid
        (socket + out(4, -24, 20), socket + out(14, -34, 10), 6, 4.5),
    ):
        canvas.bone_capsule(name, start, end, start_radius * scale, end_radius * scale)
    canvas.bone_ball(name, socket, np.array([6, 13, 18]) * scale)
    canvas.bone_ball(name, socket + out(-9, 0, 0), np.array([10, 9, 13]) * scale)
    _paint_clavicle(canvas, scale, out, f"clavicula_{side}", _notch(cage, scale, sign), acromion + out(-12, -8, 2))


def _notch(cage: RibCage, scale: float, sign: int) -> np.ndarray:
    """Where the clavicle meets the sternum, mm."""
    top = sternum_ends(cage)[0]
    return np.array([sign * 22 * scale, cage.front(top) - scale, top + 6 * scale])


def _paint_clavicle(canvas: Canvas, scale: float, out, name: str, inner: np.ndarray, outer: np.ndarray) -> None:
    """Convex to the front in its inner two thirds, to the back in its outer third, flat at its end."""
    path = [inner, inner + (outer - inner) * 0.18 + out(0, -7, 2), inner + (outer - inner) * 0.4 + out(0, -11, 3)]
    path += [inner + (outer - inner) * 0.74 + out(0, 3, 2), outer]
    radii = (11, 8, 6.2, 6.2, 7)
    for i in range(len(path) - 1):
        canvas.bone_capsule(name, path[i], path[i + 1], radii[i] * scale, radii[i + 1] * scale)
