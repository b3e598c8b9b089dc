"""Kernel distance (KID): the squared maximum mean discrepancy of features under a cubic kernel, without bias.

Two samples of one population are at 0 on average, at any n, unlike with the Fréchet distance, and nothing is assumed
of the features' distribution. The estimate may be negative.
"""

import numpy as np
from sklearn.metrics.pairwise import polynomial_kernel

from vctlib.errors import InputError


def kernel_distance(reference: np.ndarray, other: np.ndarray) -> float:
    """KID of two sets of features, (people, features) or (people, slices, features); unit: that of the kernel.

    k(x, y) = (x.y / features + 1)^3. A person's slices depend on each other, so the kernel is averaged over the slices
    of two persons first, and a person is never held against herself: without that the estimate would be biased.
    Raises InputError for fewer than two people on a side. Source: binkowski2018, section 4; gretton2012, equation 3.
    """
    n, m = len(reference), len(other)
    if min(n, m) < 2:
        raise InputError(f"a kernel distance needs two people on each side; there are {n} and {m}")
    within = sum(_between_people(side) / (len(side) * (len(side) - 1)) for side in (reference, other))
    return float(within - 2 * _kernel(reference, other).mean())


def _between_people(features: np.ndarray) -> float:
    """Sum of the kernel over ordered pairs of different people."""
    kernel = _kernel(features, features)
    return kernel.sum() - np.trace(kernel)


def _kernel(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Kernel (people, people), averaged over the slices of both."""
    rows = [np.asarray(side, np.float64).reshape(-1, side.shape[-1]) for side in (first, second)]
    kernel = polynomial_kernel(*rows, degree=3, coef0=1)  # gamma is 1 / features
    return kernel.reshape(len(first), -1, len(second), len(rows[1]) // len(second)).mean(axis=(1, 3))
