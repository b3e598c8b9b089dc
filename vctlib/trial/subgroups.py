"""Errors in subgroups of one arm, with an interval that allows for how many subgroups are looked at."""

from types import MappingProxyType

import numpy as np
import pandas as pd

from vctlib.trial.bootstrap import bootstrap_difference, bootstrap_mae
from vctlib.trial.populations import with_bmi
from vctlib.trial.protocol import Protocol
from vctlib.trial.verdict import NOT_ENOUGH_EVIDENCE, interval_verdict

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
    """One row a subgroup of an arm: MAE and how much it lies above that of everybody else, in the task's unit.

    frame: one row an image with `subject_id`, `error` and attributes, every image once. Both intervals are widened
    after Bonferroni to the number of subgroups with `FEWEST` people or more, so that all of them hold together at the
    protocol's level; the rest are counted and have no interval. Columns: `COLUMNS`.
    """
    masks = subgroup_masks(frame)
    errors, people = frame["error"].to_numpy(float), frame["subject_id"].to_numpy()
    judged = {name for name, mask in masks.items() if len(set(people[mask])) >= FEWEST}
    level = 1 - (1 - protocol.level) / max(len(judged), 1)
    settings = protocol.bootstrap(level)
    rows = []
    for name, mask in masks.items():
        own = {"subgroup": name, "n": int(mask.sum()), "n_patients": len(set(people[mask]))}
        own |= {"mae": float(np.abs(errors[mask]).mean()), "verdict": NOT_ENOUGH_EVIDENCE}
        if name in judged:
            mae = bootstrap_mae(errors[mask], people[mask], **settings)
            verdict = interval_verdict(mae.low, mae.high, protocol.margins.acceptable, protocol.margins.failure)
            own |= {"mae_low": mae.low, "mae_high": mae.high, "verdict": verdict}
            if len(set(people[~mask])) >= FEWEST:
                gap = bootstrap_difference(errors[mask], people[mask], errors[~mask], people[~mask], **settings)
                own |= {"difference": gap.value, "difference_low": gap.low, "difference_high": gap.high}
        rows.append(own)
    return pd.DataFrame(rows, columns=COLUMNS)
