"""Three slices of a volume as a figure: what can be seen wherever there is no viewer."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from vctlib.metrics.slices import AXIS, take_slice
from vctlib.plots.bodies import body_centre, grey, show_slice, window_name
from vctlib.view.scene import Scene

_HEIGHT_INCHES = 5.0
_LABELS_OVER = 0.55  # as on the book's pages of people


def slice_figure(scene: Scene, position: tuple[int, int, int] | None = None) -> Figure:
    """Coronal, sagittal and axial slice through `position` (voxel x, y, z in RAS+; by default the body's middle)."""
    position = position or body_centre(scene.hu)
    extent = np.array(scene.hu.shape) * scene.spacing_mm
    widths = [extent[0], extent[1], extent[0]]
    size = (_HEIGHT_INCHES * sum(widths) / extent[2] + 0.6, _HEIGHT_INCHES + 0.5)
    figure, axes = plt.subplots(1, 3, width_ratios=widths, figsize=size, layout="constrained")
    for ax, plane in zip(axes, ("coronal", "sagittal", "axial"), strict=True):
        show_slice(ax, _painted(scene, plane, position[AXIS[plane]]), plane, scene.spacing_mm)
        ax.set_title(plane, fontweight="normal", loc="center")
    figure.supxlabel(f"Window {window_name(scene.window)}. The person's right is on the left.", fontsize=7.5)
    return figure


def _painted(scene: Scene, plane: str, position: int) -> np.ndarray:
    picture = np.repeat(grey(take_slice(scene.hu, plane, position), scene.window)[..., None], 3, axis=-1)
    if scene.labels is None:
        return picture
    colours = np.zeros((256, 3), np.float32)
    for number, colour in scene.colours.items():
        colours[number] = to_rgb(colour)
    own = take_slice(scene.labels, plane, position)
    mixed = (1 - _LABELS_OVER) * picture + _LABELS_OVER * colours[own]
    return np.where((own > 0)[..., None], mixed, picture)
