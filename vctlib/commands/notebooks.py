"""`vct notebook`: one notebook, strictly; inside a run of the graph it also says where the run stands."""

import os
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from vctlib.commands import progress
from vctlib.config import load_profile
from vctlib.errors import InputError
from vctlib.manifest import REPOSITORY
from vctlib.parameters import declared_parameters, parse_parameters
from vctlib.run import StepFailed, read_cells, run_notebook

POLL_SECONDS = 1.0


def find_notebook(given: str) -> Path:
    """A path, or a name without folder and suffix among notebooks/. Raises InputError."""
    candidates = [Path(given), REPOSITORY / "notebooks" / f"{given}.ipynb", REPOSITORY / "notebooks" / given]
    for path in candidates:
        if path.is_file():
            return path
    raise InputError(f"{given}: no such notebook; give a path, or a name from notebooks/")


def run_one(given: str, output: str | None, texts: Mapping[str, str]) -> Path:
    """Run one notebook with parameters as typed; by default into runs/<profile>/executed. Raises InputError."""
    notebook = find_notebook(given)
    plan = progress.current()
    if plan:
        _end_with(plan)
        plan.note("started", notebook.stem)
        print(plan.describe_start(notebook.stem), flush=True)
    target = Path(output) if output else default_output(notebook, texts)
    executed = run_notebook(notebook, target, texts=texts)
    if plan:
        plan.note("finished", notebook.stem)
    return executed


def default_output(notebook: Path, texts: Mapping[str, str]) -> Path:
    """<out>/executed/<name>.ipynb; `out` is the notebook's own, by default runs/<profile>.

    Raises InputError for a profile that is none, before a folder is made for it.
    """
    declared = declared_parameters(notebook, read_cells(notebook))
    given = parse_parameters(notebook, declared, texts)
    own = declared["profile"].default if "profile" in declared else "none"
    name = load_profile(given.get("profile") or own).name if "profile" in declared else own
    folder = given.get("out") or Path("runs", name)
    return REPOSITORY / folder / "executed" / notebook.name


def _end_with(plan: progress.Plan) -> None:
    """End this process, and with it the notebook's kernel, when the run that started it is gone."""
    if not plan.owner_lives():
        raise StepFailed("the run that started this notebook is gone")

    def watch() -> None:
        while plan.owner_lives():
            time.sleep(POLL_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
