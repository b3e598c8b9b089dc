"""How far are phantoms from real CT? The same part of the body of as many people on each side, in one table.

Deep features are those of the book's other Fréchet distances (`metrics.realism`); beside each distance stands the one
that two halves of the patients have between them. Three rows ask without a distance:
how often does a classifier that has seen other people know a phantom from a patient? Half of the time means that it
cannot tell. Source: heusel2017; lopezpaz2017 (classifier two-sample tests); clopper1934 (the exact interval).
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.base import ClassifierMixin, clone
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from vctlib.measure.outline import UNITS, outline_sizes
from vctlib.metrics.frechet import FrechetDistance, at_same_n, real_to_real
from vctlib.metrics.hu_histograms import (
    band_percent,
    hu_histograms,
    peak_hu,
    total_variation,
    valley_percent,
    wasserstein_hu,
)
from vctlib.metrics.intervals import Estimate, bootstrap
from vctlib.metrics.partial_scans import DENSITY_BANDS
from vctlib.metrics.realism import PLANES, plane_features
from vctlib.sources.neck import NeckCut

FEWEST = 4  # people on each side below which nothing is computed
N_SLICES = 3  # of each plane, spread over the middle third
FOLDS = 5
NOTHING = Estimate(float("nan"), (float("nan"), float("nan")), 0)


def logistic_on_components() -> ClassifierMixin:
    """Logistic regression on the principal components that hold nine tenths of the features' variance."""
    return make_pipeline(StandardScaler(), PCA(0.9, svd_solver="full"), LogisticRegression(max_iter=5000))


def forest() -> ClassifierMixin:
    """A random forest; it needs no scaling and no choice of components. Source: breiman2001."""
    return RandomForestClassifier(n_estimators=200, random_state=0)


def held_out_accuracy(first: np.ndarray, second: np.ndarray, classifier: ClassifierMixin, seed: int = 0) -> Estimate:
    """Share of people (rows of features) told apart by a classifier that was fitted to others; 0.5 is chance.

    Five folds by person, each with both groups in proportion. The exact interval takes the answers as independent,
    which those of one fold are nearly. Source: lopezpaz2017; clopper1934.
    """
    x, y = np.concatenate([first, second]), np.repeat([0, 1], [len(first), len(second)])
    folds = StratifiedKFold(min(FOLDS, len(first), len(second)), shuffle=True, random_state=seed)
    right = int((cross_val_predict(clone(classifier), x, y, cv=folds) == y).sum())
    interval = stats.binomtest(right, len(y)).proportion_ci(method="exact")
    return Estimate(right / len(y), (float(interval.low), float(interval.high)), len(y))


def floor_of(statistic: Callable[[np.ndarray, np.ndarray], float], real: np.ndarray, draws: int, seed: int) -> Estimate:
    """What a distance is between random halves of the same people (rows), which it would be 0 for at endless n."""
    rng, half = np.random.default_rng(seed), len(real) // 2
    orders = [rng.permutation(len(real)) for _ in range(draws)]
    values = [statistic(real[order[:half]], real[order[half : 2 * half]]) for order in orders]
    if not np.isfinite(values).any():
        return NOTHING
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return Estimate(float(np.nanmean(values)), (float(low), float(high)), half)


def distance_table(
    real: Sequence[NeckCut], phantoms: Sequence[NeckCut], *, draws: int = 30, n_resamples: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Every measure of how far apart they are: index `measure`, columns value, unit, n, low, high.

    Intervals are percentile bootstraps over people on both sides; of a Fréchet distance or a floor, which resampling
    with repetition would bias, the spread over random subsets of half the people. Volumes are of one spacing. Where a
    side has fewer than `FEWEST` people, all rows are there and without values.
    """
    enough = min(len(real), len(phantoms)) >= FEWEST
    groups = (real, phantoms)
    rows = _frechet(groups, draws, seed) if enough else dict.fromkeys(_frechet_names(), NOTHING)
    histograms = [hu_histograms((cut.hu, cut.body) for cut in group) for group in groups]
    rows |= _intensities(*histograms, enough, draws, n_resamples, seed)
    sizes = [
        pd.DataFrame([outline_sizes(cut.body, cut.neck, cut.spacing_mm) for cut in group], columns=list(UNITS))
        for group in groups
    ]
    rows |= _outlines(*sizes, enough, n_resamples, seed)
    rows["accuracy_histograms"] = held_out_accuracy(*histograms, forest(), seed) if enough else NOTHING
    outlines = [own.to_numpy(float) for own in sizes]
    rows["accuracy_outline"] = held_out_accuracy(*outlines, forest(), seed) if enough else NOTHING
    table = pd.DataFrame(
        {
            name: {"value": e.value, "unit": _unit(name), "n": e.n, "low": e.ci95[0], "high": e.ci95[1]}
            for name, e in rows.items()
        }
    ).T
    return table.rename_axis("measure")


def _frechet_names() -> list[str]:
    return [f"frechet_{plane}{end}" for plane in PLANES for end in ("", "_floor")] + ["accuracy_features"]


def _frechet(groups: Sequence[Sequence[NeckCut]], draws: int, seed: int) -> dict[str, Estimate]:
    def estimate(found: FrechetDistance, n: int) -> Estimate:
        return Estimate(found.value, found.interval95, n)

    features = [plane_features([cut.hu for cut in group], N_SLICES) for group in groups]
    half, rows = min(len(group) for group in groups) // 2, {}
    for plane in PLANES:
        real, phantoms = (own[plane] for own in features)
        rows[f"frechet_{plane}"] = estimate(at_same_n(real, phantoms, half, draws, seed), half)
        rows[f"frechet_{plane}_floor"] = estimate(real_to_real(real, half, draws, seed), half)
    people = [np.concatenate([own[plane].mean(axis=1) for plane in PLANES], axis=1) for own in features]
    rows["accuracy_features"] = held_out_accuracy(*people, logistic_on_components(), seed)
    return rows


def _intensities(real, phantoms, enough: bool, draws: int, n_resamples: int, seed: int) -> dict[str, Estimate]:
    rows = {}
    statistics = {"total_variation": total_variation}
    for band in DENSITY_BANDS:
        statistics[f"wasserstein_{band}_hu"] = lambda a, b, band=band: wasserstein_hu(a, b, band)
        for side, group in (("real", real), ("phantoms", phantoms)):
            share = band_percent(group, band)
            rows[f"{band}_percent_{side}"] = bootstrap(np.mean, share, n_resamples=n_resamples) if enough else NOTHING
    for side, group in (("real", real), ("phantoms", phantoms)):
        valley = valley_percent(group)
        rows[f"valley_percent_{side}"] = bootstrap(np.mean, valley, n_resamples=n_resamples) if enough else NOTHING
        for band in ("fat", "lean"):
            peak = bootstrap(partial(peak_hu, band=band), group, n_resamples=n_resamples) if enough else NOTHING
            rows[f"{band}_peak_hu_{side}"] = peak
    for name, statistic in statistics.items():
        both = bootstrap(statistic, real, phantoms, n_resamples=n_resamples, seed=seed) if enough else NOTHING
        rows |= {name: both, f"{name}_floor": floor_of(statistic, real, draws, seed) if enough else NOTHING}
    return rows


def _outlines(real: pd.DataFrame, phantoms: pd.DataFrame, enough: bool, n_resamples: int, seed: int) -> Mapping:
    def difference(first: np.ndarray, second: np.ndarray) -> float:
        return second.mean() - first.mean()

    rows = {}
    for name in UNITS:
        a, b = real[name].to_numpy(float), phantoms[name].to_numpy(float)
        for side, own in (("real", a), ("phantoms", b)):
            rows[f"{name}_mean_{side}"] = bootstrap(np.mean, own, n_resamples=n_resamples) if enough else NOTHING
            rows[f"{name}_sd_{side}"] = bootstrap(np.std, own, n_resamples=n_resamples) if enough else NOTHING
        both = bootstrap(difference, a, b, n_resamples=n_resamples, seed=seed) if enough else NOTHING
        rows[f"{name}_difference"] = both
    return rows


def _unit(name: str) -> str:
    """The unit that stands in a measure's name, or 1."""
    outline = [unit for size, unit in UNITS.items() if name.startswith(size)]
    return outline[0] if outline else "%" if "percent" in name else "HU" if "_hu" in name else "1"
