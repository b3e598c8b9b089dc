"""Checks of the tables that people hand to a trial; each failure is one line that names the column or the subject."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from vctlib.errors import InputError

_SHOWN = 5  # subjects or columns named in a message before "and n more"


def listed(names: Iterable) -> str:
    """`a, b, c`, shortened to the first few and a count of the rest."""
    names = [str(name) for name in names]
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def require_columns(frame: pd.DataFrame, columns: Iterable[str], table: str) -> None:
    """Raises InputError that names the columns which `table` (words for the message) lacks."""
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise InputError(f"{table} has no column {listed(missing)}; it has {listed(frame.columns)}")


def subject_ids(frame: pd.DataFrame) -> np.ndarray:
    """The subject of every row, from the column `subject_id` or else from the index; shape (rows,), str."""
    return np.asarray(frame["subject_id"] if "subject_id" in frame.columns else frame.index).astype(str)


def require_numbers(frame: pd.DataFrame, column: str, table: str) -> np.ndarray:
    """The column as float64, shape (rows,). Raises InputError naming the subjects without a finite number."""
    values = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=float)
    bad = ~np.isfinite(values)
    if bad.any():
        subjects = listed(dict.fromkeys(subject_ids(frame)[bad]))
        raise InputError(f"column {column} of {table} has no number for {subjects}; fill these rows or leave them out")
    return values
