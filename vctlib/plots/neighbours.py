"""Synthetic bodies beside the training people they are nearest to: copies would show."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from vctlib.anatomy import DISPLAY_WINDOW, Window
from vctlib.errors import InputError
from vctlib.metrics.slices import AXIS, take_slice
from vctlib.plots.bodies import body_centre, common_box, grey, show_slice, window_name
from vctlib.plots.style import PAGE_WIDTH


def closest_pairs_page(
    pairs: Sequence[tuple[np.ndarray, np.ndarray]],
    captions: Sequence[str],
    *,
    spacing_mm: Sequence[float],
    window: Window | None = None,
) -> Figure:
    """A row of pairs in coronal slices, each a synthetic body and beside it the training person nearest to it.

    `pairs`: volumes in HU (x, y, z), all on one grid of `spacing_mm`; both of a pair are cut where the synthetic
    body's middle is, so that what differs is the bodies. `captions`: one for each pair.
    """
    if len(captions) != len(pairs) or not pairs:
        raise InputError(
            f"{len(pairs)} pairs and {len(captions)} captions: give at least one pair, each with a caption"
        )
    window = window or DISPLAY_WINDOW["body"]
    box = common_box([hu for pair in pairs for hu in pair])
    width_mm, _, height_mm = np.array(pairs[0][0][box].shape) * spacing_mm
    inches = PAGE_WIDTH / (2 * len(pairs))
    figure, axes = plt.subplots(
        1, 2 * len(pairs), squeeze=False, figsize=(PAGE_WIDTH, inches * height_mm / width_mm + 0.9)
    )
    for index, (pair, caption) in enumerate(zip(pairs, captions, strict=True)):
        middle = body_centre(pair[0][box])[AXIS["coronal"]]
        own = axes[0, 2 * index : 2 * index + 2]
        for ax, hu, kind in zip(own, pair, ("synthetic", "training"), strict=True):
            show_slice(ax, grey(take_slice(hu[box], "coronal", middle), window), "coronal", spacing_mm)
            ax.set_xlabel(kind, fontsize=7.5)
        own[0].set_title(caption, fontsize=7.5, fontweight="normal", loc="left", pad=3)
    figure.supxlabel(f"Window {window_name(window)}. The person's right is on the left.", fontsize=7.5, color="#555555")
    return figure
