"""Errors in subgroups of one arm, with an interval that allows for how many subgroups are looked at."""

from types import MappingProxyType

import numpy as np
import pandas as pd

from vctlib.trial.endpoint import difference, estimate, is_enough, value_of, verdict
from vctlib.trial.populations import with_bmi
from vctlib.trial.protocol import Protocol
from vctlib.trial.verdict import NOT_ENOUGH_EVIDENCE

FEWEST = 10  # people of a subgroup, below which it has a mean and no verdict
# Bands of the attributes: [low, high). BMI: the classes of the World Health Organization (who2000).
BANDS = MappingProxyType(
    {
        "age_years": (("under 45 years", 0, 45), ("45-64 years", 45, 65), ("65 years and over", 65, np.inf)),
        "bmi": (
            ("BMI under 18.5", 0, 18.5),
            ("BMI 18.5-25", 18.5, 25),
            ("BMI 25-30", 25, 30),
            ("BMI 30 and over", 30, np.inf),
        ),
    }
)
COLUMNS = "subgroup n n_patients mae mae_low mae_high difference difference_low difference_high verdict".split()


def subgroup_masks(frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """Subgroup -> which rows (n,) are in it, of those that somebody is in: sex, bands of age and of BMI."""
    frame = with_bmi(frame)
    masks = {}
    if "sex" in frame:
        masks |= {sex: (frame["sex"] == sex).to_numpy() for sex in ("female", "male")}
    for column, bands in BANDS.items():
        if column in frame:
            masks |= {name: ((frame[column] >= low) & (frame[column] < high)).to_numpy() for name, low, high in bands}
    return {name: mask for name, mask in masks.items() if mask.any()}


def subgroup_table(frame: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    """One row a subgroup of an arm: the endpoint and how much it lies above that of everybody else.

    frame: one row an image with `subject_id`, `error`, attributes, truth and prediction, every image once. Both
    intervals are widened after Bonferroni to the number of subgroups with `FEWEST` people or more, so that all of them
    hold together at the protocol's level; the rest are counted and have no interval. Columns: `COLUMNS`; `mae` holds
    the protocol's endpoint.
    """
    masks = subgroup_masks(frame)
    parts = {name: (frame[mask], frame[~mask]) for name, mask in masks.items()}
    judged = {name for name, (own, _) in parts.items() if is_enough(own, protocol, FEWEST)}
    level = 1 - (1 - protocol.level) / max(len(judged), 1)
    rows = []
    for name, (inside, others) in parts.items():
        own = {"subgroup": name, "n": len(inside), "n_patients": inside["subject_id"].nunique()}
        own |= {"mae": value_of(inside, protocol), "verdict": NOT_ENOUGH_EVIDENCE}
        if name in judged:
            mae = estimate(inside, protocol, level)
            own |= {"mae_low": mae.low, "mae_high": mae.high, "verdict": verdict(mae.low, mae.high, protocol)}
            if is_enough(others, protocol, FEWEST):
                gap = difference(inside, others, protocol, level)
                own |= {"difference": gap.value, "difference_low": gap.low, "difference_high": gap.high}
        rows.append(own)
    return pd.DataFrame(rows, columns=COLUMNS)
