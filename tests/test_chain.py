"""The whole chain from nothing, in a fresh copy of the repository: train, run, build the book; then run what an edit
asks for, and nothing else."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from vctlib import results
from vctlib.cohort import Cohort
from vctlib.commands.graph import planned_steps
from vctlib.errors import InputError
from vctlib.manifest import load_manifest, resolve
from vctlib.networks.components import restore

ROOT = Path(__file__).parents[1]
# what stands beside the book (the Snakefile's STUDIES) is no part of the chain; tests of the studies run it
BESIDE = re.findall(r'"(\d\d_\w+)": Step\(', (ROOT / "notebooks" / "Snakefile").read_text().split("\nSTUDIES = {")[1])
NOTEBOOKS = sorted({path.stem for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")} - set(BESIDE))
ENVIRONMENT = {"OMP_NUM_THREADS": "2"} | os.environ

pytestmark = pytest.mark.slow


def vct(checkout: Path, *arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "vctlib", *map(str, arguments)]
    return subprocess.run(command, cwd=checkout, env=ENVIRONMENT, capture_output=True, text=True)


@pytest.fixture(scope="module")
def said(checkout) -> dict[str, str]:
    """What train, run and book say on stdout, in the copy, from nothing to the book."""
    try:
        for entry in load_manifest().values():
            if "13_read_real_ct" in entry.used_by and entry.fetchable:
                resolve(entry.name)
    except InputError as reason:
        pytest.skip(f"step 13 reads real CTs that cannot be had: {reason}")
    said = {}
    for command in ("train", "run", "book"):
        done = vct(checkout, command, "--profile", "smoke")
        assert done.returncode == 0, f"vct {command}: {done.stderr.splitlines()[-20:]}"
        said[command] = done.stdout
    return said


@pytest.fixture
def run(checkout, said) -> Path:
    return checkout / "runs" / "smoke"


def plan(checkout: Path, *config: str, target: str = "all") -> list[str]:
    """Steps that a run would make now."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", "notebooks/Snakefile", "--cores", "2", "--nolock"]
    return planned_steps([*command, "--summary", "--config", "profile=smoke", *config, "--", target], checkout)


def test_training_goes_first_and_the_run_does_the_rest(said):
    ran = {command: re.findall(r"^\[\d+/\d+\] (\w+)", said[command], re.MULTILINE) for command in ("train", "run")}
    assert sorted(ran["train"] + ran["run"]) == NOTEBOOKS  # each of them once
    assert {name for name in NOTEBOOKS if "_train_" in name} <= set(ran["train"])
    assert {"10_evaluate_generator", "12_run_trial", "13_read_real_ct"} <= set(ran["run"])


def test_every_notebook_is_executed_whole(run):
    assert sorted(path.name for path in (run / "executed").iterdir()) == [f"{name}.ipynb" for name in NOTEBOOKS]
    for path in (run / "executed").glob("*.ipynb"):
        text = path.read_text()
        cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code" and cell["source"]]
        assert all(cell["execution_count"] for cell in cells)
        assert not any(output["output_type"] == "error" for cell in cells for output in cell["outputs"])
        assert str(run.parents[1]) not in text  # nobody's folders are published


def test_every_result_is_valid_and_says_what_it_rests_on(run):
    assert sorted(path.stem for path in (run / "results").glob("*.json")) == NOTEBOOKS
    for name in NOTEBOOKS:
        result = results.read(run / "results" / f"{name}.json")
        assert (result.notebook, result.profile, result.seed) == (name, "smoke", 0)
        assert result.metrics and result.inputs and result.wall_seconds > 0
        assert not any(Path(source).is_absolute() for source in result.inputs)


def test_cohorts_and_weights_are_whole(run):
    profile = yaml.safe_load((run.parents[1] / "notebooks" / "profiles" / "smoke.yaml").read_text())
    cohorts = {name: Cohort.open(run / "cohorts" / name) for name in ("reference", "reconstructed", "synthetic")}
    assert len(cohorts["reference"]) == profile["cohort"]["n_people"]
    tested = cohorts["reference"].subset("test").subjects
    assert list(cohorts["reconstructed"].table["reference_id"]) == tested
    assert len(cohorts["synthetic"]) == len(tested) * profile["synthesis"]["draws_per_person"]
    for cohort in cohorts.values():
        assert cohort.ct(cohort.subjects[-1])[0].shape == cohort.labels(cohort.subjects[-1]).shape
    weights = sorted((run / "models").glob("*.safetensors"))
    assert len(weights) == 7
    for path in weights:
        assert restore(path, path.stem)[1].name == "smoke"


def test_copies_are_sought_among_everybody_who_taught(run):
    reference, more = (Cohort.open(run / "cohorts" / name) for name in ("reference", "more"))
    metrics = results.read(run / "results" / "10_evaluate_generator.json").metrics
    taught = len(reference.subset("train")) + len(more)
    assert metrics["memorization_people"].value == metrics["memorization_people_trained"].value == taught


def test_book_shows_the_run(said, run):
    page = Path(said["book"].strip().splitlines()[-1])
    assert page.is_file() and page.name == "index.html" and page.is_relative_to(run.parents[1])
    for name in NOTEBOOKS:
        assert (page.parent / "executed" / "smoke" / f"{name}.html").is_file()


def test_second_run_does_nothing(checkout, run):
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.suffix in (".ipynb", ".json", ".csv")}
    for command in ("run", "train"):
        done = vct(checkout, command, "--profile", "smoke")
        assert done.returncode == 0 and "everything is up to date" in done.stdout, done.stderr
    after = {path: path.stat().st_mtime_ns for path in before}
    assert after == before


@pytest.mark.parametrize(
    ("section", "key", "expected"),
    [
        ("trial", "bootstrap", ["12_run_trial"]),
        ("synthesis", "steps", ["09_synthesize_people", "10_evaluate_generator", "12_run_trial"]),
    ],
)
def test_an_edited_setting_runs_what_reads_it(checkout, run, section, key, expected):
    path = checkout / "notebooks" / "profiles" / "smoke.yaml"
    before = path.read_text()
    assert plan(checkout) == []
    profile = yaml.safe_load(before)
    profile[section][key] += 1
    path.write_text(yaml.safe_dump(profile))
    try:
        assert plan(checkout) == expected
    finally:
        path.write_text(before)
    assert plan(checkout) == []


def test_a_setting_of_a_network_is_for_training_to_follow(checkout, run):
    path = checkout / "notebooks" / "profiles" / "smoke.yaml"
    before = path.read_text()
    profile = yaml.safe_load(before)
    profile["post_processor"]["optimization"]["steps"] += 1
    path.write_text(yaml.safe_dump(profile))
    try:
        assert not [step for step in plan(checkout) if "_train_" in step]
        asked = plan(checkout, "train=all", target="train")
        # its weights are made anew, so the people reconstructed with them are, so the tables that regressors learn from
        assert asked == ["06_train_post_processor", "08_reconstruct_people", "11_train_slice_regressors"]
    finally:
        path.write_text(before)


def test_one_notebook_alone_gives_what_the_chain_gave(checkout, run, tmp_path):
    name = "02_measure_reference_cohort"
    given = {"profile": "smoke", "out": tmp_path / "out", "reference": run / "cohorts" / "reference"}
    parameters = [word for key, value in given.items() for word in ("-p", key, value)]
    done = vct(checkout, "notebook", name, *parameters, "--output", tmp_path / "alone.ipynb")
    assert done.returncode == 0, done.stderr
    alone = results.read(tmp_path / "out" / "results" / f"{name}.json")
    assert alone.metrics == results.read(run / "results" / f"{name}.json").metrics
    tables = (folder / "tables" / "reference_measured.csv" for folder in (tmp_path / "out", run))
    assert len({table.read_bytes() for table in tables}) == 1
