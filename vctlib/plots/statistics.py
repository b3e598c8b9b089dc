"""How far the trial's statistics can be trusted, drawn: coverage, verdicts over the number of patients, few labels."""

from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vctlib.plots.style import PAGE_WIDTH
from vctlib.trial.split import task_named
from vctlib.trial.verdict import BETWEEN, FAIL, NOT_ENOUGH_EVIDENCE, PASS

_METHODS = {"percentile": ("#0072B2", "o", "percentile"), "bca": ("#D55E00", "s", "BCa with Student's quantiles")}
_FEW = {
    "bootstrap": ("#56B4E9", "D", "real labels, BCa bootstrap"),
    "Student": ("#0072B2", "o", "real labels, Student's t"),
    "prediction-powered": ("#D55E00", "s", "with synthetic people, prediction-powered"),
}
_OF_VERDICT = {PASS: "#009E73", BETWEEN: "#E6C36A", FAIL: "#D55E00", NOT_ENOUGH_EVIDENCE: "#D9D9D9"}  # as in `verdicts`
_LINE = {"color": "#555555", "linewidth": 0.9, "linestyle": "--", "zorder": 1}


def short_task(task: str) -> str:
    """`body_fat` -> `Body fat`."""
    return task_named(task).label.removesuffix(" percentage").removesuffix(" mass")


def _panels(table: pd.DataFrame, height: float, rows: int = 1) -> tuple[Figure, list[tuple[list[Axes], pd.DataFrame]]]:
    """A column of panels for each task and population, with its rows of the table."""
    cells = list(product(dict.fromkeys(table["task"]), dict.fromkeys(table["population"])))
    figure, axes = plt.subplots(rows, len(cells), figsize=(PAGE_WIDTH, height), sharey="row", squeeze=False)
    columns = []
    for letter, column, (task, population) in zip("abcdefgh", axes.T, cells, strict=False):
        column[0].set_title(f"({letter}) {short_task(task)}, {population}")
        columns.append((list(column), table[(table["task"] == task) & (table["population"] == population)]))
    return figure, columns


def _finished(figure: Figure, first: list[Axes], *labels: str) -> Figure:
    """With the labels of the first column of panels, from above, and its legend above all."""
    for ax, label in zip(first, labels, strict=True):
        ax.set_ylabel(label)
    handles, names = first[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=len(names))
    return figure


def _points(ax: Axes, rows: pd.DataFrame, x: np.ndarray, style: tuple[str, str, str]) -> None:
    """Shares with their intervals, in percent."""
    colour, marker, label = style
    value, low, high = (100 * rows[name].to_numpy() for name in ("value", "low", "high"))
    ax.errorbar(
        x, value, [value - low, high - value], fmt=marker, markersize=4.5, linewidth=1.2, color=colour, label=label
    )


def _places(ax: Axes, numbers: list[int], label: str) -> None:
    ax.set_xticks(range(len(numbers)), [f"{number}" for number in numbers])
    ax.set(xlabel=label, xlim=(-0.6, len(numbers) - 0.4))
    ax.grid(axis="x", visible=False)


def coverage_over_patients(table: pd.DataFrame, level: float = 0.95) -> Figure:
    """Share of intervals that hold the true error, a panel a task and population, a point a method of interval.

    table: rows with task, population, n_patients, method ("percentile", "bca"), value, low, high. Dashed: `level`.
    """
    figure, pairs = _panels(table, 3.0)
    for (ax,), own in pairs:
        numbers = sorted(set(own["n_patients"]))
        ax.axhline(100 * level, **_LINE)
        for place, (method, style) in enumerate(_METHODS.items()):
            rows = own[own["method"] == method].sort_values("n_patients")
            _points(ax, rows, np.searchsorted(numbers, rows["n_patients"]) + 0.24 * (place - 0.5), style)
        _places(ax, numbers, "patients of a trial")
    return _finished(figure, pairs[0][0], "intervals that hold\nthe true error (%)")


def verdicts_over_patients(table: pd.DataFrame) -> Figure:
    """Verdicts given by simulated trials, stacked to 100 %, over the number of patients; a panel a task and population.

    table: from `trial.simulation.verdict_rates`, with task and population. A panel says the true error and the verdict
    that it deserves.
    """
    figure, pairs = _panels(table, 3.2)
    for (ax,), own in pairs:
        numbers, base = sorted(set(own["n_patients"])), 0.0
        for verdict, colour in _OF_VERDICT.items():
            share = 100 * own[own["verdict"] == verdict].set_index("n_patients")["rate"].loc[numbers].to_numpy()
            ax.bar(range(len(numbers)), share, 0.8, base, color=colour, label=verdict, linewidth=0)
            base = base + share
        _places(ax, numbers, "patients of a trial")
        first = own.iloc[0]
        note = f"true MAE {first['true_mae']:.2f}: {first['deserved']}"
        ax.text(0, 1.01, note, transform=ax.transAxes, fontsize=7.5, color="#555555", va="bottom")
        ax.set_title(ax.get_title(loc="left"), loc="left", pad=16)
        ax.set_ylim(0, 100)
    return _finished(figure, pairs[0][0], "simulated trials (%)")


def few_labels(table: pd.DataFrame, level: float = 0.95) -> Figure:
    """Intervals from few real labels, alone and with synthetic people: coverage above, mean width below.

    table: from `trial.simulation.prediction_powered_coverage`, with task and population. Widths are those of the
    interval by Student's t in percent; 100 is no gain.
    """
    figure, pairs = _panels(table.rename(columns={"coverage": "value"}), 4.8, rows=2)
    for (above, below), own in pairs:
        numbers = sorted(set(own["n_real"]))
        plain = own[own["method"] == "Student"].set_index("n_real")["width"].loc[numbers]
        above.axhline(100 * level, **_LINE)
        below.axhline(100, **_LINE)
        for place, (method, style) in enumerate(_FEW.items()):
            rows = own[own["method"] == method].set_index("n_real").loc[numbers]
            x = np.arange(len(numbers)) + 0.22 * (place - 1)
            _points(above, rows, x, style)
            below.plot(x, 100 * rows["width"] / plain, style[1], markersize=4.5, color=style[0])
        for ax in (above, below):
            _places(ax, numbers, "real labels")
    return _finished(figure, pairs[0][0], "intervals that hold\nthe true error (%)", "mean width\n(% of Student's)")
