"""How sure the attributes' importances are, and their agreement between arms: forests grown on resampled patients.

The paper compares two lists of eight importances by one correlation. How far that correlation would move with other
patients is not said there; here patients are drawn anew, the same ones in every arm, and all forests grown again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor
from sklearn.inspection import permutation_importance

from vctlib.errors import InputError
from vctlib.trial.bias import FEATURES, feature_values, importance_agreement


@dataclass(frozen=True)
class AgreementInterval:
    """Agreement of two arms' importances over resamples of patients: (low, high) of each correlation."""

    pearson: tuple[float, float]
    spearman: tuple[float, float]


class Resampled(NamedTuple):
    """Importances of one arm, each (n_resamples, features)."""

    impurity: np.ndarray  # of the forest grown on the patients who were drawn; each row sums to 1
    permutation: np.ndarray  # rise of its MAE in points on those who were not, when the feature is shuffled


def resampled_importances(
    frames: Mapping[str, pd.DataFrame],
    features: Sequence[str] = FEATURES,
    *,
    n_resamples: int = 200,
    n_trees: int = 100,
    seed: int = 0,
) -> dict[str, Resampled]:
    """Importances of each arm by forests grown on resampled patients.

    frames: arm -> rows as in `bias.error_drivers`. One resample draws patients of all arms together and takes all their
    images in each arm, so that row i of two arms is of the same patients. A patient who is drawn twice counts twice, as
    a weight; about a third are not drawn and judge the forest. NaN where nobody was drawn, or everybody. Raises
    InputError for fewer than two patients, a missing column or a number that is not finite.
    """
    patients = np.unique(np.concatenate([frame["subject_id"].astype(str) for frame in frames.values()]))
    if len(patients) < 2 or n_resamples < 1:
        raise InputError(f"{len(patients)} patients and {n_resamples} resamples; at least two and one are needed")
    rows = {
        arm: (
            feature_values(frame, features),
            frame["absolute_error"].to_numpy(float),
            np.searchsorted(patients, frame["subject_id"].astype(str)),
        )
        for arm, frame in frames.items()
    }
    rng = np.random.default_rng(seed)
    found = {arm: ([], []) for arm in frames}
    nothing = np.full(len(features), np.nan)
    for _ in range(n_resamples):
        drawn = rng.multinomial(len(patients), np.full(len(patients), 1 / len(patients)))
        for arm, (inputs, errors, of) in rows.items():
            forest = RandomForestRegressor(n_trees, random_state=seed)
            kept = drawn[of] > 0
            impurity = permutation = nothing
            if kept.any():
                forest.fit(inputs[kept], errors[kept], drawn[of][kept])
                impurity = forest.feature_importances_
                if not kept.all():
                    permutation = permutation_importance(
                        forest, inputs[~kept], errors[~kept], n_repeats=1, random_state=seed,
                        scoring="neg_mean_absolute_error",
                    ).importances_mean  # fmt: skip
            found[arm][0].append(impurity)
            found[arm][1].append(permutation)
    return {arm: Resampled(*map(np.array, lists)) for arm, lists in found.items()}


def importance_intervals(resampled: np.ndarray, level: float = 0.95) -> np.ndarray:
    """Percentile interval of each feature's importance, shape (features, 2), from (n_resamples, features)."""
    return np.nanquantile(resampled, [(1 - level) / 2, (1 + level) / 2], axis=0).T


def agreement_interval(first: np.ndarray, second: np.ndarray, level: float = 0.95) -> AgreementInterval:
    """How far Pearson's and Spearman's correlation of two arms move, from their (n_resamples, features).

    A percentile interval. Two forests that are both grown on noise of few patients agree less than the forests of all
    patients do, so it may lie below the correlation itself, and then says that the latter owes something to luck.
    """
    pairs = []
    for one, other in zip(first, second, strict=True):
        if np.isfinite(one).all() and np.isfinite(other).all() and np.ptp(one) > 0 and np.ptp(other) > 0:
            alike = importance_agreement(one, other)
            pairs.append((alike.pearson, alike.spearman))
    if not pairs:
        return AgreementInterval((np.nan, np.nan), (np.nan, np.nan))
    low, high = np.quantile(pairs, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return AgreementInterval((float(low[0]), float(high[0])), (float(low[1]), float(high[1])))
