"""Verdicts of real and synthetic people beside each other, over many models and populations."""

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from vctlib.plots.style import PAGE_WIDTH
from vctlib.trial.arms import REAL, SYNTHETIC
from vctlib.trial.verdict import BETWEEN, FAIL, NOT_ENOUGH_EVIDENCE, PASS

# Told apart with every common colour blindness (wong2011), and each by a letter besides.
_OF_VERDICT = {
    PASS: ("#009E73", "p"),
    BETWEEN: ("#E6C36A", "b"),
    NOT_ENOUGH_EVIDENCE: ("#D9D9D9", ""),
    FAIL: ("#D55E00", "f"),
}
_SHARES = ("same verdict", "pass kept", "false alarm", "miss")


def verdict_map(cells: pd.DataFrame) -> Figure:
    """A row a model, a column a population; a cell's left half is the verdict of real people, its right of synthetic.

    cells: from `cell_table`. A frame marks cells in which both are decided and contradict each other; under a
    population stands how many people it has, real | synthetic where these are not as many.
    """
    models, populations = (list(dict.fromkeys(cells[name])) for name in ("model", "population"))
    sizes = cells.groupby("population")[[f"n_{REAL}", f"n_{SYNTHETIC}"]].max().astype(int)
    people = {name: " | ".join(str(n) for n in dict.fromkeys(row)) for name, *row in sizes.itertuples()}
    figure, ax = plt.subplots(figsize=(PAGE_WIDTH, 1.0 + 0.36 * len(models)))
    for row in cells.itertuples():
        x, y = populations.index(row.population), models.index(row.model)
        verdicts = [getattr(row, f"verdict_{arm}") for arm in (REAL, SYNTHETIC)]
        for half, verdict in enumerate(verdicts):
            colour, letter = _OF_VERDICT[verdict]
            ax.add_patch(plt.Rectangle((x + 0.04 + 0.46 * half, y + 0.06), 0.46, 0.88, color=colour, linewidth=0))
            ax.text(x + 0.27 + 0.46 * half, y + 0.5, letter, ha="center", va="center", fontsize=8)
        if set(verdicts) == {PASS, FAIL}:
            ax.add_patch(plt.Rectangle((x + 0.04, y + 0.06), 0.92, 0.88, fill=False, edgecolor="black", linewidth=1.6))
    ax.set(xlim=(0, len(populations)), ylim=(len(models), 0))
    ax.set_xticks([i + 0.5 for i in range(len(populations))], [f"{name}\nn = {people[name]}" for name in populations])
    ax.set_yticks([i + 0.5 for i in range(len(models))], models)
    ax.tick_params(length=0)
    ax.grid(visible=False)
    sns.despine(ax=ax, left=True, bottom=True)
    handles = [
        Patch(color=colour, label=f"{name} ({letter})" if letter else name)
        for name, (colour, letter) in _OF_VERDICT.items()
    ]
    ax.legend(handles=handles, ncols=4, loc="lower left", bbox_to_anchor=(0, 1.0), handlelength=1.0)
    return figure


def agreement_over_size(curve: pd.DataFrame) -> Figure:
    """Shares of `agreement_by_size` over the number of synthetic people of a cell, with the range over draws."""
    figure, ax = plt.subplots(figsize=(0.75 * PAGE_WIDTH, 3.4))
    for colour, measure in zip(("#0072B2", "#009E73", "#D55E00", "#CC79A7"), _SHARES, strict=True):
        own = curve[curve["measure"] == measure].sort_values("size")
        ax.plot(own["size"], own["value"], "o-", color=colour, markersize=4, label=measure)
        ax.fill_between(own["size"], own["low"], own["high"], color=colour, alpha=0.15, linewidth=0)
    sizes = sorted(set(curve["size"]))
    ax.set_xscale("log")
    ax.set_xticks(sizes, [f"{size:g}" for size in sizes])
    ax.minorticks_off()
    ax.set(xlabel="synthetic people of a cell, at most", ylabel="share", ylim=(0, 1))
    ax.legend(ncols=4, loc="lower left", bbox_to_anchor=(0, 1.0))
    return figure
