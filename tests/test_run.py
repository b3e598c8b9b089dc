"""Notebooks run with parameters that they declare, of the types they declare; what fails leaves its trace, once."""

import json
from pathlib import Path

import nbformat
import papermill
import pytest

from vctlib.errors import InputError
from vctlib.parameters import check_parameters, declared_parameters, parse_parameters
from vctlib.run import StepFailed, last_states, read_cells, run_notebook

PARAMETERS = """\
profile: str = "laptop"  # name of a profile
seed: int = 0
rate = 1e-3  # per step
flag = False
out: str | None = None
limit: float | None = None  # minutes
names: list[str] = ["a"]
anything = None
folder = None  # str: a folder
minutes = None  # float: at most
"""


def make_notebook(path: Path, *cells: str, parameters: str | None = PARAMETERS) -> Path:
    first = [] if parameters is None else [nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})]
    cells = [nbformat.v4.new_markdown_cell("# Title"), *first, *map(nbformat.v4.new_code_cell, cells)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)  # without a kernelspec, as a bare editor writes it
    return path


@pytest.fixture
def notebook(tmp_path):
    return make_notebook(tmp_path / "n.ipynb")


def declared(notebook):
    return declared_parameters(notebook, read_cells(notebook))


def test_declares_what_papermill_sees_and_what_it_overlooks(notebook):
    content = nbformat.read(notebook, as_version=4)
    content.metadata["kernelspec"] = {"name": "python3", "language": "python", "display_name": "Python 3"}
    nbformat.write(content, notebook)
    seen = set(papermill.inspect_notebook(notebook))
    assert set(declared(notebook)) - seen == {"out", "limit"}  # papermill does not read `str | None`
    assert seen < set(declared(notebook))


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("seed", 3, 3),
        ("rate", 1, 1.0),
        ("out", None, None),
        ("out", Path("a/b"), "a/b"),
        ("limit", 2, 2.0),
        ("flag", True, True),
        ("names", ("b", "c"), ["b", "c"]),
        ("anything", {"x": 1}, {"x": 1}),
        ("folder", None, None),
        ("minutes", 3, 3.0),
    ],
)
def test_values_that_fit(notebook, name, value, expected):
    (checked,) = check_parameters(notebook, declared(notebook), {name: value}).values()
    assert checked == expected and type(checked) is type(expected)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("flag", "false"),
        ("flag", 1),
        ("seed", True),
        ("seed", 1.0),
        ("seed", None),
        ("rate", "1e-3"),
        ("profile", 3),
        ("names", "a"),
        ("limit", "ten"),
        ("folder", 12),
        ("minutes", "3"),
    ],
)
def test_values_that_do_not_fit(notebook, name, value):
    with pytest.raises(InputError, match=f"parameter '{name}' must be") as error:
        check_parameters(notebook, declared(notebook), {name: value})
    assert repr(value) in str(error.value)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("flag", "false", False),
        ("flag", "True", True),
        ("seed", "-3", -3),
        ("rate", "1", 1.0),
        ("profile", "none", "none"),
        ("profile", "12", "12"),
        ("out", "none", None),
        ("limit", "2.5", 2.5),
        ("limit", "null", None),
        ("names", "[b, c]", ["b", "c"]),
        ("anything", "{x: 1}", {"x": 1}),
        ("folder", "12", "12"),
        ("minutes", "12", 12.0),
    ],
)
def test_texts_become_the_declared_type(notebook, name, text, expected):
    (parsed,) = parse_parameters(notebook, declared(notebook), {name: text}).values()
    assert parsed == expected and type(parsed) is type(expected)


@pytest.mark.parametrize(
    ("name", "text"), [("flag", "0"), ("seed", "2.5"), ("seed", "none"), ("rate", "fast"), ("names", "b")]
)
def test_texts_that_fit_no_declared_type(notebook, name, text):
    with pytest.raises(InputError, match=f"parameter '{name}' must be"):
        parse_parameters(notebook, declared(notebook), {name: text})


def test_unknown_parameter_runs_nothing(notebook, tmp_path):
    with pytest.raises(InputError, match="no parameter 'sead'; it has: profile, seed"):
        run_notebook(notebook, tmp_path / "out/n.ipynb", {"sead": 1})
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        (None, "exactly one cell"),
        ('profile = "a"\nfolder = f"runs/{profile}"', "default of 'folder' is computed"),
        ("import os", "line 1"),
        ("x = (", "not Python"),
    ],
)
def test_parameters_cells_that_mislead(tmp_path, parameters, complaint):
    path = make_notebook(tmp_path / "n.ipynb", parameters=parameters)
    with pytest.raises(InputError, match=complaint):
        declared(path)


def test_missing_and_broken_notebooks(tmp_path):
    with pytest.raises(InputError, match="no such notebook"):
        run_notebook(tmp_path / "n.ipynb", tmp_path / "o.ipynb")
    (tmp_path / "n.ipynb").write_text("{")
    with pytest.raises(InputError, match="not a readable notebook"):
        run_notebook(tmp_path / "n.ipynb", tmp_path / "o.ipynb")


def test_runs_in_the_repository_with_the_given_values(tmp_path, capsys):
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "notebooks").mkdir()
    code = """
import json, os, sys
print(json.dumps([os.getcwd(), seed, rate, flag, out, limit]))
for step in range(3):
    sys.stderr.write(f"\\rstep {step}")
"""
    notebook = make_notebook(tmp_path / "notebooks" / "n.ipynb", code)
    output = tmp_path / "runs" / "n.ipynb"
    output.with_name("n.failed.ipynb").parent.mkdir()
    output.with_name("n.failed.ipynb").write_text("of an earlier run")
    assert run_notebook(notebook, output, {"seed": 7, "limit": None}, texts={"rate": "2", "flag": "yes"}) == output
    content = json.loads(output.read_text())
    outputs = {item["name"]: item["text"] for cell in content["cells"] for item in cell.get("outputs", [])}
    # paths inside the repository are written without the folder that it lies in on this machine
    assert json.loads(outputs["stdout"]) == [".", 7, 2.0, True, None, None]
    assert outputs["stderr"] == "step 2"  # the last state of the progress bar; the person saw all of them:
    assert "step 0" in capsys.readouterr().err
    assert str(tmp_path) not in output.read_text()
    assert content["metadata"]["papermill"]["output_path"] == "runs/n.ipynb"
    assert sorted(path.name for path in output.parent.iterdir()) == ["n.ipynb"]


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("raise ValueError('first line\\nthe file x.csv is empty')", "ValueError: the file x.csv is empty"),
        ("import sys; sys.exit(0)", "ended before its last cell"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "kernel died"),
    ],
)
def test_failure_is_one_line_and_keeps_what_was_executed(tmp_path, code, complaint):
    notebook = make_notebook(tmp_path / "n.ipynb", "print('before')", code, "print('never')")
    output = tmp_path / "out" / "n.ipynb"
    with pytest.raises(StepFailed, match=complaint) as error:
        run_notebook(notebook, output, progress=False)
    failed = output.with_name("n.failed.ipynb")
    assert str(failed) in str(error.value) and "\n" not in str(error.value)
    assert [path.name for path in output.parent.iterdir()] == [failed.name]
    assert "before" in failed.read_text() and "never\\n" not in failed.read_text()


def test_last_states():
    assert last_states("  0%\r 50%\r100%\nnext\r\n\rdone\r") == "100%\nnext\ndone"
    assert last_states("plain\n\ntext") == "plain\n\ntext"
