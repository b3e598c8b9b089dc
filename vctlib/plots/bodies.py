"""Bodies on a page: slices side by side, labels over them, projections. HU, radiological convention throughout."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from vctlib.anatomy import AIR_HU, DISPLAY_WINDOW, LabelTable, Window
from vctlib.errors import InputError
from vctlib.measure.mask import BODY_THRESHOLD_HU
from vctlib.metrics.slices import AXIS, Plane, take_slice
from vctlib.plots.style import PAGE_WIDTH, label_colours

_GAP_MM = 16.0  # between the two views of a person
_CAPTION_INCHES = 0.42


def window_name(window: Window) -> str:
    """The window as figures state it: `-250 to 450 HU`."""
    return f"{window.low:g} to {window.high:g} HU".replace("-", "\N{MINUS SIGN}")


def grey(hu: np.ndarray, window: Window) -> np.ndarray:
    """HU to grey in [0, 1] (float32)."""
    return np.clip((hu.astype(np.float32) - window.low) / (window.high - window.low), 0, 1)


def body_centre(hu: np.ndarray) -> tuple[int, int, int]:
    """The voxel (x, y, z) whose three slices show most: the median of the body along each axis."""
    inside = hu > BODY_THRESHOLD_HU
    if not inside.any():
        return tuple(size // 2 for size in hu.shape)
    shares = [np.cumsum(inside.sum(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    return tuple(int(np.searchsorted(share, share[-1] / 2)) for share in shares)


def common_box(volumes: Sequence[np.ndarray], margin: int = 2) -> tuple[slice, slice, slice]:
    """The smallest box (x, y, z) that holds all bodies and `margin` voxels around them: one scale for a whole page."""
    inside = np.logical_or.reduce([hu > BODY_THRESHOLD_HU for hu in volumes])
    box = []
    for axis in range(3):
        occupied = np.flatnonzero(inside.any(axis=tuple({0, 1, 2} - {axis})))
        first, last = (occupied[0], occupied[-1]) if len(occupied) else (0, inside.shape[axis] - 1)
        box.append(slice(max(0, int(first) - margin), int(last) + 1 + margin))
    return tuple(box)


def paint(hu: np.ndarray, labels: np.ndarray | None, table: LabelTable | None, window: Window, alpha: float = 0.55):
    """A slice (height, width) as RGB, with the labels' colours laid over it."""
    picture = np.repeat(grey(hu, window)[..., None], 3, axis=-1)
    if labels is not None:
        colours = np.zeros((256, 3), np.float32)
        for number, colour in label_colours(table).items():
            colours[number] = to_rgb(colour)
        picture = np.where((labels > 0)[..., None], (1 - alpha) * picture + alpha * colours[labels], picture)
    return picture


def show_slice(ax: Axes, picture: np.ndarray, plane: Plane, spacing_mm: Sequence[float], left_mm: float = 0.0) -> float:
    """Draw a slice (height, width[, 3]) at true proportions in mm, from `left_mm` on; returns its right edge."""
    across, down = spacing_mm[1 if plane == "sagittal" else 0], spacing_mm[1 if plane == "axial" else 2]
    right_mm, top_mm = left_mm + picture.shape[1] * across, picture.shape[0] * down
    ax.imshow(picture, cmap="gray", vmin=0, vmax=1, extent=(left_mm, right_mm, 0, top_mm), interpolation="bilinear")
    ax.set(xlim=(0, right_mm), ylim=(0, top_mm), xticks=[], yticks=[], facecolor="black", aspect="equal")
    ax.spines[:].set_visible(False)
    return right_mm


def scale_bar(ax: Axes, length_mm: float = 200.0) -> None:
    """A white bar of this length in the lower left corner of axes that are drawn in mm on black."""
    ax.plot([20, 20 + length_mm], [24, 24], color="white", linewidth=2, solid_capstyle="butt")


def page_of_people(
    volumes: Sequence[np.ndarray],
    labels: Sequence[np.ndarray] | None,
    captions: Sequence[str],
    *,
    spacing_mm: Sequence[float],
    table: LabelTable | None = None,
    window: Window | None = None,
    columns: int = 6,
) -> Figure:
    """A page of people, coronal and sagittal through the middle of each, with a caption of one to three lines.

    `volumes`: HU (x, y, z), all on one grid of `spacing_mm`; `labels` with their `table`, or None. Twelve make a page.
    """
    if len(captions) != len(volumes) or (labels is not None and (len(labels) != len(volumes) or table is None)):
        raise InputError(f"{len(volumes)} volumes need as many captions, and as many label maps with their table")
    window = window or DISPLAY_WINDOW["body"]
    box = common_box(volumes)
    volumes, labels = [hu[box] for hu in volumes], None if labels is None else [own[box] for own in labels]
    figure, axes = _page(len(volumes), columns, volumes[0].shape, spacing_mm)
    for index, (ax, hu, caption) in enumerate(zip(axes, volumes, captions, strict=False)):
        centre, right = body_centre(hu), -_GAP_MM
        for plane in ("coronal", "sagittal"):
            own = None if labels is None else take_slice(labels[index], plane, centre[AXIS[plane]])
            picture = paint(take_slice(hu, plane, centre[AXIS[plane]]), own, table, window)
            right = show_slice(ax, picture, plane, spacing_mm, right + _GAP_MM)
        ax.set_title(caption, fontsize=7.5, fontweight="normal", loc="center", pad=3)
    scale_bar(axes[0])
    _note(figure, f"Window {window_name(window)}; bar 20 cm. The person's right is on the left.")
    return figure


def _page(count: int, columns: int, shape: Sequence[int], spacing_mm: Sequence[float]) -> tuple[Figure, Sequence[Axes]]:
    """As many axes as people, in rows, each in proportion to one person's two views."""
    columns = min(columns, count)
    rows = -(-count // columns)
    width_mm, depth_mm, height_mm = np.array(shape) * spacing_mm
    cell_inches = (PAGE_WIDTH / columns - 0.1) * height_mm / (width_mm + _GAP_MM + depth_mm) + _CAPTION_INCHES
    figure, axes = plt.subplots(rows, columns, squeeze=False, figsize=(PAGE_WIDTH, rows * cell_inches + 0.3))
    for ax in axes.flat[count:]:
        ax.set_axis_off()
    return figure, axes.flat[:count]


def _note(figure: Figure, text: str) -> None:
    figure.supxlabel(text, fontsize=7.5, color="#555555")


def label_overlay(
    hu: np.ndarray, labels: np.ndarray, table: LabelTable, *, spacing_mm: Sequence[float], window: Window | None = None
) -> Figure:
    """Coronal and sagittal slice (x, y, z; HU), bare and with the labels over it, and a legend of what is in them."""
    box = common_box([hu])
    hu, labels = hu[box], labels[box]
    window, centre = window or DISPLAY_WINDOW["body"], body_centre(hu)
    figure, axes = _views(hu.shape, spacing_mm, repeats=2, legend_inches=2.0)
    present = set()
    for i, plane in enumerate(("coronal", "sagittal")):
        cut, own = (take_slice(volume, plane, centre[AXIS[plane]]) for volume in (hu, labels))
        present |= set(np.unique(own).tolist()) - {0}
        show_slice(axes[i], paint(cut, None, table, window), plane, spacing_mm)
        show_slice(axes[i + 2], paint(cut, own, table, window), plane, spacing_mm)
    colours = label_colours(table)
    handles = [Patch(color=colours[number], label=table[number].replace("_", " ")) for number in sorted(present)]
    figure.legend(handles=handles, loc="outside right center", fontsize=7.5)
    scale_bar(axes[0])
    _note(figure, f"Window {window_name(window)}; bar 20 cm. The person's right is on the left.")
    return figure


def projection(hu: np.ndarray, *, spacing_mm: Sequence[float], window: Window | None = None) -> Figure:
    """Coronal and sagittal projections of a volume (x, y, z; HU): mean and maximum intensity.

    The mean is of attenuation, (HU + 1000) / 1000, from 0 to its 99.5th percentile in the body, much as a radiograph
    looks; the maximum shows bone in `window`.
    """
    window, hu = window or Window(-200.0, 800.0), hu[common_box([hu])]
    attenuation = np.clip((hu.astype(np.float32) - AIR_HU) / 1000.0, 0, None)
    figure, axes = _views(hu.shape, spacing_mm, repeats=2)
    for i, plane in enumerate(("coronal", "sagittal")):
        mean = attenuation.mean(axis=AXIS[plane])
        brightest = np.percentile(mean[mean > mean.max() / 50], 99.5) if mean.max() > 0 else 1.0
        show_slice(axes[i], (mean / brightest).T[::-1, ::-1], plane, spacing_mm)
        show_slice(axes[i + 2], grey(hu.max(axis=AXIS[plane]), window).T[::-1, ::-1], plane, spacing_mm)
    axes[0].set_title("mean", fontweight="normal")
    axes[2].set_title("maximum", fontweight="normal")
    scale_bar(axes[0])
    _note(figure, f"Mean of attenuation; maximum, window {window_name(window)}; bar 20 cm")
    return figure


def _views(shape, spacing_mm, repeats: int, legend_inches: float = 0.0, height: float = 5.0) -> tuple[Figure, Sequence]:
    """Axes for coronal and sagittal views, `repeats` times, in proportion to the grid."""
    width_mm, depth_mm, height_mm = np.array(shape) * spacing_mm
    width = height * repeats * (width_mm + depth_mm) / height_mm + 0.1 * (2 * repeats - 1) + legend_inches
    return plt.subplots(1, 2 * repeats, width_ratios=[width_mm, depth_mm] * repeats, figsize=(width, height + 0.5))
