"""Real CTs that anyone may have: found through the data manifest, turned to RAS, put on a profile's grid.

An abdomen and pelvis with TotalSegmentator's labels, a slab of the same scan with its tissue masks, and head-and-neck
CTs of OpenKBP. None shows a whole body, so each carries a mask of what was scanned; the rest of the grid is air that
nobody measured. Source: wasserthal2023, babier2021.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import nibabel
import numpy as np
from scipy import ndimage

from vctlib.anatomy import AIR_HU, HU_RANGE, TOTAL, LabelTable, ids_of
from vctlib.errors import InputError
from vctlib.manifest import load_manifest, resolve
from vctlib.measure.mask import body_mask
from vctlib.sources.open_kbp import LABELS as OPEN_KBP_LABELS
from vctlib.sources.open_kbp import read_open_kbp
from vctlib.sources.resample import box_of, fit_to_grid, resample_to_spacing, spacing_of

TISSUE_MASKS = ("subcutaneous_fat", "torso_fat", "skeletal_muscle")


@dataclass(frozen=True)
class RealCT:
    """A real CT: `hu` int16, `labels` uint8 in numbers of `table`, `masks` boolean, all (x, y, z) in RAS; affine in mm.

    `field_of_view` marks the voxels that hold what a scanner saw. `cropped`: part of that, outside the body, did not
    fit on the grid and was left out. `entry` names the volume's entry in data_manifest.yaml.
    """

    name: str
    hu: np.ndarray
    affine: np.ndarray
    labels: np.ndarray
    table: LabelTable
    field_of_view: np.ndarray
    entry: str
    licence: str
    citation: str
    masks: dict[str, np.ndarray] = field(default_factory=dict)
    cropped: bool = False

    @property
    def spacing_mm(self) -> np.ndarray:
        return spacing_of(self.affine)

    @cached_property
    def body(self) -> np.ndarray:
        """What was scanned inside the skin (boolean): neither the table nor the air around the body."""
        return body_mask(self.hu, self.affine) & self.field_of_view

    def volumes_ml(self) -> dict[str, float]:
        """Volume of every structure that is labelled."""
        counts = np.bincount(self.labels.ravel(), minlength=256) * np.prod(self.spacing_mm) / 1000.0
        return {name: float(counts[number]) for number, name in self.table.items() if counts[number] > 0}

    def centroid_mm(self, name: str) -> np.ndarray:
        """Centre (right, anterior, superior) of a labelled structure; NaN where it is absent or has no name here."""
        if name not in self.table.values():
            return np.full(3, np.nan)
        indices = np.argwhere(self.labels == ids_of(self.table, name)[0])
        return self.affine[:3, :3] @ indices.mean(axis=0) + self.affine[:3, 3] if len(indices) else np.full(3, np.nan)

    def cut_structures(self) -> set[str]:
        """Structures that reach the border of the scanned box, so that their volume is only what was scanned."""
        border = np.zeros(256, bool)
        for axis, (low, high) in enumerate(box_of(self.field_of_view)):
            for position in (low, high - 1):
                border[np.unique(self.labels.take(position, axis=axis))] = True
        return {name for number, name in self.table.items() if border[number]}


def read_abdomen() -> RealCT:
    """Abdomen and pelvis, 122 x 101 x 112 voxels of 3 mm, with TotalSegmentator's labels.

    Raises InputError in one line where the files are neither here nor to be fetched.
    """
    return _totalsegmentator("abdomen", "totalsegmentator_abdomen_ct", "totalsegmentator_abdomen_labels")


def read_slab() -> RealCT:
    """Thirty slices with labels and the masks `TISSUE_MASKS`. They are the uppermost slices of `read_abdomen`.

    The header does not say so: it places the slab at the abdomen's lowest slices, 246 mm too low. Raises InputError.
    """
    slab = _totalsegmentator("slab", "totalsegmentator_slab_ct", "totalsegmentator_slab_labels")
    masks = {name: _load(resolve(f"totalsegmentator_slab_{name}"))[0] > 0 for name in TISSUE_MASKS}
    return replace(slab, masks=masks)


def read_open_kbp_patients(n_patients: int) -> list[RealCT]:
    """The first patients of OpenKBP's training split whose volume reaches from the head to the upper chest.

    The publisher has set everything outside the body to air, so the field of view is the body (and what lies on it).
    Raises InputError where the folder is not here, or has fewer such patients.
    """
    folder = resolve("open_kbp")
    whole = [row["id"] for row in json.loads((folder / "index.json").read_text()) if row["full_fov"]]
    if not 0 <= n_patients <= len(whole):
        raise InputError(f"{folder} has {len(whole)} patients from head to upper chest; {n_patients} were asked for")
    about = load_manifest()["open_kbp"]
    patients = []
    for name in whole[:n_patients]:
        hu, labels, affine = read_open_kbp(folder / f"{name}.npz")
        seen = ndimage.binary_fill_holes(hu != AIR_HU, np.ones((3, 3, 1)))  # airways are closed in an axial slice
        low, high = box_of(seen)[2]
        slices = (..., slice(low, high))  # the empty ones were not scanned
        affine[:3, 3] += affine[:3, 2] * low
        patients.append(
            RealCT(
                name, _clip(hu[slices]), affine, labels[slices], OPEN_KBP_LABELS, seen[slices],
                "open_kbp", about.licence, about.citation,
            )
        )  # fmt: skip
    return patients


def to_grid(ct: RealCT, spacing_mm: Sequence[float], grid: Sequence[int]) -> RealCT:
    """The same scan resampled to `spacing_mm` and centred on `grid` voxels, with air where nothing was scanned.

    A voxel at the border averages what was scanned alone: the body goes on there, air does not begin. Where the box
    is larger than the grid, table and air are cropped and `cropped` says so. Raises BodyDoesNotFit where the body
    itself is larger.
    """
    above_air, frame = resample_to_spacing(ct.hu - AIR_HU, ct.affine, spacing_mm, labels=False, fill=0.0)
    share, _ = resample_to_spacing(np.ones(ct.hu.shape), ct.affine, spacing_mm, labels=False, fill=0.0)

    def nearest(array: np.ndarray) -> np.ndarray:
        return resample_to_spacing(array.astype(np.uint8), ct.affine, spacing_mm, labels=True, fill=0)[0]

    seen, in_box = nearest(ct.field_of_view), nearest(np.ones(ct.hu.shape)) > 0
    hu = np.full(in_box.shape, AIR_HU)
    hu[in_box] += above_air[in_box] / share[in_box]
    box = box_of(seen > 0)
    cropped = any(high - low > size for (low, high), size in zip(box, grid, strict=True))
    if cropped:
        box = box_of(nearest(ct.body | (ct.labels > 0)) > 0)

    def place(array: np.ndarray, fill: float = 0) -> np.ndarray:
        return fit_to_grid(array, frame, grid, box, fill=fill)[0]

    return replace(
        ct,
        hu=_clip(place(hu, AIR_HU)),
        affine=fit_to_grid(seen, frame, grid, box, fill=0)[1],
        labels=place(nearest(ct.labels)),
        field_of_view=place(seen) > 0,
        masks={name: place(nearest(mask)) > 0 for name, mask in ct.masks.items()},
        cropped=cropped,
    )


def label_tissues(ct: RealCT) -> np.ndarray:
    """Labels (uint8, in numbers of `TOTAL`) with the tissue masks where no structure is labelled."""
    labels = ct.labels.copy()
    for name, mask in ct.masks.items():
        labels[mask & (labels == 0)] = ids_of(TOTAL, name)[0]
    return labels


def _totalsegmentator(name: str, image_entry: str, labels_entry: str) -> RealCT:
    hu, affine = _load(resolve(image_entry))
    labels, labels_affine = _load(resolve(labels_entry))
    if labels.shape != hu.shape or not np.allclose(labels_affine, affine, atol=1e-2):
        raise InputError(f"{labels_entry} and {image_entry} do not lie on the same voxels; fetch both again")
    about = load_manifest()[image_entry]
    seen = np.ones(hu.shape, bool)
    return RealCT(
        name, _clip(hu), affine, labels.astype(np.uint8), TOTAL, seen, image_entry, about.licence, about.citation
    )


def _load(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Voxels and affine, axes turned to the nearest of RAS. The manifest has checked the file's bytes."""
    image = nibabel.as_closest_canonical(nibabel.load(path))
    return np.asanyarray(image.dataobj), image.affine


def _clip(hu: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(hu, HU_RANGE.low, HU_RANGE.high)).astype(np.int16)
