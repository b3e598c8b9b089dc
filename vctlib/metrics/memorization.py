"""Are synthetic bodies copies of training bodies?

Each synthetic body's distance to its nearest training body is held against the same distance of real bodies that
the generator never saw. A generator that has learnt the population is as far from its training set as new people
are: ratio 1. Copies pull it towards 0. A blurred image is nearer to everything: pass held-out bodies through the
autoencoder first, so that both sides have lost the same detail.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from vctlib.anatomy import Window
from vctlib.errors import InputError
from vctlib.metrics.intervals import Estimate, bootstrap

COMPARISON_WINDOW = Window(-200.0, 200.0)  # HU: body shape, fat and muscle; bone and air saturate


@dataclass(frozen=True)
class Memorization:
    """Root-mean-square distances in HU over the compared voxels, and how the two groups relate."""

    synthetic_hu: np.ndarray  # (synthetic bodies,) to the nearest training body
    nearest: np.ndarray  # (synthetic bodies,) position of that training body
    held_out_hu: np.ndarray  # (held-out bodies,)
    held_out_nearest: np.ndarray  # (held-out bodies,)
    ratio: Estimate  # median synthetic / median held-out; bootstrap over both groups of bodies
    closer_than_any_held_out: float  # share of synthetic bodies nearer than every held-out one; 1 / (n + 1) by chance


def shrink(hu: np.ndarray, factor: int, window: Window = COMPARISON_WINDOW) -> np.ndarray:
    """A volume (x, y, z; HU), windowed and averaged over blocks of `factor` voxels along each axis, as one vector.

    Sides that `factor` does not divide are padded with air. float32, HU.
    """
    if factor < 1:
        raise InputError(f"the downsampling factor is {factor}; it must be at least 1")
    clipped = np.clip(hu, window.low, window.high).astype(np.float32)
    padding = [(0, -size % factor) for size in hu.shape]
    padded = np.pad(clipped, padding, constant_values=window.low)
    nx, ny, nz = (size // factor for size in padded.shape)
    return padded.reshape(nx, factor, ny, factor, nz, factor).mean(axis=(1, 3, 5)).ravel()


def shrink_all(volumes: Iterable[np.ndarray], factor: int) -> np.ndarray:
    """Vectors (bodies, voxels) of many volumes, one volume in memory at a time."""
    return np.stack([shrink(hu, factor) for hu in volumes])


def nearest(query: np.ndarray, training: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """RMS distance (n,) in HU of each query vector to the nearest training vector, and the latter's position (n,)."""
    if query.ndim != 2 or training.ndim != 2 or query.shape[1] != training.shape[1] or len(training) == 0:
        raise InputError(f"vectors {query.shape} and {training.shape} must be (bodies, voxels) of one downsampling")
    distances = cdist(query, training) / np.sqrt(query.shape[1])
    return distances.min(axis=1), distances.argmin(axis=1)


def memorization(
    synthetic: np.ndarray, held_out: np.ndarray, training: np.ndarray, n_resamples: int = 2000, seed: int = 0
) -> Memorization:
    """Compare both groups' distances to the training bodies; each argument is (bodies, voxels) from `shrink_all`.

    `training` must hold the bodies that the generator was trained on (a copy of one left out is not found; see
    `vctlib.metrics.training_people`), and none of `held_out`: a held-out body at distance 0 raises InputError.
    """
    synthetic_hu, positions = nearest(synthetic, training)
    held_out_hu, found = nearest(held_out, training)
    if len(held_out_hu) and held_out_hu.min() == 0:
        row = int(held_out_hu.argmin())
        raise InputError(f"held-out body {row} is training body {found[row]}; the groups must not overlap")
    ratio = bootstrap(_ratio_of_medians, synthetic_hu, held_out_hu, n_resamples=n_resamples, seed=seed)
    closer = float(np.mean(synthetic_hu < held_out_hu.min())) if len(held_out_hu) else float("nan")
    return Memorization(synthetic_hu, positions, held_out_hu, found, ratio, closer)


def closest_pairs(found: Memorization, k: int = 4) -> list[tuple[int, int, float]]:
    """The k synthetic bodies nearest to a training body, nearest first: their position, its position, distance in HU.

    Each training body is shown once, beside the synthetic body nearest to it, so that one common body does not fill
    the list.
    """
    pairs, taken = [], set()
    for position in np.argsort(found.synthetic_hu, kind="stable"):
        training = int(found.nearest[position])
        if training not in taken:
            taken.add(training)
            pairs.append((int(position), training, float(found.synthetic_hu[position])))
    return pairs[:k]


def _ratio_of_medians(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.median(first) / np.median(second))
