"""Forward kinematics over the joint tree and linear blend skinning of a mesh."""

import numpy as np
import scipy.sparse as sparse


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


def blend_matrix(weights: np.ndarray, weight_joints: np.ndarray, n_joints: int) -> sparse.csr_matrix:
    """Weights (n, k) of joints (n, k) as a matrix (n, n_joints) that blends what joints have."""
    vertex, place = np.nonzero(weights > 0)
    entries = weights[vertex, place], (vertex, weight_joints[vertex, place].astype(np.intp))
    return sparse.csr_matrix(entries, shape=(len(weights), n_joints), dtype=float)


def skin(vertices: np.ndarray, blend: sparse.csr_matrix, rotation: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Posed vertices (n, 3): each the weighted mean of where its joints would carry it (rows of `blend` sum to 1)."""
    motion = blend @ np.concatenate([rotation.reshape(-1, 9), shift], 1)
    return np.einsum("nij,nj->ni", motion[:, :9].reshape(-1, 3, 3), vertices) + motion[:, 9:]
