"""`vct measure`: measure every body of a cohort and keep the measurements in its table."""

from vctlib.cohort import Cohort
from vctlib.measure.cohort import measure_cohort


def measure_folder(path: str) -> None:
    """Measure a cohort's bodies and add the columns to its subjects.csv. Raises InputError."""
    cohort = Cohort.open(path)
    measured = measure_cohort(cohort)
    cohort.add_columns(measured)
    print(f"{path}: {len(measured)} bodies measured, {len(measured.columns)} columns in subjects.csv")
