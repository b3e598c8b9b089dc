"""How far two overlapping scans of one body are apart, by normalised cross-correlation of what both show."""

from collections.abc import Sequence

import numpy as np
from scipy import fft

from vctlib.anatomy import AIR_HU
from vctlib.errors import InputError
from vctlib.sources.resample import resample_to_spacing, spacing_of

REGISTRATION_MM = 4.0  # finer volumes are averaged to this spacing to find the shift
REGISTRATION_HU = (-1000.0, 400.0)  # what lies beyond (teeth, metal) counts no more than bone
DENSE_G_PER_CM3, MARGIN_VOXELS = 0.5, 4  # the box round the body that is compared
LEAST_CORRELATION = 0.5  # below it two overlaps show different things
LEAST_SHARED = 0.4  # of what is shared without a shift: thin slices of a body resemble too many others

Volume = tuple[np.ndarray, np.ndarray]  # Hounsfield units (x, y, z), and the affine (4x4, mm) in RAS+ order


def extent_mm(volume: Volume) -> tuple[float, float]:
    """Lower and upper end along z, voxel edges included."""
    hu, affine = volume
    low = affine[2, 3] - affine[2, 2] / 2
    return low, low + hu.shape[2] * affine[2, 2]


def _slab(volume: Volume, low_mm: float, high_mm: float) -> Volume:
    """The slices whose centres lie between two heights, as density (g/cm3) on the spacing of the registration."""
    hu, affine = volume
    heights = affine[2, 3] + affine[2, 2] * np.arange(hu.shape[2])
    inside = np.flatnonzero((heights >= low_mm) & (heights <= high_mm))
    cut = affine.copy()
    cut[2, 3] = heights[inside[0]]
    hu = np.clip(hu[:, :, inside[0] : inside[-1] + 1], *REGISTRATION_HU)
    wanted = np.maximum(spacing_of(affine), REGISTRATION_MM)
    if (wanted > 1.01 * spacing_of(affine)).any():
        hu, cut = resample_to_spacing(hu, cut, wanted, labels=False, fill=AIR_HU)
    density = (hu - AIR_HU) / 1000.0
    box = [slice(None)] * 3
    for axis in (0, 1):
        seen = np.flatnonzero((density > DENSE_G_PER_CM3).any(axis=(1 - axis, 2)))
        if seen.size:
            box[axis] = slice(max(seen[0] - MARGIN_VOXELS, 0), seen[-1] + 1 + MARGIN_VOXELS)
    cut[:2, 3] += np.diag(cut)[:2] * [box[0].start or 0, box[1].start or 0]
    return density[tuple(box)].astype(np.float64), cut


def correlations(fixed: np.ndarray, moving: np.ndarray, reach: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Normalised cross-correlation of two volumes at displacements up to `reach`, and how many voxels they then share.

    The element [d] belongs to fixed[x] beside moving[x + d], negative d from the end. Source: padfield2012.
    """
    longest = np.maximum(fixed.shape, moving.shape) + np.asarray(reach)
    size = [fft.next_fast_len(int(n), real=True) for n in longest]
    ours, theirs = (
        [fft.rfftn(part, size) for part in (np.ones_like(volume), volume, volume**2)] for volume in (fixed, moving)
    )

    def correlate(of_fixed: int, of_moving: int) -> np.ndarray:
        return fft.irfftn(np.conj(ours[of_fixed]) * theirs[of_moving], size)

    shared = np.maximum(correlate(0, 0), 1.0)
    sum_fixed, sum_moving = correlate(1, 0), correlate(0, 1)
    covariance = correlate(1, 1) - sum_fixed * sum_moving / shared
    spread = (correlate(2, 0) - sum_fixed**2 / shared) * (correlate(0, 2) - sum_moving**2 / shared)
    smallest = 1e-6 * max(float(spread.max()), 1e-12)
    return covariance / np.sqrt(np.maximum(spread, smallest)), shared


def _search(origin: float, spacing: float, largest_mm: float) -> np.ndarray:
    """Displacements (voxels) whose shift, origin + spacing d, lies within the search along one axis."""
    return np.arange(np.ceil((-largest_mm - origin) / spacing), (largest_mm - origin) / spacing + 1e-9).astype(int)


def relative_shift(fixed: Volume, moving: Volume, largest_mm: float) -> tuple[np.ndarray, float]:
    """How far `moving` shows the body from where `fixed` does, (3,) in mm towards RAS+, and the correlation there.

    Both volumes are in RAS+ order at one spacing. Raises InputError where they do not look alike in their overlap, or
    lie `largest_mm` or more apart.
    """
    ends = extent_mm(fixed), extent_mm(moving)
    low, high = max(low for low, _ in ends) - largest_mm, min(high for _, high in ends) + largest_mm
    (one, one_affine), (other, other_affine) = _slab(fixed, low, high), _slab(moving, low, high)
    spacing = spacing_of(one_affine)
    origin = other_affine[:3, 3] - one_affine[:3, 3]
    searched = [_search(o, s, largest_mm) for o, s in zip(origin, spacing, strict=True)]
    reach = [int(np.abs(displacements).max()) for displacements in searched]
    correlation, shared = (field[np.ix_(*searched)] for field in correlations(one, other, reach))
    unmoved = tuple(int(np.abs(o + s * d).argmin()) for o, s, d in zip(origin, spacing, searched, strict=True))
    correlation[shared < LEAST_SHARED * shared[unmoved]] = -1
    best = np.unravel_index(np.argmax(correlation), correlation.shape)
    peak = float(correlation[best])
    if peak < LEAST_CORRELATION:
        raise InputError(f"their overlap does not look alike (correlation {peak:.2f}); are they of one person?")
    if any(at in (0, size - 1) for at, size in zip(best, correlation.shape, strict=True)):
        raise InputError(f"they show the body {largest_mm:g} mm or more apart; do their affines belong to one table?")
    shift = np.empty(3)
    for axis, step in enumerate(np.eye(3, dtype=int)):  # a parabola through the peak and its neighbours
        before, after = correlation[tuple(best - step)], correlation[tuple(best + step)]
        part = 0.5 * (before - after) / min(before - 2 * peak + after, -1e-9)
        shift[axis] = origin[axis] + spacing[axis] * (searched[axis][best[axis]] + np.clip(part, -0.5, 0.5))
    return shift, peak
