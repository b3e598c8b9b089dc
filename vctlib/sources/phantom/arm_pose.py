"""Joint rotations that bring an arm to a given elbow and wrist, its hand flat; and where its skin lies then."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse

from vctlib.sources.phantom.geometry import cross, frame, rotation, unit
from vctlib.sources.phantom.kinematics import blend_matrix, forward_kinematics, skin
from vctlib.sources.phantom.template import ARM_JOINTS, Template

KEPT_CURL, KEPT_THUMB = 0.35, 0.10  # share of the template's bend towards the palm that fingers and thumb keep; choices
HAND_STRIDE = 5  # of a hand's vertices every fifth tells where it lies


@dataclass(frozen=True)
class Arm:
    """One arm at rest: `joints` (n, 3) of the whole body in mm and their numbers by name, `suffix` "L" or "R" and
    `sign` of x on that side; `skin` (m, 3) of forearm and hand, the joints' `blend` for it, what is `hand`."""

    joints: np.ndarray
    index: dict[str, int]
    suffix: str
    sign: int
    chain: np.ndarray
    parents: np.ndarray
    skin: np.ndarray
    blend: sparse.csr_matrix
    hand: np.ndarray

    @classmethod
    def of(cls, template: Template, vertices: np.ndarray, joints: np.ndarray, suffix: str, sign: int) -> "Arm":
        """The arm of a body with vertices (n, 3) and joints (104, 3)."""
        own = np.char.endswith(template.vertex_region, f".{suffix}")
        hand = own & template.in_region("wrist", "metacarpal", "finger")
        sample = np.flatnonzero(own & template.in_region("lowerarm"))
        sample = np.concatenate([sample, np.flatnonzero(hand)[::HAND_STRIDE]])
        names = enumerate(template.joint_names)
        chain = np.array([i for i, name in names if name.startswith(ARM_JOINTS) and name.endswith(f".{suffix}")])
        place = np.full(len(joints), -1)
        place[chain] = np.arange(len(chain))
        # What belongs to the shoulder too hardly touches the trunk: it counts as the first joint's.
        weight_joints = np.maximum(place[template.skin_joints[sample]], 0)
        return cls(
            joints=joints,
            index=template.joint_index,
            suffix=suffix,
            sign=sign,
            chain=chain,
            parents=place[np.asarray(template.parents)[chain]],
            skin=vertices[sample],
            blend=blend_matrix(template.skin_weights[sample], weight_joints, len(chain)),
            hand=hand[sample],
        )

    def joint(self, name: str) -> np.ndarray:
        return self.joints[self.index[f"{name}.{self.suffix}"]]

    def posed_skin(self, turns: dict[int, np.ndarray]) -> np.ndarray:
        """`skin` after rotations by joint number."""
        own = {place: turns[number] for place, number in enumerate(self.chain) if number in turns}
        return skin(self.skin, self.blend, *forward_kinematics(self.joints[self.chain], self.parents, own))


def pose_arm(arm: Arm, new_elbow: np.ndarray, new_wrist: np.ndarray, along, normal) -> dict[int, np.ndarray]:
    """Rotations by joint number. The hand points `along`, its palm faces away from `normal`."""
    shoulder, elbow, wrist = (arm.joint(name) for name in ("upperarm01", "lowerarm01", "wrist"))
    fore = unit(new_wrist - new_elbow)
    swing = _turn_between(elbow - shoulder, new_elbow - shoulder)
    whole = frame(new_elbow - shoulder, new_wrist - new_elbow) @ frame(elbow - shoulder, wrist - elbow).T
    twist = _angle_about(new_elbow - shoulder, whole @ swing.T)
    bend = _turn_between(whole @ (wrist - elbow), fore)
    fingers = arm.joint("finger3-1") - wrist
    palm = arm.sign * cross(fingers, arm.joint("metacarpal1") - arm.joint("metacarpal4"))
    hand = frame(along, -normal) @ frame(bend @ whole @ fingers, bend @ whole @ palm).T
    roll = _angle_about(fore, hand)
    upper_axis = new_elbow - shoulder
    turns = {
        "upperarm01": rotation(upper_axis, 0.4 * twist) @ swing,
        "upperarm02": rotation(upper_axis, 0.6 * twist),
        "lowerarm01": bend,
        "lowerarm02": rotation(fore, 0.6 * roll),
        "wrist": hand @ rotation(fore, -0.6 * roll),
    }
    turns |= _flat_fingers(arm, hand @ bend @ whole, -normal)
    return {arm.index[f"{name}.{arm.suffix}"]: matrix for name, matrix in turns.items()}


def _flat_fingers(arm: Arm, whole: np.ndarray, palm: np.ndarray) -> dict[str, np.ndarray]:
    """Rotations of the fingers' first joints that leave little of their bend towards the palm."""
    turns = {}
    for finger in range(1, 6):
        first, last = (whole @ arm.joint(f"finger{finger}-{n}") for n in (1, 3))
        way = last - first
        keep = KEPT_THUMB if finger == 1 else KEPT_CURL
        turns[f"finger{finger}-1"] = _turn_between(way, way - (1 - keep) * palm * (way @ palm) / (palm @ palm))
    return turns


def _turn_between(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The smallest rotation that brings one direction onto another."""
    source, target = unit(source), unit(target)
    axis = cross(source, target)
    if np.linalg.norm(axis) < 1e-3:
        return np.eye(3)
    return rotation(axis, np.arccos(np.clip(source @ target, -1, 1)))


def _angle_about(axis: np.ndarray, turn: np.ndarray) -> float:
    """The part of a rotation that turns about an axis, radians."""
    axis = unit(axis)
    half_sine = axis @ [turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]
    return float(np.arctan2(half_sine, np.trace(turn) - axis @ turn @ axis))
