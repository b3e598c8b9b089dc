"""How many bodies have an anatomy that nobody has? Verdicts on the figures of `metrics.anatomy_figures`.

Five kinds, and the limits of all of them, stand here and nowhere else. A limit is the value stated in `STATED`,
moved only as far as it must be for 99 % of the training people to pass everything: a structure that the segmenter
often breaks, or that varies much, cannot be judged more strictly than that. Held-out reference people, judged by the
same limits, say how often a sound body fails; their rate belongs beside every other.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd

from vctlib.errors import InputError
from vctlib.metrics.intervals import clopper_pearson

STATED: Mapping[str, float] = MappingProxyType(
    {
        "missing": 20.0,  # percent of the median volume in training people of the sex; less is missing
        "one_sided": 10.0,  # percent of a paired structure on the side that has less; less is one-sided
        "doubled": 20.0,  # percent of a structure in one part too many; more is doubled
        "wrong_side": 0.0,  # mm of the centroid on its own side of the midline; less is the wrong side
        "disconnected": 1.0,  # percent of the body in its second part; more is disconnected
    }
)
KINDS = tuple(STATED)
PASS_RATE = 0.99  # of the training people, on all checks together
_FIGURE = {
    "volume_percent": "missing",
    "weaker_side_percent": "one_sided",
    "extra_part_percent": "doubled",
    "own_side_mm": "wrong_side",
    "detached_percent": "disconnected",
}
_LOW_IS_BAD = ("missing", "one_sided", "wrong_side")
Figures = tuple[pd.DataFrame, pd.Series]  # of `anatomy_figures`, one row a body, and the sex asked for
_TAILS = (0.05, 0.04, 0.03, 0.02, 0.015, 0.01, 0.0075, 0.005, 0.003, 0.002, 0.001, 0.0)


def median_volumes(figures: pd.DataFrame, sex: pd.Series) -> pd.DataFrame:
    """Median volume (ml) of each structure by sex: index sex, columns `<structure>/volume_ml`."""
    volumes = figures[[name for name in figures if name.endswith("/volume_ml")]]
    return volumes.groupby(sex.reindex(figures.index)).median()


def checked_values(figures: pd.DataFrame, sex: pd.Series, medians: pd.DataFrame) -> pd.DataFrame:
    """One column a check, `<structure>/<figure>`: the figures, with each volume in percent of its median in the sex.

    A structure whose median is 0 (the prostate, in women) is not asked for: NaN. So is every volume of a person of
    unknown sex.
    """
    volumes = [name for name in medians if name in figures]
    usual = medians.reindex(sex.reindex(figures.index).to_numpy())[volumes].to_numpy(float)
    percent = 100 * figures[volumes].to_numpy(float) / np.where(usual > 0, usual, np.nan)
    names = [name.replace("/volume_ml", "/volume_percent") for name in volumes]
    rest = figures[[name for name in figures if name.split("/")[-1] in _FIGURE]]
    return pd.concat([pd.DataFrame(percent, figures.index, names), rest], axis=1)


def fit_limits(values: pd.DataFrame) -> pd.DataFrame:
    """A limit for each check from the `checked_values` of the training people, one row a check.

    Columns: kind, low_is_bad, stated, limit, n. A limit is the stated one, or the training people's quantile at a tail
    where that is laxer; the tail is common to all checks, the largest from 5 % to 0 at which 99 % pass everything.
    Raises InputError where there is nobody.
    """
    if not len(values):
        raise InputError("limits of possible anatomy need training people; there are none")
    rows = pd.DataFrame(index=pd.Index(values.columns, name="check"))
    rows["kind"] = [_FIGURE[name.split("/")[-1]] for name in values]
    rows["low_is_bad"] = rows["kind"].isin(_LOW_IS_BAD)
    rows["stated"] = rows["kind"].map(STATED).astype(float)
    rows["n"] = values.notna().sum()
    for tail in _TAILS:
        low, high = values.quantile(tail, interpolation="lower"), values.quantile(1 - tail, interpolation="higher")
        laxer = np.where(rows["low_is_bad"], np.fmin(rows["stated"], low), np.fmax(rows["stated"], high))
        limits = rows.assign(limit=laxer)
        if (~failures(values, limits).any(axis=1)).mean() >= PASS_RATE:
            break
    return limits


def failures(values: pd.DataFrame, limits: pd.DataFrame) -> pd.DataFrame:
    """Which checks each body fails: boolean, one row a body, one column a check. What is NaN does not fail.

    Raises InputError for a check that has no limit or a limit that has no check.
    """
    if odd := sorted(set(values) ^ set(limits.index)):
        raise InputError(f"checks and limits differ: {', '.join(odd[:3])}; measure both cohorts with the same version")
    values = values[list(limits.index)]
    limit, low_is_bad = limits["limit"].to_numpy(), limits["low_is_bad"].to_numpy()
    return (values < limit).where(low_is_bad[None, :] & np.ones((len(values), 1), bool), values > limit)


def judge(training: Figures, cohorts: Mapping[str, Figures]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rates of each cohort and of the training people, and what stands behind them; each argument (figures, sex).

    Returns the `rates` of each with the column cohort, and the `fit_limits` table with the bodies that fail each
    check, one further column a cohort.
    """
    medians = median_volumes(*training)
    limits = fit_limits(checked_values(*training, medians))
    tables, counts = [], {}
    for cohort, (figures, sex) in ({"training": training} | dict(cohorts)).items():
        failed = failures(checked_values(figures, sex, medians), limits)
        tables.append(rates(failed, limits).assign(cohort=cohort))
        counts[f"{cohort}_bodies"] = failed.sum()
    return pd.concat(tables, ignore_index=True), limits.assign(**counts)


def rates(failed: pd.DataFrame, limits: pd.DataFrame) -> pd.DataFrame:
    """Bodies that fail at least one check of a kind, and of any: kind, bodies, n, percent, low, high (exact, 95 %)."""
    rows = []
    for kind in (*KINDS, "any"):
        own = failed[limits.index if kind == "any" else limits.index[limits["kind"] == kind]]
        count, n = int(own.any(axis=1).sum()), len(own)
        low, high = clopper_pearson(count, n)
        share = count / n if n else np.nan
        rows.append(
            {"kind": kind, "bodies": count, "n": n, "percent": 100 * share, "low": 100 * low, "high": 100 * high}
        )
    return pd.DataFrame(rows)
