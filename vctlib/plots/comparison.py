"""An image, what a network made of it, and where the two differ."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from vctlib.anatomy import DISPLAY_WINDOW, Window
from vctlib.measure.mask import BODY_THRESHOLD_HU
from vctlib.metrics.slices import AXIS, PLANES, take_slice
from vctlib.plots.bodies import body_centre, grey, show_slice, window_name
from vctlib.plots.style import ERROR_COLOURS
from vctlib.sources.resample import box_of

_COLUMN_INCHES = 2.5


def compare_volumes(
    original: np.ndarray,
    other: np.ndarray,
    where: np.ndarray,
    *,
    spacing_mm: Sequence[float],
    title: str | None = None,
    headings: tuple[str, str] = ("original", "reconstruction"),
    window: Window | None = None,
    limit_hu: float = 300.0,
) -> Figure:
    """Two volumes (x, y, z; HU) and their absolute difference, in three planes through the body's middle.

    `where` (boolean): what was scanned; the page shows its box, and differences inside it alone. `limit_hu`: end of
    the colour scale; larger differences have its last colour.
    """
    window = window or DISPLAY_WINDOW["body"]
    box = tuple(slice(low, high) for low, high in box_of(where))
    original, other, where = original[box], other[box], where[box]
    centre = body_centre(np.where(where, original, BODY_THRESHOLD_HU))
    width_mm, depth_mm, height_mm = np.array(original.shape) * spacing_mm
    heights = {"sagittal": height_mm, "coronal": height_mm, "axial": depth_mm}
    inches = [_COLUMN_INCHES * heights[plane] / max(width_mm, depth_mm) for plane in PLANES]
    figure, axes = plt.subplots(
        3, 3, height_ratios=inches, figsize=(3 * _COLUMN_INCHES + 0.9, sum(inches) + 0.7), squeeze=False
    )
    colours = ScalarMappable(Normalize(0, limit_hu), ERROR_COLOURS)
    for row, plane in zip(axes, PLANES, strict=True):
        first, second, inside = (take_slice(volume, plane, centre[AXIS[plane]]) for volume in (original, other, where))
        difference = colours.to_rgba(np.abs(first.astype(np.float32) - second))[..., :3]
        pictures = (grey(first, window), grey(second, window), np.where(inside[..., None], difference, 0.0))
        for ax, picture in zip(row, pictures, strict=True):
            show_slice(ax, picture, plane, spacing_mm)
    for ax, heading in zip(axes[0], (*headings, "absolute difference"), strict=True):
        ax.set_title(heading, fontweight="normal", loc="center")
    if title:
        figure.suptitle(title, fontsize=10, fontweight="bold", x=0.01, ha="left")
    figure.colorbar(colours, ax=axes, label="HU", extend="max", shrink=0.6)
    figure.supxlabel(f"Window {window_name(window)}. The person's right is on the left.", fontsize=7.5, color="#555555")
    return figure
