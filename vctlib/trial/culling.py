"""How much the re-biased arm owes to its culling: the same trial with more and with less of it.

The paper culls synthetic bodies that lie on the other side of the boundary than the people they were made for, and gets
a match. The boundary is made of measured composition, so whoever culls must know the composition of the population that
the trial asks about; and a trial that fits only after culling has been told part of the answer.

Source: killeen2025 section 1.5.1.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from vctlib.trial.arms import REAL, SYNTHETIC
from vctlib.trial.bootstrap import bootstrap_mae
from vctlib.trial.evaluate import ErrorTables
from vctlib.trial.protocol import Protocol
from vctlib.trial.split import ID, MINIMUM_PEOPLE, BiasedSplit
from vctlib.trial.verdict import NOT_ENOUGH_EVIDENCE, interval_verdict

# How far on the wrong side (negative) a body may lie and stay, or how far on the right side it must lie: percentage
# points of the boundary's other tissue. 0 is the paper's; none keeps everybody.
THRESHOLDS = (-np.inf, -8.0, -4.0, -2.0, 0.0, 2.0)


def own_side_distance(frame: pd.DataFrame, split: BiasedSplit) -> np.ndarray:
    """How deep each body lies on the side of its own population, in points of the other tissue; negative: beyond the
    boundary. frame: one row a body with `population` and the split's columns; returns (rows,)."""
    towards_id = split.distance(frame)
    return np.where(frame["population"] == ID, towards_id, -towards_id)


def culling_curve(
    tables: ErrorTables, split: BiasedSplit, protocol: Protocol, thresholds: Sequence[float] = THRESHOLDS
) -> pd.DataFrame:
    """The synthetic arm under culling of every strength, beside the real error.

    Columns: population, threshold (points), culled (share of images), n, n_patients, mae, mae_low, mae_high, verdict,
    mae_real; errors in the task's unit. Fewer than `MINIMUM_PEOPLE` people have no interval.
    """
    rows = []
    for (population, arm), images in tables.items():
        if arm != SYNTHETIC:
            continue
        depth = own_side_distance(images.assign(population=population), split)
        real = tables.get((population, REAL))
        for threshold in thresholds:
            kept = images[depth >= threshold]
            row = {"population": population, "threshold": threshold, "culled": 1 - len(kept) / len(images)}
            row |= {"n": len(kept), "n_patients": kept["subject_id"].nunique(), "verdict": NOT_ENOUGH_EVIDENCE}
            if row["n_patients"] >= MINIMUM_PEOPLE:
                mae = bootstrap_mae(kept["error"], kept["subject_id"], **protocol.bootstrap())
                limits = protocol.margins.acceptable, protocol.margins.failure
                row |= {"mae": mae.value, "mae_low": mae.low, "mae_high": mae.high}
                row["verdict"] = interval_verdict(mae.low, mae.high, *limits)
            rows.append(row | {"mae_real": np.nan if real is None else real["error"].abs().mean()})
    columns = "population threshold culled n n_patients mae mae_low mae_high verdict mae_real".split()
    return pd.DataFrame(rows, columns=columns)
