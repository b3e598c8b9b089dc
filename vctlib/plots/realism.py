"""How near slices of each cohort are to the reference's, drawn: dots with intervals over the floor of real people."""

from collections.abc import Mapping
from types import MappingProxyType

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vctlib.plots.style import COLOURS, PAGE_WIDTH

PANELS: Mapping[str, str] = MappingProxyType(
    {
        "frechet": "Fréchet distance",
        "kernel": "kernel distance",
        "precision": "precision",
        "recall": "recall",
        "density": "density",
        "coverage": "coverage",
    }
)
_FURTHER = ("synthetic_rebiased", "OOD", "real_weighted", "ID")  # colours of arms that have none of their own
_FLOOR_COLOUR = "#8A8A8A"


def realism_dots(table: pd.DataFrame, floor: str = "reference") -> Figure:
    """A panel a measure of `metrics.realism.realism_table`, means over the planes: regions across, a dot an arm.

    Bars are 95 % intervals. The floor, an arm of other real people, is a line with its interval as a band.
    """
    means = table[table["plane"] == "average"]
    regions = list(dict.fromkeys(means["region"]))
    arms = [arm for arm in dict.fromkeys(means["arm"]) if arm != floor]
    further = iter(_FURTHER)
    colours = {arm: COLOURS.get(arm) or COLOURS[next(further, "ID")] for arm in arms}
    figure, axes = plt.subplots(2, 3, figsize=(PAGE_WIDTH, 5.6), sharex=True)
    for letter, ax, (measure, label) in zip("abcdef", axes.flat, PANELS.items(), strict=True):
        rows = means[means["measure"] == measure].set_index(["arm", "region"])
        _band(ax, rows.loc[floor].loc[regions])
        for place, arm in enumerate(arms):
            values = rows.loc[arm].loc[regions]
            x = np.arange(len(regions)) + (place - (len(arms) - 1) / 2) * 0.7 / max(len(arms), 1)
            reach = np.abs(values[["low", "high"]].to_numpy().T - values["value"].to_numpy())
            name = f"{arm.replace('_', ' ')} (n = {values['n'].iloc[0]})"
            ax.errorbar(x, values["value"], reach, fmt="o", markersize=4.5, color=colours[arm], label=name)
        ax.set(ylabel=label, title=f"({letter})")
        ax.grid(axis="x", visible=False)
        if measure != "kernel":
            ax.set_ylim(0, None)
        ax.set_xticks(range(len(regions)), [region.replace("_", "\n", 1).replace("_", " ") for region in regions])
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(arms) + 1)
    return figure


def _band(ax: Axes, rows: pd.DataFrame) -> None:
    """The floor of each region: a line as wide as the region's dots, its interval behind it."""
    for place, row in enumerate(rows.itertuples()):
        ends = [place - 0.42, place + 0.42]
        ax.fill_between(ends, row.low, row.high, color=_FLOOR_COLOUR, alpha=0.25, linewidth=0)
        label = f"other reference people (n = {row.n})" if place == 0 else None
        ax.plot(ends, [row.value, row.value], color=_FLOOR_COLOUR, linewidth=1.6, label=label)
