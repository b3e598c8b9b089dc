"""Where a person's conditions lie: what a detector of them is judged by."""

import numpy as np

from vctlib.anatomy import VERTEBRAE
from vctlib.sources.phantom.conditions import Conditions
from vctlib.sources.phantom.pelvis import hip_centre
from vctlib.sources.phantom.scene import Scene


def list_findings(scene: Scene, conditions: Conditions, stump: np.ndarray | None) -> tuple[dict, ...]:
    """One mapping a finding: its `kind`, `position_mm` [x, y, z] in RAS+ as by the phantom's affine, and what is known.

    `stump` (3,) is the middle of the end of an amputated limb in the body frame, mm, or None.
    """
    found = [dict(lesion) for lesion in scene.lesions]
    if stump is not None:
        found.append({"kind": "amputation", "position_mm": stump, "level": conditions.amputation})
    if conditions.hip_implant != "none":
        head = hip_centre(scene.landmarks, 1 if conditions.hip_implant == "left" else -1)
        found.append({"kind": "hip_implant", "position_mm": head, "side": conditions.hip_implant})
    if conditions.fracture is not None:
        place = scene.landmarks.spine[VERTEBRAE.index(f"vertebrae_{conditions.fracture.level}")]
        grade = {"grade": conditions.fracture.grade}
        found.append({"kind": "vertebral_fracture", "position_mm": place} | vars(conditions.fracture) | grade)
    # The body frame has x to the left and y to the back.
    turned = (np.asarray(finding["position_mm"], float) * [-1, -1, 1] for finding in found)
    return tuple(
        finding | {"position_mm": [round(float(value), 2) for value in place]}
        for finding, place in zip(found, turned, strict=True)
    )
