"""A detection task drawn: what a condition looks like in every arm, and receiver operating characteristics."""

from collections.abc import Mapping
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from sklearn.metrics import roc_auc_score, roc_curve

from vctlib.anatomy import DISPLAY_WINDOW, Window
from vctlib.metrics.slices import take_slice
from vctlib.plots.bodies import grey, scale_bar, show_slice, window_name
from vctlib.plots.style import COLOURS, PAGE_WIDTH

_BAR_MM = 50.0


class Shown(NamedTuple):
    """A finding in a volume."""

    hu: np.ndarray  # (x, y, z)
    centre: np.ndarray  # (3,) of the finding, in voxels
    diameter_mm: float


def findings_beside(arms: Mapping[str, Shown], spacing_mm: float, window: Window | None = None) -> Figure:
    """Axial slices through a finding, one column for each caption: bare above, with a ring about it below."""
    window = window or DISPLAY_WINDOW["soft_tissue"]
    shape = next(iter(arms.values())).hu.shape
    height = PAGE_WIDTH / len(arms) * shape[1] / shape[0]
    figure, axes = plt.subplots(2, len(arms), squeeze=False, figsize=(PAGE_WIDTH, 2 * height + 0.9))
    for column, (caption, shown) in zip(axes.T, arms.items(), strict=True):
        picture = grey(take_slice(shown.hu, "axial", int(round(shown.centre[2]))), window)
        for ax in column:
            show_slice(ax, picture, "axial", (spacing_mm,) * 3)
        # the slice is turned over in both directions: to the person's left, and to the back
        place = (np.array(shown.hu.shape[:2]) - 0.5 - shown.centre[:2]) * spacing_mm
        place[1] = shown.hu.shape[1] * spacing_mm - place[1]
        radius = shown.diameter_mm / 2 + 1.5 * spacing_mm
        column[1].add_patch(Circle(place, radius, fill=False, color="#F5D90A", linewidth=1.2))
        column[0].set_title(caption, fontsize=8.5, fontweight="normal", loc="center")
    scale_bar(axes[0, 0], _BAR_MM)
    note = f"Window {window_name(window)}; bar {_BAR_MM / 10:g} cm. The person's right is on the left."
    figure.supxlabel(note, fontsize=7.5, color="#555555")
    return figure


def roc_by_population(predictions: pd.DataFrame, populations: Mapping[str, str], arms: Mapping[str, str]) -> Figure:
    """A panel for each population (name -> title), a curve for each arm (name -> label) with its AUC.

    predictions: rows with population, arm, truth (0 or 1) and prediction. An arm whose people all have the condition,
    or none of whom has it, is left out.
    """
    figure, axes = plt.subplots(1, len(populations), figsize=(0.43 * PAGE_WIDTH * len(populations), 4.2), squeeze=False)
    for ax, (population, title) in zip(axes[0], populations.items(), strict=True):
        ax.plot([0, 1], [0, 1], color="#BBBBBB", linewidth=0.9, linestyle="--")
        for arm, label in arms.items():
            own = predictions[(predictions["population"] == population) & (predictions["arm"] == arm)]
            own = own.dropna(subset=["truth", "prediction"])
            if own["truth"].nunique() < 2:
                continue
            false, true, _ = roc_curve(own["truth"], own["prediction"])
            area = roc_auc_score(own["truth"], own["prediction"])
            style = {"color": COLOURS.get(arm, COLOURS["real"]), "linestyle": "-" if arm in COLOURS else ":"}
            ax.plot(false, true, linewidth=1.8, label=f"{label}: AUC {area:.2f}", **style)
        ax.set(
            xlabel="1 \N{MINUS SIGN} specificity", ylabel="sensitivity", xlim=(-0.01, 1), ylim=(0, 1.01), title=title
        )
        ax.set_aspect("equal")
        ax.legend(loc="lower right", fontsize=8)
    return figure
