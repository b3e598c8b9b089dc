import numpy as np
import pandas as pd
import pytest

from vctlib.plots.realism import PANELS, realism_dots
from vctlib.plots.style import COLOURS

REGIONS = ("full_body", "torso")
ARMS = ("reference", "reconstructed", "synthetic", "synthetic_without_post_processing")


@pytest.fixture
def table() -> pd.DataFrame:
    rows = [
        (region, plane, arm, measure, 10.0 * r + a, 10.0 * r + a - 0.5, 10.0 * r + a + 0.25, 9)
        for r, region in enumerate(REGIONS)
        for plane in ("axial", "average")
        for a, arm in enumerate(ARMS)
        for measure in PANELS
    ]
    rows = [(*row[:4], row[4] + (100 if row[1] == "axial" else 0), *row[5:]) for row in rows]
    return pd.DataFrame(rows, columns=["region", "plane", "arm", "measure", "value", "low", "high", "n"])


def test_dots_are_the_means_of_each_arm_with_their_intervals_and_the_floor_is_a_line(table):
    figure = realism_dots(table)
    assert [ax.get_ylabel() for ax in figure.axes] == list(PANELS.values())
    for ax in figure.axes:
        dots = [container.lines[0] for container in ax.containers]
        assert [dot.get_ydata().tolist() for dot in dots] == [[1, 11], [2, 12], [3, 13]]
        colours = [dot.get_color() for dot in dots]
        assert colours[:2] == [COLOURS["reconstructed"], COLOURS["synthetic"]] and len(set(colours)) == 3
        (bars,) = ax.containers[0].lines[2]
        assert [path[:, 1].tolist() for path in bars.get_segments()] == [[0.5, 1.25], [10.5, 11.25]]
        floors = [line.get_ydata() for line in ax.lines if len(line.get_xdata()) == 2 and np.ptp(line.get_ydata()) == 0]
        assert [float(y[0]) for y in floors] == [0, 10]


def test_a_missing_interval_leaves_the_dot(table):
    table[["low", "high"]] = np.nan
    assert len(realism_dots(table).axes[0].containers) == 3
