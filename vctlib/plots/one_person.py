"""One person in every form that a trial has: as scanned, reconstructed, drawn anew from attributes, and labelled."""

from collections.abc import Mapping

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from vctlib.anatomy import DISPLAY_WINDOW, LabelTable, Window
from vctlib.errors import InputError
from vctlib.metrics.slices import AXIS, take_slice
from vctlib.plots.bodies import body_centre, common_box, paint, scale_bar, show_slice, window_name
from vctlib.plots.style import COLOURS, PAGE_WIDTH

_GAP_MM = 16.0


def one_person(
    volumes: Mapping[str, np.ndarray],
    labels: np.ndarray,
    table: LabelTable,
    *,
    spacing_mm,
    captions: Mapping[str, str],
    window: Window | None = None,
) -> Figure:
    """Coronal and sagittal slices of the volumes side by side, and of the last one once more under its labels.

    volumes: name of an arm -> HU (x, y, z), all on one grid; labels (x, y, z) of the last, numbers of `table`;
    captions: what stands above each, and above "labels". Every body is cut through its own middle. Raises InputError
    for a missing caption or label maps of another shape.
    """
    names = [*volumes, "labels"]
    if missing := [name for name in names if name not in captions]:
        raise InputError(f"there is no caption for {', '.join(missing)}")
    last = list(volumes.values())[-1]
    if labels.shape != last.shape:
        raise InputError(f"the label map {labels.shape} and the volume {last.shape} must have one shape")
    window = window or DISPLAY_WINDOW["body"]
    box = common_box(list(volumes.values()))
    width_mm, depth_mm, height_mm = np.array(last[box].shape) * spacing_mm
    height = PAGE_WIDTH / len(names) * height_mm / (width_mm + _GAP_MM + depth_mm)
    figure, axes = plt.subplots(1, len(names), figsize=(PAGE_WIDTH, height + 0.8))
    for ax, name in zip(axes, names, strict=True):
        hu = volumes.get(name, last)[box]
        centre, right = body_centre(hu), -_GAP_MM
        for plane in ("coronal", "sagittal"):
            own = take_slice(labels[box], plane, centre[AXIS[plane]]) if name == "labels" else None
            picture = paint(take_slice(hu, plane, centre[AXIS[plane]]), own, table, window)
            right = show_slice(ax, picture, plane, spacing_mm, right + _GAP_MM)
        ax.set_title(captions[name], fontsize=8.5, color=COLOURS.get(name, "black"), loc="center", pad=4)
    scale_bar(axes[0])
    figure.supxlabel(
        f"Window {window_name(window)}; bar 20 cm. The person's right is on the left.", fontsize=7.5, color="#555555"
    )
    return figure
