"""A cohort of phantoms: everybody in a table of people, made in as many processes as there are cores."""

import json
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.std import tqdm

from vctlib import __version__
from vctlib.anatomy import AIR_HU, TOTAL
from vctlib.cohort import Cohort, CohortInfo, CohortWriter, check_subject_id
from vctlib.errors import InputError
from vctlib.files import write_text
from vctlib.sources.parallel import run_in_processes
from vctlib.sources.phantom.condition_rates import check_rates, draw_conditions
from vctlib.sources.phantom.conditions import condition_columns
from vctlib.sources.phantom.phantom import Phantom, make_phantom
from vctlib.sources.phantom.population import COLUMNS, person_from_row
from vctlib.sources.phantom.scan_protocol import ScanProtocol, scan_person
from vctlib.sources.resample import box_of, fit_to_grid
from vctlib.sources.split import assign_split

Make = Callable[..., Phantom]  # person, spacing_mm, seed, and conditions where some are drawn
Rates = Mapping[str, float] | str | None


@dataclass(frozen=True)
class _Job:
    """What every process needs; the writer is shared, for making one clears away temporary files."""

    writer: CohortWriter
    seed: int
    scanner: ScanProtocol | None
    make: Make
    rates: Rates


def subject_seeds(seed: int, subject_id: str) -> tuple[int, int]:
    """Seeds of a subject's phantom and scan: they depend on the cohort's seed and the id, on no other subject."""
    state = np.random.SeedSequence([seed, zlib.crc32(subject_id.encode())]).generate_state(2)
    return int(state[0]), int(state[1])


def _make_subject(job: _Job, row: dict) -> str | None:
    """Make and write one subject; the reason where that person cannot be made or does not fit the grid."""
    info, subject_id = job.writer.info, row["subject_id"]
    phantom_seed, scan_seed = subject_seeds(job.seed, subject_id)
    try:
        person, conditions = person_from_row(row), {}
        if job.rates is not None:
            conditions["conditions"] = draw_conditions(person, phantom_seed, job.rates)
        phantom = job.make(person, info.spacing_mm[0], phantom_seed, **conditions)
        box = box_of(phantom.labels > 0)
        hu, affine = fit_to_grid(phantom.hu, phantom.affine, info.grid, box, fill=AIR_HU)
        labels, _ = fit_to_grid(phantom.labels, phantom.affine, info.grid, box, fill=0)
        columns = {name: value for name, value in row.items() if name != "subject_id"}
        if job.scanner is not None:
            hu, columns["scanner"] = scan_person(hu, labels > 0, affine, job.scanner, scan_seed)
    except InputError as error:
        return str(error)
    columns |= dict(phantom.truth)
    if job.rates is not None:
        columns |= {"weight_kg_before_amputation": row["weight_kg"]}
        columns |= condition_columns(conditions["conditions"], phantom.truth, phantom.findings)
        write_text(job.writer.path / "findings" / f"{subject_id}.json", json.dumps(phantom.findings, indent=1))
    job.writer.add(subject_id, columns, hu, labels, affine)
    return None


def _check_people(people: pd.DataFrame, test_fraction: float) -> list[dict]:
    """Rows with their split. Raises InputError for repeated or unsafe ids, missing columns, impossible values."""
    if "subject_id" not in people:
        raise InputError("the table of people has no column 'subject_id'; draw_people makes the columns needed")
    people = people.drop(columns="split", errors="ignore").astype({"subject_id": str})
    rows = people.to_dict("records")
    for row in rows:
        check_subject_id(row["subject_id"])
        try:
            person_from_row(row)
        except InputError as error:
            raise InputError(f"{row['subject_id']}: {error}") from None
    repeated = people["subject_id"][people["subject_id"].duplicated()]
    if len(repeated):
        raise InputError(f"subject {repeated.iloc[0]!r} stands twice in the table of people")
    splits = assign_split(len(rows), test_fraction)
    return [row | {"split": split} for row, split in zip(rows, splits, strict=True)]


class _Rejected:
    """`rejected.csv`: who was left out, with the reason; rewritten whole each time, in the order of the table."""

    def __init__(self, path: Path, rows: list[dict]) -> None:
        self.path, self.rows = path, rows
        self.reasons: dict[str, str] = {}
        if path.exists():
            wanted = {row["subject_id"]: row for row in rows}
            for record in pd.read_csv(path, dtype=str).to_dict("records"):  # text: floats come back to the last bit
                _check_same_person(path, record, wanted.get(record["subject_id"]))
                self.reasons[record["subject_id"]] = record["reason"]

    def add(self, subject_id: str, reason: str) -> None:
        self.reasons[subject_id] = reason
        self.write()

    def write(self) -> None:
        records = [row | {"reason": self.reasons[row["subject_id"]]} for row in self.rows if self.has(row)]
        columns = [*(self.rows[0] if self.rows else ()), "reason"]
        write_text(self.path, pd.DataFrame(records, columns=columns).to_csv(index=False))

    def has(self, row: dict) -> bool:
        return row["subject_id"] in self.reasons


def _check_same_person(path: Path, found: dict, row: dict | None) -> None:
    """Raise InputError where the folder holds somebody else under a subject's id."""
    found = found | {"weight_kg": found.get("weight_kg_before_amputation", found["weight_kg"])}
    if row is None or any(type(row[name])(found[name]) != row[name] for name in (*COLUMNS[1:], "split")):
        raise InputError(f"{path}: made for other people than those of this call; remove the cohort's folder first")


def _remaining(writer: CohortWriter, rows: list[dict], rejected: _Rejected) -> Iterator[dict]:
    for row in rows:
        stored = writer.path / "rows" / f"{row['subject_id']}.json"
        if writer.done(row["subject_id"]):
            _check_same_person(stored, json.loads(stored.read_text()), row)
        elif not rejected.has(row):
            yield row


def make_phantom_cohort(
    path: Path | str,
    people: pd.DataFrame,
    *,
    spacing_mm: float,
    grid: Sequence[int],
    seed: int,
    scanner: ScanProtocol | None,
    n_workers: int | None = None,
    name: str = "reference",
    max_minutes: float | None = None,
    test_fraction: float = 0.25,
    make: Make = make_phantom,
    rates: Rates = None,
) -> Cohort:
    """Make the phantom of everybody in `people` (columns of `draw_people`), scan it and write the cohort.

    Isotropic voxels of `spacing_mm`, each body centred on `grid` voxels, in `n_workers` processes (default: one a
    core). A person who cannot be made, or whose body is larger than the grid, goes with the reason to `rejected.csv`;
    nobody is ever cut. The table holds the person's columns, the phantom's true quantities, `split` and, as `scanner`,
    the name of the model that scanned them; with `rates` (of `draw_conditions`) also who has which condition, and
    `findings/<id>.json` tells where. The same call goes on where an earlier one was stopped, and the files come
    out the same as without a stop. Raises TimeoutError when `max_minutes` are over before everybody is made, InputError
    for people or a folder that do not fit.
    """
    path, rows = Path(path), _check_people(people, test_fraction)
    physics = "no scanner" if scanner is None else str(scanner)
    if rates is not None:
        physics += f", conditions {check_rates(rates)}"
    info = CohortInfo(
        name=name,
        kind="reference",
        spacing_mm=(spacing_mm,) * 3,
        grid=tuple(int(n) for n in grid),
        labels=dict(TOTAL),
        source=f"phantom ({physics})",
        code_version=__version__,
        seed=seed,
    )
    deadline = None if max_minutes is None else time.monotonic() + 60 * max_minutes
    writer = CohortWriter(path, info)
    rejected = _Rejected(path / "rejected.csv", rows)
    rejected.write()
    todo = list(_remaining(writer, rows, rejected))
    job = partial(_make_subject, _Job(writer, seed, scanner, make, rates))
    with tqdm(total=len(rows), initial=len(rows) - len(todo), desc=f"making {name}", unit="body") as progress:
        for row, reason in run_in_processes(job, todo, n_workers=n_workers, deadline=deadline):
            if reason is not None:
                rejected.add(row["subject_id"], reason)
            progress.update()
            progress.set_postfix(rejected=len(rejected.reasons), refresh=False)
        left = len(rows) - progress.n
    if left:
        raise TimeoutError(
            f"{path}: {len(rows) - left} of {len(rows)} bodies are made after {max_minutes:g} minutes; "
            f"the same call goes on from there"
        )
    return writer.finish(row["subject_id"] for row in rows if not rejected.has(row))
