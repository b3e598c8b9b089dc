"""Our numbers beside the paper's, as a table that a notebook shows."""

import pandas as pd

from vctlib.errors import InputError
from vctlib.text import number_text


def table_beside_paper(ours: pd.DataFrame, paper: pd.DataFrame, digits: int = 3) -> pd.DataFrame:
    """Shared rows and columns of two tables side by side, as text: columns (quantity, "ours" or "paper").

    Rows are those of `ours`, in its order; where the paper has no number an en dash stands. Raises InputError where
    the tables share no column. Another cohort and another scale stand behind ours: digits do not compare.
    """
    shared = [name for name in ours.columns if name in paper.columns]
    if not shared:
        raise InputError(f"our columns {list(ours.columns)} and the paper's {list(paper.columns)} have none in common")
    paper = paper.reindex(ours.index)
    columns = {}
    for name in shared:
        known = [value for table in (ours, paper) for value in table[name] if not isinstance(value, str)]
        places = 0 if all(pd.isna(value) or value == int(value) for value in known) else digits  # counts are whole
        for side, table in (("ours", ours), ("paper", paper)):
            columns[name.replace("_", " "), side] = [_text(value, places) for value in table[name]]
    rows = [str(label).replace("_", " ") for label in ours.index]
    return pd.DataFrame(columns, index=pd.Index(rows, name=ours.index.name))


def _text(value, digits: int) -> str:
    if isinstance(value, str):
        return value
    return number_text(value, digits)
