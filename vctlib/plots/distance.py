"""How far phantoms are from real CT, drawn: histograms of Hounsfield units, distances beside their floor."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from vctlib.metrics.hu_histograms import MIDDLE
from vctlib.metrics.slices import PLANES
from vctlib.plots.style import COLOURS, PAGE_WIDTH

GROUP_COLOURS = {"real CT": COLOURS["real"], "phantoms": COLOURS["synthetic"]}
_SPAN_HU = (-1000.0, 1500.0)
_BARS = (COLOURS["train"], COLOURS["synthetic"], COLOURS["reconstructed"])
_ACCURACIES = {
    "accuracy_features": "deep features",
    "accuracy_histograms": "HU histogram",
    "accuracy_outline": "outline",
}


def histograms_beside(groups: Mapping[str, np.ndarray]) -> Figure:
    """Mean histogram of each group (people, bins) as a line, from the 10th to the 90th percentile of people as a band.

    On the left all of the body on a logarithmic axis, on the right fat and soft tissue. Percent of volume a bin.
    """
    figure, (whole, soft) = plt.subplots(1, 2, figsize=(PAGE_WIDTH, 3.6))
    for name, histograms in groups.items():
        for ax in (whole, soft):
            if len(histograms):
                low, high = np.percentile(100 * histograms, [10, 90], axis=0)
                colour = GROUP_COLOURS.get(name) or COLOURS[name]
                ax.fill_between(MIDDLE, low, high, color=colour, alpha=0.18, linewidth=0, step="mid")
                mean, label = 100 * histograms.mean(axis=0), f"{name} (n = {len(histograms)})"
                ax.plot(MIDDLE, mean, color=colour, linewidth=1.4, drawstyle="steps-mid", label=label)
            ax.set(xlabel="HU", ylabel="% of the body's volume a bin of 10 HU")
    whole.set(yscale="log", xlim=_SPAN_HU, ylim=(1e-3, None), title="(a)")
    soft.set(xlim=(-200, 200), title="(b)")
    if whole.get_legend_handles_labels()[0]:
        whole.legend()
    return figure


def distances_beside(results: Mapping[str, Mapping[str, Mapping]]) -> Figure:
    """Fréchet distance by plane, and accuracy of the three classifiers, of several results beside each other.

    `results`: name -> metrics of a result file, by the measures of `metrics.real_distance.distance_table`; the floor
    (black) is the last one's, chance is one half. Bars without a value are left out.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(PAGE_WIDTH, 3.6), width_ratios=[3, 2])
    panels = (
        (left, [f"frechet_{plane}" for plane in PLANES], list(PLANES), "Fréchet distance"),
        (right, list(_ACCURACIES), list(_ACCURACIES.values()), "accuracy, held out"),
    )
    wide = 0.8 / len(results)
    for ax, rows, names, label in panels:
        for place, ((name, metrics), colour) in enumerate(zip(results.items(), _BARS, strict=False)):
            value = np.array([metrics[row]["value"] for row in rows], float)
            ends = np.array([metrics[row]["ci95"] or (np.nan, np.nan) for row in rows], float).T
            x = np.arange(len(rows)) + (place - (len(results) - 1) / 2) * wide
            ax.bar(x, value, 0.9 * wide, yerr=np.abs(ends - value), color=colour, label=name)
        ax.set_xticks(range(len(rows)), names)
        ax.set_ylabel(label)
        ax.grid(axis="x", visible=False)
    for place, plane in enumerate(PLANES):
        floor = list(results.values())[-1][f"frechet_{plane}_floor"]["value"]
        left.plot([place - 0.45, place + 0.45], np.array([floor, floor], float), color="black", linewidth=1.4)
    right.axhline(0.5, color="black", linewidth=1.4)
    right.set_ylim(0, 1.05)
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=len(results))
    return figure
