"""Lay a body out as on the scanner table: supine, forearms folded on the trunk, legs relaxed, feet pointed.

A pose is a rotation for some joints; forward kinematics carries it down the joint tree and linear blend skinning to
the mesh. Then the table flattens the back. (Skinning and table cost some 3 % of the volume, which is why volumes are
solved on the posed body.) Ranges of angles are choices; the paper says: supine, arms folded over the chest with either
one on top, feet pointed, each leg bent differently (killeen2025, sections on data and on measured height).
"""

from dataclasses import dataclass

import numpy as np

from vctlib.sources.phantom.arm_pose import Arm
from vctlib.sources.phantom.body import RestBody
from vctlib.sources.phantom.fold_arms import Obstacles, fold_arm
from vctlib.sources.phantom.geometry import rotation, unit, vertex_normals
from vctlib.sources.phantom.kinematics import forward_kinematics, move_joints, skin
from vctlib.sources.phantom.supine import lay_on_table, sag, table_height
from vctlib.sources.phantom.template import Template

TRUNK = ("root", "spine", "pelvis")
# Half widths (mm) of the neck from below its base (0) to the skull (1), of a neck of the length below: choices. Under
# the lowest nothing is drawn in.
NECK_LENGTH_MM, NECK_HALF_WIDTHS = 120.0, ([-1.0, -0.6, -0.3, 0.0, 0.2, 1.0], [300, 190, 116, 82, 68, 66])
SHOULDERS_DOWN_DEG = 5.0  # about the inner end of the clavicle; a choice
SIDES = (("left", "L", 1), ("right", "R", -1))  # name, suffix of the template's joints, sign of x
FLATNESS = 0.7  # half thickness of a wrist per mean radius
CHEST, SEAT = ("spine01", "spine02", "spine03"), ("root", "pelvis", "spine05", "upperleg01")


@dataclass(frozen=True)
class PosedBody:
    """Lean and outer vertices (n, 3) and the outer body's joints (104, 3), in mm."""

    lean: np.ndarray
    outer: np.ndarray
    joints: np.ndarray
    template: Template

    def joint(self, name: str) -> np.ndarray:
        return self.joints[self.template.joint_index[name]]


def pose_body(template: Template, rest: RestBody, rng: np.random.Generator) -> PosedBody:
    """Pose both meshes alike. `rng` draws how legs and feet lie, where the wrists rest and which arm is on top."""
    index, rest = template.joint_index, _lower_shoulders(template, rest)
    joints, lean_joints = (_straight_arms(j, index) for j in (rest.outer_joints, rest.lean_joints))
    trunk = template.in_region(*TRUNK)
    seat = rest.outer_vertices[template.in_region(*SEAT)]
    table_y = table_height(rest.outer_vertices[template.in_region(*CHEST)], seat)
    rotations: dict[int, np.ndarray] = {}
    for _, suffix, sign in SIDES:
        rotations |= _lay_leg(template, rest.outer_vertices, joints, suffix, sign, table_y, rng)
    outer = sag(rest.lean_vertices, rest.outer_vertices, _follows(template, trunk))
    # Arms lie on the trunk as it is on the table, but at rest otherwise: legs do not matter to them.
    pressed = lay_on_table(outer[trunk], table_y).press(outer)
    obstacles = Obstacles(pressed[trunk], vertex_normals(pressed, template.faces)[trunk], table_y)
    left_on_top, level = rng.random() < 0.5, rng.uniform(0.80, 1.12)
    for _, suffix, sign in sorted(SIDES, key=lambda side: left_on_top == (side[1] == "L")):
        aim = rng.uniform(-0.10, 0.22), level + rng.normal(0, 0.06)
        radii = _arm_radii(template, rest.outer_vertices, joints, suffix)
        rotations |= fold_arm(Arm.of(template, outer, joints, suffix, sign), radii, obstacles, aim)
    lean_motion = forward_kinematics(lean_joints, template.parents, rotations)
    outer_motion = forward_kinematics(joints, template.parents, rotations)
    lean = skin(rest.lean_vertices, template.skinning, *lean_motion)
    outer = skin(outer, template.skinning, *outer_motion)
    lean_joints, outer_joints = move_joints(lean_joints, *lean_motion), move_joints(joints, *outer_motion)
    lean, outer = _free_neck(template, lean, lean_joints), _free_neck(template, outer, outer_joints)
    # Both meshes share one skeleton, the outer body's: bring the lean root onto it.
    lean += outer_joints[0] - lean_joints[0]
    table = lay_on_table(outer, table_y)
    return PosedBody(table.press(lean), table.press(outer), outer_joints, template)


def _lower_shoulders(template: Template, rest: RestBody) -> RestBody:
    """The body with its shoulders let down: the template holds them up, as nobody does who lies."""
    turns = {
        template.joint_index[f"clavicle.{suffix}"]: rotation([0, 1, 0], sign * np.deg2rad(SHOULDERS_DOWN_DEG))
        for _, suffix, sign in SIDES
    }
    moved = []
    for vertices, joints in ((rest.lean_vertices, rest.lean_joints), (rest.outer_vertices, rest.outer_joints)):
        motion = forward_kinematics(joints, template.parents, turns)
        joints = move_joints(joints, *motion)
        vertices = skin(vertices, template.skinning, *motion)
        moved += [vertices, joints]
    return RestBody(*moved)


def _free_neck(template: Template, vertices: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """Vertices with the slopes of the shoulders drawn in beside the neck, which they would hide up to the jaw."""
    low, high = (joints[template.joint_index[name], 2] for name in ("neck01", "head"))
    up = (vertices[:, 2] - low) / (high - low)
    half_width = np.interp(up, *NECK_HALF_WIDTHS) * (high - low) / NECK_LENGTH_MM
    follows = (1 - template.head_weight - template.arm_weight) * np.clip(1 + (up - NECK_HALF_WIDTHS[0][0]) / 0.3, 0, 1)
    beyond = np.maximum(np.abs(vertices[:, 0]) - half_width, 0) * follows
    drawn_in = vertices.copy()
    drawn_in[:, 0] -= np.sign(vertices[:, 0]) * 0.8 * beyond
    return drawn_in


def _lay_leg(template, vertices, joints, suffix: str, sign: int, table_y: float, rng) -> dict[int, np.ndarray]:
    """Rotations that spread the leg a little, turn it outwards and let its heel rest on the table."""
    index = template.joint_index
    hip, knee, ankle = (joints[index[f"{name}.{suffix}"]] for name in ("upperleg02", "lowerleg01", "foot"))
    spread = np.arctan2((ankle - hip)[0] * sign, (hip - ankle)[2]) - np.deg2rad(rng.uniform(2, 7))
    pointed, turned_out, bent = np.deg2rad([rng.uniform(20, 38), rng.uniform(2, 22), rng.uniform(0, 9)])
    foot_turn = rotation([1, 0, 0], pointed) @ rotation([0, 0, 1], sign * np.deg2rad(rng.uniform(0, 6)))
    knee_turn = rotation([1, 0, 0], bent)
    # The heel's back end, from the hip, before the hip turns.
    heel = (vertices[template.in_region(f"foot.{suffix}")] - ankle) @ foot_turn.T
    leg = knee - hip + knee_turn @ (ankle - knee)
    lowest = leg + knee_turn @ heel[heel[:, 1].argmax()]
    far = np.hypot(lowest[1], lowest[2])
    lift = np.arctan2(lowest[1], -lowest[2]) - np.arcsin(np.clip((table_y - hip[1]) / far, -0.2, 0.2))
    flex = rotation([1, 0, 0], -lift)
    around = rotation(flex @ leg, sign * -turned_out if leg[2] < 0 else 0.0)
    return {
        index[f"upperleg01.{suffix}"]: rotation([0, 1, 0], sign * spread),
        index[f"upperleg02.{suffix}"]: around @ flex,
        index[f"lowerleg01.{suffix}"]: knee_turn,
        index[f"foot.{suffix}"]: foot_turn,
    }


def _straight_arms(joints: np.ndarray, index: dict[str, int]) -> np.ndarray:
    """Joints with those in the middle of arms and forearms on the lines about which they twist."""
    joints = joints.copy()
    for _, suffix, _ in SIDES:
        for middle, first, last in (
            ("upperarm02", "upperarm01", "lowerarm01"),
            ("lowerarm02", "lowerarm01", "wrist"),
        ):
            start, end = (joints[index[f"{name}.{suffix}"]] for name in (first, last))
            along = unit(end - start)
            number = index[f"{middle}.{suffix}"]
            joints[number] = start + along * ((joints[number] - start) @ along)
    return joints


def _arm_radii(template: Template, vertices: np.ndarray, joints: np.ndarray, suffix: str) -> tuple[float, float, float]:
    """Half thickness (mm) of the upper arm's middle, the elbow and the flat wrist: mean distances of skin from axis."""
    at = [joints[template.joint_index[f"{name}.{suffix}"]] for name in ("upperarm01", "lowerarm01", "wrist")]
    arm = vertices[template.in_region(f"upperarm01.{suffix}", f"upperarm02.{suffix}", "lowerarm")]
    arm = arm[arm[:, 0] * at[0][0] > 0]
    radii = []
    for start, end, low, high in ((0, 1, 0.5, 0.85), (1, 2, 0.05, 0.35), (1, 2, 0.85, 1.0)):
        axis = at[end] - at[start]
        along = (arm - at[start]) @ axis / (axis @ axis)
        ring = arm[(along > low) & (along < high)]
        away = ring - at[start] - ((ring - at[start]) @ axis / (axis @ axis))[:, None] * axis
        radii.append(float(np.linalg.norm(away, axis=1).mean()) if len(ring) else 30.0)
    return radii[0], radii[1], FLATNESS * radii[2]


def _follows(template: Template, trunk: np.ndarray) -> np.ndarray:
    """How far (0 to 1) a vertex follows the trunk's soft tissue: smooth where arms and legs begin."""
    weight = trunk.astype(float)
    for _ in range(12):
        weight = template.neighbour_mean @ weight
    return weight
