"""The linear fit that corrects a systematic difference between a measured and a recorded quantity."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from vctlib.errors import InputError


@dataclass(frozen=True)
class LinearCalibration:
    """recorded = slope * measured + intercept, in the quantity's own unit.

    `r` is Pearson's correlation, `bias` the mean of measured minus recorded, `n` the number of pairs.
    """

    slope: float
    intercept: float
    r: float
    bias: float
    n: int

    def apply(self, measured: ArrayLike) -> np.ndarray:
        """Corrected values, same shape."""
        return self.slope * np.asarray(measured, np.float64) + self.intercept


def linear_calibration(measured: ArrayLike, recorded: ArrayLike) -> LinearCalibration:
    """Least-squares fit of the recorded on the measured values (n,); pairs with a NaN are left out.

    Raises InputError for unequal lengths, fewer than three pairs, or measurements that are all the same.
    Source: killeen2025, B.0.2 ("we correct for the difference based on a linear fit").
    """
    measured, recorded = np.asarray(measured, np.float64), np.asarray(recorded, np.float64)
    if measured.shape != recorded.shape or measured.ndim != 1:
        raise InputError(f"calibration needs two columns of one length, not {measured.shape} and {recorded.shape}")
    whole = np.isfinite(measured) & np.isfinite(recorded)
    measured, recorded = measured[whole], recorded[whole]
    if len(measured) < 3 or np.ptp(measured) == 0 or np.ptp(recorded) == 0:
        raise InputError(f"calibration needs three or more differing pairs of numbers; {len(measured)} are there")
    slope, intercept = np.polyfit(measured, recorded, 1)
    r = np.corrcoef(measured, recorded)[0, 1]
    return LinearCalibration(
        float(slope), float(intercept), float(r), float((measured - recorded).mean()), len(measured)
    )
