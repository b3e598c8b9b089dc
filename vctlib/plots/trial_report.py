"""Figures of a trial on anybody's model: verdicts as intervals on the limits, errors over attributes."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vctlib.plots.style import COLOURS, PAGE_WIDTH
from vctlib.trial.populations import with_bmi

_NAMES = {"age_years": "age (years)", "height_cm": "height (cm)", "weight_kg": "weight (kg)", "bmi": "BMI (kg/m$^2$)"}


def _limits(ax: Axes, acceptable: float, failure: float) -> None:
    """Shade where an interval must lie to pass and to fail."""
    ax.set_xlim(left=0)
    right = max(ax.get_xlim()[1], 1.15 * failure)
    ax.axvspan(0, acceptable, color="#009E73", alpha=0.10, linewidth=0)
    ax.axvspan(failure, right, color="#D55E00", alpha=0.10, linewidth=0)
    ax.set_xlim(0, right)
    for place, words in (
        (acceptable / 2, "pass"),
        ((acceptable + failure) / 2, "open"),
        ((failure + right) / 2, "fail"),
    ):
        ax.text(place, 1.01, words, transform=ax.get_xaxis_transform(), ha="center", va="bottom", color="#57606a")


def intervals_on_limits(
    rows: pd.DataFrame, name: str, *, acceptable: float, failure: float, unit: str, colour_by: str | None = None
) -> Figure:
    """One line a row: its MAE and interval over the ranges that pass and fail.

    rows: mae, mae_low, mae_high (NaN where people were too few), n_patients, the column `name` for the line's name,
    and `colour_by`, whose values are keys of `COLOURS`.
    """
    figure, ax = plt.subplots(figsize=(0.8 * PAGE_WIDTH, 0.9 + 0.33 * len(rows)))
    for height, row in enumerate(rows.to_dict("records")):
        colour = COLOURS.get(row[colour_by], "black") if colour_by else COLOURS["synthetic"]
        ax.plot([row["mae_low"], row["mae_high"]], [height, height], color=colour, linewidth=2.2)
        ax.plot(
            row["mae"], height, "o", color=colour, markersize=6, fillstyle="full" if row["mae_low"] >= 0 else "none"
        )
    names = [f"{row[name]}  (n = {row['n_patients']})" for row in rows.to_dict("records")]
    ax.set(yticks=range(len(rows)), yticklabels=names, ylim=(len(rows) - 0.5, -0.5))
    ax.set_xlabel(f"mean absolute error ({unit})")
    ax.grid(axis="y", visible=False)
    _limits(ax, acceptable, failure)
    return figure


def errors_over_attributes(frame: pd.DataFrame, unit: str, arm: str) -> Figure:
    """Signed errors over age, height, weight and BMI with a running mean: who is judged too high, who too low.

    frame: one row an image with `error` and the columns of attributes; those that are absent have no panel.
    """
    frame = with_bmi(frame)
    columns = [name for name in _NAMES if name in frame and frame[name].notna().any()]
    figure, axes = plt.subplots(1, len(columns), figsize=(PAGE_WIDTH, 2.8), sharey=True, squeeze=False)
    for ax, column in zip(axes.flat, columns, strict=True):
        known = frame[[column, "error"]].dropna().sort_values(column)
        ax.plot(known[column], known["error"], "o", color=COLOURS[arm], alpha=0.5, markersize=4, markeredgewidth=0)
        width = max(len(known) // 4, 5)
        if len(known) > 2 * width:
            mean = known.rolling(width, center=True).mean().dropna()
            ax.plot(mean[column], mean["error"], color="black", linewidth=1.5)
        ax.axhline(0, color="#777777", linewidth=0.8)
        ax.set_xlabel(_NAMES[column])
    axes.flat[0].set_ylabel(f"answer less truth ({unit})")
    figure.align_xlabels()
    return figure


def svg_of(figure: Figure) -> str:
    """The figure as SVG text; closes it."""
    from io import StringIO

    text = StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    return text.getvalue()
