"""Lay a body out as on the scanner table: supine, forearms folded on the trunk, legs parallel, feet pointed.

A pose is a rotation for some joints; forward kinematics carries it down the joint tree and linear blend skinning to
the mesh. (Skinning loses about 2 % of the volume, which is why volumes are solved on the posed body.)
"""

from dataclasses import dataclass

import numpy as np

from vctlib.sources.phantom.body import RestBody
from vctlib.sources.phantom.fold_arms import fold_arm
from vctlib.sources.phantom.geometry import rotation
from vctlib.sources.phantom.kinematics import forward_kinematics, move_joints, skin
from vctlib.sources.phantom.template import Template

TRUNK = ("root", "spine", "pelvis")
SIDES = (("left", "L", 1), ("right", "R", -1))  # name, suffix of the template's joints, sign of x


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
    """Pose both meshes alike. `rng` draws leg spread, foot angles, the height of the arms and which one is on top."""
    joints, index = rest.outer_joints, template.joint_index
    left_on_top = rng.random() < 0.5
    rotations: dict[int, np.ndarray] = {}
    for _, suffix, sign in SIDES:
        leg = joints[index[f"foot.{suffix}"]] - joints[index[f"upperleg02.{suffix}"]]
        spread = np.arctan2(leg[0] * sign, -leg[2]) - np.deg2rad(rng.uniform(1, 5))
        rotations[index[f"upperleg01.{suffix}"]] = rotation([0, 1, 0], sign * spread)
        pointed, turned_out = np.deg2rad(rng.uniform(20, 38)), np.deg2rad(rng.uniform(0, 15))
        rotations[index[f"foot.{suffix}"]] = rotation([1, 0, 0], pointed) @ rotation([0, 0, 1], sign * turned_out)
    trunk = rest.outer_vertices[template.in_region(*TRUNK)]
    for _, suffix, sign in SIDES:
        on_top = left_on_top == (suffix == "L")
        rotations |= fold_arm(joints, index, suffix, sign, trunk, on_top, rng)
    weights = (template.skin_weights, template.skin_joints)
    lean_motion = forward_kinematics(rest.lean_joints, template.parents, rotations)
    outer_motion = forward_kinematics(joints, template.parents, rotations)
    lean, outer = skin(rest.lean_vertices, *weights, *lean_motion), skin(rest.outer_vertices, *weights, *outer_motion)
    lean_joints, outer_joints = move_joints(rest.lean_joints, *lean_motion), move_joints(joints, *outer_motion)
    # Both meshes share one skeleton, the outer body's: bring the lean root onto it.
    return PosedBody(lean + (outer_joints[0] - lean_joints[0]), outer, outer_joints, template)
