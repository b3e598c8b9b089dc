"""Pages that let a reader look for what is wrong with a body: levels of one person, radiographs of several, groups."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from vctlib.anatomy import AIR_HU, DISPLAY_WINDOW, Window
from vctlib.measure.mask import BODY_THRESHOLD_HU
from vctlib.metrics.slices import AXIS, PLANES, Plane, take_slice
from vctlib.plots.bodies import common_box, grey, show_slice, window_name
from vctlib.plots.style import PAGE_WIDTH
from vctlib.sources.resample import box_of

BONE_WINDOW = Window(-200.0, 800.0)
# Attenuation of water at the mean energy of a 120 kV beam behind the patient, 72 keV: 0.19 cm2/g. Source: hubbell1995.
WATER_PER_MM = 0.019


def levels(hu: np.ndarray, plane: Plane, *, spacing_mm: Sequence[float], n: int = 10, columns: int = 5) -> Figure:
    """`n` slices of one body (x, y, z; HU) that part it into shares of equal volume, in order, on one scale."""
    body = hu > BODY_THRESHOLD_HU
    inside = tuple(slice(low, high) for low, high in box_of(body))
    hu, axis = hu[inside], AXIS[plane]
    volume = np.cumsum(body[inside].sum(axis=tuple({0, 1, 2} - {axis})))
    positions = np.searchsorted(volume, volume[-1] * (np.arange(n) + 0.5) / n)
    if plane == "axial":
        positions = positions[::-1]  # from the head down
    pictures = [grey(take_slice(hu, plane, position), DISPLAY_WINDOW["body"]) for position in positions]
    across, down = spacing_mm[1 if plane == "sagittal" else 0], spacing_mm[1 if plane == "axial" else 2]
    inch = (PAGE_WIDTH / columns - 0.1) * pictures[0].shape[0] * down / (pictures[0].shape[1] * across)
    rows = -(-n // columns)
    figure, axes = plt.subplots(rows, columns, squeeze=False, figsize=(PAGE_WIDTH, rows * (inch + 0.12) + 0.3))
    for ax in axes.flat[n:]:
        ax.set_axis_off()
    for ax, picture in zip(axes.flat, pictures, strict=False):
        show_slice(ax, picture, plane, spacing_mm)
    _note(figure, DISPLAY_WINDOW["body"])
    return figure


def radiograph(hu: np.ndarray, spacing_mm: Sequence[float], plane: Plane = "coronal") -> np.ndarray:
    """A digitally reconstructed radiograph (height, width): parallel beams across a plane, -log of what comes through.

    The line integral of attenuation, (HU + 1000) / 1000 times `WATER_PER_MM`; no unit. Scatter and the heel effect
    are left out.
    """
    attenuation = np.clip((hu.astype(np.float32) - AIR_HU) / 1000.0, 0, None) * WATER_PER_MM
    return (attenuation.sum(axis=AXIS[plane]) * spacing_mm[AXIS[plane]]).T[::-1, ::-1]


def radiographs_of_people(
    volumes: Sequence[np.ndarray], captions: Sequence[str], *, spacing_mm: Sequence[float], columns: int = 4
) -> Figure:
    """Of each person (x, y, z; HU; one grid) a radiograph from the front and, beside it, the maximum intensity.

    Radiographs span 0 to the 99.5th percentile of what lies behind the body, each on its own; maxima `BONE_WINDOW`.
    """
    box = common_box(volumes)
    volumes = [hu[box] for hu in volumes]
    width_mm, _, height_mm = np.array(volumes[0].shape) * spacing_mm
    columns = min(columns, len(volumes))
    rows = -(-len(volumes) // columns)
    cell = (PAGE_WIDTH / columns - 0.1) * height_mm / (2 * width_mm)
    figure, axes = plt.subplots(rows, columns, squeeze=False, figsize=(PAGE_WIDTH, rows * (cell + 0.42) + 0.3))
    for ax in axes.flat[len(volumes) :]:
        ax.set_axis_off()
    for ax, hu, caption in zip(axes.flat, volumes, captions, strict=False):
        shadow = radiograph(hu, spacing_mm)
        behind = shadow[shadow > shadow.max() / 50]
        brightest = np.percentile(behind, 99.5) if len(behind) else 1.0
        right = show_slice(ax, np.clip(shadow / brightest, 0, 1), "coronal", spacing_mm)
        maximum = grey(hu.max(axis=AXIS["coronal"]), BONE_WINDOW).T[::-1, ::-1]
        show_slice(ax, maximum, "coronal", spacing_mm, right)
        ax.set_title(caption, fontsize=7.5, fontweight="normal", loc="center", pad=3)
    _note(figure, BONE_WINDOW, "Left: radiograph. Right: maximum intensity. ")
    return figure


def beside_each_other(
    groups: Mapping[str, Sequence[np.ndarray]],
    *,
    spacing_mm: Sequence[float],
    n: int = 4,
    planes: Sequence[Plane] = PLANES,
) -> Figure:
    """The first `n` people of each group, a row for each group and plane, through the middle of the neck's box.

    `groups`: name -> volumes (x, y, z; HU) of one shape. A group without people has empty rows.
    """
    shape = next((group[0].shape for group in groups.values() if len(group)), (2, 2, 2))
    width_mm, depth_mm, height_mm = np.array(shape) * spacing_mm
    sizes = {"sagittal": (depth_mm, height_mm), "coronal": (width_mm, height_mm), "axial": (width_mm, depth_mm)}
    rows = [(plane, name) for plane in planes for name in groups]
    inches = [PAGE_WIDTH / n * sizes[plane][1] / max(width_mm, depth_mm) for plane, _ in rows]
    figure, axes = plt.subplots(
        len(rows), n, squeeze=False, height_ratios=inches, figsize=(PAGE_WIDTH, sum(inches) + 0.1 * len(rows) + 0.3)
    )
    for own, (plane, name) in zip(axes, rows, strict=True):
        own[0].set_ylabel(f"{name}\n{plane}", fontsize=7.5)
        for place, ax in enumerate(own):
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
            if place < len(groups[name]):
                hu = groups[name][place]
                cut = take_slice(hu, plane, hu.shape[AXIS[plane]] // 2)
                show_slice(ax, grey(cut, DISPLAY_WINDOW["body"]), plane, spacing_mm)
    _note(figure, DISPLAY_WINDOW["body"])
    return figure


def _note(figure: Figure, window: Window, before: str = "") -> None:
    text = f"{before}Window {window_name(window)}. The person's right is on the left."
    figure.supxlabel(text, fontsize=7.5, color="#555555")
