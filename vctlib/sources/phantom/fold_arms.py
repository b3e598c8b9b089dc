"""Find joint rotations that lay a forearm across the trunk without the arm cutting through it."""

import numpy as np

from vctlib.sources.phantom.geometry import frame, rotation, unit

# Wrist beyond the midline (negative: on the other side), as a fraction of the forearm's length; the first is preferred.
WRIST_OFFSETS = (-0.02, 0.10, 0.22, 0.36, 0.50)
HEIGHT_SHIFTS = (0.0, 0.1, -0.1)  # of the wrist, in upper arms' lengths
ELBOW_ANGLES = np.linspace(0, 2 * np.pi, 36, endpoint=False)  # on the circle that the elbow may move on


def fold_arm(
    joints: np.ndarray,
    index: dict[str, int],
    suffix: str,
    sign: int,
    trunk: np.ndarray,
    on_top: bool,
    rng: np.random.Generator,
) -> dict[int, np.ndarray]:
    """Rotations of upper arm, forearm and wrist by joint number; empty if the arm reaches no wrist position.

    `joints` (n, 3) at rest and `trunk` (m, 3) vertices in mm; `suffix` "L" or "R", `sign` of x on that side; `on_top`
    leaves room for the other forearm below. `rng` draws the height.
    """
    at = {name: joints[index[f"{name}.{suffix}"]] for name in ("upperarm01", "lowerarm01", "wrist", "finger3-2")}
    shoulder, elbow, wrist = at["upperarm01"], at["lowerarm01"], at["wrist"]
    radius = 0.024 * (joints[index["head"]][2] - joints[index["foot.L"]][2])
    upper = np.linalg.norm(elbow - shoulder)
    height = shoulder[2] - upper * rng.uniform(0.72, 0.95)
    spine_y = joints[index["spine03"]][1]
    found = _best_fold(shoulder, elbow, wrist, sign, height, trunk, radius, on_top, spine_y)
    if found is None:
        return {}
    new_elbow, new_wrist = found
    upper_turn = frame(new_elbow - shoulder, new_wrist - new_elbow) @ frame(elbow - shoulder, wrist - elbow).T
    bend = _turn_between(upper_turn @ (wrist - elbow), new_wrist - new_elbow)
    hand = bend @ upper_turn @ (at["finger3-2"] - wrist)
    hand_turn = _turn_between(hand, unit(new_wrist - new_elbow) + np.array([0, 0.25, 0]))  # laid on the belly
    names = (f"upperarm01.{suffix}", f"lowerarm01.{suffix}", f"wrist.{suffix}")
    return {index[name]: turn for name, turn in zip(names, (upper_turn, bend, hand_turn), strict=True)}


def _turn_between(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The smallest rotation that brings one direction onto another."""
    source, target = unit(source), unit(target)
    axis = np.cross(source, target)
    if np.linalg.norm(axis) < 1e-3:
        return np.eye(3)
    return rotation(axis, np.arccos(np.clip(source @ target, -1, 1)))


def _best_fold(shoulder, elbow, wrist, sign, height, trunk, radius, on_top, spine_y):
    """Elbow and wrist positions of the least cost, or None."""
    upper, fore = np.linalg.norm(elbow - shoulder), np.linalg.norm(wrist - elbow)
    sections = _TrunkSections(trunk)
    best = None
    for shift in HEIGHT_SHIFTS:
        for offset in WRIST_OFFSETS:
            x, z = sign * offset * fore, height + shift * upper
            near = (np.abs(trunk[:, 2] - z) < 40) & (np.abs(trunk[:, 0] - x) < 40)
            front = trunk[near, 1].min() if near.any() else -100.0
            new_wrist = np.array([x, front - radius * (1.85 if on_top else 0.75), z])
            reach = np.linalg.norm(new_wrist - shoulder)
            if reach > 0.985 * (upper + fore):
                continue
            elbows = _elbow_circle(shoulder, new_wrist, upper, fore)
            elbows = elbows[elbows[:, 0] * sign >= shoulder[0] * sign * 0.8]
            if len(elbows) == 0:
                continue
            cost = 100 * sections.overlap(_along_arm(shoulder, elbows, new_wrist), radius)
            cost += 40 * abs(offset - WRIST_OFFSETS[0]) + 0.02 * abs(shift * upper)
            cost += 0.03 * np.maximum(0, elbows[:, 1] - spine_y)  # elbow behind the trunk
            cost += 0.02 * np.maximum(0, front - elbows[:, 1])  # elbow in the air above it
            cost += 0.06 * np.maximum(0, elbows[:, 2] - (shoulder[2] - 0.93 * upper))  # elbow raised
            cost += 0.03 * np.maximum(0, sign * (elbows[:, 0] - shoulder[0] * 1.25))  # elbow spread
            least = int(cost.argmin())
            if best is None or cost[least] < best[0]:
                best = (cost[least], elbows[least], new_wrist)
    return None if best is None else best[1:]


def _elbow_circle(shoulder, wrist, upper: float, fore: float) -> np.ndarray:
    """Elbow positions (k, 3) that keep both arm lengths."""
    reach = np.linalg.norm(wrist - shoulder)
    axis = (wrist - shoulder) / reach
    along = (upper**2 - fore**2 + reach**2) / (2 * reach)
    circle_radius = np.sqrt(max(upper**2 - along**2, 0))
    across = unit(np.cross(axis, [0, 1, 0]))
    other = np.cross(axis, across)
    angles = ELBOW_ANGLES[:, None]
    return shoulder + axis * along + circle_radius * (np.cos(angles) * across + np.sin(angles) * other)


def _along_arm(shoulder: np.ndarray, elbows: np.ndarray, wrist: np.ndarray) -> np.ndarray:
    """Points (k, 16, 3) along the upper arm (without the shoulder, which belongs to the trunk) and the forearm."""
    elbows = elbows[:, None]
    on_upper = shoulder + (elbows - shoulder) * np.linspace(0.35, 1, 8)[:, None]
    on_fore = elbows + (wrist - elbows) * np.linspace(0, 1, 8)[:, None]
    return np.concatenate([on_upper, on_fore], 1)


class _TrunkSections:
    """Elliptical cross-sections of the trunk by height."""

    def __init__(self, trunk: np.ndarray, step: float = 5.0, half_window: float = 25.0):
        by_height = trunk[np.argsort(trunk[:, 2])]
        self.z = np.arange(by_height[0, 2], by_height[-1, 2] + step, step)
        first = np.searchsorted(by_height[:, 2], self.z - half_window)
        last = np.searchsorted(by_height[:, 2], self.z + half_window)
        self.width, self.centre, self.depth = (np.full(len(self.z), np.nan) for _ in range(3))
        for i in np.flatnonzero(last > first):
            ring = by_height[first[i] : last[i]]
            low, high = ring[:, 1].min(), ring[:, 1].max()
            self.width[i], self.centre[i], self.depth[i] = np.abs(ring[:, 0]).max(), (low + high) / 2, (high - low) / 2

    def overlap(self, points: np.ndarray, radius: float) -> np.ndarray:
        """How deep points (k, n, 3) of a limb of that radius lie inside the trunk, summed over n: (k,)."""
        slot = np.round((points[..., 2] - self.z[0]) / (self.z[1] - self.z[0])).astype(int)
        known = (slot >= 0) & (slot < len(self.z))
        slot = slot.clip(0, len(self.z) - 1)
        across = points[..., 0] / (self.width[slot] + radius * 0.9)
        deep = (points[..., 1] - self.centre[slot]) / (self.depth[slot] + radius * 0.9)
        inside = np.maximum(0, 1 - np.hypot(across, deep))
        return np.where(known & np.isfinite(inside), inside, 0).sum(1)
