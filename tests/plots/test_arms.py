"""A panel for each measure, an arm a row, in the order of the table."""

import numpy as np
import pandas as pd

from vctlib.plots.arms import arms_beside


def test_points_stand_where_their_values_are():
    rows = [("first", 1.0, 0.5, 1.5), ("second", 2.0, np.nan, np.nan), ("third", np.nan, np.nan, np.nan)]
    table = pd.DataFrame(rows, columns=["arm", "value", "low", "high"]).assign(measure="a")
    other = table.assign(measure="b", value=table["value"] * 10)
    figure = arms_beside(pd.concat([table, other]), {"b": "b (HU)", "a": "a"}, {"a": 0.2})
    left, right = figure.axes
    assert (left.get_xlabel(), right.get_xlabel()) == ("b (HU)", "a")
    assert [tick.get_text() for tick in left.get_yticklabels()] == ["first", "second", "third"]
    assert left.get_ylim()[0] > left.get_ylim()[1]  # the first arm is at the top
    points = right.lines[0]
    assert list(points.get_xdata()) == [1.0, 2.0] and list(points.get_ydata()) == [0, 1]
    assert len(right.collections[0].get_segments()) == 1  # one interval is known
    assert [line.get_xdata()[0] for line in right.lines[1:]] == [1.0, 0.2]
    assert [line.get_xdata()[0] for line in left.lines[1:]] == [10.0]


def test_measures_of_one_unit_share_an_axis_from_zero():
    rows = [("a", "first", 2.0, 1.5, 2.5), ("b", "first", 6.0, 5.0, 7.0)]
    table = pd.DataFrame(rows, columns=["measure", "arm", "value", "low", "high"])
    left, right = arms_beside(table, {"a": "a (pp)", "b": "b (pp)"}, one_axis=True).axes
    assert left.get_xlim() == right.get_xlim()
    assert left.get_xlim()[0] == 0 and left.get_xlim()[1] >= 7.0
    apart = arms_beside(table, {"a": "a (pp)", "b": "b (pp)"}).axes
    assert apart[0].get_xlim() != apart[1].get_xlim()
