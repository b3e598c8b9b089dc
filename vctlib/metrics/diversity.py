"""Do synthetic people differ from each other as much as real people do? MS-SSIM between people of one category.

Two people of the same sex, height and weight look alike to some degree; two synthetic ones should look alike to the
same degree. A generator that has one body for each request gives pairs that are more alike.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from monai.metrics import MultiScaleSSIMMetric

from vctlib.attributes import Attributes
from vctlib.errors import InputError
from vctlib.measure.mask import BODY_THRESHOLD_HU
from vctlib.metrics.intervals import bootstrap
from vctlib.metrics.reconstruction import DATA_RANGE_HU, RECONSTRUCTION_WINDOW
from vctlib.metrics.slices import PLANES, central_slices
from vctlib.networks.inference import device

Pair = tuple[int, int]  # positions of two people in a table
N_SLICES = 3  # of each plane
# The three finest of wang2003's five scales: the coarser ones would ask for slices of 160 pixels along each side.
_WEIGHTS = np.array([0.0448, 0.2856, 0.3001])
_KERNEL_PIXELS = 5
_SMALLEST = 4 * _KERNEL_PIXELS  # voxels along an axis that three scales need


def pairs_within_category(table: pd.DataFrame, most: int = 60, seed: int = 0) -> list[Pair]:
    """Pairs of people of the same sex and the same category of height and of weight; nobody is in two pairs.

    So pairs are independent. `table`: a `subjects.csv`; no more than `most` pairs are drawn at random.
    """
    keys = [Attributes.from_row(row).categories() for row in table.to_dict("records")]
    rng, pairs = np.random.default_rng(seed), []
    kind = pd.Series([f"{sex}/{height}/{weight}" for sex, _, height, weight in keys], dtype=str)
    for group in kind.groupby(kind).groups.values():
        order = rng.permutation(group.to_numpy())
        pairs += [(int(a), int(b)) for a, b in zip(order[::2], order[1::2], strict=False)]
    return [pairs[i] for i in np.sort(rng.permutation(len(pairs))[:most])]


def ms_ssim(first: np.ndarray, second: np.ndarray) -> float:
    """Multi-scale structural similarity of two volumes (x, y, z; HU): mean over middle slices of the three planes.

    Slices spread over the middle third of the smallest box that holds both bodies, which leaves out air that all bodies
    share. Three scales, a Gaussian of 5 pixels, HU clipped to [-1000, 1000]: 1 for equal volumes. Raises InputError for
    unequal shapes or fewer than 20 voxels along an axis.
    Source: wang2003; MONAI's MultiScaleSSIMMetric. Deviation: three of five scales, weights scaled to sum to 1.
    """
    if first.shape != second.shape or min(first.shape) < _SMALLEST:
        raise InputError(f"volumes {first.shape} and {second.shape} must be equal and {_SMALLEST} voxels or more wide")
    box, weights = _common_box(first, second), list(_WEIGHTS / _WEIGHTS.sum())
    metric = MultiScaleSSIMMetric(2, DATA_RANGE_HU, kernel_size=_KERNEL_PIXELS, weights=weights)
    low, high = RECONSTRUCTION_WINDOW
    values = []
    for plane in PLANES:
        sides = [
            np.clip(central_slices(hu[box], plane, N_SLICES), low, high).astype(np.float32) - low
            for hu in (first, second)
        ]
        values.append(metric(*(torch.from_numpy(side[:, None]).to(device()) for side in sides)).mean().item())
    return float(np.mean(values))


def diversity_table(
    arms: Mapping[str, Callable[[int], np.ndarray]],
    pairs: Sequence[Pair],
    *,
    reference: str = "reference",
    n_resamples: int = 2000,
) -> pd.DataFrame:
    """MS-SSIM among the same pairs of every arm: index arm; columns value, low, high, difference and its ends, n.

    `arms`: name -> a function from a position to the CT (x, y, z; HU) of that person, or of the body made for
    them.
    `difference` is the mean over pairs of this arm's less the reference arm's: above 0, people are too much alike.
    Intervals are bootstraps over pairs. Without pairs all values are NaN.
    """
    found = {name: np.array([ms_ssim(load(a), load(b)) for a, b in pairs]) for name, load in arms.items()}
    rows = {}
    for name, values in found.items():
        mean = bootstrap(np.mean, values, n_resamples=n_resamples)
        less = bootstrap(np.mean, values - found[reference], n_resamples=n_resamples)
        rows[name] = {"value": mean.value, "low": mean.ci95[0], "high": mean.ci95[1]}
        rows[name] |= {"difference": less.value, "difference_low": less.ci95[0], "difference_high": less.ci95[1]}
        rows[name]["n"] = mean.n
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("arm")


def _common_box(first: np.ndarray, second: np.ndarray) -> tuple[slice, ...]:
    """Slices around both bodies along each axis, as wide as three scales need."""
    body = (first > BODY_THRESHOLD_HU) | (second > BODY_THRESHOLD_HU)
    box = []
    for axis, size in enumerate(body.shape):
        occupied = np.flatnonzero(body.any(axis=tuple(other for other in range(3) if other != axis)))
        start, stop = (occupied[0], occupied[-1] + 1) if len(occupied) else (0, size)
        start = max(0, start - max(0, _SMALLEST - (stop - start)) // 2)
        stop = min(size, max(stop, start + _SMALLEST))
        box.append(slice(min(start, stop - _SMALLEST), stop))
    return tuple(box)
