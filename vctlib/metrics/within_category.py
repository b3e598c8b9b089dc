"""Does a generator move with the category, and does it vary within it?

A generator may ignore what is asked of it, or answer each request with the category's mean body. Neither shows in a
mean over everybody. Two figures show both:

- `category_slope`: measured values of the bodies regressed on the mean of reference people of their category. 1 is
  ideal, and what reference people themselves have; 0 ignores the category.
- `spread_ratio`: SD within categories, over that of reference people. 1 is ideal; 0 returns category means.

A network that is told categories, as in the paper, cannot follow what varies within them: its slope on the exact
height asked for is below 1 at best, by the share of variance that lies there. One that is told values can.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from vctlib.attributes import category_label
from vctlib.errors import InputError
from vctlib.metrics.conditioning import categories
from vctlib.metrics.intervals import Estimate

PEOPLE_LIKE = ("sex", "height", "weight")  # what composition depends on most; age leaves too few people in a category
NONE = (float("nan"), float("nan"))


def combinations(table: pd.DataFrame, attributes: Sequence[str]) -> pd.Series:
    """The category numbers of each row of a table of people, as `2/3/5`; missing where an attribute is unknown."""
    numbers = np.stack([categories(table, attribute) for attribute in attributes], axis=1)
    names = ["/".join(map(str, row)) if min(row) > 0 else None for row in numbers.tolist()]
    return pd.Series(names, table.index, dtype=object)


def residuals(table: pd.DataFrame, column: str, attributes: Sequence[str]) -> tuple[np.ndarray, int]:
    """Deviations (n,) from the mean of one's category, and their degrees of freedom, n less categories.

    People alone in their category say nothing and are left out, as are those without a measurement.
    Raises InputError where there is no such column.
    """
    if column not in table:
        raise InputError(f"the table has no column {column!r}; measure it first")
    known = table[np.isfinite(table[column].to_numpy(float))]
    own = combinations(known, attributes)
    groups = known.groupby(own)[column].agg(["mean", "size"])
    groups = groups[groups["size"] > 1]
    deviations = (known[column] - own.map(groups["mean"])).dropna()
    return deviations.to_numpy(float), len(deviations) - len(groups)


def spread_ratio(
    reference: pd.DataFrame, other: pd.DataFrame, column: str, attributes: Sequence[str] = PEOPLE_LIKE
) -> Estimate:
    """SD within categories of `attributes` in one table over that in the reference; n counts the other's people.

    Variances are pooled over categories, weighted by n_c - 1. The interval is normal on the logarithm, its width
    from the kurtosis of both sides together, so that it holds where values are not normal. NaN without two people in
    any category, no interval with fewer than ten degrees of freedom; a ratio of 0 has the interval (0, 0).
    Source: bonett2006.
    """
    sides = [residuals(table, column, attributes) for table in (other, reference)]
    n = len(sides[0][0])
    if min(freedom for _, freedom in sides) < 1:
        return Estimate(float("nan"), NONE, n)
    sd = [np.sqrt((values**2).sum() / freedom) for values, freedom in sides]
    if sd[1] == 0 or sd[0] <= 1e-9 * sd[1]:
        return Estimate(0.0 if sd[1] > 0 else float("nan"), (0.0, 0.0) if sd[1] > 0 else NONE, n)
    if min(freedom for _, freedom in sides) < 10:
        return Estimate(float(sd[0] / sd[1]), NONE, n)
    kurtosis = _kurtosis(np.concatenate([values / s for (values, _), s in zip(sides, sd, strict=True)]))
    error = np.sqrt(sum((kurtosis - 1) / (4 * freedom) for _, freedom in sides))
    half = stats.norm.ppf(0.975) * error
    ratio = sd[0] / sd[1]
    return Estimate(float(ratio), (float(ratio * np.exp(-half)), float(ratio * np.exp(half))), n)


def category_slope(
    reference: pd.DataFrame, other: pd.DataFrame, column: str, attributes: Sequence[str], minimum_n: int = 3
) -> Estimate:
    """Slope of one table's values on the reference mean of each body's category, with its t interval.

    Categories with fewer than `minimum_n` reference people are left out: their mean is too uncertain, and error on
    this side of a regression lowers the slope. Give reference people who are not the ones that `other` was paired
    with (the training split). NaN below three bodies or where all are of one category.
    """
    known = reference[np.isfinite(reference[column].to_numpy(float))]
    groups = known.groupby(combinations(known, attributes))[column].agg(["mean", "size"])
    means = groups.loc[groups["size"] >= minimum_n, "mean"].to_dict()
    x = np.array([means.get(key, np.nan) for key in combinations(other, attributes)], float)
    y = other[column].to_numpy(float)
    both = np.isfinite(x) & np.isfinite(y)
    x, y = x[both], y[both]
    if len(x) < 3 or np.ptp(x) == 0:
        return Estimate(float("nan"), NONE, len(x))
    line = stats.linregress(x, y)
    half = stats.t.ppf(0.975, len(x) - 2) * line.stderr
    return Estimate(float(line.slope), (float(line.slope - half), float(line.slope + half)), len(x))


def category_table(reference: pd.DataFrame, other: pd.DataFrame, attribute: str, column: str) -> pd.DataFrame:
    """One row a category of one attribute: n, mean and SD on both sides, the difference of means and the ratio of SDs.

    bias: other less reference, in the column's unit, with Welch's 95 % interval; sd_ratio with the interval of
    `spread_ratio`. NaN where a side has too few bodies.
    """
    rows = []
    ours, theirs = categories(other, attribute), categories(reference, attribute)
    for number in sorted(set(ours[ours > 0]) | set(theirs[theirs > 0])):
        first, second = other[ours == number], reference[theirs == number]
        x, y = (table[column].dropna().to_numpy(float) for table in (first, second))
        bias, ratio = _welch(x, y), spread_ratio(second, first, column, [attribute])
        rows.append(
            {"attribute": attribute, "column": column, "category": number, "label": category_label(attribute, number)}
            | {"n": len(x), "reference_n": len(y), "mean": _mean(x), "reference_mean": _mean(y)}
            | {"bias": bias.value, "bias_low": bias.ci95[0], "bias_high": bias.ci95[1]}
            | {"sd_ratio": ratio.value, "sd_ratio_low": ratio.ci95[0], "sd_ratio_high": ratio.ci95[1]}
        )
    return pd.DataFrame(rows)


def _kurtosis(values: np.ndarray) -> float:
    """Fourth moment over the squared second, about 0: residuals have no mean."""
    return float(len(values) * (values**4).sum() / (values**2).sum() ** 2)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _welch(x: np.ndarray, y: np.ndarray) -> Estimate:
    """Difference of means of two samples with Welch's interval."""
    if min(len(x), len(y)) < 2 or np.ptp(x) + np.ptp(y) == 0:
        return Estimate(_mean(x) - _mean(y), NONE, len(x))
    interval = stats.ttest_ind(x, y, equal_var=False).confidence_interval(0.95)
    return Estimate(_mean(x) - _mean(y), (float(interval.low), float(interval.high)), len(x))
