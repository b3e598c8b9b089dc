"""A detection task's tables: counts, areas, differences, and what is missing."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from vctlib.errors import InputError
from vctlib.trial.detection import detection_by_arm, detection_by_size, false_alarms, shown_by_arm, shown_by_size
from vctlib.trial.protocol import Protocol, read_protocol
from vctlib.trial.verdict import NOT_ENOUGH_EVIDENCE

PROTOCOL = Protocol.model_validate(
    {
        "task": "lesions", "endpoint": "auc", "truth_column": "truth",
        "margins": {"acceptable": 0.9, "failure": 0.8},
        "populations": {"slim": {"bmi": [10.0, 30.0]}, "heavy": {"bmi": [30.0, 90.0]}},
        "arms": ["real", "synthetic"], "n_resamples": 400,
    }
)  # fmt: skip


@pytest.fixture
def predictions():
    """Forty people of each population; twice as many synthetic images, on which the scores tell less."""
    rng, rows = np.random.default_rng(0), []
    for population in ("slim", "heavy"):
        for number in range(40):
            ill = number % 2
            row = {"population": population, "subject_id": f"{population}{number}", "truth": float(ill)}
            row |= {"largest_mm": ill * (5.0 + number)}
            rows.append(row | {"arm": "real", "prediction": ill * 5 + rng.normal()})
            rows += [row | {"arm": "synthetic", "prediction": 0.5 * ill + rng.normal()} for _ in range(2)]
    return pd.DataFrame(rows)


def test_every_arm_has_its_area_and_its_difference(predictions):
    table = detection_by_arm(predictions, PROTOCOL, ["real", "synthetic"]).set_index(["population", "arm"])
    for (population, arm), row in table.iterrows():
        own = predictions[(predictions["population"] == population) & (predictions["arm"] == arm)]
        assert row["auc"] == pytest.approx(roc_auc_score(own["truth"], own["prediction"]))
        assert row["low"] <= row["auc"] <= row["high"] and row["n_patients"] == 40 and row["n_with"] == 20
        assert row["n"] == len(own) == row["n_asked"]
    gap = table.loc[("slim", "synthetic"), "difference"]
    assert gap == pytest.approx(table.at[("slim", "synthetic"), "auc"] - table.at[("slim", "real"), "auc"])
    assert table.at[("slim", "synthetic"), "difference_high"] < 0 and np.isnan(table.at[("slim", "real"), "difference"])
    assert table.at[("slim", "real"), "verdict"] == "pass" and table.at[("slim", "synthetic"), "verdict"] == "fail"


def test_what_has_no_answer_is_counted_and_left_out(predictions):
    lost = predictions["arm"].eq("real") & predictions["subject_id"].isin(["slim3", "heavy1", "heavy2", "heavy3"])
    table = detection_by_arm(predictions.assign(prediction=predictions["prediction"].mask(lost)), PROTOCOL, ["real"])
    assert list(table["n"]) == [39, 37] and list(table["n_asked"]) == [40, 40] and list(table["n_with"]) == [19, 18]
    assert list(table["verdict"]) == ["pass", NOT_ENOUGH_EVIDENCE]  # more than one in twenty is missing
    few = predictions[predictions["subject_id"].isin(["slim1", "slim2"])]
    table = detection_by_arm(few, PROTOCOL, ["real", "synthetic"])
    assert set(table["verdict"]) == {NOT_ENOUGH_EVIDENCE} and table["low"].isna().all()
    with pytest.raises(InputError, match="prediction"):
        detection_by_arm(predictions.drop(columns="prediction"), PROTOCOL, ["real"])


def test_arms_are_held_against_the_one_that_is_named(predictions):
    table = detection_by_arm(predictions, PROTOCOL, ["real", "synthetic"], reference="synthetic").set_index("arm")
    assert table.loc["synthetic", "difference"].isna().all() and (table.loc["real", "difference_low"] > 0).all()


def test_larger_findings_are_told_from_those_who_have_none(predictions):
    table = detection_by_size(predictions, PROTOCOL, ["real"], "largest_mm", [0, 20, np.inf])
    real = predictions[predictions["arm"] == "real"]
    small = real[(real["truth"] == 0) | (real["largest_mm"] < 20)]
    assert table.at[0, "auc"] == pytest.approx(roc_auc_score(small["truth"], small["prediction"]))
    assert table["n_with"].sum() == 40 and table.at[0, "n_with"] == small["truth"].sum()


def test_pages_show_people_areas_and_intervals(predictions):
    arms, populations = {"real": "Real", "synthetic": "Synthetic"}, {"slim": "BMI under 30", "heavy": "BMI over 30"}
    shown = shown_by_arm(detection_by_arm(predictions, PROTOCOL, list(arms)), populations, arms)
    assert (
        list(shown["People (with a lesion)"]) == ["40 (20)"] * 4
        and list(shown["Answered"]) == ["40 of 40", "80 of 80"] * 2
    )
    assert shown["AUC [95% CI]"].str.fullmatch(r"\d\.\d\d \[\d\.\d\d, \d\.\d\d\]").all()
    assert shown.at[0, "Less that of real [95% CI]"] == "\N{EN DASH}" and shown.at[1, "Equivalent from"].startswith("±")
    sizes = shown_by_size(detection_by_size(predictions, PROTOCOL, list(arms), "largest_mm", [0, 20, np.inf]), arms)
    assert list(sizes.columns) == ["Arm", "Largest 0–20 mm", "Largest 20 mm and over"]
    assert sizes["Largest 0–20 mm"].str.endswith(", n = 14").all()


def test_the_committed_protocol_is_valid():
    protocol = read_protocol("notebooks/trials/liver_lesions_by_build.yaml")
    assert protocol.endpoint == "auc" and protocol.population_names == ("below_30", "from_30")


def test_false_alarms_are_counted_above_what_a_tenth_of_real_people_reach(predictions):
    brighter = predictions.assign(prediction=predictions["prediction"] + 1.5 * (predictions["arm"] == "synthetic"))
    table = false_alarms(brighter, PROTOCOL, ["real", "synthetic"]).set_index("arm")
    assert list(table["n"]) == [40, 80] and table.at["real", "value"] == 0.1
    healthy = brighter[brighter["truth"] == 0]
    real = healthy.loc[healthy["arm"] == "real", "prediction"]
    above = (healthy.loc[healthy["arm"] == "synthetic", "prediction"] > np.quantile(real, 0.9)).mean()
    assert table.at["synthetic", "value"] == pytest.approx(above) and above > 0.4
    assert table.at["synthetic", "low"] < above < table.at["synthetic", "high"]
