"""Where head and neck, torso and lower extremities begin: borders between them, from labels of any cohort.

Reference people have a hundred structures, generated ones the paper's sixteen classes; so borders rest on classes that
both have. The lungs end at the first rib, next to C7 and T1. The lowest bone that is not of the limbs is the ischium,
at the height of the crotch.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np

from vctlib.anatomy import PAPER16, ids_of
from vctlib.errors import InputError
from vctlib.measure.mask import BODY_THRESHOLD_HU

Region = Literal["full_body", "head_and_neck", "torso", "lower_extremities"]

# Share of the body's length below the crown: C7 lies at 86 % of stature, the crotch at 47 % (gordon2014, ANSUR II).
REGIONS: Mapping[Region, tuple[float, float]] = MappingProxyType(
    {
        "full_body": (0.0, 1.0),
        "head_and_neck": (0.0, 0.14),
        "torso": (0.14, 0.53),
        "lower_extremities": (0.53, 1.0),
    }
)
_LUNGS = ids_of(PAPER16, "lung_upper_lobes", "lung_lower_lobes", "lung_middle_lobe")
_BONE = ids_of(PAPER16, "bone")
_STRAY = 0.005  # share of a structure's voxels that may lie astray without moving the border


def region_bounds(hu: np.ndarray, labels: np.ndarray | None = None) -> dict[Region, tuple[int, int]]:
    """First slice and the one after the last, from feet to head, of each region of a body (x, y, z; z to the head; HU).

    `labels`: its label map in numbers of `PAPER16`. Where lungs or bone are not labelled, or so that a region would be
    empty, the border is at the share of the body's length that `REGIONS` gives. Raises InputError where there is no
    body. Source: killeen2025, Table A4 (the regions; how it cuts them, it does not say).
    """
    occupied = np.flatnonzero((hu > BODY_THRESHOLD_HU).any(axis=(0, 1)))
    if len(occupied) == 0:
        raise InputError(f"the volume holds no body: no voxel is above {BODY_THRESHOLD_HU:g} HU")
    feet, crown = int(occupied[0]), int(occupied[-1]) + 1
    length = crown - feet
    neck, crotch = (feet + round((1 - REGIONS[region][1]) * length) for region in ("head_and_neck", "torso"))
    if labels is not None:
        apex, ischium = _level(labels, _LUNGS, 1 - _STRAY), _level(labels, _BONE, _STRAY)
        apex = neck if apex is None else apex + 1  # the border lies above the slice
        ischium = crotch if ischium is None else ischium
        if feet < ischium < apex < crown:
            neck, crotch = apex, ischium
    return {
        "full_body": (feet, crown),
        "head_and_neck": (neck, crown),
        "torso": (crotch, neck),
        "lower_extremities": (feet, crotch),
    }


def _level(labels: np.ndarray, numbers: list[int], share: float) -> int | None:
    """The slice below or in which this share of the voxels with these numbers lies; None where there are none."""
    below = np.cumsum(np.isin(labels, numbers).sum(axis=(0, 1)))
    return int(np.searchsorted(below, share * below[-1])) if below[-1] else None
