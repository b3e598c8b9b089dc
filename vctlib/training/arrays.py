"""Volumes laid out for fast random access: memory-mapped arrays beside the run, made once from a cohort."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.lib.format import open_memmap
from tqdm.std import tqdm

from vctlib.anatomy import HU_RANGE, PAPER16, LabelTable, reduce_labels
from vctlib.cohort import Cohort
from vctlib.config import Profile
from vctlib.errors import InputError
from vctlib.files import sha256, write_text
from vctlib.networks.body_frame import BodyFrame, Placement, placement
from vctlib.networks.body_shapes import BodyShapes

BODY_HU = -500.0  # a voxel above this lies in the body (or is a table)
_BODY_STRIDE = 4  # voxels; body positions are kept on a coarse lattice


def cached_array(path: Path, key: str, make: Callable[[int], np.ndarray], count: int, label: str) -> np.ndarray:
    """An array of `count` items on disk, read-only and memory-mapped; item i is `make(i)`.

    A finished array with the same `key` is used as it is; anything else is made again. Killed halfway, nothing that
    could be taken for whole remains. While another process makes it, this one waits.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock")):
        note = path.with_suffix(".json")
        if not (path.exists() and note.exists() and json.loads(note.read_text()) == {"key": key, "count": count}):
            note.unlink(missing_ok=True)
            _write_array(path, make, count, label)
            write_text(note, json.dumps({"key": key, "count": count}))
        return np.load(path, mmap_mode="r", allow_pickle=False)


def _write_array(path: Path, make: Callable[[int], np.ndarray], count: int, label: str) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    array = None
    for index in tqdm(range(count), desc=label, unit="body", mininterval=2.0):
        item = make(index)
        if array is None:
            array = open_memmap(temporary, "w+", item.dtype, (count, *item.shape))
        array[index] = item
    array.flush()
    del array
    os.replace(temporary, path)


class BodyArrays:
    """CTs (int16) and reduced label maps (uint8) of some subjects of a cohort, as (n, x, y, z) arrays on disk.

    With `frame_of`, in the frame that this profile gives to bodies, deformed to the template of `shapes` if there are
    any. Raises InputError where there are no subjects.
    """

    def __init__(
        self,
        cohort: Cohort,
        folder: Path,
        *,
        target: LabelTable | None = None,
        frame_of: Profile | None = None,
        shapes: BodyShapes | None = None,
        tag: str = "",
    ) -> None:
        self.subjects = cohort.subjects
        need_people(cohort)
        key = cohort_key(cohort)
        count, framed = len(self.subjects), frame_of is not None and frame_of.body_frame is not None
        if framed:
            tag += "_framed"
            key += frame_of.body_frame.model_dump_json() + shapes_key(shapes)
            placed = cached_placements(cohort, folder, frame_of, shapes)

        def reduced(index: int, table: LabelTable) -> np.ndarray:
            return reduce_labels(cohort.labels(self.subjects[index]), cohort.info.labels, table)

        def frame(index: int) -> BodyFrame:
            return BodyFrame(frame_of, Placement.of(placed[index].tolist()), shapes)

        def ct(index: int) -> np.ndarray:
            hu = cohort.ct(self.subjects[index])[0]
            return np.rint(frame(index).into(hu).clip(*HU_RANGE)).astype(np.int16) if framed else hu

        def labels(index: int) -> np.ndarray:
            found = reduced(index, target)
            return frame(index).labels_into(found) if framed else found

        self.hu = cached_array(folder / f"hu{tag}.npy", key, ct, count, "reading CT")
        self.labels = None
        if target is not None:
            path = folder / f"labels{len(target)}{tag}.npy"
            self.labels = cached_array(path, key + str(dict(target)), labels, count, "reading labels")
        self.body = [body_positions(volume) for volume in self.hu]


def need_people(cohort: Cohort) -> None:
    """Raises InputError where there are no subjects."""
    if not cohort.subjects:
        raise InputError(f"{cohort.path}: there is nobody to train on; lower cohort.test_fraction in the profile")


def cohort_key(cohort: Cohort) -> str:
    """What tells cohorts and selections of them apart."""
    return f"{sha256(cohort.path / 'cohort.json')} {sha256(cohort.path / 'subjects.csv')} {' '.join(cohort.subjects)}"


def cached_placements(cohort: Cohort, folder: Path, profile: Profile, shapes: BodyShapes | None = None) -> np.ndarray:
    """`Placement.numbers` (n, 7 + shapes), float64, of a cohort's subjects, kept in the folder."""
    frame = profile.body_frame and profile.body_frame.model_dump_json()
    key = f"{cohort_key(cohort)} {Placement._fields} {frame} {shapes_key(shapes)}"

    def placed(index: int) -> np.ndarray:
        subject = cohort.subjects[index]
        labels = reduce_labels(cohort.labels(subject), cohort.info.labels, PAPER16)
        return np.array(placement(profile, cohort.ct(subject)[0], labels, shapes).numbers)

    name = hashlib.sha256(key.encode()).hexdigest()[:8]  # of several cohorts, one folder
    return cached_array(folder / f"placements_{name}.npy", key, placed, len(cohort.subjects), "placing people")


def shapes_key(shapes: BodyShapes | None) -> str:
    """What tells shapes apart; nothing without any."""
    if shapes is None:
        return ""
    digest = hashlib.sha256()
    for tensor in shapes.state_dict().values():
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def body_positions(hu: np.ndarray) -> np.ndarray:
    """Voxel indices (k, 3) inside the body, on a lattice of every fourth voxel."""
    coarse = hu[::_BODY_STRIDE, ::_BODY_STRIDE, ::_BODY_STRIDE] > BODY_HU
    found = np.argwhere(coarse) * _BODY_STRIDE
    return found if len(found) else np.array([[size // 2 for size in hu.shape]])


def patch_start(rng: np.random.Generator, body: np.ndarray, patch: Sequence[int], shape: Iterable[int]) -> tuple:
    """First corner of a patch that holds a random body voxel at a random place of it.

    The body fills about a tenth of the grid: patches drawn evenly would mostly show air.
    """
    centre = body[rng.integers(len(body))]
    offset = rng.integers(0, patch)
    return tuple(int(np.clip(c - o, 0, s - p)) for c, o, p, s in zip(centre, offset, patch, shape, strict=True))


def cut(array: np.ndarray, start: Sequence[int], patch: Sequence[int]) -> np.ndarray:
    """A patch of the last three axes of an array."""
    window = tuple(slice(a, a + p) for a, p in zip(start, patch, strict=True))
    return np.array(array[(..., *window)])
