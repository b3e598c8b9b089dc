"""Tables made row by row, each row on disk as soon as it is known, so that long work can be interrupted."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pandas as pd
from tqdm.std import tqdm

from vctlib.files import write_text


def resumable_table(
    folder: Path, subjects: Iterable[str], make: Callable[[str], Mapping], *, key: str, label: str
) -> pd.DataFrame:
    """One row a subject, `make(subject_id)`; rows already in `folder` under the same `key` are read, not made again.

    Returns a frame indexed by subject_id, in the order of `subjects`. `key` names everything the rows depend on.
    """
    subjects = list(subjects)
    note = folder / "key.txt"
    if not note.exists() or note.read_text() != key:
        for stale in folder.glob("*.json"):
            stale.unlink()
        write_text(note, key)
    rows = {}
    for subject_id in tqdm(subjects, desc=label, unit="body", mininterval=2.0):
        path = folder / f"{subject_id}.json"
        if path.exists():
            rows[subject_id] = json.loads(path.read_text())
            continue
        row = json.loads(json.dumps(dict(make(subject_id)), default=float))
        write_text(path, json.dumps(row))
        rows[subject_id] = row
    frame = pd.DataFrame.from_dict(rows, orient="index")
    frame.index.name = "subject_id"
    return frame.loc[subjects]
