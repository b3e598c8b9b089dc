"""Arms beside each other: a panel for each measure, a point with its interval for each arm."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vctlib.plots.style import COLOURS, PAGE_WIDTH

_COLUMNS = 4


def arms_beside(
    table: pd.DataFrame, labels: dict[str, str], floors: dict[str, float] | None = None, *, one_axis: bool = False
) -> Figure:
    """`table`: rows with arm, measure, value, low, high; `labels`: measure -> axis label with its unit, in order.

    Arms stand in the order of the table, from above. The dashed line is the first arm's value, the dotted one a
    measure's floor. With `one_axis` all measures, which must be of one unit, share an axis that begins at 0.
    """
    arms = list(dict.fromkeys(table["arm"]))
    columns = min(_COLUMNS, len(labels))
    rows = -(-len(labels) // columns)
    size = (PAGE_WIDTH, rows * (0.22 * len(arms) + 0.9))
    figure, axes = plt.subplots(rows, columns, squeeze=False, sharey=True, sharex=one_axis, figsize=size)
    for ax in axes.flat[len(labels) :]:
        ax.set_axis_off()
    for ax, (measure, label) in zip(axes.flat, labels.items(), strict=False):
        own = table[table["measure"] == measure].set_index("arm").reindex(arms)
        value, low, high = (own[name].to_numpy(float) for name in ("value", "low", "high"))
        height = np.arange(len(arms))
        known = np.isfinite(value)
        whiskers = known & np.isfinite(low) & np.isfinite(high)
        ax.hlines(height[whiskers], low[whiskers], high[whiskers], color=COLOURS["synthetic"], linewidth=1.2)
        ax.plot(value[known], height[known], "o", color=COLOURS["synthetic"], markersize=4)
        if known[0]:
            ax.axvline(value[0], color="#777777", linewidth=0.8, linestyle="--")
        if floors and np.isfinite(floors.get(measure, np.nan)):
            ax.axvline(floors[measure], color="black", linewidth=0.8, linestyle=":")
        ax.set(xlabel=label, yticks=height, yticklabels=arms, ylim=(len(arms) - 0.5, -0.5))
        ax.grid(axis="y", visible=False)
    if one_axis:
        axes[0, 0].set_xlim(left=0)
    return figure
