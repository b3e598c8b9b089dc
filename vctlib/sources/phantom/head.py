"""Paint the head: skull and jaws before the bones are settled, then brain, eyes, airway, and the glands of the neck."""

from dataclasses import dataclass

import numpy as np

from vctlib.sources.phantom.brain import paint_brain
from vctlib.sources.phantom.canvas import Canvas
from vctlib.sources.phantom.face import orbit, paint_face
from vctlib.sources.phantom.geometry import capsule_distance, ellipsoid_radius
from vctlib.sources.phantom.head_frame import HeadFrame, find_head_frame
from vctlib.sources.phantom.landmarks import Landmarks
from vctlib.sources.phantom.pose import SIDES
from vctlib.sources.phantom.skull import BrainCase, find_brain_case, paint_brain_case
from vctlib.sources.phantom.throat import Throat, paint_airway, paint_throat_bones

EYE_RADIUS, LENS_HU = 12.2, 60.0  # mm; above the vitreous body
EYE_MUSCLES = ((11, 0), (-9, 0), (0, 10.5), (0, -10.5))  # x outwards and z at the middle of the eye


@dataclass(frozen=True)
class Head:
    """What is known of a head before it is filled."""

    frame: HeadFrame
    case: BrainCase
    throat: Throat


def paint_skull(canvas: Canvas, landmarks: Landmarks) -> Head:
    """Skull, jaws, hyoid bone and the cartilages of the larynx."""
    frame = find_head_frame(landmarks)
    case, throat = find_brain_case(canvas, frame), Throat(canvas, landmarks, frame)
    paint_brain_case(canvas, frame, case)
    paint_face(canvas, landmarks, frame)
    paint_throat_bones(canvas, throat)
    return Head(frame, case, throat)


def paint_head(canvas: Canvas, landmarks: Landmarks, head: Head) -> None:
    """Brain and fluid, orbits, the airway, salivary glands and ears; the bones must be settled."""
    paint_brain(canvas, landmarks, head.frame, head.case)
    for side, _, sign in SIDES:
        _paint_orbit(canvas, head.frame, sign)
        _paint_glands_and_ear(canvas, head.frame, side, sign)
    paint_airway(canvas, head.throat, head.frame)


def _paint_orbit(canvas: Canvas, frame: HeadFrame, sign: int) -> None:
    """The globe with its lens; muscles and nerve run back from it through fat."""
    scale, out = frame.scale, frame.side(sign)
    near, distance = orbit(canvas, frame, sign)
    points = canvas.positions[near]
    centre = out(30, 0, 0)
    radius = ellipsoid_radius(points, centre, EYE_RADIUS * scale * np.ones(3))
    canvas.fill_shape("eye", near, (radius - 1) * EYE_RADIUS * scale, EYE_RADIUS * scale)
    lens = ellipsoid_radius(points, out(30, -8, 0), np.array([4.5, 2.2, 4.5]) * scale)
    canvas.contrast_hu[near] += LENS_HU * np.clip(1.5 - lens, 0, 1) * (radius < 1)
    apex = out(16, 40, 2)
    strands = capsule_distance(points, out(29, 10, 0), apex, 2.2 * scale, 2 * scale)  # optic nerve
    for x, z in EYE_MUSCLES:
        strands = np.minimum(strands, capsule_distance(points, out(30 + x, 2, z), apex, 2 * scale, 1.5 * scale))
    canvas.fill("intermuscular_fat", near, (distance < 0) & (strands > 0) & (points[:, 1] > centre[1] - 4 * scale))


def _paint_glands_and_ear(canvas: Canvas, frame: HeadFrame, side: str, sign: int) -> None:
    scale, out = frame.scale, frame.side(sign)
    for name, centre, radii in (
        ("parotid_gland", out(55, 68, -48), (10, 15, 25)),
        ("submandibular_gland", out(30, 40, -101), (8, 14, 10)),
    ):
        radii = np.array(radii) * scale
        near = canvas.around(centre, radii.max() + canvas.spacing)
        lumpy = 1 + 0.15 * canvas.noise("glands", 9, near)
        distance = (ellipsoid_radius(canvas.positions[near], centre, radii) - lumpy) * radii.min()
        canvas.fill_shape(f"{name}_{side}", near, distance, radii.min())
    near, points = frame.near(canvas, (-95, 72, -52), (95, 112, 12))
    ear = (points[:, 0] * sign > 75) & (canvas.depth[near] > 0)
    canvas.fill("connective_tissue", near, ear)
