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
from vctlib.trial.arms import REAL, SYNTHETIC
from vctlib.trial.bootstrap import bootstrap_mae, percentile_interval
from vctlib.trial.checks import require_columns
from vctlib.trial.split import MINIMUM_PEOPLE
from vctlib.trial.verdict import FAIL, PASS, interval_verdict, paper_verdict

_TABLE = "the table of predictions"


class Limits(NamedTuple):
    """Of the mean absolute error of one task, in its unit."""

    acceptable: float
    failure: float


def cell_table(
    predictions: pd.DataFrame,
    populations: Mapping[str, Sequence[str]],
    limits: Mapping[str, Limits],
    *,
    n_resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """One row a model and population: errors and verdicts of both arms.

    predictions: one row an image with `model`, `task` (a key of `limits`), `arm` ("real", "synthetic"), `subject_id`
    (the person), `truth` and `prediction`. populations: name -> subject ids. Columns: model, task, population and, for
    each arm, n_<arm> (people), mae_<arm>, low_<arm>, high_<arm>, verdict_<arm> (by the interval), point_<arm> (the
    paper's, by the mean); errors in the task's unit. Raises InputError for a missing column, and for a cell with fewer
    than `MINIMUM_PEOPLE` people of either arm.
    """
    require_columns(predictions, ["model", "task", "arm", "subject_id", "truth", "prediction"], _TABLE)
    rows = []
    for (model, task), own in predictions.groupby(["model", "task"], sort=False):
        for population, ids in populations.items():
            inside = own[own["subject_id"].isin(ids)]
            cell = {"model": model, "task": task, "population": population}
            for arm in (REAL, SYNTHETIC):
                images = inside[inside["arm"] == arm]
                people = images["subject_id"].to_numpy()
                if len(set(people)) < MINIMUM_PEOPLE:
                    raise InputError(
                        f"{model}, {population}: {len(set(people))} {arm} people; {MINIMUM_PEOPLE} are needed"
                    )
                errors = (images["prediction"] - images["truth"]).to_numpy(float)
                cell |= _judged(errors, people, arm, limits[task], n_resamples, seed, level)
            rows.append(cell)
    return pd.DataFrame(rows)


def _judged(errors, people, arm: str, limits: Limits, n_resamples: int, seed: int, level: float) -> dict:
    mae = bootstrap_mae(errors, people, n_resamples, seed, level)
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


def agreement(cells: pd.DataFrame, limits: Mapping[str, Limits], level: float = 0.95, seed: int = 0) -> pd.DataFrame:
    """How the two arms of `cell_table` agree; columns measure, value, low, high, n.

    - `same verdict`: of all cells; `same verdict by the mean`: the paper's verdicts.
    - `false alarm`: of cells that pass on real people, those that fail on synthetic ones. `miss`: of cells that fail on
      real people, those that pass on synthetic ones. `open`: of cells decided on real people, those left open.
    - `rank correlation`: Spearman's over cells, of the errors as multiples of the acceptable one; its interval
      resamples models, since cells of one model are not independent. The intervals of the shares are exact for
      independent cells and so somewhat too narrow.
    """
    real, synthetic = cells[f"verdict_{REAL}"], cells[f"verdict_{SYNTHETIC}"]
    passes, fails = real == PASS, real == FAIL
    decided = passes | fails
    shares = {
        "same verdict": (real == synthetic, np.ones(len(cells), bool)),
        "same verdict by the mean": (cells[f"point_{REAL}"] == cells[f"point_{SYNTHETIC}"], np.ones(len(cells), bool)),
        "false alarm": (synthetic == FAIL, passes),
        "miss": (synthetic == PASS, fails),
        "open": (~synthetic.isin([PASS, FAIL]), decided),
    }
    rows = [{"measure": name} | _share((hit & of).sum(), of.sum(), level) for name, (hit, of) in shares.items()]
    rows.append({"measure": "rank correlation"} | _rank_correlation(cells, limits, level, seed))
    return pd.DataFrame(rows)


def agreement_by_task(cells: pd.DataFrame, limits: Mapping[str, Limits]) -> pd.DataFrame:
    """`agreement` task by task as counts, for few cells have no useful interval: columns task; cells; same_verdict;
    passes and fails on real people, with false_alarm and miss among them; and ratio, the median over cells of the
    synthetic error over the real one."""
    rows = []
    for task, own in cells.groupby("task", sort=False):
        found = agreement(own, limits).set_index("measure")
        hits = (found["value"] * found["n"]).fillna(0).round().astype(int)
        row = {"task": task, "cells": len(own), "same_verdict": hits["same verdict"]}
        row |= {"passes": found.at["false alarm", "n"], "false_alarm": hits["false alarm"]}
        row |= {"fails": found.at["miss", "n"], "miss": hits["miss"]}
        rows.append(row | {"ratio": float((own[f"mae_{SYNTHETIC}"] / own[f"mae_{REAL}"]).median())})
    return pd.DataFrame(rows)


def _rank_correlation(cells: pd.DataFrame, limits: Mapping[str, Limits], level: float, seed: int) -> dict:
    scale = cells["task"].map({task: each.acceptable for task, each in limits.items()}).to_numpy(float)
    real, synthetic = (cells[f"mae_{arm}"].to_numpy(float) / scale for arm in (REAL, SYNTHETIC))
    of_model = [np.flatnonzero(cells["model"] == model) for model in cells["model"].unique()]
    rng, replicates = np.random.default_rng(seed), []
    for _ in range(1000):
        chosen = np.concatenate([of_model[i] for i in rng.integers(len(of_model), size=len(of_model))])
        if np.ptp(real[chosen]) > 0 and np.ptp(synthetic[chosen]) > 0:
            replicates.append(stats.spearmanr(real[chosen], synthetic[chosen]).statistic)
    if not replicates:  # all errors are alike
        return {"value": np.nan, "low": np.nan, "high": np.nan, "n": len(cells)}
    low, high = percentile_interval(np.array(replicates), level)
    value = float(stats.spearmanr(real, synthetic).statistic)
    return {"value": value, "low": low, "high": high, "n": len(cells)}


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

    For each size and draw, every cell keeps so many of its synthetic people, chosen anew (all where it has fewer), and
    is held against the whole real arm of `cells`. value: mean over draws; low, high: their central `level`. n: draws.
    """
    rng, rows = np.random.default_rng(seed), []
    synthetic = predictions[predictions["arm"] == SYNTHETIC]
    errors = {}
    for row in cells.itertuples():
        own = synthetic[(synthetic["model"] == row.model) & synthetic["subject_id"].isin(populations[row.population])]
        errors[row.Index] = (own["prediction"] - own["truth"]).to_numpy(float), own["subject_id"].to_numpy()
    for size in sizes:
        found = []
        for draw in range(n_draws):
            fewer = cells.copy()
            for row in cells.itertuples():
                error, people = errors[row.Index]
                kept = np.isin(people, rng.permutation(np.unique(people))[:size])
                judged = _judged(error[kept], people[kept], SYNTHETIC, limits[row.task], n_resamples, draw, level)
                fewer.loc[row.Index, list(judged)] = list(judged.values())
            found.append(agreement(fewer, limits, level, seed).set_index("measure")["value"])
        table = pd.DataFrame(found)
        low, high = table.quantile((1 - level) / 2), table.quantile((1 + level) / 2)
        for measure in table:
            rows.append((size, measure, table[measure].mean(), low[measure], high[measure], n_draws))
    return pd.DataFrame(rows, columns=["size", "measure", "value", "low", "high", "n"])
