"""A detection task's arms beside each other: AUC by population and by the size of what is to be found."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from vctlib.text import DASH, interval_text
from vctlib.trial.arms import REAL
from vctlib.trial.checks import require_columns
from vctlib.trial.endpoint import difference, estimate, is_enough, value_of, verdict
from vctlib.trial.protocol import Protocol
from vctlib.trial.simulation import exact_rate
from vctlib.trial.statistics import smallest_margin
from vctlib.trial.verdict import NOT_ENOUGH_EVIDENCE

_TABLE = "the table of predictions"
COLUMNS = (
    "population arm n n_asked n_patients n_with auc low high difference difference_low difference_high "
    "equivalent_from verdict"
).split()


def detection_by_arm(
    predictions: pd.DataFrame, protocol: Protocol, arms: Sequence[str], reference: str = REAL
) -> pd.DataFrame:
    """A row for each population of the protocol and each of the arms that has images of it.

    predictions: one row an image with population, arm, subject_id and the protocol's truth and prediction columns. n
    counts images with a prediction, of the n_asked, n_patients their people, n_with those with the condition; where
    more are without one than the protocol's `most_unanswered` allows, there is no verdict. Differences are to the arm
    `reference`, paired by person. Columns: `COLUMNS`. Raises InputError for a missing column.
    """
    columns = ["population", "arm", "subject_id", protocol.truth_column, protocol.prediction_column]
    require_columns(predictions, columns, _TABLE)
    rows = []
    for population in protocol.population_names:
        asked = {arm: _rows(predictions, population, arm) for arm in arms}
        answered = {arm: own.dropna(subset=[protocol.prediction_column]) for arm, own in asked.items()}
        for arm, own in answered.items():
            if len(asked[arm]):
                base = None if arm == reference else answered.get(reference)
                row = _row(own, base, protocol) | {"population": population, "arm": arm, "n_asked": len(asked[arm])}
                if 1 - len(own) / len(asked[arm]) > protocol.most_unanswered:
                    row["verdict"] = NOT_ENOUGH_EVIDENCE  # nobody passes by answering where it is easy
                rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS)


def _rows(predictions: pd.DataFrame, population: str, arm: str) -> pd.DataFrame:
    return predictions[(predictions["population"] == population) & (predictions["arm"] == arm)]


def _row(own: pd.DataFrame, base: pd.DataFrame | None, protocol: Protocol) -> dict:
    ill = own.loc[own[protocol.truth_column] == 1, "subject_id"]
    row = {"n": len(own), "n_patients": own["subject_id"].nunique(), "n_with": ill.nunique()}
    row |= {"auc": value_of(own, protocol), "verdict": NOT_ENOUGH_EVIDENCE}
    if not is_enough(own, protocol):
        return row
    found = estimate(own, protocol)
    row |= {"low": found.low, "high": found.high, "verdict": verdict(found.low, found.high, protocol)}
    if base is not None and is_enough(base, protocol):
        gap = difference(own, base, protocol)
        row |= {"difference": gap.value, "difference_low": gap.low, "difference_high": gap.high}
        row |= {"equivalent_from": smallest_margin(gap)}
    return row


def detection_by_size(
    predictions: pd.DataFrame, protocol: Protocol, arms: Sequence[str], column: str, edges: Sequence[float]
) -> pd.DataFrame:
    """AUC of telling those whose largest finding (`column`) lies in [low, high) from all who have none, over all
    populations; rows with arm, low_mm, high_mm, n_with (people), auc, low, high."""
    require_columns(predictions, [column], _TABLE)
    rows = []
    for arm in arms:
        own = predictions[predictions["arm"] == arm].dropna(subset=[protocol.prediction_column])
        without = own[own[protocol.truth_column] == 0]
        for low, high in pairwise(edges):
            inside = own[(own[protocol.truth_column] == 1) & (own[column] >= low) & (own[column] < high)]
            both = pd.concat([inside, without])
            row = {"arm": arm, "low_mm": low, "high_mm": high, "n_with": inside["subject_id"].nunique()}
            row["auc"] = value_of(both, protocol)
            if is_enough(both, protocol):
                found = estimate(both, protocol)
                row |= {"low": found.low, "high": found.high}
            rows.append(row)
    return pd.DataFrame(rows, columns="arm low_mm high_mm n_with auc low high".split())


def false_alarms(
    predictions: pd.DataFrame, protocol: Protocol, arms: Sequence[str], reference: str = REAL, share: float = 0.1
) -> pd.DataFrame:
    """How often a detector sees in people who have nothing what it sees in `share` of such people of the arm
    `reference`; rows with arm, value, low, high (exact interval over images), n (images), over all populations."""
    healthy = predictions[predictions[protocol.truth_column] == 0].dropna(subset=[protocol.prediction_column])
    scores = {arm: own[protocol.prediction_column].to_numpy() for arm, own in healthy.groupby("arm")}
    threshold = np.quantile(scores[reference], 1 - share)
    rows = []
    for arm in arms:
        rate = exact_rate((scores[arm] > threshold).sum(), len(scores[arm]))
        rows.append({"arm": arm, "value": rate.value, "low": rate.low, "high": rate.high, "n": rate.n_trials})
    return pd.DataFrame(rows)


def shown_by_arm(
    table: pd.DataFrame, populations: Mapping[str, str], arms: Mapping[str, str], reference: str = REAL
) -> pd.DataFrame:
    """`detection_by_arm` as a page prints it: text cells, populations and arms by their labels."""
    rows = []
    for row in table.itertuples():
        gap = interval_text(row.difference, (row.difference_low, row.difference_high), sign="+")
        rows.append(
            {
                "Population": populations[row.population],
                "Arm": arms[row.arm],
                "People (with a lesion)": f"{row.n_patients} ({row.n_with})",
                "Answered": f"{row.n} of {row.n_asked}",
                "AUC [95% CI]": interval_text(row.auc, (row.low, row.high)),
                f"Less that of {arms[reference].lower()} [95% CI]": gap,
                "Equivalent from": DASH if np.isnan(row.equivalent_from) else f"±{row.equivalent_from:.2f}",
                "Verdict": row.verdict,
            }
        )
    return pd.DataFrame(rows)


def shown_by_size(table: pd.DataFrame, arms: Mapping[str, str]) -> pd.DataFrame:
    """`detection_by_size` as a page prints it: a row for each arm, a column for each size; n counts people with it."""
    rows = []
    for arm, label in arms.items():
        row = {"Arm": label}
        for cell in table[table["arm"] == arm].itertuples():
            size = f"{cell.low_mm:g} mm and over" if np.isinf(cell.high_mm) else f"{cell.low_mm:g}–{cell.high_mm:g} mm"
            row[f"Largest {size}"] = f"{interval_text(cell.auc, (cell.low, cell.high))}, n = {cell.n_with}"
        rows.append(row)
    return pd.DataFrame(rows)
