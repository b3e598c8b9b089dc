"""Charts of results. Each draws what it is given and returns its figure; colours and markers are the project's."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vctlib.attributes import HEIGHT_EDGES, N_CATEGORIES, WEIGHT_EDGES, category_label
from vctlib.errors import InputError
from vctlib.metrics.conditioning import agreement, categories
from vctlib.metrics.intervals import pearson
from vctlib.plots.style import COLOURS, ERROR_COLOURS, MARKERS, PAGE_WIDTH

_EDGES = {"height": HEIGHT_EDGES, "weight": WEIGHT_EDGES}
_NOTE = {"fontsize": 8, "linespacing": 1.35}
_MARGIN_COLOUR = "#8A8A8A"


def conditioning_boxplots(cohorts: Mapping[str, pd.DataFrame], panels: Sequence[tuple[str, str, str]]) -> Figure:
    """Fig. 4 of the paper: a measured quantity by category asked for, a box for each cohort.

    `cohorts`: name (a key of `COLOURS`) -> table of people; `panels`: (attribute, column, axis label with unit).
    Boxes are quartiles, whiskers reach 1.5 interquartile ranges. Grey bands are the height or weight asked for; the
    row of numbers is n of the first cohort.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(PAGE_WIDTH, 3.8), squeeze=False)
    for letter, ax, (attribute, column, label) in zip("abcdef", axes[0], panels, strict=False):
        frames = [
            pd.DataFrame({"category": categories(t, attribute), "value": t[column].to_numpy(float), "cohort": name})
            for name, t in cohorts.items()
        ]
        long = pd.concat(frames).dropna()
        shown = [k for k in range(1, N_CATEGORIES[attribute] + 1) if (long["category"] == k).any()]
        if not shown:
            ax.set(xticks=[], yticks=[], title=f"({letter})", xlabel=attribute, ylabel=label)
            ax.text(0.5, 0.5, "nobody could be measured", transform=ax.transAxes, ha="center")
            continue
        sns.boxplot(
            long, x="category", y="value", hue="cohort", order=shown, hue_order=list(cohorts), palette=dict(COLOURS),
            ax=ax, width=0.75, gap=0.12, linewidth=0.9, fliersize=2, saturation=0.9, legend=bool(ax is axes[0, 0]),
        )  # fmt: skip
        _asked_for(ax, attribute, shown)
        _counts(ax, frames[0].dropna()["category"], shown)
        names = [category_label(attribute, k) for k in shown]
        ax.set_xticks(range(len(shown)), [_short(name) for name in names], rotation=35, ha="right")
        ax.set(xlabel=f"{attribute} asked for{_unit(names)}", ylabel=label)
        ax.set_title(f"({letter})", pad=14)  # above the row of n
        ax.grid(axis="x", visible=False)
    _shared_legend(figure, axes[0, 0])
    return figure


def _asked_for(ax: Axes, attribute: str, shown: Sequence[int]) -> None:
    limits, edges = ax.get_ylim(), _EDGES.get(attribute, ())
    for position, k in enumerate(shown):
        if edges:
            low = edges[k - 2] if k > 1 else limits[0]
            high = edges[k - 1] if k <= len(edges) else limits[1]
            ax.fill_between([position - 0.48, position + 0.48], low, high, color="#EDEDED", linewidth=0, zorder=0)
    ax.set_ylim(limits)


def _counts(ax: Axes, numbers: pd.Series, shown: Sequence[int]) -> None:
    """The row of n above a panel."""
    style = {"fontsize": 6.5, "color": "#555555", "va": "bottom"}
    ax.text(-0.01, 1.005, "n", transform=ax.transAxes, ha="right", **style)
    for position, k in enumerate(shown):
        count = int((numbers == k).sum())
        ax.text(position, 1.005, str(count), transform=ax.get_xaxis_transform(), ha="center", **style)


def _short(label: str) -> str:
    """`under 50 kg` -> `<50`, `170-180 cm` -> `170–180`, `80 years and over` -> `80+`; the axis has the unit."""
    if not any(character.isdigit() for character in label):
        return label
    number = next(word for word in label.split() if word[0].isdigit()).replace("-", "\N{EN DASH}")
    return ("<" if label.startswith("under") else "") + number + ("+" if label.endswith("over") else "")


def _unit(labels: Sequence[str]) -> str:
    words = [word for word in labels[-1].split() if word in ("cm", "kg", "years")]
    return f" ({words[0]})" if words else ""


def _shared_legend(figure: Figure, ax: Axes) -> None:
    """Move one panel's legend to a line above all panels."""
    if ax.get_legend() is None:
        return
    handles, labels = ax.get_legend_handles_labels()
    ax.get_legend().remove()
    labels = [label.replace("_", " ") for label in labels]
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))


def scatter_identity(
    true, measured, quantity: str, unit: str, *, kind: str = "reference", ax: Axes | None = None
) -> Figure:
    """True against measured values (n,) of one quantity, with the identity line and r, bias and n in the panel."""
    ax = ax or plt.subplots(figsize=(3.8, 3.8))[1]
    result = agreement(true, measured)
    ax.scatter(true, measured, s=14, color=COLOURS[kind], alpha=0.65, linewidths=0)
    both = np.concatenate([np.asarray(true, float), np.asarray(measured, float)])
    margin = 0.05 * np.nanmax([np.ptp(both[np.isfinite(both)]), 1e-9])
    ends = np.nanmin(both) - margin, np.nanmax(both) + margin
    ax.plot(ends, ends, color="#555555", linewidth=0.9, linestyle="--", zorder=1)
    r, (low, high) = result.correlation.value, result.correlation.ci95
    note = f"r = {r:.3f} [{low:.3f}, {high:.3f}]\nbias = {result.bias:+.2f} {unit}\nn = {result.n}"
    ax.text(0.04, 0.97, note, transform=ax.transAxes, va="top", **_NOTE)
    ax.set(xlim=ends, ylim=ends, aspect="equal")
    ax.set(xlabel=f"{quantity}, true ({unit})", ylabel=f"{quantity}, measured ({unit})")
    return ax.figure


def training_curves(csv: Path | str, columns: int = 3) -> Figure:
    """Every figure in a `curves.csv` (`step`, perhaps `seconds`, then one column each) in a small panel of its own."""
    try:
        curves = pd.read_csv(csv)
        names = [name for name in curves if name not in ("step", "seconds")]
        steps = curves["step"]
    except (FileNotFoundError, KeyError, pd.errors.EmptyDataError):
        raise InputError(f"{csv}: not a training curve with a column `step`; train first") from None
    columns = min(columns, len(names))
    rows = -(-len(names) // columns)
    figure, axes = plt.subplots(rows, columns, squeeze=False, figsize=(PAGE_WIDTH, 2.1 * rows + 0.3))
    for ax, name in zip(axes.flat, names, strict=False):
        smooth = curves[name].rolling(max(1, len(curves) // 20), center=True, min_periods=1).median()
        ax.plot(steps, curves[name], color=COLOURS["train"], linewidth=0.8)
        ax.plot(steps, smooth, color=COLOURS["reference"], linewidth=1.6)
        if (curves[name] > 0).all() and curves[name].max() > 100 * curves[name].min():
            ax.set_yscale("log")
        ax.set_title(name.replace("_", " "), fontweight="normal")
    for ax in axes.flat[len(names) :]:
        ax.set_axis_off()
    figure.supxlabel("training step", fontsize=9)
    return figure


def split_scatter(
    table: pd.DataFrame,
    *,
    volume: str,
    other: str,
    target: str,
    boundary: tuple[float, float],
    labels: Mapping[str, str],
) -> Figure:
    """Fig. 6: the line that biases the populations, and the shortcut that it makes.

    `table`: one row a person with the columns named and `population` ("train", "ID", "OOD"). `boundary`: slope and
    intercept of `other` over `volume`. `labels`: column -> axis label with unit.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(PAGE_WIDTH, 4.2))
    for population, rows in ((p, table[table["population"] == p]) for p in ("train", "ID", "OOD")):
        style = {"color": COLOURS[population], "marker": MARKERS[population], "s": 22, "linewidths": 0, "alpha": 0.85}
        left.scatter(rows[volume], rows[other], label=f"{population} (n = {len(rows)})", **style)
        r = pearson(rows[volume], rows[target]).value
        right.scatter(rows[volume], rows[target], label=f"{population}, r = {r:.2f}", **style)
    ends, limits = np.array(left.get_xlim()), left.get_ylim()
    left.plot(ends, boundary[0] * ends + boundary[1], color="black", linewidth=1.2)
    left.set(xlim=ends, ylim=limits)
    for letter, ax, y in (("a", left, other), ("b", right, target)):
        ax.set(xlabel=labels[volume], ylabel=labels[y], title=f"({letter})")
        ax.legend(handletextpad=0.1)
    return figure


def error_violins(
    errors: pd.DataFrame, *, acceptable: float = 2.0, failure: float = 3.0, ax: Axes | None = None
) -> Figure:
    """Fig. 5a: absolute errors by population and arm, with quartiles inside, the mean as a dot, and the margins.

    `errors`: columns population ("ID", "OOD"), arm (a key of `COLOURS`), absolute_error in percentage points.
    """
    ax = ax or plt.subplots(figsize=(0.7 * PAGE_WIDTH, 4.0))[1]
    populations = [p for p in ("ID", "OOD") if (errors["population"] == p).any()]
    arms = list(dict.fromkeys(errors["arm"]))
    order = {"order": populations, "hue_order": arms, "x": "population", "y": "absolute_error", "hue": "arm"}
    sns.violinplot(
        errors,
        **order,
        palette=dict(COLOURS),
        inner="quart",
        cut=0,
        density_norm="width",
        gap=0.12,
        linewidth=0.9,
        ax=ax,
    )
    sns.pointplot(
        errors, **order, dodge=0.8 - 0.8 / len(arms), palette=["black"] * len(arms), linestyle="none", errorbar=None,
        markers="o", markersize=4, legend=False, ax=ax,
    )  # fmt: skip
    _margins(ax, acceptable, failure)
    ax.set(xlabel="test population", ylabel="absolute error (percentage points)", ylim=(0, None))
    sns.move_legend(ax, "upper left", title=None)
    for entry in ax.get_legend().get_texts():
        entry.set_text(entry.get_text().replace("_", " "))
    return ax.figure


def _margins(ax: Axes, acceptable: float, failure: float) -> None:
    for level, text in ((acceptable, "acceptable below"), (failure, "failure above")):
        ax.axhline(level, color=_MARGIN_COLOUR, linewidth=1, linestyle="--", zorder=0)
        ax.text(1.005, level, f"{text} {level:g}", transform=ax.get_yaxis_transform(), va="center", fontsize=7.5)


def error_map(
    tables: Mapping[str, pd.DataFrame], *, volume: str, other: str, error: str, labels: Mapping[str, str],
    boundary: tuple[float, float] | None = None,
) -> Figure:  # fmt: skip
    """Fig. 5c-h: where in (body volume, the other tissue) the model errs, one panel an arm, one colour scale.

    `tables`: arm -> one row an image with the columns named; `labels`: column -> text with unit.
    """
    figure, axes = plt.subplots(
        1, len(tables), sharex=True, sharey=True, squeeze=False, figsize=(PAGE_WIDTH, PAGE_WIDTH / len(tables) + 0.4)
    )
    every = pd.concat(list(tables.values()))
    norm = plt.Normalize(0, np.nanpercentile(every[error], 98))
    for letter, ax, (arm, table) in zip("abcdef", axes[0], tables.items(), strict=False):
        rows = table.sort_values(error)  # the largest errors on top
        points = ax.scatter(rows[volume], rows[other], c=rows[error], cmap=ERROR_COLOURS, norm=norm, s=26, linewidths=0)
        if boundary:
            ends = np.array([every[volume].min(), every[volume].max()])
            ax.plot(ends, boundary[0] * ends + boundary[1], color="black", linewidth=1, linestyle="--")
        ax.set(xlabel=labels[volume], title=f"({letter}) {arm.replace('_', ' ')}")
    axes[0, 0].set(ylabel=labels[other], ylim=_padded(every[other]))
    figure.colorbar(points, ax=axes, label=labels[error], extend="max", shrink=0.9, pad=0.01)
    return figure


def _padded(values: pd.Series, share: float = 0.06) -> tuple[float, float]:
    return values.min() - share * np.ptp(values), values.max() + share * np.ptp(values)
