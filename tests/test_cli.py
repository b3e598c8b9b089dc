"""The `vct` command: fast to start, one line for every mistake, and whatever ends a run, the same command resumes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest
import yaml

from vctlib.commands import book, graph, progress
from vctlib.commands.ledger import check_ledger
from vctlib.errors import InputError

ROOT = Path(__file__).parents[1]
PARAMETERS = 'profile = "laptop"\nseed = 0\nout = None  # str: output folder\nflag = False'
# Makes the reference cohort slowly, one body after the other, and goes on where it stopped.
MAKE_COHORT = """
import time
from pathlib import Path
folder = Path(out) / "cohorts" / "reference"
folder.mkdir(parents=True, exist_ok=True)
for body in range(4):
    if not (folder / f"{body}.txt").exists():
        (folder / f"{body}.txt").write_text(str(time.time()))
        time.sleep(0.8)
(folder / "cohort.json").write_text("{}")
(Path(out) / "results").mkdir(exist_ok=True)
(Path(out) / "results" / "01_make_reference_cohort.json").write_text('{"wall_seconds": 100}')
"""


def write_notebook(path: Path, *cells: str) -> Path:
    first = nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    nbformat.write(nbformat.v4.new_notebook(cells=[first, *map(nbformat.v4.new_code_cell, cells)]), path)
    return path


def vct(*arguments: str, cwd: Path = ROOT, **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "vctlib", *arguments], cwd=cwd, capture_output=True, text=True, timeout=120, **options
    )


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A checkout of its own: the library, the Snakefile, the profiles and a first notebook that takes its time."""
    root = tmp_path_factory.mktemp("repository")
    shutil.copytree(ROOT / "vctlib", root / "vctlib", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "notebooks" / "profiles", root / "notebooks" / "profiles")
    for name in ("notebooks/Snakefile", "pyproject.toml", "data_manifest.yaml"):
        shutil.copy(ROOT / name, root / name)
    write_notebook(root / "notebooks" / "01_make_reference_cohort.ipynb", MAKE_COHORT)
    return root


def processes_in(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def wait_until(condition, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def test_starts_without_anything_heavy():
    code = "import sys; sys.argv = ['vct', '--help']\nfrom vctlib.__main__ import main\n"
    code += "try:\n    main()\nfinally:\n    print(*(set(sys.modules) & set(HEAVY)), file=sys.stderr)"
    heavy = [
        "torch",
        "monai",
        "matplotlib",
        "numpy",
        "pandas",
        "scipy",
        "nibabel",
        "pydantic",
        "papermill",
        "snakemake",
    ]
    done = subprocess.run([sys.executable, "-c", f"HEAVY = {heavy}\n{code}"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr.strip() == ""
    for command in ("data", "notebook", "run", "train", "book", "freeze", "measure"):
        assert f"\n  {command} " in done.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["run", "--profile", "nope"], "no profile 'nope'"),
        (["run", "--profile", "smoke", "--until", "99"], "no step '99'"),
        (["run", "--studies", "--until", "17"], "not both"),
        (["notebook", "nope"], "no such notebook"),
        (["notebook", "01_make_reference_cohort", "-p", "sead", "1"], "no parameter 'sead'"),
        (["notebook", "01_make_reference_cohort", "-p", "flag", "perhaps"], "parameter 'flag' must be bool"),
        (["notebook", "01_make_reference_cohort", "-p", "profile", "nope"], "no profile 'nope'"),
        (["data", "fetch", "nope"], "no entry 'nope'"),
        (["data", "fetch"], "--all"),
        (["book", "--profile", "smoke"], "vct run --profile smoke"),
        (["freeze", "--profile", "smoke"], "vct run --profile smoke"),
        (["measure", "nope"], "nope"),
    ],
)
def test_a_mistake_is_one_line_and_exit_status_2(repository, arguments, complaint):
    done = vct(*arguments, cwd=repository)
    assert done.returncode == 2 and complaint in done.stderr
    assert done.stderr.startswith("vct: ") and done.stderr.count("\n") == 1 and done.stdout == ""
    assert not (repository / "runs" / "nope").exists()  # nothing is made for a profile that is none


def test_click_speaks_for_wrong_usage():
    done = vct("run", "--cores", "0")
    assert done.returncode == 2 and "Traceback" not in done.stderr


def test_failed_notebook_is_one_line_and_exit_status_1(tmp_path):
    notebook = write_notebook(tmp_path / "n.ipynb", "raise ValueError('no such\\nluck')")
    done = vct("notebook", str(notebook), "--output", str(tmp_path / "out.ipynb"))
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].endswith(f"ValueError: luck; executed up to there: {tmp_path}/out.failed.ipynb")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_killed_run_leaves_no_process_and_resumes(repository, number):
    folder = repository / "runs" / "smoke"
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "vctlib", "run", "--profile", "smoke", "--until", "01"]
    run = subprocess.Popen(command, cwd=repository, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_until((folder / "cohorts/reference/1.txt").exists)
    first = (folder / "cohorts/reference/0.txt").read_text()
    run.send_signal(number)
    said, _ = run.communicate(timeout=60)
    if number == signal.SIGTERM:
        assert run.returncode == 130 and said.count("the same command resumes where it stopped") == 1
    wait_until(lambda: not processes_in(repository))
    assert not (folder / "cohorts/reference/cohort.json").exists()

    again = vct("run", "--profile", "smoke", "--until", "01", cwd=repository)
    assert again.returncode == 0 and "1 step done" in again.stdout, again.stderr
    assert (folder / "cohorts/reference/0.txt").read_text() == first  # not made a second time
    assert sorted(path.name for path in (folder / "executed").iterdir()) == ["01_make_reference_cohort.ipynb"]
    assert "up to date" in vct("run", "--profile", "smoke", "--until", "01", cwd=repository).stdout


def test_second_run_at_the_same_time_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(graph, "SECONDS_FOR_LOCK", 0)
    with graph.exclusive(tmp_path):
        with pytest.raises(InputError, match="another vct run"), graph.exclusive(tmp_path):
            pass
    with graph.exclusive(tmp_path):  # free again, and a file left behind is no lock
        assert (tmp_path / ".lock").exists()


def test_released_weights_must_be_those_of_the_manifest(tmp_path):
    profile = graph.load_profile("smoke")
    graph.check_released_weights(profile, tmp_path)  # nothing released, nothing to complain about
    weights = tmp_path / "models" / "smoke" / "segmenter.safetensors"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"unknown")
    with pytest.raises(InputError, match="need an entry in data_manifest.yaml"):
        graph.check_released_weights(profile, tmp_path)


@pytest.mark.parametrize("given", ["02", "02_measure_bodies", "measure_bodies", "notebooks/02_measure_bodies.ipynb"])
def test_step_by_any_of_its_names(tmp_path, given):
    (tmp_path / "notebooks").mkdir()
    for name in ("01_make_bodies", "02_measure_bodies"):
        (tmp_path / "notebooks" / f"{name}.ipynb").write_text("{}")
    assert graph.rule_name(given, tmp_path) == "measure_bodies"


def test_progress_adds_up_what_is_left(tmp_path):
    run, frozen = tmp_path / "run", tmp_path / "frozen"
    for folder, step, seconds in ((run, "01_a", 60), (frozen, "01_a", 999), (frozen, "02_b", 600)):
        (folder / "results").mkdir(parents=True, exist_ok=True)
        (folder / "results" / f"{step}.json").write_text(json.dumps({"wall_seconds": seconds}))
    plan = progress.Plan.make(run, ["01_a", "02_b"], frozen / "results")
    assert plan.seconds == {"01_a": 60, "02_b": 600} and plan.describe("x") == "x: 2 steps to run, about 11 min left"
    plan.note("started", "01_a")
    assert plan.describe_start("01_a") == "[1/2] 01_a (about 60 s); about 11 min left"
    plan.note("finished", "01_a")
    plan.note("started", "02_b")
    assert plan.describe_start("02_b") == "[2/2] 02_b (about 10 min); about 10 min left"
    assert plan.describe_end("x") == "x: not done, of 2 steps: 02_b"
    (run / "results" / "01_a.json").unlink()  # as while the step runs again; its time is still known
    later = progress.Plan.make(run, ["01_a", "03_c"], frozen / "results")
    assert later.seconds == {"01_a": 60, "03_c": None} and later.remaining() == "at least 60 s left"
    assert later.owner_lives() and not progress.Plan(later.path, {}, owner=2**22 + 1).owner_lives()


@pytest.mark.parametrize(("seconds", "words"), [(4.4, "4 s"), (89, "89 s"), (100, "2 min"), (3900, "65 min")])
def test_duration(seconds, words):
    assert progress.duration(seconds) == words
    assert progress.duration(5 * 3600 + 240) == "5 h 4 min"


@pytest.fixture
def shown(tmp_path):
    """A repository with a book that shows the frozen results of laptop, and a run of smoke."""
    files = {
        "book/_toc.yml": "root: index\nparts:\n- caption: Notebooks\n  chapters:\n"
        "  - file: executed/laptop/01_x\n  - file: executed/laptop/16_study\n  - file: page\n",
        "book/index.md": "{glue:text}`executed/laptop/01_x.ipynb::a` of results/laptop/tables/t.csv\n",
        "book/executed/laptop/01_x.ipynb": "frozen laptop",
        "book/executed/laptop/16_study.ipynb": "frozen laptop",
        "book/executed/smoke/03_train.ipynb": "frozen smoke",
        "book/_build/old.html": "old",
        "runs/smoke/executed/01_x.ipynb": "run",
        "runs/smoke/executed/.02_y.running.ipynb": "not whole yet",
        "runs/smoke/results/01_x.json": "{}",
        "runs/smoke/tables/t.csv": "a",
        "runs/smoke/figures/f.svg": "svg",
        "runs/smoke/cohorts/reference/subjects.csv": "not for the book",
        "runs/smoke/models/w.safetensors": "nor this",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_freeze_copies_results_and_keeps_what_the_run_lacks(shown, capsys):
    book.freeze_run("smoke", root=shown)
    frozen = {p.relative_to(shown / "book").as_posix() for p in (shown / "book").rglob("*") if "smoke" in p.parts}
    expected = {"executed/smoke/01_x.ipynb", "executed/smoke/03_train.ipynb", "results/smoke/01_x.json"}
    assert frozen >= expected | {"results/smoke/tables/t.csv", "results/smoke/figures/f.svg"}
    assert not any("subjects" in name or "safetensors" in name or "running" in name for name in frozen)
    assert "03_train" in capsys.readouterr().out


def test_freeze_keeps_the_ledger_of_all_that_lies_there(shown, capsys):
    book.freeze_run("smoke", root=shown)
    listed = (shown / "book/results/smoke/SHA256SUMS").read_text().split()[1::2]
    executed = ["../../executed/smoke/01_x.ipynb", "../../executed/smoke/03_train.ipynb"]  # the latter not of this run
    assert listed == [*executed, "01_x.json", "figures/f.svg", "tables/t.csv"]
    assert "ledger" not in capsys.readouterr().out

    (shown / "book/executed/smoke/03_train.ipynb").write_text("changed by hand")
    (shown / "runs/smoke/tables/t.csv").write_text("changed by the run")
    book.freeze_run("smoke", root=shown)
    assert check_ledger(shown / "book", "smoke") == {}
    said = capsys.readouterr().out.splitlines()[-1]
    assert said == "not from runs/smoke, yet unlike the last ledger: ../../executed/smoke/03_train.ipynb (changed)"


def test_freeze_refuses_a_run_with_a_failed_notebook(shown):
    (shown / "runs/smoke/executed/02_y.failed.ipynb").write_text("failed")
    with pytest.raises(InputError, match="02_y.failed.ipynb: this notebook failed"):
        book.freeze_run("smoke", root=shown)


def test_staged_book_shows_the_run_in_the_place_of_the_frozen_profile(shown):
    assert book.shown_profile(shown / "book") == "laptop"
    staged = book.stage(shown / "book", shown / "runs" / "smoke", frozen=False)
    assert (staged / "executed/smoke/01_x.ipynb").read_text() == "run"
    assert (staged / "executed/smoke/03_train.ipynb").read_text() == "frozen smoke"
    assert not (staged / "executed/laptop").exists() and not (staged / "_build").exists()
    chapters = yaml.safe_load((staged / "_toc.yml").read_text())["parts"][0]["chapters"]
    assert [chapter["file"] for chapter in chapters] == ["executed/smoke/01_x", "page"]  # it has run no study
    assert "laptop" not in (staged / "index.md").read_text()
    assert check_ledger(staged, "smoke") == {}
    assert "executed/laptop" in (shown / "book/index.md").read_text()  # the sources stay as they are
    with pytest.raises(InputError, match="executed/gpu: no frozen results"):
        book.stage(shown / "book", shown / "runs" / "gpu", frozen=True)


def test_book_that_mixes_profiles_is_refused(shown):
    (shown / "book" / "more.md").write_text("results/gpu/tables/t.csv")
    with pytest.raises(InputError, match="gpu, laptop"):
        book.shown_profile(shown / "book")


def test_data_list_names_every_entry():
    environment = {name: value for name, value in os.environ.items() if name != "VCTLIB_DATA"}
    done = vct("data", "list", env=environment)
    assert done.returncode == 0
    rows = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert "repository" in rows["phantom_template"] and "installed" in rows["efficientnet_lite0"]
    assert "by hand" in rows["open_kbp"] and "no checksum" in rows["swin_base_384"]
