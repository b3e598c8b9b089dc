"""The book says where its numbers come from: lines of provenance, the ledger of hashes, how a notebook is run again."""

import json
import re
import shlex
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest
from papermill import inspect_notebook

from tests.test_book import build
from vctlib import results
from vctlib.commands.book import shown_profile
from vctlib.commands.costs import costs
from vctlib.commands.ledger import LEDGER, check_ledger, write_ledger
from vctlib.commands.parameters_page import commands, meanings
from vctlib.commands.provenance import since_replaced
from vctlib.errors import InputError
from vctlib.files import sha256
from vctlib.parameters import declared_parameters, parse_parameters
from vctlib.run import read_cells

BOOK = Path(__file__).parents[1] / "book"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
PARAMETERS = """profile = "laptop"  # name of a profile
seed = 0  # decides everything that is random
out = None  # str: output folder
minutes: float | None = None  # min
arms = {"a": {"steps": 5}}  # dict: name -> settings
"""


def result_file(profile: str, **changes: object) -> str:
    """A result file of the trial with one metric."""
    metrics = {"mae": results.metric(1.25, "pp", 30)}
    content = {"notebook": "12_run_trial", "parameters": {"profile": profile}, "profile": profile, "seed": 7}
    content |= {"git_commit": COMMIT, "git_dirty": True, "versions": {}, "device": "AMD EPYC, 2 cores", "inputs": {}}
    content |= {"created": "2026-11-21T06:26:28+00:00", "wall_seconds": 600.0, "peak_memory_gb": 1.0}
    return json.dumps(content | {"metrics": metrics} | changes)


def notebook_file() -> str:
    """An executed notebook whose run changed one parameter besides profile and output folder."""
    cells = [{"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# The trial\n\nA question.\n\n## Method"}]
    code = {"cell_type": "code", "execution_count": 1, "outputs": []}
    cells.append(code | {"id": "b", "metadata": {"tags": ["parameters"]}, "source": PARAMETERS})
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    given = {"parameters": {"profile": "laptop", "out": "runs/laptop", "arms": {"it's": {}}}}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}, "papermill": given}
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> Path:
    """The sources of a small book: a study that has not been run, one that has, and one that only tests."""
    folder = tmp_path_factory.mktemp("sources")
    files = {
        "_toc.yml": "format: jb-book\nroot: index\nchapters:\n  - file: results_files\n"
        "  - file: executed/laptop/12_run_trial\n",
        "index.md": "# Page\n\n:::{provenance} results/laptop/21_none.json results/laptop/12_run_trial.json\n:::\n\n"
        "## Test\n\n:::{provenance} results/smoke/12_run_trial.json\n:::\n",
        "results_files.md": "# Files\n\n:::{result-files} results/laptop/\n:::\n\n## Costs\n\n"
        ":::{step-costs} results/laptop/\n:::\n",
        "results/laptop/12_run_trial.json": result_file("laptop"),
        "results/laptop/tables/t.csv": "a\n1\n",
        "results/smoke/12_run_trial.json": result_file(
            "smoke", git_dirty=False, wall_seconds=None, device="<none>", git_commit=None
        ),
        "executed/laptop/12_run_trial.ipynb": notebook_file(),
        "references.bib": "",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "vendor").symlink_to(BOOK / "vendor")
    write_ledger(folder, "laptop")
    return folder


@pytest.fixture(scope="module")
def pages(sources, tmp_path_factory) -> Path:
    return build(sources, tmp_path_factory.mktemp("html"))


def text_of(html: str) -> str:
    """What a reader reads, in one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", "", html)).split())


def lines_of_provenance(page: Path) -> list[str]:
    return re.findall(r'<p class="provenance">(.*?)</p>', page.read_text(), re.DOTALL)


def test_a_line_says_what_the_result_file_says(pages):
    first, _ = lines_of_provenance(pages / "index.html")  # none for the study that has not been run
    assert text_of(first) == (
        "Notebook 12 · profile laptop, seed 7 · commit 0123456 with changes · 2026-11-21 · AMD EPYC, 2 cores · "
        "last run took 10 min · all result files"
    )
    assert 'href="executed/laptop/12_run_trial.html"' in first and 'href="results_files.html"' in first


def test_a_line_warns_where_the_profile_only_tests(pages):
    _, second = lines_of_provenance(pages / "index.html")
    assert text_of(second) == (
        "Notebook 12 · profile smoke, seed 7 · 2026-11-21 · <none> · all result files · "
        "these numbers mean nothing: the profile only tests the machinery"
    )


def test_a_line_names_the_weights_that_are_younger(tmp_path):
    files = {"06_train_post_processor": "2026-11-20", "07_train_segmenter": "2026-11-22", "12_run_trial": "2026-11-21"}
    files |= {
        "13_read_real_ct": "2026-11-23",
        "18_time_peers": "2026-11-21",
        "14_check_population": "2026-11-01",
        "02_measure": "2026-11-01",
    }
    for name, day in files.items():
        (tmp_path / f"{name}.json").write_text(result_file("laptop", created=f"{day}T06:00:00+00:00"))
    found = {p.name[:2]: since_replaced(p, results.read(p)) for p in tmp_path.glob("*.json")}
    assert found == {
        "02": [],
        "06": [],
        "07": [],
        "12": ["07"],
        "13": [],
        "14": [],
        "18": [],
    }  # these two read none of 07


def test_a_broken_result_file_stops_the_book(tmp_path):
    """Not silently a page without its line."""
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: index\n")
    (tmp_path / "index.md").write_text("# Page\n\n:::{provenance} broken.json\n:::\n")
    (tmp_path / "broken.json").write_text(result_file("laptop", seed="many"))
    (tmp_path / "references.bib").write_text("")
    (tmp_path / "vendor").symlink_to(BOOK / "vendor")
    with pytest.raises(AssertionError, match=r"broken\.json: seed: "):
        build(tmp_path, tmp_path / "html")


def test_table_of_result_files_leads_to_files_and_hashes(pages, sources):
    html = (pages / "results_files.html").read_text()
    row = re.search(r"<tr[^>]*>(?:(?!</tr>).)*12_run_trial\.json.*?</tr>", html, re.DOTALL)[0]
    full = sha256(sources / "results/laptop/12_run_trial.json")
    assert text_of(row) == f"12_run_trial.json 12 2026-11-21 0123456 with changes 1 {full[:12]}"
    assert f'title="{full}"' in row and 'href="executed/laptop/12_run_trial.html"' in row
    downloaded = pages / re.search(r'href="(_downloads/[^"]+)"', row)[1]
    assert sha256(downloaded) == full
    assert "lists 3 files" in text_of(html)


def test_costs_are_read_from_the_result_files(pages):
    html = (pages / "results_files.html").read_text()
    row = re.search(r"<tr[^>]*>(?:(?!</tr>).)*12 Run trial.*?</tr>", html, re.DOTALL)[0]
    assert text_of(row) == "12 Run trial laptop \N{EN DASH} 10 min 1.0 GB AMD EPYC, 2 cores"
    trained = json.loads(result_file("laptop", wall_seconds=None))
    trained["metrics"]["seconds"] = results.metric(1866.0, "s", 1)
    told = costs(results.Result.model_validate(trained))
    assert told == ("laptop", "31 min", "\N{EN DASH}", "1.0 GB", "AMD EPYC, 2 cores")


def test_the_command_beside_the_ledger_checks_it(pages, sources):
    html = (pages / "results_files.html").read_text()
    command = text_of(re.search(r"<pre>(.*?)</pre>", html, re.DOTALL)[1])
    assert command == f"cd {sources}/results/laptop && sha256sum -c {LEDGER}"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.count(": OK") == 3


def test_ledger_finds_what_is_changed_missing_or_new(sources, tmp_path):
    book = tmp_path / "book"
    shutil.copytree(sources, book, symlinks=True)
    assert check_ledger(book, "laptop") == {}
    (book / "results/laptop/tables/t.csv").write_text("a\n2\n")  # one byte
    (book / "executed/laptop/12_run_trial.ipynb").unlink()
    (book / "results/laptop/figures").mkdir()
    (book / "results/laptop/figures/new.svg").write_text("<svg/>")
    assert check_ledger(book, "laptop") == {
        "../../executed/laptop/12_run_trial.ipynb": "missing",
        "figures/new.svg": "not listed",
        "tables/t.csv": "changed",
    }
    (book / "results/laptop" / LEDGER).write_text("no ledger\n")
    with pytest.raises(InputError, match="SHA256SUMS, line 1"):
        check_ledger(book, "laptop")
    with pytest.raises(InputError, match="no ledger"):
        check_ledger(book, "smoke")


def test_committed_results_are_those_of_their_ledger():
    profile = shown_profile(BOOK)
    assert check_ledger(BOOK, profile) == {}, f"vct freeze --profile {profile} writes results and ledger together"


def test_committed_results_rest_on_each_other():
    """A study of tables that another notebook has made anew since tells of people whom the book no longer shows."""
    folder = BOOK / "results" / "laptop"
    for path in sorted(folder.glob("*.json")):
        for name, found in results.read(path).inputs.items():
            table = folder / name.removeprefix("runs/laptop/")
            if name.startswith("runs/laptop/tables/") and table.is_file():
                assert sha256(table) == found, f"{path.name} was made from another {name}: run its notebook again"


def test_executed_notebook_says_how_to_run_it_again(pages):
    html = (pages / "executed/laptop/12_run_trial.html").read_text()
    section = html[html.index('<section id="run-this-notebook-again"') :]
    calls = [text_of(each).replace("\\ ", "") for each in re.findall(r"<pre>(.*?)</pre>", section, re.DOTALL)]
    given = "-p profile laptop -p seed 7"  # the result's seed, not the default
    by_vct, by_papermill = (shlex.split(call) for call in calls)
    assert by_vct == [
        *shlex.split(f".venv/bin/vct notebook notebooks/12_run_trial.ipynb {given}"),
        "-p",
        "arms",
        '{"it\'s": {}}',
    ]
    assert by_papermill == [
        *shlex.split(f".venv/bin/papermill notebooks/12_run_trial.ipynb out.ipynb {given}"),
        "-y",
        '{"arms": {"it\'s": {}}}',
    ]
    rows = [text_of(cells) for cells in re.findall(r"<tr.*?</tr>", section, re.DOTALL)]
    assert rows[1:] == [
        "profile str 'laptop' name of a profile",
        "seed int 0 decides everything that is random",
        "out str or None None output folder",
        "minutes float or None None min",
        "arms dict {'a': {'steps': 5}} name -> settings",
    ]
    assert re.search(r'nav-link[^>]*href="#run-this-notebook-again"', html)  # in the list of sections, too


@pytest.mark.parametrize(
    "notebook", sorted((BOOK.parent / "notebooks").glob("[0-9]*.ipynb")), ids=lambda path: path.stem
)
def test_every_parameter_has_a_meaning_and_can_be_given(notebook):
    """Both readers of the cell know the same parameters, each with its comment, and a printed command is understood."""
    declared = declared_parameters(notebook, read_cells(notebook))
    told = inspect_notebook(str(notebook))
    assert meanings(read_cells(notebook)) == {name: each["help"] for name, each in told.items()}
    assert all(each["help"] for each in told.values()) and set(told) == set(declared)
    defaults = {name: each.default for name, each in declared.items()}
    words = shlex.split(commands(notebook.stem, defaults)[0].replace("\\\n", ""))
    texts = dict(zip(words[4::3], words[5::3], strict=True))
    assert words[3::3] == ["-p"] * len(declared) and parse_parameters(notebook, declared, texts) == defaults
