"""Does a synthetic body have the age, height and weight it was asked for? (Fig. 4 of the paper)

The same measurement is made on reference, reconstructed and synthetic bodies, and compared within each category of
the conditioning attribute. Two differences of the means are given, because they answer different questions:

- `z_score` = (mean - reference mean) / sqrt(SE^2 + reference SE^2), SE = SD / sqrt(n). This is the paper's Z: it
  gives the Z column of the paper's Table 1 back from the intervals there. It grows with n, and |z| averages 0.80
  where nothing differs.
- `standardized_difference` = (mean - reference mean) / reference SD, in standard deviations of the people in the
  category, whatever n is.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from vctlib.attributes import ATTRIBUTES, N_CATEGORIES, Attributes, category_label
from vctlib.errors import InputError
from vctlib.metrics.intervals import Estimate, pearson

REFERENCE = "reference"
_COLUMNS = ("sex", "age_years", "height_cm", "weight_kg")
MINIMUM_N = 5  # bodies on both sides below which a category's comparison says nothing


def categories(table: pd.DataFrame, attribute: str) -> np.ndarray:
    """The category index (n,) of each row of a `subjects.csv`; 0 where the attribute is unknown."""
    position = ATTRIBUTES.index(attribute)
    people = table[[name for name in _COLUMNS if name in table]]  # hundreds of others would cost seconds
    return np.array([Attributes.from_row(row).categories()[position] for row in people.to_dict("records")], int)


def z_score(mean: float, sd: float, n: int, reference_mean: float, reference_sd: float, reference_n: int) -> float:
    """Difference of two means over its standard error; NaN where neither side varies. Source: killeen2025 Table 1."""
    error = np.sqrt(sd**2 / n + reference_sd**2 / reference_n)
    return float((mean - reference_mean) / error) if error > 0 else float("nan")


def by_category(cohorts: Mapping[str, pd.DataFrame], attribute: str, column: str) -> pd.DataFrame:
    """One row for each category and cohort: n, mean, sd, z_score and standardized_difference against "reference".

    `cohorts`: name -> table with the attributes of `subjects.csv` and the measured `column`, in its own unit. Rows
    without a measurement or of unknown category are left out; sd is of the sample (n - 1). One row must be one body:
    several draws of a person are not independent and would inflate z_score.
    Raises InputError where "reference" or the column is missing.
    """
    if REFERENCE not in cohorts:
        raise InputError(f"no cohort is named {REFERENCE!r}; there are {', '.join(cohorts)}")
    groups = {}
    for name, table in cohorts.items():
        if column not in table:
            raise InputError(f"the {name} cohort has no column {column!r}; measure it first")
        values, index = table[column].to_numpy(float), categories(table, attribute)
        groups[name] = [values[(index == number) & np.isfinite(values)] for number in _numbers(attribute)]
    rows = []
    for position, number in enumerate(_numbers(attribute)):
        reference = _describe(groups[REFERENCE][position])
        for name in cohorts:
            described = _describe(groups[name][position])
            row = {"category": number, "label": category_label(attribute, number), "cohort": name, **described}
            rows.append(row | _differences(described, reference, is_reference=name == REFERENCE))
    return pd.DataFrame(rows).assign(attribute=attribute, column=column)


def mean_difference(table: pd.DataFrame, cohort: str, measure: str, minimum_n: int = MINIMUM_N) -> Estimate:
    """Mean over the categories of the absolute `z_score` or `standardized_difference` of one cohort.

    Only categories with at least `minimum_n` bodies in the cohort and in the reference count; `n` is their number.
    Absolute, because signs would cancel; the paper does not say. There is no interval: the categories are all there
    are, not a sample. Source: killeen2025 section 1.4.
    """
    reference_n = table[table["cohort"] == REFERENCE].set_index("category")["n"]
    rows = table[table["cohort"] == cohort].set_index("category")
    values = rows.loc[(rows["n"] >= minimum_n) & (reference_n >= minimum_n), measure].abs().dropna()
    return Estimate(float(values.mean()) if len(values) else np.nan, (np.nan, np.nan), len(values))


@dataclass(frozen=True)
class Agreement:
    """How a measured quantity follows the value asked for; both in one unit for `bias` and `slope` to mean anything."""

    correlation: Estimate  # Pearson, Fisher's interval
    slope: float  # measured = slope * asked + intercept, least squares; 1 is ideal
    intercept: float
    bias: float  # mean of measured - asked
    mean_absolute_error: float
    spread_ratio: float  # SD of measured / SD of asked; below 1, the extremes are missing
    slope_ci95: tuple[float, float] = (float("nan"), float("nan"))  # of Student's t
    bias_ci95: tuple[float, float] = (float("nan"), float("nan"))  # of Student's t
    spread_ci95: tuple[float, float] = (float("nan"), float("nan"))  # of Student's t, by Pitman's and Morgan's test

    @property
    def n(self) -> int:
        return self.correlation.n


def agreement(asked, measured) -> Agreement:
    """Compare values asked for with values measured (n,), leaving out pairs with a NaN; NaN below three pairs."""
    asked, measured = np.asarray(asked, float), np.asarray(measured, float)
    known = np.isfinite(asked) & np.isfinite(measured)
    asked, measured = asked[known], measured[known]
    correlation = pearson(asked, measured)
    if len(asked) < 3 or np.ptp(asked) == 0:
        return Agreement(correlation, *[float("nan")] * 5)
    line = stats.linregress(asked, measured)
    difference = measured - asked
    spread = measured.std(ddof=1) / asked.std(ddof=1)
    figures = (line.slope, line.intercept, difference.mean(), np.abs(difference).mean(), spread)
    quantile = stats.t.ppf(0.975, len(asked) - 2)
    intervals = (
        _around(line.slope, quantile * line.stderr),
        _around(difference.mean(), stats.t.ppf(0.975, len(asked) - 1) * stats.sem(difference)),
        _spread_interval(spread, correlation.value, quantile / np.sqrt(len(asked) - 2)),
    )
    return Agreement(correlation, *map(float, figures), *intervals)


def _around(value: float, half: float) -> tuple[float, float]:
    return float(value - half), float(value + half)


def _spread_interval(ratio: float, r: float, scaled_quantile: float) -> tuple[float, float]:
    """Interval of a ratio of SDs of paired values, from the t quantile over sqrt(n - 2).

    All ratios k with which the sum and the difference of measured and k times asked do not correlate: the ends are
    ratio * sqrt(K +- sqrt(K^2 - 1)), K = 1 + 2 (1 - r^2) t^2 / (n - 2). Source: pitman1939, morgan1939.
    """
    if not np.isfinite(r):
        return _around(ratio, float("nan"))
    k = 1 + 2 * (1 - r**2) * scaled_quantile**2
    low = k - np.sqrt(max(k**2 - 1, 0.0))
    return float(ratio * np.sqrt(low)), float(ratio / np.sqrt(low))


def _numbers(attribute: str) -> range:
    return range(1, N_CATEGORIES[attribute] + 1)


def _describe(values: np.ndarray) -> dict[str, float]:
    return {
        "n": len(values),
        "mean": float(values.mean()) if len(values) else np.nan,
        "sd": float(values.std(ddof=1)) if len(values) > 1 else np.nan,
    }


def _differences(described: dict, reference: dict, is_reference: bool) -> dict[str, float]:
    if is_reference or not (np.isfinite(described["sd"]) and np.isfinite(reference["sd"])):
        return {"z_score": np.nan, "standardized_difference": np.nan}
    z = z_score(*(described[k] for k in ("mean", "sd", "n")), *(reference[k] for k in ("mean", "sd", "n")))
    over_sd = (described["mean"] - reference["mean"]) / reference["sd"] if reference["sd"] > 0 else np.nan
    return {"z_score": z, "standardized_difference": over_sd}
