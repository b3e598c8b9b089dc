"""Which files of vctlib a notebook rests on: what it imports, directly or through others."""

import ast
from functools import cache
from pathlib import Path

from vctlib.run import read_cells

# An edit of how things are shown, logged or configured changes no number; the profile's values are watched themselves.
NOT_WATCHED = tuple(
    f"vctlib.{name}"
    for name in ("plots", "view", "notebook", "results", "config", "errors", "files", "manifest", "fetch")
)


def library_of(notebook: Path, root: Path) -> list[str]:
    """Files below `root`, relative to it and sorted, without those that change no number. Raises InputError."""
    code = [cell for cell in read_cells(notebook) if cell.get("cell_type") == "code"]
    waiting = {name for cell in code for name in imported_names("".join(cell["source"]))}
    found: dict[str, Path] = {}
    while waiting:
        for module, path in modules_of(waiting.pop(), root).items():
            if module not in found:
                found[module] = path
                waiting |= names_of_file(path, module)
    return sorted(path.relative_to(root).as_posix() for path in found.values())


def imported_names(source: str, package: str = "") -> set[str]:
    """Dotted names of vctlib that a piece of Python imports; `from a import b` gives `a.b`."""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a cell with a magic command
        return set()
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            found |= {f"{base}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] == "vctlib"}


def modules_of(name: str, root: Path) -> dict[str, Path]:
    """Modules that run when a dotted name is imported: the packages on the way and the module itself."""
    found = {}
    parts = name.split(".")
    for length in range(2, len(parts) + 1):  # not vctlib itself, which holds no more than the version
        module = ".".join(parts[:length])
        if module in NOT_WATCHED or module.startswith(tuple(f"{each}." for each in NOT_WATCHED)):
            return found
        path = root.joinpath(*parts[:length])
        for candidate in (path / "__init__.py", path.with_suffix(".py")):
            if candidate.is_file():
                found[module] = candidate
    return found


@cache
def names_of_file(path: Path, module: str) -> set[str]:
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    return imported_names(path.read_text(), package)
