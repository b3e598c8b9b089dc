"""A cohort beside what is published: ratios of organs with intervals over people, weights at the same ages."""

import numpy as np
import pandas as pd

from vctlib.measure.published import ROLES, quantities, read_published
from vctlib.metrics.intervals import bootstrap

STATISTICS = {"mean": np.mean, "median": np.median}
AGREES = (0.8, 1.25)  # ratios that differ by a fifth at most; a choice


def beside_published(table: pd.DataFrame, *, n_resamples: int = 2000, seed: int = 0) -> pd.DataFrame:
    """One row a published value: quantity, sex, ours, n, published, ratio, low, high, source, role, about.

    `table` as for `measure.published.quantities`, with a column sex. `ours` is the same statistic (mean or median) as
    the published one, over the same sex; low and high are the 95 % interval of ratio = ours / published. NaN where the
    cohort does not have the quantity. The published value's own error is not in the interval.
    """
    own, rows = quantities(table), []
    for published in read_published().to_dict("records"):
        values = own.get(published["quantity"], pd.Series(np.nan, table.index))
        if published["sex"] != "both":
            values = values[table["sex"] == published["sex"]]
        found = bootstrap(
            STATISTICS[published["statistic"]], values.dropna().to_numpy(float), n_resamples=n_resamples, seed=seed
        )
        ratio = [value / published["value"] for value in (found.value, *found.ci95)]
        rows.append(
            {"quantity": published["quantity"], "sex": published["sex"], "ours": found.value, "n": found.n}
            | {"published": published["value"], "published_sd": published["sd"], "published_n": published["n"]}
            | dict(zip(("ratio", "low", "high"), ratio, strict=True))
            | {name: published[name] for name in ("source", "role", "about")}
        )
    return pd.DataFrame(rows)


def agreement(ratios: pd.DataFrame) -> dict[str, tuple[int, int]]:
    """Of the ratios of each role of `measure.published`: how many lie within `AGREES`, and how many there are."""
    known = ratios.dropna(subset=["ratio"])
    within = known["ratio"].between(*AGREES)
    return {role: (int(within[known["role"] == role].sum()), int((known["role"] == role).sum())) for role in ROLES}


def difference_at_same_ages(own: np.ndarray, theirs: np.ndarray) -> float:
    """Mean of `own` values less the mean of `theirs` in the same decade of age; rows of (age in years, value).

    Every one of `own` counts the same, so that their ages and not `theirs` are the common ones. NaN where a decade is
    missing from `theirs`.
    """
    decades = theirs[:, 0] // 10
    means = {decade: theirs[decades == decade, 1].mean() for decade in np.unique(decades)}
    return float(np.mean([value - means.get(age // 10, np.nan) for age, value in own]))
