"""Liver lesions put into a CT whose liver is known: balls of another attenuation, blurred as the scanner blurs them.

Bodies of any origin can so have a condition that is known exactly, also those of a generator that was never taught any.
Phantoms that are made with lesions (`phantom.conditions`) have theirs before the scan; the study of detection compares
the two.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.ndimage import distance_transform_edt, gaussian_filter

from vctlib.anatomy import PAPER16, ids_of, reduce_labels
from vctlib.cohort import Cohort
from vctlib.errors import InputError
from vctlib.sources.phantom.bone_layer import BALL, share_of_voxel
from vctlib.sources.phantom.conditions import LiverLesion

# Standard deviation of the blur by which a ball before the simulated scan comes nearest to the same ball after it: 0.4
# of 0.2 to 1.0 in each of six phantoms at 8 mm, under all three models of scanner. One blur stands for all of them.
BLUR_VOXELS = 0.4


def liver_of(cohort: Cohort, subject_id: str) -> np.ndarray:
    """The liver with its lesions, bool (x, y, z), as the cohort's own label map has it."""
    return reduce_labels(cohort.labels(subject_id), cohort.info.labels, PAPER16) == ids_of(PAPER16, "liver")[0]


class WithLesions(NamedTuple):
    hu: np.ndarray  # int16 (x, y, z)
    lesions: np.ndarray  # bool (x, y, z): voxels of which a lesion fills at least half
    centres: np.ndarray  # (lesions, 3), in voxels


def insert_lesions(
    hu: np.ndarray,
    liver: np.ndarray,
    spacing_mm: float,
    lesions: Sequence[LiverLesion],
    rng: np.random.Generator,
    centres: np.ndarray | None = None,
) -> WithLesions:
    """A CT (x, y, z; HU; cubic voxels) with these lesions in its `liver` (bool).

    Each lies at its row of `centres` (lesions, 3; in voxels), or else at a random place where it fits into the liver
    with half a voxel about it, or, where it fits nowhere, at the deepest. What lies beyond the liver is left out.
    Raises InputError where there are lesions and no liver.
    """
    added, filled = np.zeros(hu.shape, np.float32), np.zeros(hu.shape, bool)
    if lesions and not liver.any():
        raise InputError("there is no liver to put lesions into")
    if centres is None:
        depth = distance_transform_edt(liver) * spacing_mm if lesions else None
        centres = [_place(depth, lesion.diameter_mm / 2, spacing_mm, rng) for lesion in lesions]
    for lesion, centre in zip(lesions, centres, strict=True):
        share = _ball(hu.shape, centre, lesion.diameter_mm / 2, spacing_mm) * liver
        added = added * (1 - share) + lesion.contrast_hu * share  # where two meet, the later one is seen
        filled |= share >= 0.5
    blurred = gaussian_filter(added, BLUR_VOXELS)
    return WithLesions(np.rint(hu + blurred).astype(np.int16), filled, np.array(centres).reshape(-1, 3))


def _place(depth: np.ndarray, radius_mm: float, spacing_mm: float, rng: np.random.Generator) -> np.ndarray:
    """A point (3,), in voxels, where a ball and half a voxel about it fit; a random one within the voxel drawn.

    `depth` (mm) is to the centre of the nearest voxel outside, half a voxel beyond the surface; the point lies up to
    half a voxel off the middle of its own.
    """
    deep = np.argwhere(depth >= min(radius_mm + 1.5 * spacing_mm, depth.max()))
    return deep[rng.integers(len(deep))] + rng.uniform(-0.5, 0.5, 3)


def _ball(shape: tuple[int, ...], centre: np.ndarray, radius_mm: float, spacing_mm: float) -> np.ndarray:
    """The share (x, y, z) of every voxel that a ball fills."""
    reach = radius_mm / spacing_mm + 1
    near = tuple(
        slice(max(0, int(np.floor(c - reach))), min(n, int(np.ceil(c + reach)) + 1))
        for c, n in zip(centre, shape, strict=True)
    )
    offset = [np.arange(s.start, s.stop) - c for s, c in zip(near, centre, strict=True)]
    distance = spacing_mm * np.sqrt(sum(np.square(o) for o in np.meshgrid(*offset, indexing="ij", sparse=True)))
    share = np.zeros(shape, np.float32)
    inside = radius_mm - distance.ravel()
    filled = share_of_voxel(inside, np.full_like(inside, radius_mm), np.full(inside.shape, BALL), spacing_mm / 2)
    share[near] = filled.reshape(distance.shape)
    return share


def recorded_lesions(cohort: Cohort, subject_id: str) -> tuple[LiverLesion, ...]:
    """The liver lesions that a phantom was made with. Raises InputError where the cohort records no conditions."""
    found = _findings(cohort, subject_id)
    return tuple(LiverLesion(finding["diameter_mm"], finding["contrast_hu"]) for finding in found)


def recorded_centres(cohort: Cohort, subject_id: str) -> np.ndarray:
    """Where they lie (lesions, 3), in voxels, in the same order; errors as of `recorded_lesions`."""
    places = [[*finding["position_mm"], 1.0] for finding in _findings(cohort, subject_id)]
    _, affine = cohort.ct(subject_id)
    return np.linalg.solve(affine, np.array(places).reshape(-1, 4).T)[:3].T


def _findings(cohort: Cohort, subject_id: str) -> list[dict]:
    path = cohort.path / "findings" / f"{subject_id}.json"
    try:
        findings = json.loads(path.read_text())
    except FileNotFoundError:
        raise InputError(f"{path}: absent; only phantoms that are made with conditions have findings") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: not readable as JSON ({error}); remove the cohort and make it again") from None
    return [finding for finding in findings if finding["kind"] == "liver_lesion"]


def check_same_people(healthy: pd.DataFrame, ill: pd.DataFrame) -> None:
    """Raise InputError unless everybody in the table `ill` is in `healthy`, the same person, without lesions there."""
    absent = ill.index.difference(healthy.index)
    if len(absent):
        raise InputError(f"the cohort without lesions lacks {len(absent)} people, first {absent[0]!r}")
    for name in ("sex", "age_years", "height_cm", "weight_kg"):
        other = ill.index[healthy.loc[ill.index, name].to_numpy() != ill[name].to_numpy()]
        if len(other):
            raise InputError(f"{other[0]} has another {name} in the two cohorts; make both from one profile and seed")
    if "liver_lesions" in healthy and (healthy.loc[ill.index, "liver_lesions"] > 0).any():
        raise InputError("the cohort that should have no liver lesions has some")
