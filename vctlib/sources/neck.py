"""Head, neck and upper chest, cut out of any CT by one rule, so that phantoms and patients show the same part.

Radiotherapy CTs begin at different heights of the head and end at different heights of the chest, and their publisher
has set everything outside the body to air. What all of them show is the neck, so the cut hangs on it, by one of two
landmarks. The lower jaw is a bone that phantoms and most patients have a label of; its lowest slice is the same anatomy
in both. The outline needs no label: the first slice above the shoulders, which are the highest slice `SHOULDERS_MM`
wide, from where the body grows larger both up and down; how high that is against the bones differs from body to body.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import numpy as np
from scipy import ndimage, signal

from vctlib.anatomy import AIR_HU, LabelTable, ids_of
from vctlib.cohort import Cohort
from vctlib.errors import InputError
from vctlib.measure.mask import body_mask
from vctlib.sources.real_ct import RealCT
from vctlib.sources.resample import resample_to_spacing

SHOULDERS_MM = 300.0  # no head is so wide, every pair of shoulders is
SMOOTHING_MM = 10.0  # of the area along the body, before its smallest value is looked for
PROMINENCE_MM2 = 500.0  # the head above the neck is larger than it by this and more
JAW = "mandible"
# Where the outline of OpenKBP's patients is thinnest, on average of the 59 who have a jaw labelled.
NECK_BELOW_JAW_MM = 15.0
THINNEST = 0.5  # of the neck's area; where a slice of the cut is smaller, its publisher masked more than the air


@dataclass(frozen=True)
class CutRule:
    """Which box around the neck is kept, mm: from so much below its slice to so much above, and as wide and deep.

    The neck's slice is `NECK_BELOW_JAW_MM` below the lowest slice of the jaw, or where the outline is thinnest.
    """

    landmark: Literal["jaw", "outline"] = "jaw"
    above_mm: float = 120.0
    below_mm: float = 100.0
    width_mm: float = 400.0
    depth_mm: float = 300.0


@dataclass(frozen=True)
class NeckCut:
    """HU (int16) and what of it is body (boolean), both (x, y, z) in RAS at `spacing_mm`, air outside the body.

    All cuts of one rule have one shape; the neck's slice is number `neck` of the third axis. `jaw_above_mm`: from where
    the outline is thinnest up to the lowest slice of the jaw; NaN where either is not known.
    """

    hu: np.ndarray
    body: np.ndarray
    spacing_mm: float
    neck: int
    jaw_above_mm: float = float("nan")


def neck_slice(body: np.ndarray, spacing_mm: float) -> int:
    """Number of the axial slice (x, y, z; z to the head) where the neck of a body (boolean) is thinnest.

    Raises InputError where no slice is as wide as shoulders, or where no head follows above them.
    """
    across = body.any(axis=1)  # (x, z)
    width = (across.shape[0] - across.argmax(axis=0) - across[::-1].argmax(axis=0)) * across.any(axis=0) * spacing_mm
    wide = np.flatnonzero(width >= SHOULDERS_MM)
    if not len(wide):
        raise InputError(f"no slice is {SHOULDERS_MM:g} mm wide: there are no shoulders to find the neck by")
    shoulders = int(wide[-1])
    area = ndimage.gaussian_filter1d(body.sum(axis=(0, 1)) * spacing_mm**2, SMOOTHING_MM / spacing_mm, mode="nearest")
    thin = signal.find_peaks(-area[shoulders:], prominence=PROMINENCE_MM2)[0]
    if not len(thin):
        raise InputError("the body does not grow wider again above the shoulders: the scan does not show neck and head")
    return shoulders + int(thin[0])


def cut_at_neck(
    hu: np.ndarray, affine: np.ndarray, spacing_mm: float, rule: CutRule | None = None, jaw: np.ndarray | None = None
) -> NeckCut:
    """Resample a CT (x, y, z; HU; affine in mm) to cubic voxels, set what is not body to air, and cut.

    `jaw` (boolean, shape of `hu`) marks the lower jaw; it is None or empty where nobody labelled it. The body is what
    `body_mask` finds, so a table, a board or noise in the air goes for phantoms and patients alike.
    Across and in depth the box is centred on the neck. Raises InputError where the scan does not reach as far up or
    down as the rule asks for, where parts of the body were left out of it, or where the rule's landmark is missing.
    """
    rule = rule or CutRule()
    fine, frame = resample_to_spacing(hu, affine, (spacing_mm,) * 3, labels=False, fill=AIR_HU)
    body = body_mask(fine, frame)
    lowest = None if jaw is None else _lowest_slice(jaw, affine, spacing_mm)
    neck, jaw_above_mm = _neck(body, lowest, spacing_mm, rule.landmark)
    below, above = round(rule.below_mm / spacing_mm), round(rule.above_mm / spacing_mm)
    inside = np.flatnonzero(body.any(axis=(0, 1)))
    # The first and the last slice of a scan are averaged with the air beyond it, so they do not count as shown.
    if neck - below <= inside[0] or neck + above > inside[-1]:
        raise InputError(
            f"the scan shows {(neck - inside[0]) * spacing_mm:.0f} mm below and {(inside[-1] - neck) * spacing_mm:.0f} "
            f"mm above the neck; {rule.below_mm:g} and {rule.above_mm:g} mm are asked for"
        )
    centre = [round(float(where.mean())) for where in np.nonzero(body[:, :, neck])]
    area = body[:, :, neck - below : neck + above].sum(axis=(0, 1))
    if area.min() < THINNEST * area[below]:
        raise InputError("a slice of the cut is much thinner than the neck: parts of the body were masked")
    low = [c - round(size / spacing_mm) // 2 for c, size in zip(centre, (rule.width_mm, rule.depth_mm), strict=True)]
    size = [round(rule.width_mm / spacing_mm), round(rule.depth_mm / spacing_mm), below + above]
    starts = np.array([*low, neck - below])
    kept = _take(body, starts, size, False)
    hounsfield = np.where(kept, np.rint(_take(fine, starts, size, AIR_HU)), AIR_HU).astype(np.int16)
    return NeckCut(hounsfield, kept, spacing_mm, below, jaw_above_mm)


def _lowest_slice(jaw: np.ndarray, affine: np.ndarray, spacing_mm: float) -> int | None:
    """The lowest slice with jaw once resampled; None where there is none."""
    fine, _ = resample_to_spacing(jaw.astype(np.uint8), affine, (spacing_mm,) * 3, labels=True, fill=0)
    slices = np.flatnonzero(fine.any(axis=(0, 1)))
    return int(slices[0]) if len(slices) else None


def _neck(body: np.ndarray, jaw: int | None, spacing_mm: float, landmark: str) -> tuple[int, float]:
    """The neck's slice by a landmark, and how far (mm) the jaw's lowest slice lies above where the body is thinnest."""
    try:
        thinnest = neck_slice(body, spacing_mm)
    except InputError:
        if landmark == "outline":
            raise
        thinnest = None
    above_mm = float("nan") if None in (jaw, thinnest) else (jaw - thinnest) * spacing_mm
    if landmark == "outline":
        return thinnest, above_mm
    if jaw is None:
        raise InputError("the lower jaw is not labelled: there is nothing to find the neck by")
    return jaw - round(NECK_BELOW_JAW_MM / spacing_mm), above_mm


def _take(volume: np.ndarray, starts: np.ndarray, size: list[int], fill: float) -> np.ndarray:
    """A box of a volume, filled where it reaches beyond it."""
    out = np.full(size, fill, volume.dtype)
    ends = np.minimum(starts + size, volume.shape)
    first = np.maximum(starts, 0)
    source = tuple(slice(a, max(a, b)) for a, b in zip(first, ends, strict=True))
    target = tuple(slice(a - s, max(a, b) - s) for a, b, s in zip(first, ends, starts, strict=True))
    out[target] = volume[source]
    return out


def cut_patients(patients: Iterable[RealCT], spacing_mm: float, rule: CutRule) -> list[NeckCut]:
    """The cut of every patient whose scan shows what the rule asks for, in their order; the others are left out."""
    cuts = (_cut_or_none(ct.hu, ct.affine, spacing_mm, rule, _jaw(ct.labels, ct.table)) for ct in patients)
    return [cut for cut in cuts if cut is not None]


def cut_cohort(cohort: Cohort, spacing_mm: float, rule: CutRule, n_people: int) -> list[NeckCut]:
    """The cuts of the first `n_people` of a cohort whom the rule fits, fewer where there are no more."""
    table = cohort.info.labels or {}
    cuts = (
        _cut_or_none(*cohort.ct(subject), spacing_mm, rule, _jaw(cohort.labels(subject), table) if table else None)
        for subject in cohort.subjects
    )
    return list(islice((cut for cut in cuts if cut is not None), n_people))


def _jaw(labels: np.ndarray, table: LabelTable) -> np.ndarray | None:
    return labels == ids_of(table, JAW)[0] if JAW in table.values() else None


def _cut_or_none(hu, affine, spacing_mm: float, rule: CutRule, jaw: np.ndarray | None) -> NeckCut | None:
    try:
        return cut_at_neck(hu, affine, spacing_mm, rule, jaw)
    except InputError:
        return None
