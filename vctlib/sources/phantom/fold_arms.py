"""Find joint rotations that lay a forearm across the trunk: resting on it, the elbow beside it.

Angles, ranges and weights are choices; the paper says only that the arms are folded over the chest, and that either
one may be on top (killeen2025, section on data).
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.spatial import cKDTree

from vctlib.sources.phantom.arm_pose import Arm, pose_arm
from vctlib.sources.phantom.geometry import capsule_distance, cross, rotation, unit

# Wrist beside the midline (positive: on its own side), in forearms' lengths.
WRIST_BESIDE = (-0.16, -0.06, 0.04, 0.14, 0.24, 0.36, 0.50, 0.66)
WRIST_HEIGHTS = (0.0, 0.08, -0.08, 0.16, -0.16)  # in upper arms' lengths
ELBOW_ANGLES = np.linspace(0, 2 * np.pi, 48, endpoint=False)  # on the circle that the elbow may move on
AT_ONCE = 48  # folds that are looked at together, the cheapest first
SINK_MM, SINK_SHARE = 4.0, (0.45, 0.25)  # how far upper arm and forearm sink in: mm, and shares of their radii
# How an arm is settled on what it lies on: a choice of mm by which its skin presses in, and of what share of it may
# press in deeper; `DISTAL` the share of the forearm that does not rest, `CARPUS_MM` where the hand begins to bend.
SETTLE_STEPS, PRESS_MM, CONTACT, DISTAL, CARPUS_MM = 3, 3.0, 0.95, 0.45, 30.0
MOST_LIFT_MM, MOST_TILT = 40.0, 0.6  # in one step
HALF_BORE_MM, OUTSIDE_COST = 370.0, 0.5  # half of the room that a scanner leaves at the table; cost of a mm beyond
ELBOW_HIGH = 0.03  # cost of every mm that an elbow is above the table
HAND_SIDES, HAND_HALF_MM = (-1.0, 1.0), 18.0  # rods of a hand beside its middle, in half thicknesses of the wrist
LAID_MM = 14.0  # an arm rests on another one where vertices of both are so near, seen from the front


@dataclass
class Obstacles:
    """What arms lie on: a surface with outward normals (n, 3), and the limbs that already lie there, as rods (`limbs`)
    and as skin (`laid`)."""

    points: np.ndarray
    normals: np.ndarray
    table_y: float
    limbs: list[tuple[np.ndarray, np.ndarray, float, float]] = field(default_factory=list)
    laid: list[tuple[np.ndarray, cKDTree]] = field(default_factory=list)

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

    def normal_at(self, point: np.ndarray) -> np.ndarray:
        """Mean outward normal (3,) of the surface near a point."""
        _, nearest = self._tree.query(point, k=24)
        return unit(self.normals[nearest].sum(0))

    def gap(self, points: np.ndarray) -> np.ndarray:
        """mm (n,) from points (n, 3) to the surface, or back to the skin of an arm laid before; negative inside."""
        _, nearest = self._tree.query(points, k=3)
        gap = np.einsum("nki,nki->nk", points[:, None] - self.points[nearest], self.normals[nearest]).mean(1)
        for front, tree in self.laid:
            distance, nearest = tree.query(points[:, [0, 2]], k=4, distance_upper_bound=LAID_MM)
            before = np.where(np.isfinite(distance), np.append(front, np.inf)[nearest], np.inf).min(1)
            gap = np.minimum(gap, before - points[:, 1])
        return gap

    def lay(self, skin: np.ndarray) -> None:
        """Add an arm's skin (n, 3) to what others rest on."""
        self.laid.append((skin[:, 1], cKDTree(skin[:, [0, 2]])))

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
    arm: Arm, radii: tuple[float, float, float], obstacles: Obstacles, aim: tuple[float, float]
) -> dict[int, np.ndarray]:
    """Rotations of an arm and its fingers by joint number; empty if the arm reaches no place on the trunk.

    `radii` of upper arm, elbow and wrist in mm; `aim`: the wrist's wanted place, as `WRIST_BESIDE` and in upper arms'
    lengths below the shoulder. The folded forearm and hand become obstacles.
    """
    shoulder, elbow, wrist = (arm.joint(name) for name in ("upperarm01", "lowerarm01", "wrist"))
    found = _best_fold(shoulder, elbow, wrist, arm.sign, radii, obstacles, aim)
    if found is None:
        return {}
    new_elbow, new_wrist = found
    lengths = np.linalg.norm(elbow - shoulder), np.linalg.norm(wrist - elbow)
    normal = obstacles.normal_at(new_wrist)
    along = _tangent(new_wrist - new_elbow, normal)
    for _ in range(SETTLE_STEPS):
        turns = pose_arm(arm, new_elbow, new_wrist, along, normal)
        skin = arm.posed_skin(turns)
        gap = obstacles.gap(skin)
        # The forearm turns about the elbow until it touches, then the hand about the wrist.
        fore = unit(new_wrist - new_elbow)
        share = (skin - new_elbow) @ fore / lengths[1]
        reach = (skin - new_wrist) @ along
        distal, far = (share > DISTAL) & (reach < CARPUS_MM), arm.hand & (reach > CARPUS_MM)
        lift = _until_contact(gap[distal], np.minimum(share[distal], 1))
        tilt = _until_contact(gap[far] + lift, reach[far])
        moved = new_wrist + np.clip(lift, -MOST_LIFT_MM, MOST_LIFT_MM) * obstacles.normal_at(new_wrist)
        elbows = _elbow_circle(shoulder, moved, *lengths)
        if len(elbows) == 0:
            break
        new_elbow = elbows[np.square(elbows - new_elbow).sum(1).argmin()]
        new_wrist = moved
        turn = rotation(cross(along, normal), np.clip(tilt, -MOST_TILT, MOST_TILT))
        along, normal = turn @ along, turn @ normal
    turns = pose_arm(arm, new_elbow, new_wrist, along, normal)
    obstacles.limbs.append((new_elbow, new_wrist, radii[1], radii[2]))
    for side in HAND_SIDES:  # both edges of the hand
        start = new_wrist + side * radii[2] * cross(along, normal)
        obstacles.limbs.append((start, start + 0.6 * lengths[1] * along, HAND_HALF_MM, HAND_HALF_MM))
    obstacles.lay(arm.posed_skin(turns))
    return turns


def _until_contact(gap: np.ndarray, lever: np.ndarray) -> float:
    """How far to move where the lever is 1, for skin with some gaps (n,) in mm and levers (n,) to press in lightly."""
    return float(np.quantile((-PRESS_MM - gap) / lever, CONTACT))


def _tangent(direction: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """A direction laid down into the plane of a normal."""
    return unit(direction - normal * (direction @ normal))


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
    cost += ELBOW_HIGH * np.maximum(0, obstacles.table_y - radii[1] - elbows[:, 1])  # elbow above the table
    cost += 0.1 * np.maximum(0, shoulder[1] - 0.4 * upper - elbows[:, 1])  # elbow before the chest
    cost += 0.02 * np.maximum(0, sign * (elbows[:, 0] - shoulder[0]) - 0.15 * upper)  # elbow spread
    cost += OUTSIDE_COST * np.maximum(0, sign * elbows[:, 0] + radii[1] - HALF_BORE_MM)  # elbow outside the scanner
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
