"""Strict papermill: a notebook runs with parameters that it declares, of the types it declares, or not at all."""

import json
import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vctlib.errors import InputError
from vctlib.files import write_text
from vctlib.parameters import check_parameters, declared_parameters, parse_parameters

KERNEL = "python3"


class StepFailed(RuntimeError):
    """A notebook stopped on an error, or a step of a run did; the message is one line that says where to look."""


def read_cells(notebook: Path) -> list[dict]:
    """Cells of a notebook file. Raises InputError: absent, or not a notebook."""
    try:
        return json.loads(notebook.read_text())["cells"]
    except FileNotFoundError:
        raise InputError(f"{notebook}: no such notebook") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError):
        raise InputError(f"{notebook}: not a readable notebook") from None


def repository_of(notebook: Path) -> Path:
    """The nearest folder above the notebook that holds pyproject.toml, else the notebook's own folder."""
    folder = notebook.resolve().parent
    return next((parent for parent in (folder, *folder.parents) if (parent / "pyproject.toml").is_file()), folder)


def failed_path(output: Path) -> Path:
    """Where the executed notebook stays when it stopped on an error: `x.ipynb` -> `x.failed.ipynb`."""
    return output.with_name(f"{output.stem}.failed.ipynb")


def run_notebook(
    notebook: Path | str,
    output: Path | str,
    parameters: Mapping[str, Any] | None = None,
    *,
    texts: Mapping[str, str] | None = None,
    progress: bool = True,
) -> Path:
    """Execute a notebook in its repository's root and write it to `output`, whole; returns `output`.

    parameters: Python values; texts: values typed on a command line, turned into the declared types.
    progress: pass on what the notebook writes to stderr, progress bars among it.
    Raises InputError for parameters that do not fit, StepFailed when a cell fails; then `x.failed.ipynb` remains.
    """
    notebook, output = Path(notebook), Path(output).absolute()
    declared = declared_parameters(notebook, read_cells(notebook))
    values = check_parameters(notebook, declared, parameters or {}) | parse_parameters(notebook, declared, texts or {})
    root = repository_of(notebook)
    output.parent.mkdir(parents=True, exist_ok=True)
    running = output.with_name(f".{output.stem}.running.ipynb")  # one name: a killed run leaves nothing that piles up
    try:
        error = _execute(notebook.absolute(), running, values, root, progress)
        _tidy(running, notebook.absolute(), output, root)
        os.replace(running, output if error is None else failed_path(output))
    finally:
        running.unlink(missing_ok=True)
    if error is not None:
        raise StepFailed(f"{notebook}: {error}; executed up to there: {_short(failed_path(output))}")
    failed_path(output).unlink(missing_ok=True)
    return output


def _execute(notebook: Path, running: Path, values: dict, root: Path, progress: bool) -> str | None:
    """Run through papermill; what went wrong in one line, or None."""
    import papermill  # half a second, so only here
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    logging.getLogger("papermill").setLevel(logging.ERROR)  # its warnings about parameters: checked above, and better
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")  # the debugger's warning at every kernel's start
    try:
        executed = papermill.execute_notebook(
            notebook,
            running,
            values,
            kernel_name=KERNEL,
            language="python",
            progress_bar=False,
            stderr_file=sys.stderr if progress else None,
            cwd=root,
            extra_arguments=["--log-level=50"],  # not the kernel's own log
        )
    except papermill.PapermillExecutionError as error:
        lines = [line.strip() for line in str(error.evalue).splitlines() if line.strip()]
        return f"{error.ename}: {lines[-1]}" if lines else error.ename
    except (DeadKernelError, CellTimeoutError) as error:
        return f"the kernel died, often for want of memory ({type(error).__name__})"
    # papermill takes sys.exit(0) for success and leaves the rest of the notebook, asserts included, out
    unfinished = [cell for cell in executed.cells if cell.cell_type == "code" and cell.source.strip()]
    if any(cell.execution_count is None for cell in unfinished):
        return "it ended before its last cell (sys.exit?)"
    return None


def _tidy(executed: Path, notebook: Path, output: Path, root: Path) -> None:
    """Keep of every progress bar its last state, and of every path the part below the repository."""
    content = json.loads(executed.read_text() or "{}")
    for cell in content.get("cells", []):
        if "outputs" in cell:
            cell["outputs"] = _merge_streams(cell["outputs"])
    about = content.get("metadata", {}).get("papermill", {})
    about |= {key: _below(path, root) for key, path in (("input_path", notebook), ("output_path", output))}
    text = json.dumps(content, indent=1, ensure_ascii=False).replace(f"{root}{os.sep}", "").replace(str(root), ".")
    write_text(executed, text + "\n")


def _merge_streams(outputs: list[dict]) -> list[dict]:
    """Neighbouring pieces of one stream joined, as a terminal shows them in the end."""
    merged: list[dict] = []
    for item in outputs:
        same = merged and item.get("output_type") == "stream" and merged[-1].get("name") == item["name"]
        if same:
            merged[-1]["text"] = "".join(merged[-1]["text"]) + "".join(item["text"])
        else:
            merged.append(item)
    for item in merged:
        if item.get("output_type") == "stream":
            item["text"] = last_states("".join(item["text"]))
    return merged


def last_states(text: str) -> str:
    """Text as a terminal shows it in the end: of parts divided by carriage returns the last one that is not empty."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(next((part for part in reversed(line.split("\r")) if part.strip()), "") for line in lines)


def _below(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
