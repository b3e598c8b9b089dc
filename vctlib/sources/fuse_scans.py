"""Several overlapping scans of one body, fused to a single volume.

Affines say where each scan was taken; what the body moved between two scans is estimated from their overlap and taken
back. Source: killeen2025, section 4.2.1 (rigid intensity-based registration; the first scan is kept in the overlap).
Deviation: translations only, and no organ centroids to begin with.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation
from scipy import ndimage

from vctlib.anatomy import AIR_HU
from vctlib.cohort import read_volume, write_volume
from vctlib.errors import InputError
from vctlib.sources.overlap_shift import Volume, extent_mm, relative_shift
from vctlib.sources.resample import resample_to_spacing, spacing_of

SMALLEST_OVERLAP_MM = 40.0
BLEND_MM = 24.0  # over which a scan fades in from its first and last slice
CLEAR_FRACTION = 0.02  # of a voxel; a smaller shift needs no interpolation

Frame = tuple[tuple[int, int, int], np.ndarray]  # shape and affine


@dataclass(frozen=True)
class Fused:
    """`hu` float32 (x, y, z), RAS+ `affine`; of each scan, in the order given, `shifts_mm` (n, 3) and `correlations`.

    A shift is how far a scan shows the body from where the first scan shows it, towards RAS+; it has been taken back.
    """

    hu: np.ndarray
    affine: np.ndarray
    shifts_mm: np.ndarray
    correlations: np.ndarray


def _to_ras(hu: np.ndarray, affine: np.ndarray, spacing: np.ndarray, number: int) -> Volume:
    """The scan in RAS+ at `spacing` (mm); resampled only where it is tilted or of another spacing."""
    if np.ndim(hu) != 3 or np.shape(affine) != (4, 4) or not np.isfinite(hu).all():
        raise InputError(f"scan {number + 1}: a finite 3-D volume and a 4x4 affine are needed")
    orientation = io_orientation(affine)
    hu, affine = apply_orientation(np.asarray(hu), orientation), affine @ inv_ornt_aff(orientation, np.shape(hu))
    if np.allclose(affine[:3, :3], np.diag(spacing), atol=1e-3):
        return np.asarray(hu, np.float32), affine
    return resample_to_spacing(hu, affine, spacing, labels=False, fill=AIR_HU)


def _overlap_mm(one: Volume, other: Volume) -> float:
    (low, high), (other_low, other_high) = extent_mm(one), extent_mm(other)
    return min(high, other_high) - max(low, other_low)


def _all_shifts(volumes: list[Volume], largest_mm: float, register: bool) -> tuple[np.ndarray, np.ndarray]:
    """Shifts (n, 3; mm) against the first scan and correlations (n,): each against the placed scan it overlaps most."""
    shifts, correlations = np.zeros((len(volumes), 3)), np.ones(len(volumes))
    placed, waiting = [0], list(range(1, len(volumes)))
    while waiting:
        overlap, fixed, moving = max((_overlap_mm(volumes[i], volumes[j]), i, j) for i in placed for j in waiting)
        if overlap < SMALLEST_OVERLAP_MM:
            raise InputError(
                f"scan {moving + 1} does not overlap the others: {overlap:.0f} mm along the body (negative: a gap), "
                f"and {SMALLEST_OVERLAP_MM:.0f} mm are needed"
            )
        if register:
            try:
                relative, correlations[moving] = relative_shift(volumes[fixed], volumes[moving], largest_mm)
            except InputError as error:
                raise InputError(f"scans {fixed + 1} and {moving + 1}: {error}") from None
            shifts[moving] = shifts[fixed] + relative
        placed.append(moving)
        waiting.remove(moving)
    return shifts, correlations


def _common_frame(volumes: list[Volume]) -> Frame:
    """The lattice of the first scan, extended over all of them."""
    affine = volumes[0][1].copy()
    spacing = np.diag(affine)[:3]
    offsets = [(place[:3, 3] - affine[:3, 3]) / spacing for _, place in volumes]
    first = np.floor(np.min(offsets, axis=0) + 1e-3)
    ends = [np.ceil(offset - 1e-3) + hu.shape for offset, (hu, _) in zip(offsets, volumes, strict=True)]
    affine[:3, 3] += spacing * first
    return tuple(int(n) for n in np.max(ends, axis=0) - first), affine


def _windows(start: np.ndarray, size: Sequence[int], available: Sequence[int]) -> tuple[tuple, tuple]:
    """Slices of a target and of a volume where the volume, from voxel `start` of the target on, meets it."""
    target, source = [], []
    for at, n, room in zip(start, size, available, strict=True):
        low = max(at, 0)
        high = max(min(at + n, room), low)
        target.append(slice(low, high))
        source.append(slice(low - at, high - at))
    return tuple(target), tuple(source)


def fuse(
    scans: Sequence[Volume],
    *,
    spacing_mm: Sequence[float] | None = None,
    frame: Frame | None = None,
    register: bool = True,
    largest_shift_mm: float = 40.0,
) -> Fused:
    """Fuse scans, each (hu, affine), of one body; where several show a place, the one named first is kept.

    Scans of any orientation are brought to RAS+ at `spacing_mm` (by default that of the first) or onto `frame` (shape
    and affine in RAS+). Near its first and last slice a scan fades over 24 mm into those beneath. Without `register`
    affines are trusted. Raises InputError for scans that overlap less than 40 mm along the body, do not look alike
    there, or lie `largest_shift_mm` or further apart.
    """
    if len(scans) < 2:
        raise InputError("fusing needs two scans or more")
    spacing = spacing_of(scans[0][1] if frame is None else frame[1])
    if frame is None and spacing_mm is not None:
        spacing = np.asarray(spacing_mm, float)
    volumes = [_to_ras(hu, affine, spacing, number) for number, (hu, affine) in enumerate(scans)]
    shifts, correlations = _all_shifts(volumes, largest_shift_mm, register)
    shape, affine = _common_frame(volumes) if frame is None else frame
    summed, free = np.zeros(shape, np.float32), np.ones(shape, np.float32)
    for (hu, place), shift in zip(volumes, shifts, strict=True):
        start = (place[:3, 3] - shift - affine[:3, 3]) / spacing
        whole = np.rint(start).astype(int)
        part = start - whole
        if np.abs(part).max() > CLEAR_FRACTION:
            hu = ndimage.shift(hu, part, order=1, mode="nearest")
        from_end = np.minimum(np.arange(hu.shape[2]), np.arange(hu.shape[2])[::-1]) + 0.5
        weight = np.clip(from_end * spacing[2] / BLEND_MM, 0, 1).astype(np.float32)
        target, source = _windows(whole, hu.shape, shape)
        share = free[target] * weight[source[2]]
        summed[target] += share * hu[source]
        free[target] -= share
    covered = 1 - free
    hu = np.where(covered > 1e-4, summed / np.maximum(covered, 1e-4), np.float32(AIR_HU))
    return Fused(hu, affine, shifts, correlations)


def fuse_files(paths: Sequence[Path | str], out: Path | str, **how) -> Fused:
    """Fuse NIfTI files (Hounsfield units) and write the volume to `out`; `how` goes to `fuse`.

    Raises InputError for files that are no 3-D NIfTI, and as `fuse` does.
    """
    fused = fuse([read_volume(Path(path), np.float32) for path in paths], **how)
    write_volume(Path(out), np.rint(fused.hu).astype(np.int16), fused.affine)
    return fused
