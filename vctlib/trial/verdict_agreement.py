"""How often the verdict on synthetic people is that on the people whom they stand for: many models, many populations.

One trial can agree by chance. Here a *cell* is one model on one population, with a verdict of the real and one of the
synthetic arm; the question is how often both say the same, and what it costs where they do not.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from vctlib.errors import InputError
from vctlib.text import interval_text
from vctlib.trial.arms import REAL, RECONSTRUCTED, SYNTHETIC
from vctlib.trial.bootstrap import Estimate, bootstrap_mae, percentile_interval
from vctlib.trial.calibration import CALIBRATED, bootstrap_calibrated_mae
from vctlib.trial.checks import require_columns
from vctlib.trial.split import MINIMUM_PEOPLE
from vctlib.trial.verdict import FAIL, NOT_ENOUGH_EVIDENCE, PASS, interval_verdict, paper_verdict

_TABLE = "the table of predictions"


class Limits(NamedTuple):
    """Of the mean absolute error of one task, in its unit."""

    acceptable: float
    failure: float


def cell_table(
    predictions: pd.DataFrame,
    populations: Mapping[str, Sequence[str]],
    limits: Mapping[str, Limits],
    calibrating: Mapping[str, Sequence[str]] | None = None,
    *,
    n_resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """One row a model and population: errors and verdicts of both arms.

    With `calibrating`, model -> people whose real and reconstructed images tell what the picture adds (rows of the arm
    "reconstructed"), a third arm stands for synthetic people less that, and those people are in no cell of the model.

    predictions: one row an image with `model`, `task` (a key of `limits`), `arm` ("real", "synthetic"), `subject_id`
    (the person), `truth` and `prediction`. populations: name -> subject ids. Columns: model, task, population and, for
    each arm, n_<arm> (people), mae_<arm>, low_<arm>, high_<arm>, verdict_<arm> (by the interval), point_<arm> (the
    paper's, by the mean); errors in the task's unit. Raises InputError for a missing column, and for a cell with fewer
    than `MINIMUM_PEOPLE` people of either arm.
    """
    require_columns(predictions, ["model", "task", "arm", "subject_id", "truth", "prediction"], _TABLE)
    rows = []
    for (model, task), own in predictions.groupby(["model", "task"], sort=False):
        telling = list(calibrating[model]) if calibrating is not None else []
        told = _errors_of(own, telling) if telling else None
        for population, ids in populations.items():
            inside = own[own["subject_id"].isin(ids) & ~own["subject_id"].isin(telling)]
            cell = {"model": model, "task": task, "population": population}
            for arm in (REAL, SYNTHETIC):
                images = inside[inside["arm"] == arm]
                people = images["subject_id"].to_numpy()
                if len(set(people)) < MINIMUM_PEOPLE:
                    raise InputError(
                        f"{model}, {population}: {len(set(people))} {arm} people; {MINIMUM_PEOPLE} are needed"
                    )
                errors = (images["prediction"] - images["truth"]).to_numpy(float)
                cell |= _judged(bootstrap_mae(errors, people, n_resamples, seed, level), arm, limits[task])
            if told is not None:  # the synthetic arm came last
                mae = bootstrap_calibrated_mae(errors, people, *told, n_resamples, seed, level)
                cell |= _judged(mae, CALIBRATED, limits[task])
            rows.append(cell)
    return pd.DataFrame(rows)


def _errors_of(predictions: pd.DataFrame, people: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Signed errors of these people on CTs and on their reconstructions, of those who have both, in one order."""
    errors = (predictions["prediction"] - predictions["truth"]).groupby(
        [predictions["arm"], predictions["subject_id"]], sort=False
    )
    table = errors.mean().unstack("arm").reindex(people)
    both = table.reindex(columns=[REAL, RECONSTRUCTED]).dropna()
    return both[REAL].to_numpy(), both[RECONSTRUCTED].to_numpy()


def _judged(mae: Estimate, arm: str, limits: Limits) -> dict:
    return {
        f"n_{arm}": mae.n_clusters,
        f"mae_{arm}": mae.value,
        f"low_{arm}": mae.low,
        f"high_{arm}": mae.high,
        f"verdict_{arm}": interval_verdict(mae.low, mae.high, *limits),
        f"point_{arm}": paper_verdict(mae.value, *limits),
    }


def _share(hits: int, of: int, level: float) -> dict:
    """A share with its exact interval; source: clopper1934."""
    if of == 0:
        return {"value": np.nan, "low": np.nan, "high": np.nan, "n": 0}
    interval = stats.binomtest(int(hits), int(of)).proportion_ci(level, method="exact")
    return {"value": hits / of, "low": float(interval.low), "high": float(interval.high), "n": int(of)}


def agreement(
    cells: pd.DataFrame, level: float = 0.95, seed: int = 0, n_resamples: int = 500, arm: str = SYNTHETIC
) -> pd.DataFrame:
    """How an arm of `cell_table` agrees with the real one; columns measure, value, low, high, n (cells), models.

    - `same verdict`: of all cells; `same verdict by the mean`: the paper's verdicts.
    - Of cells that pass on real people: `pass kept`, those that pass on synthetic ones; `pass left open`, those without
      enough evidence there; `false alarm`, those that fail.
    - `miss`: of cells that fail on real people, those that pass on synthetic ones. `pass is right`: of cells that pass
      on synthetic people, those that pass on real ones.
    - `rank correlation`: Spearman's of the errors over the cells of one task, mean over tasks by cells.

    Intervals of shares are exact for independent cells (clopper1934). Cells of one model are not, and `models` counts
    how many stand behind a share: with few, the interval is too narrow. That of the rank correlation resamples models.
    """
    real, synthetic = cells[f"verdict_{REAL}"], cells[f"verdict_{arm}"]
    passes, everything = real == PASS, np.ones(len(cells), bool)
    shares = {
        "same verdict": (real == synthetic, everything),
        "same verdict by the mean": (cells[f"point_{REAL}"] == cells[f"point_{arm}"], everything),
        "pass kept": (synthetic == PASS, passes),
        "pass left open": (synthetic == NOT_ENOUGH_EVIDENCE, passes),
        "false alarm": (synthetic == FAIL, passes),
        "miss": (synthetic == PASS, real == FAIL),
        "pass is right": (passes, synthetic == PASS),
    }
    rows = [
        {"measure": name}
        | _share((hit & of).sum(), of.sum(), level)
        | {"models": cells.loc[np.asarray(of), "model"].nunique()}
        for name, (hit, of) in shares.items()
    ]
    rows.append({"measure": "rank correlation"} | _rank_correlation(cells, arm, level, seed, n_resamples))
    return pd.DataFrame(rows)


def open_questions(cells: pd.DataFrame) -> pd.DataFrame:
    """The cells of tasks whose verdict on real people differs from cell to cell; where all fail, agreement is easy."""
    return cells[cells.groupby("task")[f"verdict_{REAL}"].transform("nunique") > 1]


def shown_agreement(table: pd.DataFrame) -> pd.DataFrame:
    """`agreement` as a page prints it: text cells, shares in percent."""
    rows = []
    for row in table.itertuples():
        scale, digits = (1, 2) if row.measure == "rank correlation" else (100, 0)
        found = interval_text(scale * row.value, (scale * row.low, scale * row.high), digits)
        unit = "" if scale == 1 or np.isnan(row.value) else " %"
        label = f"{row.measure[0].upper()}{row.measure[1:]}"
        rows.append({"Measure": label, "Found [95% CI]": found.replace(" [", f"{unit} ["), "Of cells": f"{row.n}"})
        rows[-1]["Models behind it"] = f"{row.models}"
    return pd.DataFrame(rows)


def agreement_by_task(cells: pd.DataFrame, arm: str = SYNTHETIC) -> pd.DataFrame:
    """`agreement` task by task as counts, for few cells have no useful interval.

    Columns task; cells; same_verdict; passes and fails on real people, with pass_kept, false_alarm and miss among them;
    ratio_of_passes, ratio_of_fails: the median over such cells of the synthetic error over the real one;
    rank_correlation, Spearman's of the errors.
    """
    rows = []
    for task, own in cells.groupby("task", sort=False):
        real, synthetic = own[f"verdict_{REAL}"], own[f"verdict_{arm}"]
        passes, fails, ratio = real == PASS, real == FAIL, own[f"mae_{arm}"] / own[f"mae_{REAL}"]
        rows.append(
            {
                "task": task, "cells": len(own), "same_verdict": (real == synthetic).sum(),
                "passes": passes.sum(), "pass_kept": (passes & (synthetic == PASS)).sum(),
                "false_alarm": (passes & (synthetic == FAIL)).sum(),
                "fails": fails.sum(), "miss": (fails & (synthetic == PASS)).sum(),
                "ratio_of_passes": ratio[passes].median(), "ratio_of_fails": ratio[fails].median(),
                "rank_correlation": _within_tasks(own, arm),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _within_tasks(cells: pd.DataFrame, arm: str) -> float:
    """Spearman's correlation of an arm's errors with the real ones over the cells of each task, mean by cells; NaN
    without any."""
    found, weights = [], []
    for _, own in cells.groupby("task"):
        real, synthetic = (own[f"mae_{each}"].to_numpy(float) for each in (REAL, arm))
        if len(own) > 2 and np.ptp(real) > 0 and np.ptp(synthetic) > 0:
            found.append(stats.spearmanr(real, synthetic).statistic)
            weights.append(len(own))
    return float(np.average(found, weights=weights)) if found else np.nan


def _rank_correlation(cells: pd.DataFrame, arm: str, level: float, seed: int, n_resamples: int) -> dict:
    models = cells["model"].unique()
    of_model = {model: cells[cells["model"] == model] for model in models}
    rng = np.random.default_rng(seed)
    drawn = (rng.choice(models, len(models)) for _ in range(n_resamples if len(models) else 0))
    replicates = np.array([_within_tasks(pd.concat([of_model[model] for model in chosen]), arm) for chosen in drawn])
    replicates = replicates[np.isfinite(replicates)]
    low, high = percentile_interval(replicates, level) if len(replicates) else (np.nan, np.nan)
    return {"value": _within_tasks(cells, arm), "low": low, "high": high, "n": len(cells), "models": len(models)}


def agreement_by_size(
    predictions: pd.DataFrame,
    populations: Mapping[str, Sequence[str]],
    limits: Mapping[str, Limits],
    cells: pd.DataFrame,
    sizes: Sequence[int],
    *,
    n_draws: int = 20,
    n_resamples: int = 500,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """What becomes of the agreement with fewer synthetic people; columns size, measure, value, low, high, n.

    For each size and draw, every cell keeps so many of its synthetic people, chosen anew, and is held against the whole
    real arm of `cells`. Sizes that not every cell has are left out. value: mean over draws; low, high: their central
    `level`. n: draws.
    """
    rng, rows = np.random.default_rng(seed), []
    synthetic = predictions[predictions["arm"] == SYNTHETIC]
    errors = {}
    for row in cells.itertuples():
        own = synthetic[(synthetic["model"] == row.model) & synthetic["subject_id"].isin(populations[row.population])]
        errors[row.Index] = (own["prediction"] - own["truth"]).to_numpy(float), own["subject_id"].to_numpy()
    for size in (size for size in sizes if size <= cells[f"n_{SYNTHETIC}"].min()):
        found = []
        for draw in range(n_draws):
            fewer = cells.copy()
            for row in cells.itertuples():
                error, people = errors[row.Index]
                kept = np.isin(people, rng.permutation(np.unique(people))[:size])
                mae = bootstrap_mae(error[kept], people[kept], n_resamples, draw, level)
                judged = _judged(mae, SYNTHETIC, limits[row.task])
                fewer.loc[row.Index, list(judged)] = list(judged.values())
            found.append(agreement(fewer, level, seed, n_resamples=0).set_index("measure")["value"])
        table = pd.DataFrame(found)
        low, high = table.quantile((1 - level) / 2), table.quantile((1 + level) / 2)
        for measure in table:
            rows.append((size, measure, table[measure].mean(), low[measure], high[measure], n_draws))
    return pd.DataFrame(rows, columns=["size", "measure", "value", "low", "high", "n"])
