"""Volumes in a notebook: a 3D viewer in JupyterLab, and slices wherever there is none."""

import os
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from vctlib.anatomy import DISPLAY_WINDOW, LabelTable, Window
from vctlib.cohort import Cohort
from vctlib.errors import InputError
from vctlib.labextension import extension_folder, install_labextension
from vctlib.metrics.slices import AXIS, take_slice
from vctlib.plots.bodies import body_centre, paint, show_slice, window_name

Volume = np.ndarray | tuple[Cohort, str]  # HU (x, y, z), or a cohort and a subject id
_HEIGHT_INCHES = 5.0


def view(
    volume: Volume,
    spacing_mm: Sequence[float] | None = None,
    window: Window | None = None,
    labels: np.ndarray | None = None,
    table: LabelTable | None = None,
    **options,
):
    """A volume as an interactive 3D viewer in JupyterLab; where no JupyterLab listens, its `slices`.

    `volume`: HU (x, y, z; RAS+) with its `spacing_mm`, or (cohort, subject_id), which knows its own. `labels` (same
    shape, numbers of `table`) are shown over it. `window` in HU; `options` go to `itkwidgets.view`. Raises InputError
    where itkwidgets is missing, shapes differ, or a volume comes without its spacing.
    """
    hu, spacing_mm = _resolve(volume, spacing_mm)
    if not in_jupyterlab():
        return slices(hu, spacing_mm, window, labels, table)
    try:
        import itk
        import itkwidgets
    except ImportError as error:
        raise InputError(f"no 3D viewer ({error}): pip install itkwidgets==0.32.6, or use slices()") from None
    if not extension_folder().exists():
        print("The 3D viewer has just been installed: reload this page once and run the cell again.")
    install_labextension()
    low, high = window or DISPLAY_WINDOW["body"]
    clipped = np.clip(hu, low, high).astype(np.float32)  # vmin and vmax of the viewer have no effect
    if labels is not None:
        options["label_image"] = _itk_image(itk, _same_shape(labels, hu).astype(np.uint8), spacing_mm)
    return itkwidgets.view(
        _itk_image(itk, clipped, spacing_mm), **{"ui_collapsed": True, "cmap": "bone_Matlab"} | options
    )


def slices(
    volume: Volume,
    spacing_mm: Sequence[float] | None = None,
    window: Window | None = None,
    labels: np.ndarray | None = None,
    table: LabelTable | None = None,
    position: tuple[int, int, int] | None = None,
) -> Figure:
    """Coronal, sagittal and axial slice through `position` (voxel x, y, z; by default the body's middle).

    Arguments and errors as for `view`; `labels` need their `table`. The person's right is on the left.
    """
    hu, spacing_mm = _resolve(volume, spacing_mm)
    if labels is not None and table is None:
        raise InputError("labels need the table that names their numbers")
    labels = None if labels is None else _same_shape(labels, hu)
    window, position = window or DISPLAY_WINDOW["body"], position or body_centre(hu)
    extent = np.array(hu.shape) * spacing_mm
    widths = [extent[0], extent[1], extent[0]]
    size = (_HEIGHT_INCHES * sum(widths) / extent[2] + 0.6, _HEIGHT_INCHES + 0.5)
    figure, axes = plt.subplots(1, 3, width_ratios=widths, figsize=size, layout="constrained")
    for ax, plane in zip(axes, ("coronal", "sagittal", "axial"), strict=True):
        cut, own = (v if v is None else take_slice(v, plane, position[AXIS[plane]]) for v in (hu, labels))
        show_slice(ax, paint(cut, own, table, window), plane, spacing_mm)
        ax.set_title(plane, fontweight="normal", loc="center")
    figure.supxlabel(f"Window {window_name(window)}. The person's right is on the left.", fontsize=7.5)
    return figure


def in_jupyterlab() -> bool:
    """Whether a Jupyter server started this kernel, so that somebody may be looking; false under papermill."""
    return "JPY_SESSION_NAME" in os.environ


def _resolve(volume: Volume, spacing_mm: Sequence[float] | None) -> tuple[np.ndarray, Sequence[float]]:
    if isinstance(volume, tuple):
        cohort, subject_id = volume
        return cohort.ct(subject_id)[0], cohort.info.spacing_mm
    if np.ndim(volume) != 3:
        raise InputError(f"a volume has three axes (x, y, z); this one has the shape {np.shape(volume)}")
    if spacing_mm is None:
        raise InputError("give spacing_mm, the voxel size (x, y, z) in mm; an array does not know it")
    return np.asarray(volume), spacing_mm


def _same_shape(labels: np.ndarray, hu: np.ndarray) -> np.ndarray:
    if np.shape(labels) != hu.shape:
        raise InputError(f"the label map {np.shape(labels)} and the volume {hu.shape} must have one shape")
    return np.asarray(labels)


def _itk_image(itk, array: np.ndarray, spacing_mm: Sequence[float]):
    """An ITK image of an array (x, y, z) in RAS+.

    ITK's world is LPS: left as it is, the body would be shown as its mirror image, so x and y are turned. ITK wants
    (z, y, x), and takes the spacing apart from the array.
    """
    image = itk.image_from_array(np.ascontiguousarray(array[::-1, ::-1].T))
    image.SetSpacing([float(mm) for mm in spacing_mm])
    return image
