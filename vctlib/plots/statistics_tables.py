"""How far the trial's statistics can be trusted, as the tables that a page prints: text cells, shares in percent.

Rows of the tables given are the fields of `trial.simulation`'s results with task, population and what else was asked.
"""

from collections.abc import Sequence

import pandas as pd

from vctlib.plots.statistics import short_task
from vctlib.text import DASH
from vctlib.trial.arms import ARM_LABELS
from vctlib.trial.simulation import METHODS, VERDICTS

_INTERVALS = {"percentile": "Percentile", "bca": "BCa"}
_FROM = dict(zip(METHODS, ("real labels, Student's t", "real labels, bootstrap", "with synthetic people"), strict=True))


def coverage_by_arm(table: pd.DataFrame) -> pd.DataFrame:
    """A row a task, population, arm and number of patients; for each method its coverage and mean width.

    table: task, population, arm, n_patients, true_mae, method ("percentile", "bca") and the fields of `Coverage`.
    """
    rows = []
    for (task, population, arm, n, mae), own in _grouped(table, "task population arm n_patients true_mae".split()):
        row = {"Task": short_task(task), "Population": population, "Arm": ARM_LABELS[arm], "Patients": f"{n}"}
        row |= {"True MAE (pp)": f"{mae:.2f}"}
        for method, found in _by_method(own):
            row |= {f"{method} (%) [95% CI]": _percent(found), f"{method}, width (pp)": f"{found['width']:.2f}"}
        rows.append(row)
    return pd.DataFrame(rows).fillna(DASH)


def equivalence_by_difference(table: pd.DataFrame) -> pd.DataFrame:
    """A row a task, population, arm and true difference; for each method how often the arms were called equivalent.

    table: task, population, arm, difference (percentage points), method and the fields of `Rate`.
    """
    rows = []
    for (task, population, arm, difference), own in _grouped(table, "task population arm difference".split()):
        row = {"Task": short_task(task), "Population": population, "Arm": ARM_LABELS[arm]}
        row |= {"True difference (pp)": f"{difference:+.1f}" if difference else "0"}
        row |= {f"{method}, called equivalent (%) [95% CI]": _percent(found) for method, found in _by_method(own)}
        rows.append(row)
    return pd.DataFrame(rows).fillna(DASH)


def few_labels_by_method(table: pd.DataFrame) -> pd.DataFrame:
    """A row a task, population, number of real labels and kind of interval.

    table: of `prediction_powered_coverage`, with task and population.
    """
    rows = []
    for row in table.to_dict("records"):
        rows.append(
            {
                "Task": short_task(row["task"]),
                "Population": row["population"],
                "Real labels": f"{row['n_real']}",
                "Interval from": _FROM[row["method"]],
                "Coverage (%) [95% CI]": _percent(row | {"value": row["coverage"]}),
                "Width (pp)": f"{row['width']:.2f}",
                "Weight of synthetic": DASH if pd.isna(row["power"]) else f"{row['power']:.2f}",
                "Worth real labels": f"{row['worth']:.0f}",
            }
        )
    return pd.DataFrame(rows)


def verdicts_by_patients(table: pd.DataFrame) -> pd.DataFrame:
    """A row a task, population and number of patients, the share of each verdict in percent.

    table: of `verdict_rates`, with task and population.
    """
    rows = []
    for (task, population, mae, deserved, n), own in _grouped(
        table, "task population true_mae deserved n_patients".split()
    ):
        row = {"Task": short_task(task), "Population": population, "True MAE (pp)": f"{mae:.2f}"}
        row |= {"Verdict on it": deserved, "Patients": f"{n}"}
        shares = own.set_index("verdict")["rate"]
        rows.append(row | {f"{verdict.capitalize()} (%)": f"{100 * shares[verdict]:.1f}" for verdict in VERDICTS})
    return pd.DataFrame(rows)


def _grouped(table: pd.DataFrame, keys: Sequence[str]):
    return table.groupby(list(keys), sort=False)


def _by_method(rows: pd.DataFrame) -> list[tuple[str, dict]]:
    return [(_INTERVALS[row["method"]], row) for row in rows.to_dict("records")]


def _percent(row: dict) -> str:
    return f"{100 * row['value']:.1f} [{100 * row['low']:.1f}, {100 * row['high']:.1f}]"
