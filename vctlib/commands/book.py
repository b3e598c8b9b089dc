"""`vct book` builds the book, `vct freeze` puts a run's notebooks and results into it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from vctlib.commands.ledger import check_ledger, ledger_path, write_ledger
from vctlib.config import load_profile
from vctlib.errors import InputError
from vctlib.manifest import REPOSITORY
from vctlib.run import StepFailed

_PROFILE_IN_PAGE = re.compile(r"\b(executed|results)/([A-Za-z0-9_-]+)/")
_PROBE = "probe"  # the folder of trainings that only tell what a step costs (`vctlib.training.equal_time`)
# Half of a build went into looking for garbage among the nodes of all pages; without, it takes 0.7 GB instead of 0.3
JUPYTER_BOOK = (sys.executable, "-c", "import gc; gc.disable(); from jupyter_book.cli.main import main; main()")
SHOWN_WARNINGS = 20
BOOK = REPOSITORY / "book"


def results_of_run(folder: Path) -> dict[Path, Path]:
    """File of a run -> its place below book/: executed notebooks, result files, tables, drawings, volumes.

    Raises InputError where there is no run, or where a notebook stopped on an error.
    """
    executed = sorted((folder / "executed").glob("[!.]*.ipynb"))  # one that is running begins with a dot
    if failed := [path for path in executed if path.name.endswith(".failed.ipynb")]:
        raise InputError(f"{failed[0]}: this notebook failed; run it again before the book shows the run")
    if not executed:
        raise InputError(f"{folder}: no executed notebooks; run them first: vct run --profile {folder.name}")
    places = {path: Path("executed", folder.name, path.name) for path in executed}
    for path in sorted((folder / "results").glob("*.json")):
        places[path] = Path("results", folder.name, path.name)
    for pattern in ("*.csv", "*.svg"):
        for path in sorted(folder.rglob(pattern)):
            below = path.relative_to(folder)
            if below.parts[0] not in ("cohorts", "book", "executed") and _PROBE not in below.parts:
                places[path] = Path("results", folder.name, below)
    for path in sorted((folder / "volumes").glob("[!.]*")):  # bodies to turn round in a page
        places[path] = Path("results", folder.name, "volumes", path.name)
    return places


def freeze_run(profile: str, root: Path = REPOSITORY) -> None:
    """Copy a run's notebooks and results below book/; what the run does not have stays. Raises InputError.

    The ledger of hashes is written anew for all that lies there then. What has changed since the last ledger and is not
    replaced now is named, since it came from elsewhere.
    """
    name = load_profile(profile).name
    book = root / "book"
    places = results_of_run(root / "runs" / name)
    frozen = set((book / "executed" / name).glob("*.ipynb"))
    changed = check_ledger(book, name) if ledger_path(book, name).is_file() else {}
    for source, place in places.items():
        target = book / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    write_ledger(book, name)
    kept = sorted(path.stem for path in frozen - {book / place for place in places.values()})
    print(f"{len(places)} files copied to book/executed/{name} and book/results/{name}")
    if kept:
        print(f"kept from an earlier run, since runs/{name} does not have them: {', '.join(kept)}")
    written = {os.path.relpath(place, Path("results", name)) for place in places.values()}
    if elsewhere := [f"{path} ({what})" for path, what in changed.items() if path not in written]:
        print(f"not from runs/{name}, yet unlike the last ledger: {', '.join(elsewhere)}")


def build_book(profile: str, *, frozen: bool = False, output: str | None = None, root: Path = REPOSITORY) -> Path:
    """Build all pages, warnings being errors; returns the first page. Raises InputError, StepFailed.

    The committed book shows the frozen results of one profile. Another profile, or the results in runs/, are shown by
    a copy of the book's sources in runs/<profile>/book with those results in their places.
    """
    name = load_profile(profile).name
    book = root / "book"
    source = book if frozen and shown_profile(book) in (name, None) else stage(book, root / "runs" / name, frozen)
    target = Path(output).absolute() if output else book
    command = [*JUPYTER_BOOK, "build", str(source)]
    command += ["--config", str(root / "_config.yml"), "--toc", str(source / "_toc.yml")]
    command += ["--path-output", str(target), "--all", "-W", "-n", "--keep-going"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    page = target / "_build" / "html" / "index.html"
    if done.returncode != 0 or not page.is_file():
        lines = (done.stdout + done.stderr).splitlines()
        warnings = [line for line in lines if "WARNING" in line or "ERROR" in line] or lines[-SHOWN_WARNINGS:]
        print("\n".join(warnings[:SHOWN_WARNINGS]), file=sys.stderr)
        raise StepFailed(f"the book was not built cleanly: {len(warnings)} warnings or errors, the first of them above")
    for path in (page.parent / "_static").rglob("*.map"):
        path.unlink()  # 3 MB of the theme's sources, for which debuggers alone ask
    return page


def shown_profile(book: Path) -> str | None:
    """The profile whose results the book's sources name; None where they name none. Raises InputError for several."""
    pages = [book / "_toc.yml", *(path for path in sorted(book.rglob("*.md")) if "_build" not in path.parts)]
    names = {match[1] for path in pages for match in _PROFILE_IN_PAGE.findall(path.read_text())}
    if len(names) > 1:
        raise InputError(f"{book}: its pages name results of several profiles: {', '.join(sorted(names))}")
    return names.pop() if names else None


def stage(book: Path, run: Path, frozen: bool) -> Path:
    """A copy of the book's sources that shows the results of `run`, or the frozen ones of its profile; its folder."""
    name, staged = run.name, run / "book"
    has_frozen = (book / "executed" / name).is_dir()
    if frozen and not has_frozen:
        raise InputError(
            f"{book}/executed/{name}: no frozen results; make them: vct run and vct freeze --profile {name}"
        )
    places = {} if frozen else results_of_run(run)
    shutil.rmtree(staged, ignore_errors=True)
    shutil.copytree(book, staged, ignore=shutil.ignore_patterns("_build", "executed", "results", ".*"))
    for kind in ("executed", "results"):
        if (book / kind / name).is_dir():
            shutil.copytree(book / kind / name, staged / kind / name)
    for source, place in places.items():
        (staged / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, staged / place)
    if not frozen:
        write_ledger(staged, name)
    if (shown := shown_profile(book)) not in (name, None):
        for page in [staged / "_toc.yml", *staged.rglob("*.md")]:
            renamed = _PROFILE_IN_PAGE.sub(lambda m: f"{m[1]}/{name}/" if m[2] == shown else m[0], page.read_text())
            page.write_text(renamed)
    back = f"literalinclude}} {os.path.relpath(book.parent, staged)}/"  # to files that the pages show as they are
    for page in staged.glob("*.md"):
        page.write_text(page.read_text().replace("literalinclude} ../", back))
    _leave_out_absent(staged / "_toc.yml")
    return staged


def _leave_out_absent(toc: Path) -> None:
    """Take executed notebooks that are not there out of a table of contents: a run need not have the studies."""
    content = yaml.safe_load(toc.read_text())

    def kept(entry: dict) -> dict:
        chapters = {
            key: [kept(each) for each in entry[key] if _is_there(toc.parent, each.get("file", ""))]
            for key in ("parts", "chapters", "sections")
            if key in entry
        }
        return entry | chapters

    toc.write_text(yaml.safe_dump(kept(content), sort_keys=False, allow_unicode=True))


def _is_there(book: Path, file: str) -> bool:
    return not file.startswith("executed/") or (book / f"{file}.ipynb").is_file()
