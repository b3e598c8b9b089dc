"""Who a cohort is, beside its sources: distributions, lines over age, ratios to published values."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vctlib.plots.style import COLOURS, PAGE_WIDTH

SEXES = ("female", "male")
SEX_COLOURS = {"female": COLOURS["OOD"], "male": COLOURS["reference"], "both": COLOURS["ID"]}
_SOURCE_COLOUR = "#C4C4C4"


def beside_source(
    cohort: pd.DataFrame, source: pd.DataFrame | None, columns: Mapping[str, str], *, source_name: str
) -> Figure:
    """Histograms of densities, a row a sex and a column a quantity: the cohort as lines over the source as areas.

    `columns`: column of both tables -> axis label with unit. Rows of NaN are left out; n of both stands in each panel.
    """
    figure, axes = plt.subplots(2, len(columns), figsize=(PAGE_WIDTH, 4.6), squeeze=False)
    for row, sex in zip(axes, SEXES, strict=True):
        for ax, (column, label) in zip(row, columns.items(), strict=True):
            own = cohort.loc[cohort["sex"] == sex, column].dropna()
            theirs = pd.Series(dtype=float) if source is None else source.loc[source["sex"] == sex, column].dropna()
            edges = np.histogram_bin_edges(pd.concat([own, theirs]), 24)
            if len(theirs):
                ax.hist(theirs, edges, density=True, color=_SOURCE_COLOUR, label=source_name)
            ax.hist(own, edges, density=True, histtype="step", color=SEX_COLOURS[sex], linewidth=1.6, label="phantoms")
            ax.set_title(f"{sex}, n = {len(own)} and {len(theirs)}", fontweight="normal")
            ax.set(xlabel=label, yticks=[])
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2)
    return figure


def over_age(
    table: pd.DataFrame, column: str, label: str, published: Sequence[tuple[str, float, float, float, float]] = (),
    line: tuple[np.ndarray, np.ndarray, str] | None = None,
) -> Figure:  # fmt: skip
    """A quantity over age (years), a dot a person and a colour a sex, with published values.

    `published`: (name, first and last age, mean, SD), drawn as a line over those ages with a band of one SD; a name
    that ends in a sex takes its colour. `line`: ages, values and name of a published line.
    """
    figure, ax = plt.subplots(figsize=(0.75 * PAGE_WIDTH, 3.8))
    for sex in SEXES:
        rows = table[table["sex"] == sex]
        style = {"s": 13, "alpha": 0.6, "linewidths": 0, "color": SEX_COLOURS[sex]}
        ax.scatter(rows["age_years"], rows[column], label=f"phantoms, {sex} (n = {len(rows)})", **style)
    for name, first, last, mean, sd in published:
        colour = SEX_COLOURS.get(name.split()[-1], SEX_COLOURS["both"])
        ax.fill_between([first, last], mean - sd, mean + sd, color=colour, alpha=0.15, linewidth=0)
        ax.plot([first, last], [mean, mean], color=colour, linewidth=1.6, label=name)
    if line is not None:
        ax.plot(line[0], line[1], color="black", linewidth=1.6, linestyle="--", label=line[2])
    ax.set(xlabel="age (years)", ylabel=label)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)
    return figure


def ratio_chart(rows: pd.DataFrame) -> Figure:
    """Ratios to published values (columns of `metrics.published.beside_published`) with intervals, on a log axis.

    What the phantoms are told (role `input`) is a ring, what they are not a dot.
    """
    rows = rows[rows["ratio"] > 0].reset_index(drop=True)
    figure, ax = plt.subplots(figsize=(0.8 * PAGE_WIDTH, 0.9 + 0.2 * len(rows)))
    for place, row in rows.iterrows():
        colour = SEX_COLOURS[row["sex"]]
        if np.isfinite(row["low"]) and row["low"] > 0:
            ax.plot([row["low"], row["high"]], [place, place], color=colour, linewidth=1.4)
        inside = "white" if row["role"] == "input" else colour
        ax.plot(row["ratio"], place, marker="o", color=colour, markerfacecolor=inside, markersize=5)
    names = [f"{r.quantity.replace('_', ' ')}, {r.sex} ({r.source})" for r in rows.itertuples()]
    ax.set_yticks(range(len(rows)), names, fontsize=7.5)
    ax.invert_yaxis()
    _log_ratio(ax)
    style = {"marker": "o", "linestyle": "", "color": "black", "markersize": 5}
    marks = [Line2D([], [], **style), Line2D([], [], **style, markerfacecolor="white")]
    ax.legend(marks, ["independent", "input of the phantoms"], loc="lower right")
    return figure


def _log_ratio(ax: Axes) -> None:
    ax.set_xscale("log")
    ticks = [t for t in (0.25, 0.5, 0.7, 1.0, 1.4, 2.0, 4.0) if ax.get_xlim()[0] <= t <= ax.get_xlim()[1]]
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
    ax.minorticks_off()
    ax.axvline(1.0, color="black", linewidth=0.9, linestyle="--", zorder=0)
    ax.set_xlabel("phantoms / published")
