"""The ratio of a cohort's organs to published ones, with intervals over people."""

import numpy as np
import pandas as pd

from vctlib.measure.published import quantities, read_published
from vctlib.metrics.intervals import bootstrap

STATISTICS = {"mean": np.mean, "median": np.median}


def beside_published(table: pd.DataFrame, *, n_resamples: int = 2000, seed: int = 0) -> pd.DataFrame:
    """One row a published value: quantity, sex, ours, n, published, ratio, low, high, source, about.

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
            | {"source": published["source"], "about": published["about"]}
        )
    return pd.DataFrame(rows)
