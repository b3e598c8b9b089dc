"""A full body in three overlapping scans, as the New Mexico Decedent Image Database was acquired.

Each scan has its own noise, and the body lies a little elsewhere each time, by an offset that is known here and has to
be estimated in real data.

Source: killeen2025, section 4.2.1 (head, neck and upper extremities; torso; lower extremities; the first is kept where
they overlap); edgar2020. Where each scan begins and ends is not published: the fractions are choices.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from vctlib.anatomy import HU_RANGE
from vctlib.cohort import check_subject_id, write_volume
from vctlib.errors import InputError
from vctlib.files import write_text
from vctlib.sources.phantom.scanner import ScannerSettings, scan

# Begin and end as fractions of the body's length from the crown. The first reaches from the crown to the hands, folded
# on the trunk; it and the torso overlap from the shoulders on, torso and legs from the groin to mid-thigh.
STATIONS: Mapping[str, tuple[float, float]] = {
    "head_neck_arms": (0.0, 0.47),
    "torso": (0.15, 0.56),
    "legs": (0.48, 1.0),
}
LARGEST_OFFSET_MM = (8.0, 8.0, 15.0)  # x, y, z; uniform to both sides
MARGIN_MM = 24.0  # beyond the crown and the toes
BODY_HU = -500.0


@dataclass(frozen=True)
class PartialScan:
    """One of several scans of a body: `hu` float32 (x, y, z), RAS+ `affine` to mm.

    `offset_mm` (3,): how far the body had moved, towards RAS+, from where it lay in the first scan.
    """

    name: str
    hu: np.ndarray
    affine: np.ndarray
    offset_mm: np.ndarray


def three_scans(
    hu: np.ndarray,
    affine: np.ndarray,
    settings: ScannerSettings,
    seed: int,
    *,
    body: np.ndarray | None = None,
    torso_hu: np.ndarray | None = None,
    stations: Mapping[str, tuple[float, float]] = STATIONS,
    largest_offset_mm: tuple[float, float, float] = LARGEST_OFFSET_MM,
) -> Iterator[PartialScan]:
    """Scan a body (x, y, z; Hounsfield units; isotropic RAS+ `affine`) station by station, from the head on.

    `body`: boolean, where it lies, by default what is above -500 HU (give it where there is a table). `torso_hu`: the
    same person with the arms elsewhere, for the station `torso`; by default they lie as in the other scans. The first
    station has no offset: it says where the body lies. Raises InputError for a tilted affine or an empty volume.
    """
    spacing = float(affine[2, 2])
    if not np.allclose(affine[:3, :3], np.eye(3) * spacing, atol=1e-4) or not spacing > 0:
        raise InputError("three_scans needs cubic voxels in RAS+ order")
    inside = np.flatnonzero((hu > BODY_HU if body is None else body).any(axis=(0, 1)))
    if not inside.size:
        raise InputError("the volume holds no body to scan")
    crown, length = inside[-1] + 1, inside[-1] + 1 - inside[0]
    rng = np.random.default_rng([seed, 2])
    for number, (name, (begin, end)) in enumerate(stations.items()):
        offset = rng.uniform(-1, 1, 3) * largest_offset_mm * (number > 0)
        margin = MARGIN_MM / spacing
        top = crown - begin * length + margin * (begin <= 0)
        bottom = crown - end * length - margin * (end >= 1)
        part = slice(max(int(bottom), 0), min(int(np.ceil(top)), hu.shape[2]))
        whole = torso_hu if name == "torso" and torso_hu is not None else hu
        # Linear: a voxel of the moved body holds the volumes of the voxels that it covers.
        moved = ndimage.shift(np.asarray(whole, np.float32), offset / spacing, order=1, mode="nearest")[:, :, part]
        place = affine.copy()
        place[:3, 3] += affine[:3, 2] * part.start
        image = scan(moved, spacing, settings, int(rng.integers(2**31)))
        yield PartialScan(name, image, place, offset)


def write_scans(folder: Path | str, subject_id: str, scans: Iterator[PartialScan]) -> None:
    """Write each scan as `<subject_id>_<station>.nii.gz` (int16 HU) and `<subject_id>_offsets.json` (mm, RAS+)."""
    folder, offsets = Path(folder), {}
    check_subject_id(subject_id)
    for part in scans:
        clipped = np.clip(np.rint(part.hu), HU_RANGE.low, HU_RANGE.high).astype(np.int16)
        write_volume(folder / f"{subject_id}_{part.name}.nii.gz", clipped, part.affine)
        offsets[part.name] = [float(mm) for mm in part.offset_mm]
    write_text(folder / f"{subject_id}_offsets.json", json.dumps(offsets, indent=1) + "\n")
