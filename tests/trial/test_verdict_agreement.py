import numpy as np
import pandas as pd
import pytest

from vctlib.errors import InputError
from vctlib.text import DASH
from vctlib.trial.verdict_agreement import (
    Limits,
    agreement,
    agreement_by_size,
    agreement_by_task,
    cell_table,
    open_questions,
    shown_agreement,
)

LIMITS = {"fat": Limits(2.0, 3.0), "liver": Limits(100.0, 150.0)}
PEOPLE = [f"p{number:02d}" for number in range(40)]
POPULATIONS = {"all": PEOPLE, "first": PEOPLE[:20]}


def predictions_of(mae: dict[tuple[str, str], float], spread: float = 0.1) -> pd.DataFrame:
    """(model, arm) -> absolute error of everybody, give or take a share; models beginning with L are of the liver."""
    rng, parts = np.random.default_rng(0), []
    for (model, arm), size in mae.items():
        sign = np.where(np.arange(len(PEOPLE)) % 2, 1, -1)
        error = sign * size * (1 + spread * rng.uniform(-1, 1, len(PEOPLE)))
        own = pd.DataFrame({"subject_id": PEOPLE, "truth": 50.0, "prediction": 50.0 + error})
        parts.append(own.assign(model=model, arm=arm, task="liver" if model[0] == "L" else "fat"))
    return pd.concat(parts, ignore_index=True)


MAE = {
    ("good", "real"): 1.0, ("good", "synthetic"): 1.1,  # pass, pass
    ("bad", "real"): 5.0, ("bad", "synthetic"): 4.8,  # fail, fail
    ("alarm", "real"): 1.5, ("alarm", "synthetic"): 4.0,  # pass, fail
    ("Lmiss", "real"): 400.0, ("Lmiss", "synthetic"): 50.0,  # fail, pass
    ("Lopen", "real"): 60.0, ("Lopen", "synthetic"): 120.0,  # pass, between
}  # fmt: skip


@pytest.fixture(scope="module")
def cells():
    return cell_table(predictions_of(MAE), POPULATIONS, LIMITS, n_resamples=200)


def test_every_model_is_judged_on_every_population_by_the_limits_of_its_task(cells):
    assert len(cells) == 10 and cells["n_real"].tolist() == [40, 20] * 5
    found = cells[cells["population"] == "all"].set_index("model")
    assert found["verdict_real"].to_dict() == dict(good="pass", bad="fail", alarm="pass", Lmiss="fail", Lopen="pass")
    assert found["verdict_synthetic"].tolist() == ["pass", "fail", "fail", "pass", "between the limits"]
    assert found.loc["bad", "mae_real"] == pytest.approx(5.0, rel=0.05)


def test_agreement_counts_by_hand(cells):
    table = agreement(cells).set_index("measure")
    assert table["value"].drop("rank correlation").to_dict() == {
        "same verdict": 0.4, "same verdict by the mean": 0.4, "pass kept": pytest.approx(2 / 6), "pass left open": 0,
        "false alarm": pytest.approx(2 / 6), "miss": 0.5, "pass is right": 0.5,
    }  # fmt: skip
    assert table["n"].to_dict() == {
        "same verdict": 10, "same verdict by the mean": 10, "pass kept": 6, "pass left open": 6, "false alarm": 6,
        "miss": 4, "pass is right": 4, "rank correlation": 10,
    }  # fmt: skip
    assert table["models"].tolist() == [5, 5, 3, 3, 3, 2, 2, 5]
    # Clopper and Pearson for 4 of 10, from their tables
    assert (table.at["same verdict", "low"], table.at["same verdict", "high"]) == pytest.approx(
        (0.1216, 0.7376), abs=1e-4
    )


def test_people_who_tell_the_pictures_error_are_judged_by_nobody():
    """Pictures move every error by 2: with that known, a model that looked bad on synthetic people passes."""
    rows = predictions_of({("good", "real"): 1.0, ("good", "reconstructed"): 1.0, ("good", "synthetic"): 1.0})
    rows.loc[rows["arm"] != "real", "prediction"] += 2.0
    calibrating = {"good": [*PEOPLE[:15], "who is not there"]}
    found = cell_table(rows, {"all": PEOPLE}, LIMITS, calibrating, n_resamples=200).iloc[0]
    assert found[["n_real", "n_synthetic", "n_calibrated"]].tolist() == [25, 25, 25]
    assert found["mae_synthetic"] == pytest.approx(2.0, abs=0.1) and found["verdict_synthetic"] != "pass"
    assert found["mae_calibrated"] == pytest.approx(1.0, abs=0.2) and found["verdict_calibrated"] == "pass"
    same = agreement(found.to_frame().T, arm="calibrated", n_resamples=0).set_index("measure")["value"]
    assert same["same verdict"] == 1 and same["pass kept"] == 1
    assert "mae_calibrated" not in cell_table(rows, {"all": PEOPLE}, LIMITS, n_resamples=200)
    with pytest.raises(InputError, match="2 people tell nothing"):
        cell_table(rows, {"all": PEOPLE}, LIMITS, {"good": PEOPLE[:2]}, n_resamples=200)


def test_where_everything_fails_agreement_is_easy(cells):
    assert len(open_questions(cells)) == 10
    failing = cells[cells["model"].isin(["good", "bad", "Lmiss"])]
    assert set(open_questions(failing)["task"]) == {"fat"}


def test_tasks_are_counted_apart(cells):
    table = agreement_by_task(cells).set_index("task")
    counts = ["cells", "same_verdict", "passes", "pass_kept", "false_alarm", "fails", "miss"]
    assert table.loc["fat", counts].tolist() == [6, 4, 4, 2, 2, 2, 0]
    assert table.loc["liver", counts].tolist() == [4, 0, 2, 0, 0, 2, 2]
    assert table.at["fat", "ratio_of_passes"] == pytest.approx((1.1 + 4 / 1.5) / 2, rel=0.1)
    assert table.at["fat", "ratio_of_fails"] == pytest.approx(4.8 / 5, rel=0.05)


def test_ranks_are_compared_within_a_task():
    """Errors in millilitres are all larger than errors in percent: ranks over both tasks would agree for that alone."""
    real = {"a": 1.0, "b": 2.0, "c": 3.0, "La": 100.0, "Lb": 200.0, "Lc": 300.0}
    synthetic = real | {"La": 300.0, "Lb": 200.0, "Lc": 100.0}
    mae = {(model, "real"): size for model, size in real.items()}
    mae |= {(model, "synthetic"): size for model, size in synthetic.items()}
    found = cell_table(predictions_of(mae, spread=0), {"all": PEOPLE}, LIMITS, n_resamples=100)
    table = agreement(found).set_index("measure")
    assert table.at["rank correlation", "value"] == pytest.approx(0.0)  # 1 for fat, -1 for the liver
    assert agreement_by_task(found)["rank_correlation"].tolist() == pytest.approx([1.0, -1.0])


def test_fewer_synthetic_people_leave_more_open(cells):
    mae = {("good", "real"): 1.0, ("good", "synthetic"): 1.4}
    wide = predictions_of(mae, spread=1.0)
    own = cell_table(wide, {"all": PEOPLE}, LIMITS, n_resamples=200)
    table = agreement_by_size(wide, {"all": PEOPLE}, LIMITS, own, [5, 40, 80], n_draws=20, n_resamples=200)
    open_share = table[table["measure"] == "pass left open"].set_index("size")["value"]
    assert open_share[5] > open_share[40] == 0
    same = table[table["measure"] == "same verdict"].set_index("size")
    assert same.at[40, "value"] == 1.0 and same.at[40, "n"] == 20
    assert 80 not in same.index  # no cell has so many


def test_a_cell_of_too_few_people_is_named():
    with pytest.raises(InputError, match="good, few: 3 real people; 5 are needed"):
        cell_table(predictions_of(MAE), {"few": PEOPLE[:3]}, LIMITS, n_resamples=100)


def test_agreement_as_a_page_prints_it(cells):
    shown = shown_agreement(agreement(cells)).set_index("Measure")
    assert (
        shown.at["Same verdict", "Found [95% CI]"] == "40 % [12, 74]" and shown.at["Same verdict", "Of cells"] == "10"
    )
    assert shown.at["Miss", "Models behind it"] == "2"
    correlation = agreement(cells).set_index("measure").at["rank correlation", "value"]
    assert shown.at["Rank correlation", "Found [95% CI]"].startswith(f"{correlation:.2f} [")
    none = shown_agreement(agreement(cells[cells["model"] == "bad"])).set_index("Measure")
    assert none.at["Pass kept", "Found [95% CI]"] == DASH
