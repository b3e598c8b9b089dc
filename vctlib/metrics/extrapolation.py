"""What happens where training people were few: rare and unseen combinations of attributes.

Four attributes, each in its categories, make many combinations, and most have nobody among the training people. Each
person asked for is flagged by how many training people are of the same combination, and of it or a neighbouring one
(the same sex; age, height and weight at most one category away):

- `known`: at least one training person of the very combination, and enough around it;
- `unseen`: none of the combination, but enough around it: interpolation;
- `extrapolation`: fewer than k in the neighbourhood, or an age, height or weight beyond that of everybody.

An attribute that is left open asks for nothing, so that training people of any value are like that person.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from vctlib.attributes import ATTRIBUTES
from vctlib.metrics.conditioning import categories
from vctlib.metrics.intervals import bootstrap

FLAGS = ("known", "unseen", "extrapolation")
FEWEST = 10  # training people in the neighbourhood below which a person is extrapolation: k


def combination_counts(people: pd.DataFrame, training: pd.DataFrame, fewest: int = FEWEST) -> pd.DataFrame:
    """For each person (index of `people`): in_combination, in_neighbourhood (training people) and flag.

    Both tables hold the attributes of `subjects.csv`. An attribute that is unknown of a training person is near to
    nobody's value; one that a person leaves open is near to all.
    """
    ours, theirs = (np.stack([categories(t, a) for a in ATTRIBUTES], axis=1) for t in (people, training))
    apart = np.abs(ours[:, None, :] - theirs[None, :, :])  # (people, training people, attributes)
    apart[np.broadcast_to(theirs[None, :, :] == 0, apart.shape)] = 99
    apart[np.broadcast_to(ours[:, None, :] == 0, apart.shape)] = 0
    values = ["age_years", "height_cm", "weight_kg"]
    beyond = ((people[values] < training[values].min()) | (people[values] > training[values].max())).any(axis=1)
    same = (apart == 0).all(axis=-1).sum(axis=1)
    near = ((apart[..., 0] == 0) & (apart[..., 1:] <= 1).all(axis=-1)).sum(axis=1)
    flag = np.where((near < fewest) | beyond, "extrapolation", np.where(same == 0, "unseen", "known"))
    return pd.DataFrame({"in_combination": same, "in_neighbourhood": near, "flag": flag}, index=people.index)


def error_by_flag(
    cohorts: Mapping[str, pd.DataFrame],
    targets: Mapping[str, tuple[pd.Series, str, str]],
    flags: pd.Series,
    n_resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Mean absolute error and bias by flag, one row a cohort, quantity and flag, with bootstrap intervals over people.

    cohorts: name -> table of measurements, indexed by the person asked for, one body a person. targets: quantity ->
    (what it should be, indexed alike; measured column; unit). Columns: cohort, quantity, unit, flag, n, mae, mae_low,
    mae_high, bias, bias_low, bias_high. A flag that nobody has is a row with n = 0.
    """
    rows = []
    for cohort, table in cohorts.items():
        for quantity, (target, column, unit) in targets.items():
            error = (table[column] - target.reindex(table.index)).dropna()
            for flag in FLAGS:
                own = error[flags.reindex(error.index) == flag].to_numpy(float)
                row = {"cohort": cohort, "quantity": quantity, "unit": unit, "flag": flag, "n": len(own)}
                for name, values in (("mae", np.abs(own)), ("bias", own)):
                    e = bootstrap(np.mean, values, n_resamples=n_resamples, seed=seed)
                    row |= {name: e.value, f"{name}_low": e.ci95[0], f"{name}_high": e.ci95[1]}
                rows.append(row)
    return pd.DataFrame(rows)
