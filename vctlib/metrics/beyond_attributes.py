"""What people of the same attributes differ by, and whether it shows: correlations beyond sex, age, height and weight.

A generator steered by attributes can get every mean right and still draw bodies in which what a model looks for does
not go with what is there.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
import statsmodels.api as sm

from vctlib.measure.mask import body_mask
from vctlib.metrics.intervals import Estimate, bootstrap, pearson

_HIPS = (0.44, 0.56)  # of the body's height from below: buttocks and the upper ends of the thighs, hands beside them
_FEWEST = 8  # people, for five coefficients


class Beyond(NamedTuple):
    """How an answer goes with the truth among people of the same attributes."""

    r: Estimate
    slope: Estimate  # of the answer, for a unit of truth


def left_by_attributes(values, attributes: pd.DataFrame) -> np.ndarray:
    """What a linear regression on sex, age, height, weight and body mass index leaves of values (n,), each sex with its
    own coefficients: (n,) in the values' unit. NaN for a sex of fewer than eight people, and where a value is.

    attributes: columns sex ("female" or "male"), age_years, height_cm, weight_kg, a row a value.
    """
    values, left = np.asarray(values, float), np.full(len(attributes), np.nan)
    known = attributes.reset_index(drop=True)[np.isfinite(values)]
    for _, own in known.groupby("sex"):
        if len(own) < _FEWEST:
            continue
        design = own[["age_years", "height_cm", "weight_kg"]].astype(float)
        design["bmi"] = design["weight_kg"] / (design["height_cm"] / 100) ** 2
        left[own.index] = sm.OLS(values[own.index], sm.add_constant(design, has_constant="add")).fit().resid
    return left


def answers_beyond_attributes(
    answers, truths, attributes: pd.DataFrame, *, n_resamples: int = 2000, seed: int = 0
) -> Beyond:
    """How answers (n,) go with truths (n,) among people of the same attributes: Pearson's r, and the slope of a line
    through the origin. Intervals: Fisher's, and a bootstrap over rows, which attributes have made independent."""
    answers, truths = left_by_attributes(answers, attributes), left_by_attributes(truths, attributes)
    rows = np.stack([answers, truths], 1)[np.isfinite(answers + truths)]
    slope = bootstrap(lambda r: (r[:, 0] @ r[:, 1]) / (r[:, 1] @ r[:, 1]), rows, n_resamples=n_resamples, seed=seed)
    return Beyond(pearson(answers, truths), slope)


def hip_section_cm2(hu: np.ndarray, affine: np.ndarray) -> float:
    """Mean area of the body's axial sections at the height of the hips, in cm2, from a CT in HU (x, y, z), superior
    last. Raises InputError where there is no body."""
    area = body_mask(hu, affine).sum(axis=(0, 1))
    slices = np.flatnonzero(area)
    low, high = (round(slices[0] + share * (slices[-1] + 1 - slices[0])) for share in _HIPS)
    return float(area[low:high].mean() * np.linalg.norm(affine[:3, 0]) * np.linalg.norm(affine[:3, 1]) / 100)
