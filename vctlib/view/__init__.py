"""Volumes in a notebook: a 3D viewer in JupyterLab, and slices wherever there is none."""

import os
from collections.abc import Sequence

from matplotlib.figure import Figure

from vctlib.anatomy import LabelTable, Window
from vctlib.errors import InputError
from vctlib.view.itk_viewer import show_in_itkwidgets
from vctlib.view.niivue_viewer import show_in_niivue
from vctlib.view.scene import Labels, Volume, make_scene
from vctlib.view.slice_figure import slice_figure

# In the order in which they are tried
BACKENDS = {"itkwidgets": show_in_itkwidgets, "niivue": show_in_niivue, "slices": slice_figure}

__all__ = ["BACKENDS", "in_jupyterlab", "show", "slices"]


def show(
    volume: Volume,
    labels: Labels = None,
    spacing_mm: Sequence[float] | None = None,
    window: Window | None = None,
    table: LabelTable | None = None,
    *,
    backend: str | None = None,
    **options,
):
    """A volume as an interactive 3D viewer in JupyterLab; where no JupyterLab listens, its `slices`.

    `volume`: HU (x, y, z; RAS+) with its `spacing_mm`; or (HU, affine) as `Cohort.ct` returns them, turned to RAS+
    here; or (cohort, subject_id), which knows its own. `labels` (same shape, numbers of `table`) are shown over it, in
    the book's colours where the `table` is there, else in some that tell them apart; True is the label map of the
    subject of a cohort, in the cohort's own table. The CT alone is the default, for labels hide what lies under them.
    `window` in HU, by default that of the book's bodies.

    `backend`: "itkwidgets", "niivue" or "slices"; None takes the first of them that can run here, and slices where no
    JupyterLab listens. `options` go to the viewer that is named: to `itkwidgets.view`, to `ipyniivue.NiiVue`, or
    `position` to the slices; without a name they are itkwidgets', and left out elsewhere.

    Raises InputError for another backend, one that is not installed, shapes that differ, or a missing spacing.
    """
    if backend is not None and backend not in BACKENDS:
        raise InputError(f"no backend {backend!r}; use {', '.join(BACKENDS)}, or None for the first that runs here")
    scene = make_scene(volume, labels, spacing_mm, window, table)
    if backend is not None:
        return BACKENDS[backend](scene, **options)
    if in_jupyterlab():
        for name, given in (("itkwidgets", options), ("niivue", {})):
            try:
                return BACKENDS[name](scene, **given)
            except InputError as reason:
                print(reason)
    return slice_figure(scene)


def slices(
    volume: Volume,
    labels: Labels = None,
    spacing_mm: Sequence[float] | None = None,
    window: Window | None = None,
    table: LabelTable | None = None,
    position: tuple[int, int, int] | None = None,
) -> Figure:
    """Coronal, sagittal and axial slice through `position` (voxel x, y, z; by default the body's middle).

    Arguments and errors as for `show`. The person's right is on the left.
    """
    return slice_figure(make_scene(volume, labels, spacing_mm, window, table), position)


def in_jupyterlab() -> bool:
    """Whether a Jupyter server started this kernel, so that somebody may be looking; false under papermill."""
    return "JPY_SESSION_NAME" in os.environ
