"""Study 21 run whole on a small table of predictions; its cells run in this process."""

import numpy as np
import pandas as pd
import pytest

from tests.cells import run_cells
from vctlib.errors import InputError

NAME = "21_check_statistics"


@pytest.fixture
def predictions(tmp_path) -> dict[str, str]:
    """Twelve people a population with a real, a reconstructed and two synthetic images; errors are larger on OOD."""
    rng, paths = np.random.default_rng(0), {}
    for task in ("body_fat", "muscle"):
        parts = []
        for population, size in (("ID", 1.5), ("OOD", 4.0)):
            people = np.array([f"0{number}{population}" for number in range(12)])  # an id that looks like a number
            hard = rng.gamma(4, size / 4, 12)
            for arm, draws in (("real", 1), ("reconstructed", 1), ("synthetic", 2)):
                error = np.repeat(hard, draws) + rng.normal(0, 0.3, 12 * draws)
                own = pd.DataFrame({"subject_id": np.repeat(people, draws), "truth": 30.0, "prediction": 30 + error})
                parts.append(own.assign(population=population, arm=arm))
        paths[f"predictions_{task}"] = str(tmp_path / f"{task}.csv")
        pd.concat(parts).to_csv(paths[f"predictions_{task}"], index=False)
    return paths


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Runs the notebook's cells with parameters, strictly; returns its variables and its result."""
    settings = {"profile": "smoke", "out": str(tmp_path / "out"), "n_trials": 20, "n_resamples": 100}

    def run(**given):
        return run_cells(NAME, monkeypatch, **given, **settings)

    return run


def test_every_statistic_is_held_against_a_known_error(study, predictions, tmp_path):
    small = {"n_patients": 40, "fewer_patients": [6], "real_labels": [4, 8]}
    names, metrics = study(**predictions, **small)
    assert {key: own.images_each for key, own in names["populations"].items() if key[0] == "muscle"} == {
        ("muscle", population, arm): 2 if arm == "synthetic" else 1
        for population in ("ID", "OOD")
        for arm in ("real", "reconstructed", "synthetic")
    }
    tables = {path.stem: pd.read_csv(path, dtype=str) for path in (tmp_path / "out" / "tables").glob("*.csv")}
    assert {name: len(table) for name, table in tables.items()} == {
        "statistics_coverage": 2 * 2 * (2 + 1 + 1),
        "statistics_equivalence": len(names["alike"]) // 2,
        "statistics_prediction_powered": 2 * 2 * 2 * 3,
        "statistics_verdicts": 2 * 2 * 2,
    }
    assert tables["statistics_coverage"]["Arm"].tolist()[:4] == ["Real", "Real", "Reconstructed", "Synthetic"]
    assert tables["statistics_coverage"]["Patients"].tolist()[:2] == ["6", "40"]
    assert metrics["coverage_muscle_OOD_synthetic_40_bca"].n == metrics["trials"].value == 20
    assert metrics["equivalent_body_fat_ID_the_same_percentile"].value > 0.5
    assert metrics["worth_muscle_OOD_8_prediction_powered"].value > metrics["worth_muscle_OOD_8_Student"].value
    assert metrics["rate_body_fat_OOD_40_pass"].value == 0 and metrics["width_muscle_ID_4_Student"].unit == "pp"
    assert metrics["lowest_coverage_bca"].value > 0.6
    figures = {path.name for path in (tmp_path / "out" / "figures").glob("*.svg")}
    assert figures == {"21_coverage.svg", "21_few_labels.svg", "21_verdicts.svg"}


def test_an_absent_table_names_the_notebook_that_makes_it(study, predictions):
    with pytest.raises(InputError, match=r"predictions_muscle\.csv is not there yet.*notebooks/12_run_trial\.ipynb"):
        study(predictions_body_fat=predictions["predictions_body_fat"])
