import numpy as np
import pandas as pd
import pytest

from vctlib.plots.distance import distances_beside, histograms_beside
from vctlib.plots.population import beside_source, over_age, ratio_chart

PEOPLE = pd.DataFrame({"sex": ["female", "male"] * 10, "age_years": np.linspace(20, 80, 20), "bmi": 25.0})


def test_histograms_name_n_of_both_and_do_without_a_source():
    figure = beside_source(PEOPLE, PEOPLE[:6], {"bmi": "kg/m2"}, source_name="survey")
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["female, n = 10 and 3", "male, n = 10 and 3"]
    alone = beside_source(PEOPLE, None, {"bmi": "kg/m2"}, source_name="survey")
    assert alone.axes[0].get_title(loc="left") == "female, n = 10 and 0"


def test_published_band_spans_one_sd_to_either_side():
    figure = over_age(PEOPLE, "bmi", "kg/m2", [("published, male", 18, 88, 26.0, 4.0)])
    (band,) = (c for c in figure.axes[0].collections if len(c.get_paths()) == 1 and "Fill" in type(c).__name__)
    low, high = band.get_paths()[0].get_extents().get_points()[:, 1]
    assert (low, high) == (22, 30)


def test_ratios_stand_where_they_belong():
    rows = pd.DataFrame(
        {
            "quantity": ["a", "b", "c"],
            "sex": "male",
            "source": "x",
            "ratio": [0.5, np.nan, 2.0],
            "low": 0.4,
            "high": 2.1,
        }
        | {"role": ["independent", "input", "input"]}
    )
    ax = ratio_chart(rows).axes[0]
    assert ax.get_xscale() == "log" and len(ax.get_yticks()) == 2
    filled = {
        line.get_xdata()[0]: line.get_markerfacecolor() != "white" for line in ax.lines if len(line.get_xdata()) == 1
    }
    assert filled == {0.5: True, 2.0: False}  # what was put in is a ring


def test_bars_are_the_values_and_missing_ones_leave_gaps():
    names = [f"frechet_{plane}{end}" for plane in ("sagittal", "coronal", "axial") for end in ("", "_floor")]
    names += ["accuracy_features", "accuracy_histograms", "accuracy_outline"]
    now = {name: {"value": 2.0, "ci95": (1.0, 3.0)} for name in names}
    missing = {name: {"value": None, "ci95": None} for name in names}
    left, right = distances_beside({"before": now, "now": missing}).axes
    heights = [bar.get_height() for bar in left.patches]
    assert heights[:3] == [2, 2, 2] and np.isnan(heights[3:]).all() and len(right.patches) == 6


def test_histogram_of_an_empty_group_is_left_out():
    bins = np.random.default_rng(0).dirichlet(np.ones(410), 5)
    figure = histograms_beside({"real CT": bins[:0], "phantoms": bins})
    (line,) = figure.axes[0].lines
    assert line.get_ydata() == pytest.approx(100 * bins.mean(axis=0))
