"""How large a head, neck and shoulders are from outside: widths, depths and areas of the body's outline."""

from types import MappingProxyType

import numpy as np

UNITS = MappingProxyType(
    {
        "head_breadth_mm": "mm",
        "head_length_mm": "mm",
        "neck_breadth_mm": "mm",
        "neck_depth_mm": "mm",
        "neck_area_cm2": "cm2",
        "lowest_depth_mm": "mm",
        "lowest_area_cm2": "cm2",
        "volume_l": "l",
    }
)
HEAD_MM = 90.0  # above the neck's slice the head has begun


def outline_sizes(body: np.ndarray, neck: int, spacing_mm: float) -> dict[str, float]:
    """Sizes by the names of `UNITS` of a body (boolean; x, y, z; z to the head) whose neck is slice `neck`.

    Breadth is from side to side, length and depth from front to back, both between the outermost voxels' outer faces.
    The head is what lies `HEAD_MM` or more above the neck; the lowest slice is the volume's.
    """
    head = body[:, :, neck + round(HEAD_MM / spacing_mm) :]
    return {
        "head_breadth_mm": _extent(head.any(axis=2), 0) * spacing_mm,
        "head_length_mm": _extent(head.any(axis=2), 1) * spacing_mm,
        "neck_breadth_mm": _extent(body[:, :, neck], 0) * spacing_mm,
        "neck_depth_mm": _extent(body[:, :, neck], 1) * spacing_mm,
        "neck_area_cm2": body[:, :, neck].sum() * spacing_mm**2 / 100,
        "lowest_depth_mm": _extent(body[:, :, 0], 1) * spacing_mm,
        "lowest_area_cm2": body[:, :, 0].sum() * spacing_mm**2 / 100,
        "volume_l": body.sum() * spacing_mm**3 / 1e6,
    }


def _extent(outline: np.ndarray, axis: int) -> int:
    """Voxels from the first to the last that is body, along an axis of a slice."""
    occupied = np.flatnonzero(outline.any(axis=1 - axis))
    return int(occupied[-1] + 1 - occupied[0]) if len(occupied) else 0
