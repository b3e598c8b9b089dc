"""What a protocol measures of an arm, its endpoint: the mean absolute error of a number, or the AUC of a detection.

A table of an arm has one row an image with `subject_id`, `error`, and the protocol's truth and prediction columns.
Values are in the endpoint's own sense: of an error less is better, of an AUC more.
"""

import numpy as np
import pandas as pd

from vctlib.trial.bootstrap import Difference, Estimate, bootstrap_difference, bootstrap_mae
from vctlib.trial.protocol import AUC, Protocol
from vctlib.trial.ranking import bootstrap_auc, bootstrap_auc_difference, can_rank
from vctlib.trial.split import MINIMUM_PEOPLE
from vctlib.trial.verdict import interval_verdict, paper_verdict


def is_enough(rows: pd.DataFrame, protocol: Protocol, fewest: int = MINIMUM_PEOPLE) -> bool:
    """Whether there are people enough for an interval: `fewest`, and of a detection two with and two without."""
    if rows["subject_id"].nunique() < fewest:
        return False
    return protocol.endpoint != AUC or can_rank(rows[protocol.truth_column], rows["subject_id"])


def value_of(rows: pd.DataFrame, protocol: Protocol) -> float:
    """The endpoint's value without an interval; NaN of an AUC where all have the condition, or nobody."""
    if protocol.endpoint != AUC:
        return float(rows["error"].abs().mean())
    truth, scores = (rows[name].to_numpy(float) for name in (protocol.truth_column, protocol.prediction_column))
    with_it, without = scores[truth == 1][:, None], scores[truth == 0][None, :]
    return float(((with_it > without) + 0.5 * (with_it == without)).mean()) if with_it.size and without.size else np.nan


def estimate(rows: pd.DataFrame, protocol: Protocol, level: float | None = None) -> Estimate:
    """The endpoint's value with its interval over people, at the protocol's level or another one."""
    settings = protocol.bootstrap(level)
    if protocol.endpoint == AUC:
        return bootstrap_auc(*_scored(rows, protocol), **settings)
    return bootstrap_mae(rows["error"], rows["subject_id"], **settings)


def difference(
    rows: pd.DataFrame, reference: pd.DataFrame, protocol: Protocol, level: float | None = None
) -> Difference:
    """The value of `rows` less that of `reference`, with its interval; paired where a person stands in both."""
    settings = protocol.bootstrap(level)
    if protocol.endpoint == AUC:
        return bootstrap_auc_difference(*_scored(rows, protocol), *_scored(reference, protocol), **settings)
    return bootstrap_difference(
        rows["error"], rows["subject_id"], reference["error"], reference["subject_id"], **settings
    )


def _scored(rows: pd.DataFrame, protocol: Protocol) -> tuple[pd.Series, pd.Series, pd.Series]:
    return rows[protocol.prediction_column], rows[protocol.truth_column], rows["subject_id"]


def _as_errors(*values: float) -> list[float]:
    """Values of which more is better, as what is missing to 1: the rules of verdicts are about errors."""
    return [1 - value for value in values]


def verdict(low: float, high: float, protocol: Protocol) -> str:
    """The verdict that an interval of the endpoint allows: `interval_verdict` on the protocol's limits."""
    limits = protocol.margins.acceptable, protocol.margins.failure
    if protocol.endpoint == AUC:
        return interval_verdict(*_as_errors(high, low, *limits))
    return interval_verdict(low, high, *limits)


def point_verdict(value: float, protocol: Protocol) -> str:
    """The verdict on the value alone, as the paper gives it."""
    limits = protocol.margins.acceptable, protocol.margins.failure
    return paper_verdict(*(_as_errors(value, *limits) if protocol.endpoint == AUC else (value, *limits)))
