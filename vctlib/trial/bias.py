"""Which attributes drive the error: the paper's Tables 2 to 4, on real and on synthetic images.

Works on one table an arm, one row an image, with `subject_id`, the attributes and `absolute_error` in percentage
points (both populations together, as in the paper).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.ensemble import RandomForestRegressor
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GroupKFold

from vctlib.attributes import SEX
from vctlib.errors import InputError
from vctlib.trial.checks import listed, require_columns, require_numbers

_TABLE = "the table of errors"
FEATURES = (
    "sex",
    "age_years",
    "height_cm",
    "weight_kg",
    "body_fat_percent_measured",
    "bone_density_g_per_cm3_measured",
    "muscle_percent_measured",
    "body_volume_l_measured",
)  # the eight attributes of killeen2025 section 1.5.2, in the order of Table 4
BIAS_ATTRIBUTES = ("body_volume_l_measured", "body_fat_percent_measured")  # killeen2025 Table 2


@dataclass(frozen=True)
class CorrelationTest:
    """Fisher's Z test that two independent correlations are equal; two-sided p."""

    z: float
    p: float


def compare_correlations(r_first: float, n_first: int, r_second: float, n_second: int) -> CorrelationTest:
    """Fisher's Z: (atanh r1 - atanh r2) / sqrt(1 / (n1 - 3) + 1 / (n2 - 3)). Source: fisher1921.

    The paper does not state its n. Its four p-values fit a standard error of 0.105 to 0.107, as 150 real and about
    225 synthetic images give; 300 synthetic images would give 0.101.
    Raises InputError for samples of three or fewer and for correlations of exactly 1 or -1.
    """
    if min(n_first, n_second) <= 3:
        raise InputError(f"Fisher's Z needs more than three images an arm; there are {n_first} and {n_second}")
    if max(abs(r_first), abs(r_second)) >= 1:
        raise InputError(f"Fisher's Z cannot compare correlations of {r_first:g} and {r_second:g}")
    standard_error = np.sqrt(1 / (n_first - 3) + 1 / (n_second - 3))
    z = (np.arctanh(r_first) - np.arctanh(r_second)) / standard_error
    return CorrelationTest(float(z), float(2 * stats.norm.sf(abs(z))))


def correlation_table(
    real: pd.DataFrame, other: pd.DataFrame, attributes: Sequence[str] = BIAS_ATTRIBUTES
) -> pd.DataFrame:
    """Table 2: Pearson correlation of the absolute error with each attribute in two arms, and Fisher's test.

    Columns: attribute, real, other, n_real, n_other, z, p. The test takes images as independent, as the paper does;
    several draws a patient make its p too small. Raises InputError for a missing column or number.
    """
    rows = []
    for attribute in attributes:
        correlations = []
        for frame in (real, other):
            require_columns(frame, [attribute, "absolute_error"], _TABLE)
            values, errors = (require_numbers(frame, column, _TABLE) for column in (attribute, "absolute_error"))
            if np.ptp(values) == 0 or np.ptp(errors) == 0:
                raise InputError(f"{attribute} or the error is the same in all rows; there is no correlation")
            correlations.append(float(np.corrcoef(values, errors)[0, 1]))
        test = compare_correlations(correlations[0], len(real), correlations[1], len(other))
        rows.append((attribute, *correlations, len(real), len(other), test.z, test.p))
    return pd.DataFrame(rows, columns=["attribute", "real", "other", "n_real", "n_other", "z", "p"])


@dataclass(frozen=True)
class ErrorDrivers:
    """A forest that predicts the absolute error from attributes, and what it leans on."""

    mae: float  # percentage points, on held-out patients
    mae_sd: float  # standard deviation of these held-out absolute errors, as in Table 3
    baseline_mae: float  # what predicting the training folds' mean error would give
    importances: pd.DataFrame  # index feature; impurity, permutation, permutation_sd


def feature_values(frame: pd.DataFrame, features: Sequence[str]) -> np.ndarray:
    """Columns of numbers for a forest, (rows, features), sex as 0 and 1. Raises InputError for any other value."""
    columns = []
    for name in features:
        if name == "sex":
            unknown = sorted({str(value) for value in frame[name]} - set(SEX))
            if unknown:
                raise InputError(f"column sex of {_TABLE} holds {listed(unknown)}; it may hold {', '.join(SEX)}")
            columns.append((frame[name] == SEX[1]).to_numpy(float))
        else:
            columns.append(require_numbers(frame, name, _TABLE))
    return np.stack(columns, axis=1)


def error_drivers(
    frame: pd.DataFrame,
    features: Sequence[str] = FEATURES,
    *,
    n_trees: int = 100,
    n_folds: int = 5,
    n_repeats: int = 5,
    seed: int = 0,
) -> ErrorDrivers:
    """Tables 3 and 4 for one arm: random forest regression of the absolute error on the attributes.

    The error of the forest and the permutation importances (rise of the MAE in points when a feature is shuffled; mean
    and standard deviation over folds and repeats) are of patients that it has not seen, with all images of a patient
    in one fold. Impurity importances, the paper's, are of a forest grown on everything and sum to 1. The paper does
    not state its forest's settings. Raises InputError for a missing column, number, or fewer patients than folds.
    """
    require_columns(frame, ["subject_id", "absolute_error", *features], _TABLE)
    inputs, errors = feature_values(frame, features), require_numbers(frame, "absolute_error", _TABLE)
    patients = frame["subject_id"].astype(str).to_numpy()
    if len(set(patients)) < n_folds:
        raise InputError(f"{n_folds} folds need as many patients; there are {len(set(patients))}")

    held_out, baseline, drops = np.empty_like(errors), np.empty_like(errors), []
    for train, test in GroupKFold(n_folds).split(inputs, errors, patients):
        forest = RandomForestRegressor(n_trees, random_state=seed).fit(inputs[train], errors[train])
        held_out[test] = np.abs(forest.predict(inputs[test]) - errors[test])
        baseline[test] = np.abs(errors[train].mean() - errors[test])
        drops.append(
            permutation_importance(
                forest, inputs[test], errors[test], n_repeats=n_repeats, random_state=seed,
                scoring="neg_mean_absolute_error",
            ).importances
        )  # fmt: skip
    permutation = np.concatenate(drops, axis=1)  # (features, folds * repeats)
    forest = RandomForestRegressor(n_trees, random_state=seed).fit(inputs, errors)
    importances = pd.DataFrame(
        {
            "impurity": forest.feature_importances_,
            "permutation": permutation.mean(axis=1),
            "permutation_sd": permutation.std(axis=1),
        },
        index=pd.Index(features, name="feature"),
    )
    return ErrorDrivers(float(held_out.mean()), float(held_out.std()), float(baseline.mean()), importances)


@dataclass(frozen=True)
class ImportanceAgreement:
    """How alike two lists of importances are: by value and by rank."""

    pearson: float
    spearman: float


def importance_agreement(first: Sequence[float], second: Sequence[float]) -> ImportanceAgreement:
    """Pearson (the last row of Table 4) and Spearman correlation of two lists of importances, same order.

    One dominant feature makes the Pearson correlation high whatever the others do; the ranks show the rest.
    """
    first, second = np.asarray(first, float), np.asarray(second, float)
    if first.shape != second.shape or first.size < 3:
        raise InputError("two lists of importances must be of the same three or more features")
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        raise InputError("all importances are equal; there is nothing to compare")
    return ImportanceAgreement(
        float(stats.pearsonr(first, second).statistic), float(stats.spearmanr(first, second).statistic)
    )
