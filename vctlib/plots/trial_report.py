"""Figures of a trial on anybody's model: verdicts as intervals on the limits, errors over attributes."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vctlib.plots.style import COLOURS, PAGE_WIDTH
from vctlib.trial.populations import with_bmi

_NAMES = {"age_years": "age (years)", "height_cm": "height (cm)", "weight_kg": "weight (kg)", "bmi": "BMI (kg/m$^2$)"}


def _limits(ax: Axes, acceptable: float, failure: float) -> None:
    """Shade where an interval must lie to pass and to fail: an error below and above, an AUC above and below."""
    more_is_better = acceptable > failure
    low, high = ax.get_xlim()
    ends = (min(low, failure - 0.1), 1.0) if more_is_better else (0.0, max(high, 1.15 * failure))
    of_pass, of_fail = ends[::-1] if more_is_better else ends
    ax.axvspan(acceptable, of_pass, color="#009E73", alpha=0.10, linewidth=0)
    ax.axvspan(failure, of_fail, color="#D55E00", alpha=0.10, linewidth=0)
    ax.set_xlim(*ends)
    for first, second, words in (
        (acceptable, of_pass, "pass"),
        (acceptable, failure, "open"),
        (failure, of_fail, "fail"),
    ):
        place = (first + second) / 2
        ax.text(place, 1.01, words, transform=ax.get_xaxis_transform(), ha="center", va="bottom", color="#57606a")


def intervals_on_limits(
    rows: pd.DataFrame,
    name: str,
    *,
    acceptable: float,
    failure: float,
    label: str,
    colour_by: str | None = None,
) -> Figure:
    """One line a row: its endpoint and interval over the ranges that pass and fail; `label` names it with its unit.

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
    ax.set_xlabel(label)
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
