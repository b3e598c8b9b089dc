"""Do organs follow the person? Volume and place in one cohort against another, person by person.

killeen2025 section 1.3 compares organ volumes and centroids "in synthetic images to that in real images, using the
TotalSegmentator segmentation of each, based on relative position in the patient-specific RAS coordinate system". Here:
the independent segmenter on both, centroids in mm from the body's centre along the patient's own axes
(`measure.organs`), Pearson's r over people, each synthetic body paired with the person whose attributes it has.

A synthetic body shares four attributes with its person and nothing else, so r has a ceiling well below 1: what two
real people of one description have in common. `nearest_people` finds such pairs, and the same table of them is the
ceiling.
"""

import numpy as np
import pandas as pd

from vctlib.anatomy import PAPER16
from vctlib.errors import InputError
from vctlib.metrics.consistency import average_row
from vctlib.metrics.intervals import Estimate, pearson

# figure -> column of `measure_body`
FIGURES = {
    "volume": "{}_volume_ml_measured",
    "centroid_right": "{}_centroid_r_mm_measured",
    "centroid_anterior": "{}_centroid_a_mm_measured",
    "centroid_superior": "{}_centroid_s_mm_measured",
}
_SCALES = ("age_years", "height_cm", "weight_kg")


def nearest_people(people: pd.DataFrame, training: pd.DataFrame) -> pd.Series:
    """For each person the most alike training person of the same sex: subject_id to subject_id.

    Alike: the least Euclidean distance of age, height and weight, each divided by its SD in the training people.
    People of unknown sex, or of one that no training person has, are left out, and so is everybody with an attribute
    unknown.
    """
    scale = training[list(_SCALES)].std()
    found = {}
    for sex, group in people.dropna(subset=list(_SCALES)).groupby("sex"):
        candidates = training[training["sex"] == sex].dropna(subset=list(_SCALES))
        if len(candidates):
            ours, theirs = ((table[list(_SCALES)] / scale).to_numpy() for table in (group, candidates))
            closest = np.linalg.norm(ours[:, None] - theirs[None], axis=-1).argmin(axis=1)
            found |= dict(zip(group.index, candidates.index[closest], strict=True))
    return pd.Series(found, dtype=object)


def matched_organs(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Pearson's r of volume and centroid of the 16 classes between two tables of `measure_body`, paired by their index.

    One row a class and the average: n (people with the class in either table), and for each of `FIGURES`
    `<figure>_r`, `<figure>_r_low`, `<figure>_r_high` (Fisher's interval; the average has none here, see
    `average_correlation`). An absent class has volume 0 and no centroid. Raises InputError where nobody is shared.
    """
    people = _shared(first, second)
    rows = {}
    for name in PAPER16.values():
        either = _either(first, second, people, name)
        row = {"n": int(either.sum())}
        for figure, column in FIGURES.items():
            x, y = (table.loc[people, column.format(name)].to_numpy(float)[either] for table in (first, second))
            r = pearson(x, y)
            row |= {f"{figure}_r": r.value, f"{figure}_r_low": r.ci95[0], f"{figure}_r_high": r.ci95[1]}
        rows[name] = row
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("structure")
    average = average_row(table)
    for figure in FIGURES:
        average[[f"{figure}_r_low", f"{figure}_r_high"]] = np.nan
    return pd.concat([table, average])


def average_correlation(
    first: pd.DataFrame, second: pd.DataFrame, figures=tuple(FIGURES), n_resamples: int = 1000, seed: int = 0
) -> Estimate:
    """Mean r over the 16 classes and some `FIGURES`, with a percentile interval over people, who are the n."""
    people = _shared(first, second)
    x, y = np.empty((2, len(people), len(PAPER16) * len(figures)))
    pairs = [(name, figure) for name in PAPER16.values() for figure in figures]
    for position, (name, figure) in enumerate(pairs):
        either = _either(first, second, people, name)
        for side, table in ((x, first), (y, second)):
            values = table.loc[people, FIGURES[figure].format(name)].to_numpy(float)
            side[:, position] = np.where(either, values, np.nan)
    rng = np.random.default_rng(seed)
    value = _mean_correlation(x, y)
    if len(people) < 4:
        return Estimate(value, (np.nan, np.nan), len(people))
    draws = [
        _mean_correlation(x[chosen], y[chosen]) for chosen in rng.integers(len(people), size=(n_resamples, len(people)))
    ]
    low, high = np.nanpercentile(draws, [2.5, 97.5]) if np.isfinite(draws).any() else (np.nan, np.nan)
    return Estimate(value, (float(low), float(high)), len(people))


def _shared(first: pd.DataFrame, second: pd.DataFrame) -> pd.Index:
    people = first.index.intersection(second.index, sort=False)
    if not len(people):
        raise InputError("the two tables share no person; index both by the person whose attributes a body has")
    return people


def _either(first: pd.DataFrame, second: pd.DataFrame, people: pd.Index, name: str) -> np.ndarray:
    column = FIGURES["volume"].format(name)
    return (first.loc[people, column].fillna(0) > 0).to_numpy() | (second.loc[people, column].fillna(0) > 0).to_numpy()


def _mean_correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Mean over columns of Pearson's r of (n, columns); pairs with NaN are left out, columns with fewer than 3 too."""
    known = np.isfinite(x) & np.isfinite(y)
    n = known.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        centred = [np.where(known, side - np.where(known, side, 0).sum(axis=0) / n, 0) for side in (x, y)]
        products = (centred[0] * centred[1]).sum(axis=0)
        squares = [(side**2).sum(axis=0) for side in centred]
        r = products / np.sqrt(squares[0] * squares[1])
    r = r[(n >= 3) & np.isfinite(r)]
    return float(r.mean()) if len(r) else float("nan")
