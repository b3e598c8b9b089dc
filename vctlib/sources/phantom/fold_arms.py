"""Find joint rotations that lay a forearm across the trunk: resting on it, the elbow beside it.

Angles, ranges and weights are choices; the paper says only that the arms are folded over the chest, and that either
one may be on top (killeen2025, section on data).
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.spatial import cKDTree

from vctlib.sources.phantom.geometry import capsule_distance, cross, frame, rotation, unit

# Wrist beside the midline (positive: on its own side), in forearms' lengths.
WRIST_BESIDE = (-0.16, -0.06, 0.04, 0.14, 0.24, 0.36, 0.50, 0.66)
WRIST_HEIGHTS = (0.0, 0.08, -0.08, 0.16, -0.16)  # in upper arms' lengths
ELBOW_ANGLES = np.linspace(0, 2 * np.pi, 48, endpoint=False)  # on the circle that the elbow may move on
AT_ONCE = 48  # folds that are looked at together, the cheapest first
SINK_MM, SINK_SHARE = 4.0, (0.45, 0.25)  # how far upper arm and forearm sink in: mm, and shares of their radii


@dataclass
class Obstacles:
    """What arms lie on: a surface with outward normals (n, 3), and the limbs that already lie there."""

    points: np.ndarray
    normals: np.ndarray
    table_y: float
    limbs: list[tuple[np.ndarray, np.ndarray, float, float]] = field(default_factory=list)

    def __post_init__(self):
        self._tree = cKDTree(self.points)
        front = self.normals[:, 1] < -0.3
        self._front, self._front_tree = self.points[front], cKDTree(self.points[front][:, [0, 2]])

    def distance(self, points: np.ndarray) -> np.ndarray:
        """mm from points (..., 3) to the surface, negative inside."""
        flat = points.reshape(-1, 3)
        _, nearest = self._tree.query(flat, k=3)
        distance = np.einsum("nki,nki->nk", flat[:, None] - self.points[nearest], self.normals[nearest]).mean(1)
        for limb in self.limbs:
            distance = np.minimum(distance, capsule_distance(flat, *limb))
        return distance.reshape(points.shape[:-1])

    def front(self, x: np.ndarray, z: np.ndarray, radius: float) -> np.ndarray:
        """y (n,) at which a limb of that radius rests in front of the surface at places x and z (n,)."""
        distance, nearest = self._front_tree.query(np.stack([x, z], 1), k=4)
        y = np.average(self._front[nearest, 1], axis=1, weights=1 / (distance + 5)) - radius
        for start, end, r0, r1 in self.limbs:
            spots = start + (end - start) * np.linspace(0, 1, 24)[:, None]
            reach = radius + np.linspace(r0, r1, 24)
            beside = np.hypot(spots[:, 0] - x[:, None], spots[:, 2] - z[:, None])
            rests = spots[:, 1] - np.sqrt(np.maximum(reach**2 - beside**2, 0))
            y = np.minimum(y, np.where(beside < reach, rests, np.inf).min(1))
        return y


def fold_arm(
    joints: np.ndarray,
    index: dict[str, int],
    suffix: str,
    sign: int,
    radii: tuple[float, float, float],
    obstacles: Obstacles,
    aim: tuple[float, float],
) -> dict[int, np.ndarray]:
    """Rotations of upper arm, forearm and hand by joint number; empty if the arm reaches no place on the trunk.

    `joints` (n, 3) at rest in mm; `suffix` "L" or "R", `sign` of x on that side; `radii` of upper arm, elbow and wrist
    in mm; `aim`: the wrist's wanted place, as `WRIST_BESIDE` and in upper arms' lengths below the shoulder. The folded
    forearm and hand become one of the obstacles.
    """
    at = {name: joints[index[f"{name}.{suffix}"]] for name in ("upperarm01", "lowerarm01", "wrist")}
    shoulder, elbow, wrist = at.values()
    found = _best_fold(shoulder, elbow, wrist, sign, radii, obstacles, aim)
    if found is None:
        return {}
    new_elbow, new_wrist = found
    fore = unit(new_wrist - new_elbow)
    swing = _turn_between(elbow - shoulder, new_elbow - shoulder)
    whole = frame(new_elbow - shoulder, new_wrist - new_elbow) @ frame(elbow - shoulder, wrist - elbow).T
    twist = _angle_about(new_elbow - shoulder, whole @ swing.T)
    bend = _turn_between(whole @ (wrist - elbow), fore)
    # The hand lies flat: fingers along the surface, palm towards it.
    normal = np.array([0.25 * np.clip(new_wrist[0] / 100, -1, 1), -1.0, 0.0])
    fingers = joints[index[f"finger3-1.{suffix}"]] - wrist
    across = joints[index[f"metacarpal1.{suffix}"]] - joints[index[f"metacarpal4.{suffix}"]]
    palm = sign * cross(fingers, across)
    normal = unit(normal)
    along = unit(fore - normal * (fore @ normal) * 0.9)
    hand = frame(along, -normal) @ frame(bend @ whole @ fingers, bend @ whole @ palm).T
    roll = _angle_about(fore, hand)
    obstacles.limbs.append((new_elbow, new_wrist, radii[1], radii[2]))
    fingertips = new_wrist + 0.6 * np.linalg.norm(elbow - wrist) * along
    obstacles.limbs.append((new_wrist, fingertips, 0.8 * radii[2], 8.0))
    upper_axis, turn = new_elbow - shoulder, {}
    turn["upperarm01"] = rotation(upper_axis, 0.4 * twist) @ swing
    turn["upperarm02"] = rotation(upper_axis, 0.6 * twist)
    turn["lowerarm01"] = bend
    turn["lowerarm02"] = rotation(fore, 0.6 * roll)
    turn["wrist"] = hand @ rotation(fore, -0.6 * roll)
    return {index[f"{name}.{suffix}"]: matrix for name, matrix in turn.items()}


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


def _best_fold(shoulder, elbow, wrist, sign, radii, obstacles, aim):
    """Elbow and wrist positions of the least cost, or None."""
    upper, fore = np.linalg.norm(elbow - shoulder), np.linalg.norm(wrist - elbow)
    thickness = np.concatenate([np.linspace(radii[0], radii[1], 8), np.linspace(radii[1], radii[2], 8)])
    gives_way = SINK_MM + np.repeat(SINK_SHARE, 8) * thickness
    beside, shift = (each.ravel() for each in np.meshgrid(WRIST_BESIDE, WRIST_HEIGHTS, indexing="ij"))
    x, z = sign * beside * fore, shoulder[2] - upper * (aim[1] - shift)
    wrists = np.stack([x, obstacles.front(x, z, radii[2]), z], 1)
    circles = [_elbow_circle(shoulder, new_wrist, upper, fore) for new_wrist in wrists]
    elbows, place = np.concatenate(circles), np.repeat(np.arange(len(wrists)), [len(circle) for circle in circles])
    own_side = elbows[:, 0] * sign >= shoulder[0] * sign * 0.8
    elbows, place = elbows[own_side], place[own_side]
    cost = (6 * np.abs(beside - aim[0]) + 6 * np.abs(shift))[place]
    cost += 0.5 * np.maximum(0, elbows[:, 1] + radii[1] - obstacles.table_y)  # elbow in the table
    cost += 0.012 * np.maximum(0, obstacles.table_y - radii[1] - elbows[:, 1])  # elbow above the table
    cost += 0.1 * np.maximum(0, shoulder[1] - 0.4 * upper - elbows[:, 1])  # elbow before the chest
    cost += 0.02 * np.maximum(0, sign * (elbows[:, 0] - shoulder[0]) - 0.15 * upper)  # elbow spread
    cost += 0.1 * np.maximum(0, elbows[:, 2] - shoulder[2] + 0.75 * upper)  # elbow raised
    order, least, best = np.argsort(cost), np.inf, None
    for some in np.split(order, range(AT_ONCE, len(order), AT_ONCE)):
        if len(some) == 0 or cost[some[0]] >= least:
            break  # what the trunk adds cannot make up for it
        outside = obstacles.distance(_along_arm(shoulder, elbows[some], wrists[place[some]])) - thickness
        whole = cost[some] + np.square(np.maximum(-gives_way - outside, 0)).sum(1) / 150
        whole += 0.004 * np.maximum(outside[:, 8:], 0).sum(1)  # the forearm in the air
        if whole.min() < least:
            least, number = whole.min(), some[whole.argmin()]
            best = elbows[number], wrists[place[number]]
    return best


def _elbow_circle(shoulder, wrist, upper: float, fore: float) -> np.ndarray:
    """Elbow positions (k, 3) that keep both arm lengths; none if the wrist is out of reach."""
    reach = np.linalg.norm(wrist - shoulder)
    if not abs(upper - fore) < reach < 0.985 * (upper + fore):
        return np.zeros((0, 3))
    axis = (wrist - shoulder) / reach
    along = (upper**2 - fore**2 + reach**2) / (2 * reach)
    circle_radius = np.sqrt(max(upper**2 - along**2, 0))
    across = unit(cross(axis, [0, 1, 0]))
    other = cross(axis, across)
    angles = ELBOW_ANGLES[:, None]
    return shoulder + axis * along + circle_radius * (np.cos(angles) * across + np.sin(angles) * other)


def _along_arm(shoulder: np.ndarray, elbows: np.ndarray, wrists: np.ndarray) -> np.ndarray:
    """Points (k, 16, 3) along the upper arm (without the shoulder, which belongs to the trunk) and the forearm."""
    elbows, wrists = elbows[:, None], wrists[:, None]
    on_upper = shoulder + (elbows - shoulder) * np.linspace(0.4, 1, 8)[:, None]
    on_fore = elbows + (wrists - elbows) * np.linspace(0, 1, 8)[:, None]
    return np.concatenate([on_upper, on_fore], 1)
