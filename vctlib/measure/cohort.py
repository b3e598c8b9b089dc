"""Measure every body of a cohort, several at a time."""

from functools import partial

import pandas as pd
from tqdm.std import tqdm

from vctlib.anatomy import LabelTable
from vctlib.cohort import Cohort
from vctlib.errors import InputError
from vctlib.measure import measure_body
from vctlib.sources.parallel import run_in_processes


def measure_subject(subject_id: str, cohort: Cohort, table: LabelTable) -> dict[str, float]:
    """The row of one subject. Raises InputError that names the cohort and the subject."""
    hu, affine = cohort.ct(subject_id)
    try:
        return measure_body(hu, cohort.labels(subject_id), table, affine)
    except InputError as error:
        raise InputError(f"{cohort.path}: subject {subject_id}: {error}") from None


def measure_cohort(
    cohort: Cohort, *, table: LabelTable | None = None, processes: int | None = None, progress: bool = True
) -> pd.DataFrame:
    """All measurements of all subjects; index `subject_id` in the cohort's order, columns of `measure_body`.

    `table` replaces the cohort's own label table (None: cohort.json's). `processes` None: one for each core; the result
    does not depend on it. Raises InputError where the cohort has no labels or a volume cannot be measured.
    """
    if not cohort.has_labels:
        raise InputError(f"{cohort.path}: this cohort has no label maps to measure with; segment it first")
    table = dict(cohort.info.labels if table is None else table)
    found = run_in_processes(partial(measure_subject, cohort=cohort, table=table), cohort.subjects, n_workers=processes)
    bar = tqdm(found, total=len(cohort), desc="measuring", unit="body", disable=not progress)
    rows = dict(bar)
    return pd.DataFrame([rows[name] for name in cohort.subjects], pd.Index(cohort.subjects, name="subject_id"))
