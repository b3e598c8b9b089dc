"""Forward kinematics over the joint tree and linear blend skinning of a mesh."""

import numpy as np


def forward_kinematics(
    joints: np.ndarray, parents: np.ndarray, rotations: dict[int, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Rotation (n, 3, 3) and shift (n, 3) of every joint, such that a point p it carries moves to R p + t.

    `joints` (n, 3) rest positions; `parents` (n,) with parents before children, -1 for the root; `rotations` by joint
    number, each about the joint in world axes, applied after its parent's.
    """
    n = len(joints)
    rotation, shift = np.tile(np.eye(3), (n, 1, 1)), np.zeros((n, 3))
    for i, parent in enumerate(parents):
        if parent >= 0:
            rotation[i] = rotation[parent]
            place = rotation[parent] @ joints[i] + shift[parent]
        else:
            place = joints[i]
        if i in rotations:
            rotation[i] = rotations[i] @ rotation[i]
        shift[i] = place - rotation[i] @ joints[i]
    return rotation, shift


def move_joints(joints: np.ndarray, rotation: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Posed joint positions (n, 3)."""
    return np.einsum("nij,nj->ni", rotation, joints) + shift


def skin(
    vertices: np.ndarray, weights: np.ndarray, weight_joints: np.ndarray, rotation: np.ndarray, shift: np.ndarray
) -> np.ndarray:
    """Posed vertices (n, 3): each the weighted mean of where its joints (n, k) would carry it (weights sum to 1)."""
    posed = np.zeros_like(vertices)
    for k in range(weights.shape[1]):
        joint = weight_joints[:, k]
        used = weights[:, k] > 0
        moved = np.einsum("nij,nj->ni", rotation[joint[used]], vertices[used]) + shift[joint[used]]
        posed[used] += weights[used, k : k + 1] * moved
    return posed
