"""Real people beside synthetic ones of the same attributes: who belongs together, and a page of their slices."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from vctlib.anatomy import PAPER16, reduce_labels
from vctlib.cohort import Cohort
from vctlib.errors import InputError
from vctlib.plots.bodies import page_of_people

Pairs = Mapping[str, Sequence[str]]  # id of a real person -> ids of the synthetic ones with that person's attributes


def pair_people(real: Cohort, synthetic: Cohort) -> Pairs:
    """Whom the synthetic cohort stands for, in the order of the real one. Raises InputError where nobody is in both."""
    if "reference_id" not in synthetic.table:
        raise InputError(f"{synthetic.path}: no column reference_id that says whose attributes these people have")
    of_person = synthetic.table["reference_id"].astype(str)
    found = {person: list(of_person.index[of_person == person]) for person in real.subjects}
    pairs = {person: ids for person, ids in found.items() if ids}
    if not pairs:
        raise InputError(f"nobody of {real.path} has a synthetic person in {synthetic.path}")
    return pairs


def find_person(pairs: Pairs, person: str) -> str:
    """The id of a real person, given the id or the place in the list from 0 on. Raises InputError for another."""
    if person in pairs:
        return person
    if person.isdecimal() and int(person) < len(pairs):
        return list(pairs)[int(person)]
    raise InputError(f"no person {person!r}: give an id, as {next(iter(pairs))}, or a place from 0 to {len(pairs) - 1}")


def describe(cohort: Cohort, subject_id: str, middle: str = ", ") -> str:
    """Sex, age, height and weight, with `middle` between age and height."""
    row = cohort.table.loc[subject_id]
    return f"{row['sex']}, {row['age_years']:.0f} years{middle}{row['height_cm']:.0f} cm, {row['weight_kg']:.0f} kg"


def page_of_pairs(real: Cohort, synthetic: Cohort, pairs: Pairs, labels: bool = False, draws: int = 3) -> Figure:
    """Every real person, and to the right of each the first `draws` synthetic ones; `labels` over them.

    Label maps are reduced to the paper's classes, so that both sides have the same colours. Raises InputError where
    the grids differ, or where labels are asked for that one of the cohorts has not.
    """
    if (real.info.grid, real.info.spacing_mm) != (synthetic.info.grid, synthetic.info.spacing_mm):
        raise InputError(f"{real.path} and {synthetic.path} have other grids; bodies of two grids share no page")
    groups = [[(real, person), *((synthetic, each) for each in ids[:draws])] for person, ids in pairs.items()]
    members = [member for group in groups for member in group]
    together = max(map(len, groups))  # in one row
    maps = [paper_labels(*member) for member in members] if labels else None
    captions = ["\n".join([f"{_kind(cohort)} {each}", describe(cohort, each, "\n")]) for cohort, each in members]
    volumes = [cohort.ct(each)[0] for cohort, each in members]
    about = {"spacing_mm": real.info.spacing_mm, "table": PAPER16, "columns": together * max(1, 4 // together)}
    return page_of_people(volumes, maps, captions, **about)


def paper_labels(cohort: Cohort, subject_id: str) -> np.ndarray:
    """A label map in numbers of `PAPER16`, whatever the cohort's own table."""
    return reduce_labels(cohort.labels(subject_id), cohort.info.labels, PAPER16)


def _kind(cohort: Cohort) -> str:
    return "real" if cohort.info.kind == "reference" else cohort.info.kind
