"""`vct trial`: somebody's model on the people of a protocol, ending in one page that says where it fails."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from vctlib import results
from vctlib.cohort import Cohort
from vctlib.commands.model_process import ModelProcess, fingerprint, source_of
from vctlib.commands.trial_page import write_page
from vctlib.errors import InputError
from vctlib.files import sha256, write_text
from vctlib.results import metric
from vctlib.rows import resumable_table
from vctlib.trial.answers import odd_answers, unanswered, withhold_verdicts
from vctlib.trial.arms import REAL, RECONSTRUCTED, SYNTHETIC, SYNTHETIC_REBIASED
from vctlib.trial.checks import listed, require_columns
from vctlib.trial.evaluate import error_tables, table_of_arms
from vctlib.trial.populations import Members, members
from vctlib.trial.protocol import Protocol, read_protocol

_ARM_OF_KIND = {"reference": REAL, "reconstructed": RECONSTRUCTED, "synthetic": SYNTHETIC}


def run_trial(protocol_path: str, model: str, cohort_paths: Sequence[str], out: str, truth: Sequence[str] = ()) -> Path:
    """Run the trial and write `report.html`, `result.json`, `answers.csv` and `protocol.yaml` into `out`.

    Killed at any moment, the same call goes on. A model that raises, hangs or ends its process has no answer to that
    image, and the report says so. Returns the path of the report. Raises InputError for a wrong protocol, cohort, truth
    or name of a model, and for a folder that holds a cohort or another trial.
    """
    begun, place = time.monotonic(), Path(out)
    protocol = read_protocol(protocol_path)
    _require_own_folder(place, protocol, model)
    cohorts = _cohorts(cohort_paths, protocol)
    images = {arm: _images(arm, cohort, protocol, truth) for arm, cohort in cohorts.items()}
    people = _people(images)
    who = members(people, protocol)
    wanted = {subject for ids in who.of.values() for subject in ids}
    images = {arm: rows[rows["subject_id"].isin(wanted)] for arm, rows in images.items()}
    if not any(map(len, images.values())):
        raise InputError(f"{protocol_path}: nobody of these cohorts is in {listed(protocol.population_names)}")
    write_text(place / "protocol.yaml", Path(protocol_path).read_text(encoding="utf-8"))
    print(
        f"protocol {protocol.sha256()[:16]}: {', '.join(f'{name} {len(ids)}' for name, ids in who.of.items())} people"
    )
    answers = _ask(model, cohorts, images, protocol, place)
    judged = _judge(answers, images, who, protocol)
    page = write_page(place, judged, protocol, who, model)
    _write_result(place, judged.table, protocol, protocol_path, model, cohorts, time.monotonic() - begun)
    return page


def _require_own_folder(place: Path, protocol: Protocol, model: str) -> None:
    if (place / "begun.json").exists() or (place / "cohort.json").exists():
        raise InputError(f"{place} is the folder of a cohort; name another one with --out")
    if (place / "result.json").exists():
        before = results.read(place / "result.json").parameters
        if (before.get("model"), before.get("protocol_sha256")) != (model, protocol.sha256()):
            of = f"{before.get('model')} under protocol {before.get('protocol_sha256', '')[:16]}"
            raise InputError(f"{place} holds the trial of {of}; name another folder with --out")


def _cohorts(paths: Sequence[str], protocol: Protocol) -> dict[str, Cohort]:
    """Arm -> cohort, for the arms of the protocol that have images of their own."""
    found = {}
    for path in paths:
        cohort = Cohort.open(path)
        arm = _ARM_OF_KIND[cohort.info.kind]
        if arm in found:
            raise InputError(f"{path} and {found[arm].path} are both {cohort.info.kind} cohorts; give one of a kind")
        found[arm] = cohort
    for arm in protocol.arms:
        if arm in _ARM_OF_KIND.values() and arm not in found:
            kind = next(kind for kind, name in _ARM_OF_KIND.items() if name == arm)
            raise InputError(
                f"the protocol asks for the arm {arm}: give a {kind} cohort with --cohort, or leave it out"
            )
    return {arm: cohort for arm, cohort in found.items() if arm in protocol.arms}


def _images(arm: str, cohort: Cohort, protocol: Protocol, truth: Sequence[str]) -> pd.DataFrame:
    """One row an image of people who taught nothing: image_id, subject_id (the person), truth, what else is known."""
    table = cohort.table
    for path in truth:
        extra = _truth_table(path)
        if table.index.isin(extra.index).any():
            table = table.drop(columns=[name for name in extra if name in table]).join(extra)
    if protocol.truth_column not in table:
        measured = listed(name for name in table if name.endswith(("_measured", "_true"))) or "no measurement"
        raise InputError(
            f"{cohort.path}/subjects.csv has no column {protocol.truth_column}; it has {measured}. "
            f"`vct measure {cohort.path}` adds measurements; --truth takes them from another table"
        )
    person = table["reference_id"].astype(str) if "reference_id" in table else pd.Series(table.index, table.index)
    rows = table.assign(subject_id=person.to_numpy(), image_id=table.index)
    if arm == REAL and not protocol.populations:
        return rows.reset_index(drop=True)  # the boundary is drawn with the people for training
    tested = rows[rows["split"] == "test"]
    return (tested if len(tested) else rows).reset_index(drop=True)


def _truth_table(path: str) -> pd.DataFrame:
    if not Path(path).is_file():
        raise InputError(f"--truth {path}: no such file")
    try:
        table = pd.read_csv(path, dtype={"subject_id": str})
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(f"--truth {path}: not a readable CSV ({' '.join(str(error).split())[:150]})") from None
    require_columns(table, ["subject_id"], f"--truth {path}")
    return table.set_index("subject_id").drop(columns=["split", "reference_id", "draw"], errors="ignore")


def _people(images: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """One row a person: as the real arm has them, else as they were asked of the generator."""
    first = images[REAL] if REAL in images else next(iter(images.values()))
    return first.drop_duplicates("subject_id").set_index("subject_id")


def _ask(
    model: str, cohorts: dict[str, Cohort], images: dict[str, pd.DataFrame], protocol: Protocol, place: Path
) -> pd.DataFrame:
    """The model's answers, one row an image: arm, image_id, subject_id, truth, prediction, problem, seconds."""
    parts = []
    with ModelProcess(model, protocol.seconds_a_body) as process:
        for arm, rows in images.items():
            folder = cohorts[arm].path / "ct"

            def row(image_id: str, folder: Path = folder) -> dict:
                return process.answer(folder / f"{image_id}.nii.gz")._asdict()

            key = f"{fingerprint(model)} {sha256(cohorts[arm].path / 'cohort.json')} {protocol.seconds_a_body}"
            found = resumable_table(
                place / "rows" / arm, rows["image_id"], row, key=key, label=f"asking the model, {arm}"
            )
            own = rows[["image_id", "subject_id"]].assign(arm=arm)
            own[protocol.truth_column] = pd.to_numeric(rows[protocol.truth_column], errors="coerce").to_numpy()
            own[protocol.prediction_column] = found["value"].to_numpy(float)
            own["problem"], own["seconds"] = found["problem"].fillna("").to_numpy(), found["seconds"].to_numpy(float)
            no_truth = ~np.isfinite(own[protocol.truth_column].to_numpy(float)) & (own["problem"] == "")
            parts.append(own.assign(problem=own["problem"].mask(no_truth, f"no {protocol.truth_column}")))
    answers = pd.concat(parts, ignore_index=True)
    write_text(place / "answers.csv", answers.to_csv(index=False))
    return answers


class Judged:
    """The trial's tables, and sentences for the report."""

    def __init__(self, tables: dict, table: pd.DataFrame, images: pd.DataFrame) -> None:
        self.tables, self.table, self.images = tables, table, images
        self.remarks: list[str] = []
        self.left_out: list[str] = []


def _judge(answers: pd.DataFrame, images: dict[str, pd.DataFrame], who: Members, protocol: Protocol) -> Judged:
    known = pd.concat(images.values(), ignore_index=True).drop(columns=["subject_id", protocol.truth_column])
    arms = np.repeat(list(images), [len(rows) for rows in images.values()])
    whole = answers.merge(known.assign(arm=arms), on=["arm", "image_id"])
    of_populations = [
        whole[whole["subject_id"].isin(ids)].assign(population=name) for name, ids in who.of.items() if ids
    ]
    whole_by_population = pd.concat(of_populations, ignore_index=True)
    answered = whole_by_population[whole_by_population["problem"] == ""]
    split = who.split if SYNTHETIC_REBIASED in protocol.arms else None
    tables = error_tables(answered, protocol, split, may_lack=True) if len(answered) else {}
    judged = Judged(tables, table_of_arms(tables, protocol), whole)
    judged.remarks = odd_answers(answers, protocol)
    judged.table, more = withhold_verdicts(judged.table, whole_by_population, protocol)
    judged.remarks += more
    if not len(answered):
        most = answers["problem"].value_counts().index[0]
        judged.remarks.insert(0, f"The model has no answer to any of the {len(answers)} images; most often: {most}.")
    judged.left_out = [
        f"{row.n} of {row.of} {row.arm} images: {row.problem} (first: {row.first})"
        for row in unanswered(answers).itertuples()
    ]
    judged.left_out += who.notes
    return judged


def _write_result(
    place: Path, table: pd.DataFrame, protocol: Protocol, protocol_path: str, model: str, cohorts: dict[str, Cohort],
    seconds: float,
) -> None:  # fmt: skip
    metrics, verdicts = {}, {}
    for row in table.itertuples():
        name = f"{row.population}_{row.arm}"
        interval, unit = (row.mae_low, row.mae_high), protocol.symbol or "1"
        metrics[f"{name}_{protocol.endpoint}"] = metric(row.mae, unit, row.n, interval)
        verdicts[name] = row.verdict
        if np.isfinite(row.difference):
            interval = (row.difference_low, row.difference_high)
            metrics[f"{name}_difference"] = metric(row.difference, unit, row.n, interval)
            metrics[f"{name}_p_equivalence"] = metric(row.p_equivalence, "1", row.n)
    inputs = [Path(protocol_path), *(cohort.path / "subjects.csv" for cohort in cohorts.values())]
    source = source_of(model)
    results.write(
        place / "result.json",
        notebook="vct trial",
        parameters={
            "protocol": protocol.model_dump(mode="json"),
            "protocol_sha256": protocol.sha256(),
            "model": model,
            "cohorts": {arm: cohort.info.source for arm, cohort in cohorts.items()},
        },
        profile=next(iter(cohorts.values())).info.name,
        seed=protocol.seed,
        metrics=metrics,
        verdicts=verdicts,
        inputs=inputs if source is None else [*inputs, source],
        wall_seconds=seconds,
    )
