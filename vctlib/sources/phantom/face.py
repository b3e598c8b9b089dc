"""Paint the bones of the face with their sinuses, the jaws and the teeth."""

import numpy as np

from vctlib.sources.phantom.canvas import Canvas, random_stream
from vctlib.sources.phantom.geometry import capsule_distance, ellipsoid_radius
from vctlib.sources.phantom.head_frame import HeadFrame
from vctlib.sources.phantom.landmarks import Landmarks
from vctlib.sources.phantom.pose import SIDES

TOOTH_HU, FILLING_HU = 1300.0, 1200.0  # above compact bone
ARCH = ((4, -16), (11, -14), (17, -9), (21, -3), (24, 4), (26.5, 12), (28, 21), (29, 30))  # x, y of the upper teeth
SEPTUM_SD_MM, SEPTUM_MIDDLE = 2.2, (18, -28)  # where it is bent most, y and z
MAXILLARY_SINUS, MAXILLARY_RADII = (26.5, 19, -34), (12.5, 17, 15)

RODS = (  # from, to, radii: bones of one side
    ((6, -15, 15), (26, -13, 18), 5, 5),  # brow
    ((26, -13, 18), (42, 4, 10), 5, 4),
    ((42, 4, 10), (44, 9, -22), 4, 4),  # outer rim of the orbit
    ((44, 9, -22), (17, -7, -19), 4, 3),  # its lower rim
    ((9, -15, 6), (15, -12, -28), 2.8, 3),  # beside the nose
    ((44, 10, -28), (52, 22, -29), 7, 5),  # cheekbone
    ((52, 22, -29), (63, 46, -25), 4, 2.8),  # and its arch
    ((63, 46, -25), (62, 68, -20), 2.8, 3.2),
    ((40, 8, -26), (33, 16, -50), 4, 4),  # buttress between cheekbone and molars
)
PLATES = (  # corners and half thickness
    ((0, -22, 6), (7, -16, 4), (0, -34, -17), 1.2),  # nasal bone
    ((43, 10, 12), (43, 12, -16), (22, 42, 0), 1.6),  # outer wall of the orbit
    ((43, 12, 12), (24, 40, -14), (50, 46, -10), 1.6),  # wing of the sphenoid
    ((12.5, -8, 8), (12.5, -8, -14), (11, 40, 2), 0.5),  # inner wall of the orbit
    ((15, -4, -18), (40, 8, -20), (16, 36, -12), 0.6),  # its floor
    ((0, -14, -50), (19, 0, -50), (0, 34, -49), 0.8),  # palate
    ((19, 0, -50), (24, 30, -50), (0, 34, -49), 0.8),
    ((13, 36, -20), (13, 38, -52), (17, 47, -46), 1.2),  # pterygoid plates
    ((14, 36, -20), (19, 36, -50), (24, 46, -46), 1.2),
)
JAW_RODS = (
    ((0, -12, -97), (12, -9, -97), 9, 8.5),  # chin
    ((12, -9, -97), (25, 8, -93), 8, 6.5),
    ((25, 8, -93), (38, 36, -88), 6.5, 6),
    ((38, 36, -88), (46, 58, -83), 6, 5.5),  # angle
    ((0, -12, -86), (15, -7, -85), 5.5, 5.5),  # sockets of the teeth
    ((15, -7, -85), (25, 8, -83), 5.5, 6),
    ((25, 8, -83), (32, 34, -79), 6, 6),
)
JAW_PLATES = (
    ((46, 62, -82), (40, 38, -80), (48, 62, -30), 3.6),
    ((40, 38, -80), (48, 62, -30), (45, 38, -32), 2.6),
)


def paint_face(canvas: Canvas, landmarks: Landmarks, frame: HeadFrame) -> None:
    scale = frame.scale
    for _, _, sign in SIDES:
        out = frame.side(sign)
        canvas.bone_ball("skull", out(25, 12, -38), np.array([16, 23, 14]) * scale)  # maxilla
        for name, rods, plates in (("skull", RODS, PLATES), ("mandible", JAW_RODS, JAW_PLATES)):
            for start, end, r0, r1 in rods:
                canvas.bone_capsule(name, out(*start), out(*end), r0 * scale, r1 * scale)
            for a, b, c, half in plates:
                canvas.bone_plate(name, out(*a), out(*b), out(*c), half * scale)
        canvas.bone_ball("mandible", out(50, 62, -23), np.array([9, 4.5, 5]) * scale)  # its joint
        for start, end in zip(ARCH[:-1], ARCH[1:], strict=True):  # sockets of the upper teeth
            canvas.bone_capsule("skull", out(*start, -57), out(*end, -57), 5 * scale, 5 * scale)
    canvas.bone_ball("skull", frame.at(0, 45, -8), np.array([19, 14, 12]) * scale)  # body of the sphenoid
    mouth, radii = frame.at(0, 14, -67), np.array([20, 27, 14]) * scale
    near = canvas.around(mouth, radii.max())
    canvas.bone_layer.carve(near, (ellipsoid_radius(canvas.positions[near], mouth, radii) - 1) * radii.min())
    for near, hollow in _hollows(canvas, frame):
        canvas.bone_layer.carve(near, hollow)
        canvas.air[near] = np.maximum(canvas.air[near], -hollow)
    for _, _, sign in SIDES:  # the orbits
        near, distance = orbit(canvas, frame, sign)
        canvas.bone_layer.carve(near, distance)
    _paint_septa(canvas, frame)
    _paint_teeth(canvas, landmarks, frame)


def orbit(canvas: Canvas, frame: HeadFrame, sign: int) -> tuple[np.ndarray, np.ndarray]:
    """Voxels near an orbit and how far they lie outside of it (mm): a cone from its rim to the optic canal."""
    out = frame.side(sign)
    start, end = out(30.5, 2, -1), out(17, 36, 1)
    near = canvas.around([start, end], 20 * frame.scale + canvas.spacing)
    return near, capsule_distance(canvas.positions[near], start, end, 17 * frame.scale, 5 * frame.scale)


def septum_bend(seed: int) -> float:
    """How far to the left the middle of the nose's septum lies, mm of the reference head; a choice."""
    return float(np.clip(random_stream(seed, "septum").normal(0, SEPTUM_SD_MM), -2 * SEPTUM_SD_MM, 2 * SEPTUM_SD_MM))


def _hollows(canvas: Canvas, frame: HeadFrame):
    """Voxels and how far they lie outside of the sinuses and of the nasal cavity (mm), piece by piece."""
    rng, scale = random_stream(canvas.seed, "sinuses"), frame.scale
    pieces, aside = [], rng.normal(0, 4)  # the wall between the sinuses of both sides is seldom in the middle
    for sign in (1, -1):
        frontal = rng.uniform(0.3, 1.3, 2)
        pieces += [
            ((sign * MAXILLARY_SINUS[0], *MAXILLARY_SINUS[1:]), np.array(MAXILLARY_RADII) * rng.uniform(0.85, 1.08)),
            ((sign * 9 + aside, 44, -8), np.array([8.5, 11, 9]) * rng.uniform(0.7, 1.1)),
            ((sign * 11 * frontal[0] + aside, -13, 19), np.array([11 * frontal[0], 4, 9 * frontal[1]])),
        ]
    for centre, radii in pieces:
        centre, radii = frame.at(*centre), radii * scale
        near = canvas.around(centre, radii.max() + canvas.spacing)
        yield near, (ellipsoid_radius(canvas.positions[near], centre, radii) - 1) * radii.min()
    near, points = frame.near(canvas, (-20, -40, -52), (20, 62, 10))
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    half_width = np.interp(z, [-48, -44, -38, -24, -10, 0], [9, 13, 14.5, 11, 6, 3])
    front = np.interp(z, [-52, -44, -20, 0], [-22, -20, -12, -4])
    roof, floor = np.interp(y, [-16, -2, 6, 28, 36], [-14, -2, 1, 1, -6]), -48.5 + 0.012 * x**2
    uneven = 0.6 * canvas.noise("nose", 7, near)
    nose = np.maximum.reduce([x - half_width, front - y, y - 36, floor - z, z - roof]) + uneven
    yield near, np.maximum(nose * scale, 4 * scale - canvas.depth[near])
    wide = np.interp(y, [-4, 10, 32, 38], [8, 10.5, 13.5, 11.5])  # the ethmoid cells lie deeper inwards in front
    ethmoid = np.maximum.reduce([x - wide, y - 38, -4 - y, -13 - z, z - np.interp(x, [3, 12], [1.5, 5])]) + uneven
    yield near, ethmoid * scale


def _paint_septa(canvas: Canvas, frame: HeadFrame) -> None:
    """Thin bone within the air: the back of the nose's septum and the walls between the ethmoid cells."""
    scale = frame.scale
    middle = (septum_bend(canvas.seed), *SEPTUM_MIDDLE)
    edge = ((0, 14, -48), (0, 36, -47), (0, 36, -6), (0, 2, -4))
    for a, b in zip(edge, edge[1:] + edge[:1], strict=True):
        canvas.bone_plate("skull", frame.at(*a), frame.at(*b), frame.at(*middle), 0.2 * scale)
    for _, _, sign in SIDES:
        out = frame.side(sign)
        for y in (4, 14, 24, 33):
            canvas.bone_plate("skull", out(3, y, 3), out(12, y + 2, 2), out(7, y + 1, -13), 0.5 * scale)
        canvas.bone_plate("skull", out(3.5, -2, 4), out(3.5, 38, 2), out(4, 18, -14), 0.4 * scale)


def _paint_teeth(canvas: Canvas, landmarks: Landmarks, frame: HeadFrame) -> None:
    """Eight teeth in every quarter; some are missing, more with age, and some hold a filling (chances are choices)."""
    rng, scale = random_stream(canvas.seed, "teeth"), frame.scale
    lost, filled = np.clip(0.03 + 0.006 * (landmarks.age - 30), 0.02, 0.45), 0.12
    for sign in (1, -1):
        for name, crown_z, root_z, inset in (("skull", -74.5, -58, 0), ("mandible", -77.5, -90, 1.5)):
            for number, (x, y) in enumerate(ARCH):
                missing, filling, wide = rng.random() < lost, rng.random() < filled, 3.3 if number < 5 else 4.6
                if missing:
                    continue
                tilt = np.interp(number, [0, 7], [0, 4]) * (1 if name == "skull" else 1)
                crown = frame.at(sign * (x - inset), y + inset, crown_z + tilt)
                root = frame.at(sign * (x - inset), y + 2 * inset, root_z + tilt)
                canvas.bone_capsule(name, crown, root, wide * scale, 0.6 * wide * scale)
                near = canvas.around([crown, root], (wide + 1) * scale)
                depth = -capsule_distance(canvas.positions[near], crown, root, wide * scale, 0.6 * wide * scale)
                share = np.clip(depth / (2 * scale) + 0.5, 0, 1)
                hardness = TOOTH_HU + (FILLING_HU if filling and number > 2 else 0)
                canvas.bone_contrast_hu[near] = np.maximum(canvas.bone_contrast_hu[near], share * hardness)
