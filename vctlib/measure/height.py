"""Standing height from a lying body: leg, torso, neck and head, each along its own axis.

Source: killeen2025, B.0.2. Deviations: planes rest on voxel centres of each bone's own parts (stray voxels of a
segmenter are left out) rather than on mesh vertices; where a line leaves the body is found between voxels; the head's
line is steadied by one voxel along the superior axis, see `_head`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from vctlib.measure.axes import PatientAxes, patient_axes
from vctlib.measure.legs import SIDES, Leg, exit_distance, femurs, measure_leg, split_tibiae
from vctlib.measure.scan import Scan

_NAN = float("nan")


@dataclass(frozen=True)
class Height:
    """Segments of height in mm, NaN where one could not be measured; `missing` says why, part by part."""

    head_mm: float = _NAN
    neck_mm: float = _NAN
    torso_mm: float = _NAN
    legs: Mapping[str, Leg] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def leg_mm(self) -> float:
        """The longer leg."""
        return max((leg.total_mm for leg in self.legs.values()), default=_NAN)

    @property
    def total_cm(self) -> float:
        return (self.head_mm + self.neck_mm + self.torso_mm + self.leg_mm) / 10.0


def measure_height(scan: Scan, axes: PatientAxes | None = None) -> Height:
    """Height as the sum of the longer leg, torso, neck and head. Never fails for absent parts: see `Height.missing`."""
    axes = axes or patient_axes(scan)
    missing: dict[str, str] = {}
    legs, pelvis_plane = _legs(scan, axes, missing)
    # Coarse voxels part the ring of the atlas into halves: both count.
    vertebra = {name: scan.centroid(f"vertebrae_{name}", smallest_share=0.3) for name in ("C1", "C2", "C7")}
    missing |= {f"vertebra {name}": "not labelled" for name, place in vertebra.items() if place is None}
    c1, c2, c7 = vertebra.values()
    torso = neck = head = _NAN
    if c7 is not None and pelvis_plane is not None:
        torso = float(axes.height(c7) - pelvis_plane)
    if c1 is not None and c7 is not None:
        neck = float(np.linalg.norm(c1 - c7))
    if c1 is not None and c2 is not None:
        head = _head(scan, axes, c1, c2)
    return Height(head, neck, torso, legs, missing)


def _head(scan: Scan, axes: PatientAxes, c1: np.ndarray, c2: np.ndarray) -> float:
    """From the centroid of C1 (3,) to the crown in mm, along the line through C2 and C1.

    The two centroids lie some 18 mm apart. Coarse voxels tilt that line by ten degrees and more, so one voxel along the
    superior axis is added to it: little at 1 mm, and at 8 mm a third less error under a segmenter's noise.
    """
    direction = c1 - c2 + scan.spacing_mm.mean() * axes.superior
    crown = exit_distance(scan, c1, direction / np.linalg.norm(direction))
    return _NAN if crown is None else crown


def _legs(scan: Scan, axes: PatientAxes, missing: dict[str, str]) -> tuple[dict[str, Leg], float | None]:
    """The legs that can be measured, and the height of the pelvis plane in mm; notes in `missing` what cannot."""
    femur = femurs(scan)
    missing |= {f"{side} leg": "no femur" for side in SIDES if side not in femur}
    if not femur:
        return {}, None
    pelvis_plane = float(max(axes.height(points).max() for points in femur.values()))
    tibia = split_tibiae(scan, femur, axes)
    legs = {}
    for side, points in femur.items():
        leg = measure_leg(scan, axes, points, tibia.get(side), pelvis_plane)
        if isinstance(leg, Leg):
            legs[side] = leg
        else:
            missing[f"{side} leg"] = leg
    return legs, pelvis_plane
