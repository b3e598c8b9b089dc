import numpy as np
import pandas as pd
import pytest

from vctlib.errors import InputError
from vctlib.trial import endpoint
from vctlib.trial.evaluate import error_tables, table_of_arms
from vctlib.trial.protocol import Protocol, read_protocol
from vctlib.trial.report import trial_report
from vctlib.trial.subgroups import subgroup_table

DETECTION = """
task: fracture
endpoint: auc
truth_column: vertebral_fracture
margins: {acceptable: 0.9, failure: 0.75}
populations: {young: {age_years: [0, 50]}, old: {age_years: [50, 100]}}
arms: [real, synthetic]
n_resamples: 400
"""


@pytest.fixture
def protocol(tmp_path) -> Protocol:
    path = tmp_path / "protocol.yaml"
    path.write_text(DETECTION)
    return read_protocol(path)


@pytest.fixture
def predictions() -> pd.DataFrame:
    """80 people of two populations; scores tell well among the young and the wrong way among the old."""
    rng, rows = np.random.default_rng(0), []
    for arm in ("real", "synthetic"):
        for i in range(80):
            old, truth = i >= 40, float(i % 2)
            score = rng.normal() + (-1.0 if old else 4.0) * truth
            about = {"population": "old" if old else "young", "age_years": 70.0 if old else 30.0}
            rows.append(about | {"subject_id": f"p{i}", "arm": arm, "vertebral_fracture": truth, "prediction": score,
                                 "sex": "female" if i % 4 < 2 else "male"})  # fmt: skip
    return pd.DataFrame(rows)


def test_a_detection_is_judged_by_its_auc(protocol, predictions):
    table = table_of_arms(error_tables(predictions, protocol), protocol).set_index(["population", "arm"])
    for arm in ("real", "synthetic"):
        assert table.loc[("young", arm), "verdict"] == "pass" and table.loc[("old", arm), "verdict"] == "fail"
        assert table.loc[("young", arm), "mae_low"] > 0.9 and table.loc[("old", arm), "mae_high"] < 0.75
    assert table["z"].isna().all()
    row = table.loc[("young", "synthetic")]
    assert row["difference"] == pytest.approx(row["mae"] - table.loc[("young", "real"), "mae"])
    assert row["p_equivalence"] < 0.05  # within 0.15, what lies between the limits


def test_the_report_speaks_of_auc(protocol, predictions):
    table = table_of_arms(error_tables(predictions, protocol), protocol)
    text = trial_report(table, protocol)
    assert "images say **fail**: AUC 0." in text and "AUC is the share of pairs" in text
    assert "lies above 0.9 and fails where it lies below 0.75" in text
    assert "MAE" not in text and "ranks right" in text and " pp" not in text
    assert "equivalent within +-0.15 (p" in text


def test_subgroups_without_both_kinds_have_no_interval(protocol, predictions):
    frame = predictions[predictions["arm"] == "real"].assign(error=0.0)
    frame.loc[frame["sex"] == "male", "vertebral_fracture"] = 0.0
    found = subgroup_table(frame, protocol).set_index("subgroup")
    assert np.isnan(found.loc["male", "mae"]) and found.loc["male", "verdict"] == "not enough evidence"
    assert found.loc["65 years and over", "verdict"] == "fail"
    assert found.loc["female", "mae_low"] < found.loc["female", "mae"] < found.loc["female", "mae_high"]


def test_limits_of_an_auc_are_turned_round(protocol):
    assert endpoint.verdict(0.91, 0.99, protocol) == endpoint.point_verdict(0.95, protocol) == "pass"
    assert endpoint.verdict(0.5, 0.74, protocol) == endpoint.point_verdict(0.6, protocol) == "fail"
    assert endpoint.verdict(0.76, 0.89, protocol) == endpoint.point_verdict(0.8, protocol) == "between the limits"
    assert endpoint.verdict(0.7, 0.95, protocol) == "not enough evidence"


@pytest.mark.parametrize(
    "change, words",
    [
        ("margins: {acceptable: 0.75, failure: 0.9}", "failure .0.9. must lie between 0.5 and acceptable"),
        ("margins: {acceptable: 2, failure: 0.9}", "acceptable below 1"),
        ("task: body_fat", "body_fat is a number, which has no AUC"),
        ("endpoint: roc", "endpoint"),
    ],
)
def test_a_protocol_that_cannot_be_meant_so(tmp_path, change, words):
    path = tmp_path / "protocol.yaml"
    key = change.split(":")[0]
    lines = [line for line in DETECTION.strip().splitlines() if not line.startswith(f"{key}:")]
    path.write_text("\n".join([*lines, change]))
    with pytest.raises(InputError, match=words):
        read_protocol(path)


def test_a_number_keeps_its_limits_and_its_words():
    protocol = Protocol(task="body_fat", arms=["real"])
    assert (protocol.measure_with_unit, protocol.with_unit("2")) == ("MAE (pp)", "2 pp")
    assert endpoint.verdict(0.5, 1.5, protocol) == "pass" and endpoint.verdict(3.1, 4, protocol) == "fail"
    assert protocol.estimand.startswith("mean absolute error")
