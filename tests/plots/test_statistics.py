"""Figures and text tables of study 21: shares stand where they belong, in percent."""

import numpy as np
import pandas as pd
import pytest

from vctlib.plots.statistics import coverage_over_patients, few_labels, verdicts_over_patients
from vctlib.plots.statistics_tables import (
    coverage_by_arm,
    equivalence_by_difference,
    few_labels_by_method,
    verdicts_by_patients,
)
from vctlib.trial.simulation import METHODS, VERDICTS

CELLS = [("body_fat", "ID"), ("body_fat", "OOD"), ("muscle", "ID")]


def rows(*fields: dict) -> pd.DataFrame:
    return pd.DataFrame([{"task": task, "population": of} | row for task, of in CELLS[:2] for row in fields])


@pytest.fixture
def coverage() -> pd.DataFrame:
    share = {"low": 0.91, "high": 0.96, "n_trials": 1000, "below": 0.04, "above": 0.02}
    about = {"arm": "real", "true_mae": 1.234}
    return rows(
        *(
            about | share | {"n_patients": n, "method": method, "value": value, "width": width}
            for n, method, value, width in (
                (75, "percentile", 0.94, 0.5),
                (75, "bca", 0.95, 0.51),
                (10, "bca", 0.93, 2.0),
            )
        )
    )


@pytest.fixture
def few() -> pd.DataFrame:
    share = {"coverage": 0.95, "low": 0.93, "high": 0.96, "below": 0.03, "above": 0.02}
    return rows(
        *(
            share | {"n_real": n, "method": method, "width": n / 10 * scale, "power": power, "worth": n * 1.26}
            for n in (10, 40)
            for method, scale, power in zip(METHODS, (1.0, 0.9, 0.8), (None, None, 0.5), strict=True)
        )
    )


@pytest.fixture
def verdicts() -> pd.DataFrame:
    shares = dict(zip(VERDICTS, (0.5, 0.25, 0.0, 0.25), strict=True))
    return rows(
        *(
            {"true_mae": 1.5, "deserved": "pass", "n_patients": n, "verdict": verdict, "rate": shares[verdict]}
            for n in (20, 75)
            for verdict in VERDICTS
        )
    )


def test_coverage_of_a_method_stands_over_its_number_of_patients(coverage):
    figure = coverage_over_patients(coverage)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["(a) Body fat, ID", "(b) Body fat, OOD"]
    plain, corrected = (container.lines[0] for container in figure.axes[0].containers)
    assert plain.get_ydata().tolist() == [94] and corrected.get_ydata().tolist() == [93, 95]
    assert plain.get_xdata().round().tolist() == [1] and corrected.get_xdata().round().tolist() == [0, 1]
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["10", "75"]
    (bars,) = figure.axes[0].containers[0].lines[2]
    assert bars.get_segments()[0][:, 1].tolist() == pytest.approx([91, 96])
    assert figure.axes[0].lines[0].get_ydata() == [95, 95]  # dashed: what was promised


def test_verdicts_are_stacked_to_all_trials(verdicts):
    figure = verdicts_over_patients(verdicts)
    for ax in figure.axes:
        tops = [bar.get_y() + bar.get_height() for bar in ax.containers[-1]]
        assert tops == [100, 100] and len(ax.containers) == 4
        assert any("true MAE 1.50: pass" in text.get_text() for text in ax.texts)


def test_widths_are_shares_of_students(few):
    figure = few_labels(few)
    below = figure.axes[len(figure.axes) // 2]
    found = {tuple(np.round(line.get_ydata(), 6)) for line in below.lines if len(line.get_xdata()) == 2}
    assert {(100, 100), (90, 90), (80, 80)} <= found
    assert figure.axes[0].containers[0].lines[0].get_ydata().tolist() == [95, 95]


def test_cells_are_text_in_percent(coverage, few, verdicts):
    table = coverage_by_arm(coverage)
    assert table.iloc[0].to_dict() == {
        "Task": "Body fat", "Population": "ID", "Arm": "Real", "Patients": "75", "True MAE (pp)": "1.23",
        "Percentile (%) [95% CI]": "94.0 [91.0, 96.0]", "Percentile, width (pp)": "0.50",
        "BCa (%) [95% CI]": "95.0 [91.0, 96.0]", "BCa, width (pp)": "0.51",
    }  # fmt: skip
    assert table.iloc[1]["Percentile (%) [95% CI]"] == "\N{EN DASH}"  # of ten patients only the other was asked
    table = few_labels_by_method(few)
    assert table["Worth real labels"].tolist()[:4] == ["13"] * 3 + ["50"]
    assert table["Weight of synthetic"].tolist()[:3] == ["\N{EN DASH}"] * 2 + ["0.50"]
    assert table["Interval from"].tolist()[2] == "with synthetic people"
    table = verdicts_by_patients(verdicts)
    assert table.loc[0, ["Pass (%)", "Not enough evidence (%)", "Verdict on it"]].tolist() == ["50.0", "25.0", "pass"]


def test_equivalence_has_a_row_for_each_true_difference():
    share = {"arm": "synthetic", "value": 0.05, "low": 0.04, "high": 0.07, "n_trials": 1000}
    found = equivalence_by_difference(
        rows(*(share | {"difference": d, "method": m} for d in (1.0, -1.0, 0.0) for m in ("percentile", "bca")))
    )
    assert found["True difference (pp)"].tolist() == ["+1.0", "-1.0", "0"] * 2
    assert found["BCa, called equivalent (%) [95% CI]"].unique().tolist() == ["5.0 [4.0, 7.0]"]
