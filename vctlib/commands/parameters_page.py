"""The section *Run this notebook again* that every executed notebook gets in the book.

Commands and parameters are read from the notebook and its result file while the book is built.
"""

import ast
import io
import json
import shlex
import tokenize
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

from vctlib import results
from vctlib.commands.provenance import page_link, provenance_line, table
from vctlib.errors import InputError
from vctlib.parameters import Parameter, declared_parameters

TITLE = "Run this notebook again"
BEFORE_THE_LIST_OF_SECTIONS = 400  # Sphinx makes that list at 500
logger = logging.getLogger(__name__)


def meanings(cells: list[dict]) -> dict[str, str]:
    """Parameter -> the comment at the end of its line, which tells meaning and unit. For cells that declare parameters.

    Not by papermill's `inspect_notebook`, which overlooks annotations such as `float | None`.
    """
    source = next("".join(cell["source"]) for cell in cells if "parameters" in cell["metadata"].get("tags", []))
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}
    found = {}
    for node in ast.parse(source).body:
        target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
        found[target.id] = comments.get(node.end_lineno, "")
    return found


def without_type(meaning: str, parameter: Parameter) -> str:
    """`str: output folder` -> `output folder`."""
    for kind in parameter.types:
        meaning = meaning.removeprefix(f"{kind.__name__}: ")
    return meaning


def given_parameters(content: dict, declared: dict[str, Parameter], result: results.Result | None) -> dict[str, Any]:
    """What a call must say to get this notebook again: profile, seed, and whatever else was not left at its default.

    `out` is left out: a reader's copy writes where a reader's copy writes.
    """
    given = content["metadata"].get("papermill", {}).get("parameters", {})
    values = {name: parameter.default for name, parameter in declared.items()} | given
    if result is not None:
        values |= {"profile": result.parameters.get("profile", result.profile), "seed": result.seed}
    always, never = ("profile", "seed"), ("out",)
    told = {name: values[name] for name in always if name in declared}
    return told | {
        name: value
        for name, value in values.items()
        if name in declared and name not in (*always, *never) and value != declared[name].default
    }


def commands(name: str, given: dict[str, Any]) -> tuple[str, str]:
    """The call by `vct notebook` and the one by papermill, which takes lists and mappings as YAML alone."""
    notebook = f"notebooks/{name}.ipynb"
    nested = {key: value for key, value in given.items() if isinstance(value, list | dict)}
    plain = " ".join(f"-p {key} {shlex.quote(str(value))}" for key, value in given.items() if key not in nested)
    typed = [f"-p {key} {shlex.quote(json.dumps(value))}" for key, value in nested.items()]
    as_yaml = [f"-y {shlex.quote(json.dumps(nested))}"] if nested else []

    def lines(call: str, more: list[str]) -> str:
        return " \\\n    ".join(part for part in (call, plain, *more) if part)

    by_papermill = lines(f".venv/bin/papermill {notebook} out.ipynb", as_yaml)
    return lines(f".venv/bin/vct notebook {notebook}", typed), by_papermill


def section(app: Sphinx, page: str, notebook: Path) -> nodes.section:
    """The section for one executed notebook. Raises InputError: parameters cell or result file is wrong."""
    content = json.loads(notebook.read_text())
    declared = declared_parameters(notebook, content["cells"])
    path = f"results/{page.split('/', 1)[1]}.json"
    file = Path(app.env.srcdir) / path
    app.env.note_dependency(str(file))
    result = results.read(file) if file.is_file() else None
    by_vct, by_papermill = commands(notebook.stem, given_parameters(content, declared, result))

    found = nodes.section(
        "", nodes.title(text=TITLE), ids=[nodes.make_id(TITLE)], names=[nodes.fully_normalize_name(TITLE)]
    )
    if result is not None:
        found += provenance_line(app.env, path, result, notebook=False)
    said = nodes.paragraph("", "From the folder of the repository, with parameters checked by name and type (")
    said += [page_link(app.env, "running", "Run it, change it"), nodes.Text("):")]
    found += [said, nodes.literal_block(by_vct, by_vct, language="bash")]
    found += nodes.paragraph("", "or with papermill:")
    found += nodes.literal_block(by_papermill, by_papermill, language="bash")
    told = meanings(content["cells"])
    rows = [
        [
            nodes.literal(text=name),
            nodes.Text(parameter.wanted),
            nodes.literal(text=repr(parameter.default)),
            nodes.Text(without_type(told[name], parameter)),
        ]
        for name, parameter in declared.items()
    ]
    found += table(("Parameter", "Type", "Default", "Meaning"), rows, "parameters")
    return found


def add_section(app: Sphinx, doctree: nodes.document) -> None:
    """Put the section at the end of an executed notebook's page; a notebook without parameters gets none."""
    page = app.env.docname
    notebook = Path(app.env.doc2path(page))
    top = next((node for node in doctree.children if isinstance(node, nodes.section)), None)
    if not page.startswith("executed/") or notebook.suffix != ".ipynb" or top is None:
        return
    try:
        new = section(app, page, notebook)
    except InputError as problem:
        logger.warning(str(problem), location=page)
        return
    top += new
    doctree.note_implicit_target(new, new)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx, which `_config.yml` tells of this extension."""
    app.connect("doctree-read", add_section, priority=BEFORE_THE_LIST_OF_SECTIONS)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
