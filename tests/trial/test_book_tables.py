"""Tables for the book: cells worked out by hand, and the paper's numbers as printed."""

import numpy as np
import pandas as pd
import pytest

from vctlib.errors import InputError
from vctlib.trial.book_tables import (
    composition_and_image,
    culling_by_threshold,
    differences_from_real,
    errors_by_arm,
    likeness_by_arm,
    populations_by_task,
    protocols_by_task,
    rise_to_ood,
    trial_overview,
)
from vctlib.trial.decomposition import COLUMNS as PARTS
from vctlib.trial.evaluate import COLUMNS
from vctlib.trial.likeness import COLUMNS as LIKENESS
from vctlib.trial.protocol import Protocol

NAN = float("nan")


@pytest.fixture
def table() -> pd.DataFrame:
    """Body fat: real and reconstructed as they would pass in ID, synthetic that fails; the weighted arm in OOD."""
    rows = []
    for population, shift in (("ID", 0.0), ("OOD", 2.5)):
        for arm, mae, difference in (("real", 1.0, NAN), ("reconstructed", 1.25, 0.25), ("synthetic", 3.5, 2.5)):
            low, high = mae + shift - 0.2, mae + shift + 0.3
            row = {"task": "body_fat", "population": population, "arm": arm, "n": 75, "mae": mae + shift}
            row |= {"mae_low": low, "mae_high": high, "difference": difference, "difference_low": difference - 0.5}
            row |= {"difference_high": difference + 0.5, "p_equivalence": 0.0004, "z": 1.234, "z_low": -1, "z_high": 3}
            rows.append(row | {"p": 0.25, "verdict": "pass"})
    weighted = {"task": "body_fat", "population": "OOD", "arm": "real_weighted", "n": 75, "mae": 1.1, "mae_low": 0.9}
    rows.append(weighted | {"mae_high": 1.3, "verdict": "pass"})
    return pd.DataFrame(rows, columns=COLUMNS)


def test_populations_say_who_taught_and_who_is_asked():
    people = pd.DataFrame({"population": ["train", "train", "OOD"], "sex": ["female", "male", "male"]})
    people = people.assign(age_years=[30, 50, 40], height_cm=[200, 200, 100], weight_kg=[80, 120, 30])
    people = people.assign(body_fat_percent_measured=[20, 30, 10], muscle_percent_measured=[40, 50, 60])
    shown = populations_by_task({"muscle": people})
    assert list(shown["Population"]) == ["training", "in distribution (ID)", "out of it (OOD)"]
    assert list(shown["People"] + shown["Women"] + shown["Men"]) == ["211", "000", "101"]
    assert shown.iloc[0, 5:].tolist() == ["40.0 (14.1)", "25.0 (7.1)", "25.0 (7.1)", "45.0 (7.1)"]
    assert shown.iloc[1, 5] == "– (–)" and shown.iloc[2, 6] == "30.0 (–)"


def test_protocols_show_what_was_fixed_and_a_hash_that_moves_with_it():
    asked = {"body_fat": Protocol(task="body_fat"), "muscle": Protocol(task="muscle", seed=3)}
    shown = protocols_by_task(asked)
    assert list(shown["Task"]) == ["Body fat percentage", "Muscle mass percentage"]
    assert list(shown["Seed"]) == ["0", "3"]
    assert shown.loc[0, ["Passes below", "Fails above", "Equivalent within"]].tolist() == ["2 pp", "3 pp", "±1 pp"]
    assert shown.at[0, "In distribution"] == "50% of those who develop" and "synthetic" in shown.at[0, "Arms"]
    other = protocols_by_task({"body_fat": Protocol(task="body_fat", oversampling=3)})
    assert len(shown.at[0, "SHA-256"]) == 12 and shown.at[0, "SHA-256"] != other.at[0, "SHA-256"]


def test_overview_sets_ours_above_the_paper(table):
    overview = trial_overview({"body_fat": table})
    assert overview["Task"].tolist() == ["Body fat", "", "", ""]
    assert overview[""].tolist() == ["ID", "", "OOD", ""]
    assert overview["By"].tolist() == ["ours", "paper"] * 2
    assert overview.loc[0, "Real"] == "1.00 [0.80, 1.30] **pass**"
    assert overview.loc[1, "Synthetic"] == "1.50 [1.31, 1.72] **pass**"  # killeen2025 Table 1
    assert overview.loc[3, "Real"] == "3.66 [3.10, 4.31] **fail**"
    assert overview["Calibrated"].tolist() == ["–"] * 4


def test_overview_shows_the_calibrated_arm_where_there_is_one(table):
    calibrated = table.loc[[5]].assign(arm="synthetic_calibrated", mae=3.4, mae_low=3.1, mae_high=3.9)
    overview = trial_overview({"body_fat": pd.concat([table, calibrated])})
    assert overview["Calibrated"].tolist() == ["–", "–", "3.40 [3.10, 3.90] **fail**", "–"]


def test_overview_of_an_arm_that_could_not_be_measured_has_no_evidence(table):
    table.loc[5, ["mae", "mae_low", "mae_high"]] = NAN
    assert trial_overview({"body_fat": table}).loc[2, "Synthetic"] == "– **not enough evidence**"


def test_overview_needs_every_arm(table):
    with pytest.raises(InputError, match="arm synthetic for OOD"):
        trial_overview({"body_fat": table.drop(index=5)})


def test_errors_keep_the_order_of_arms_and_find_the_papers_row(table):
    errors = errors_by_arm(table)
    assert errors["Arm"].tolist() == ["Real", "Reconstructed", "Synthetic"] * 2 + ["Real (Weighted)"]
    assert errors.loc[2, "Paper: n"] == "150" and errors.loc[2, "n"] == "75"
    assert errors.loc[6, "Paper: MAE [95% CI]"] == "1.31 [1.04, 1.54]"  # the weighted row, which forecasts OOD


def test_arm_that_the_paper_has_not_shows_dashes(table):
    table.loc[0, "arm"] = "another"
    with pytest.raises(KeyError):  # an arm without a name is a mistake, not a row to print
        errors_by_arm(table)
    muscle = table.assign(task="muscle").query("arm == 'synthetic'").assign(population="elsewhere").head(1)
    assert errors_by_arm(muscle).loc[0, "Paper: MAE [95% CI]"] == "–"


def test_differences_leave_out_what_has_none(table):
    found = differences_from_real(table)
    assert found["Arm"].tolist() == ["Reconstructed", "Synthetic"] * 2
    assert found.loc[0, "Difference [95% CI] (pp)"] == "0.25 [-0.25, 0.75]"
    assert found.loc[0, "p, equivalence"] == "< 0.001"
    assert found.loc[0, ["Paper: Z", "Paper: p"]].tolist() == ["0.97", "0.368"]


def test_rise_is_ood_less_id():
    gap = pd.DataFrame(
        [("real", 2.0, 1.5, 2.5), ("synthetic", -0.5, -1.0, 0.0)], columns="arm degradation low high".split()
    )
    rise = rise_to_ood({"body_fat": gap, "muscle": gap.head(1)}).set_index("Arm")
    assert rise.loc["Real", "Body fat percentage [95% CI] (pp)"] == "2.00 [1.50, 2.50]"
    assert rise.loc["Real", "Paper: body fat percentage"] == "2.46"  # 3.66 - 1.20
    assert rise.loc["Synthetic", "Paper: muscle mass percentage"] == "2.42"  # 4.34 - 1.92
    assert rise.loc["Synthetic", "Muscle mass percentage [95% CI] (pp)"] == "–"


def test_likeness_and_culling_as_a_page_prints_them():
    alike = [("ID", "reconstructed", 75, 75, 0.12, 0.0004, 0.31, 75, -0.25, -1.5, 1.0)]
    alike += [("OOD", "synthetic", 150, 75, 0.2, 0.04, 1.0, 0, np.nan, np.nan, np.nan)]
    found = likeness_by_arm(pd.DataFrame(alike, columns=LIKENESS))
    assert found.loc[0].tolist() == ["ID", "Reconstructed", "75", "0.120", "< 0.001", "0.31", "-0.25", "[-1.50, 1.00]"]
    assert found.loc[1].tolist()[-2:] == ["–", "–"]
    columns = "population threshold culled n n_patients mae mae_low mae_high verdict mae_real".split()
    rows = [("ID", -np.inf, 0.0, 150, 75, 2.0, 1.5, 2.5, "not enough evidence", 1.5)]
    rows += [("ID", 2.0, 1.0, 0, 0, np.nan, np.nan, np.nan, "not enough evidence", np.nan)]
    found = culling_by_threshold(pd.DataFrame(rows, columns=columns))
    assert found.loc[0].tolist()[1:5] == ["all", "0%", "150", "2.00 [1.50, 2.50]"]
    assert found.loc[1].tolist()[1:5] == ["+2", "100%", "0", "–"] and found.loc[1, "MAE, real (pp)"] == "–"


def test_parts_of_a_difference_as_a_page_prints_them():
    row = ("ID", "synthetic", 150, 75, 0.99, 0.25, -0.1, 0.6, 0.74, 0.4, 1.1)
    found = composition_and_image(pd.DataFrame([row], columns=PARTS)).loc[0].tolist()
    assert found == ["ID", "Synthetic", "150", "+0.99", "+0.25 [-0.10, 0.60]", "+0.74 [0.40, 1.10]"]
