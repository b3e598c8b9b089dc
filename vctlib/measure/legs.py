"""The lower segment of height: each leg on its own, from the underside of the foot to the pelvis plane."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from vctlib.measure.axes import PatientAxes, principal_axis
from vctlib.measure.scan import Scan

SIDES = ("right", "left")
_STEP_MM = 1.0
_BRIDGED_AIR_MM = 30.0  # air inside the body (sinuses, the mouth, folds) does not end it
_LONGEST_MM = 1000.0
_FEWEST_VOXELS = 4  # of a bone that has an axis
_SHORTEST_SHIN = 0.36  # of the thigh bone's length: stumps are near a third or less, whole shins twice that; a choice
_ALONG_THE_BODY = 0.2  # a bone whose axis makes more than 78 degrees with the body measures no height


@dataclass(frozen=True)
class Leg:
    """Lengths in mm."""

    upper_mm: float
    lower_mm: float

    @property
    def total_mm(self) -> float:
        return self.upper_mm + self.lower_mm


def exit_distance(scan: Scan, start: np.ndarray, direction: np.ndarray) -> float | None:
    """How far (mm) a line from `start` (3,) along the unit vector `direction` (3,) runs to where it leaves the skin.

    The crossing is found between voxels, from their partial volume. None where the line does not meet the body.
    """
    distances = np.arange(0.0, _LONGEST_MM, _STEP_MM)
    points = start + distances[:, None] * direction
    indices = (points - scan.affine[:3, 3]) @ np.linalg.inv(scan.affine[:3, :3]).T
    field = ndimage.map_coordinates(scan.surface, indices.T, order=1, mode="constant", cval=0.0)
    inside = np.flatnonzero(field >= 0.5)
    if inside.size == 0:
        return None
    gaps = np.flatnonzero(np.diff(inside) * _STEP_MM > _BRIDGED_AIR_MM)
    last = inside[gaps[0]] if gaps.size else inside[-1]
    if last + 1 == len(field):
        return float(distances[last])
    return float(distances[last] + _STEP_MM * (field[last] - 0.5) / (field[last] - field[last + 1]))


def femurs(scan: Scan) -> dict[str, np.ndarray]:
    """World positions (n, 3) in mm of the voxels of each femur that is there."""
    found = {side: scan.parts(f"femur_{side}") for side in SIDES}
    return {side: np.concatenate(parts) for side, parts in found.items() if parts}


def split_tibiae(scan: Scan, femur: dict[str, np.ndarray], axes: PatientAxes) -> dict[str, np.ndarray]:
    """Voxels (n, 3) in mm of the tibia of each side; the label has no side.

    Each connected part goes to the femur whose lower end is nearest to the upper fifth of the part, so that crossed
    shins stay whole. A part whose upper fifth lies under both femurs is two touching shins: split voxel by voxel.
    """
    ends = {side: points[np.argmin(axes.height(points))] for side, points in femur.items()}
    sides, tree = list(ends), cKDTree(np.stack(list(ends.values())))
    found: dict[str, list[np.ndarray]] = {side: [] for side in sides}
    for part in scan.parts("tibia", smallest_share=0.05):
        height = axes.height(part)
        nearest = tree.query(part)[1]
        upper = np.bincount(nearest[height >= height.max() - 0.2 * np.ptp(height)], minlength=len(sides))
        if upper.max() > 0.9 * upper.sum():
            nearest[:] = np.argmax(upper)
        for i, side in enumerate(sides):
            if (nearest == i).any():
                found[side].append(part[nearest == i])
    return {side: np.concatenate(points) for side, points in found.items() if points}


def measure_leg(
    scan: Scan, axes: PatientAxes, femur: np.ndarray, tibia: np.ndarray | None, pelvis_plane: float
) -> Leg | str:
    """One leg from its voxels (n, 3) in mm and the pelvis plane's height in mm on the superior axis.

    Returns the reason as text where the leg cannot be measured. Source: killeen2025, B.0.2.
    """
    if tibia is None:
        return "no tibia"
    tibia = tibia[axes.height(tibia) <= axes.height(femur).min()]
    if len(femur) < _FEWEST_VOXELS:
        return "too little of the femur is labelled"
    if len(tibia) < _FEWEST_VOXELS:
        return "the whole tibia lies above the knee"
    if np.ptp(axes.height(tibia)) < _SHORTEST_SHIN * np.ptp(axes.height(femur)):
        return "the shin ends in a stump"
    knee_plane = axes.height(tibia).max()
    femur_axis, tibia_axis = (_upwards(principal_axis(points), axes) for points in (femur, tibia))
    if min(femur_axis @ axes.superior, tibia_axis @ axes.superior) < _ALONG_THE_BODY:
        return "thigh or shin lies across the body"
    centre = tibia.mean(axis=0)
    top = centre + tibia_axis * (knee_plane - axes.height(centre)) / (tibia_axis @ axes.superior)
    lower = exit_distance(scan, top, -tibia_axis)
    if lower is None:
        return "the shin's axis misses the body"
    return Leg(float((pelvis_plane - knee_plane) / (femur_axis @ axes.superior)), lower)


def _upwards(direction: np.ndarray, axes: PatientAxes) -> np.ndarray:
    return direction if direction @ axes.superior >= 0 else -direction
