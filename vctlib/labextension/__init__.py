"""The 3D viewer in JupyterLab 4: a small extension that loads the front end of the installed itkwidgets 0.32.6.

The wheel brings a front end for the classic notebook only; `static/remoteEntry.js` hands it to JupyterLab. All files
are local, so that the viewer works without a network.
"""

import filecmp
import json
import os
import shutil
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from vctlib.errors import InputError

SOURCE = Path(__file__).parent
_FRONT_END = "share/jupyter/nbextensions/itkwidgets/"


def front_end_files() -> dict[str, Path]:
    """The installed itkwidgets' browser files: path below the extension's `static` folder -> file."""
    wanted = json.loads((SOURCE / "package.json").read_text())["version"]
    try:
        installed = distribution("itkwidgets")
    except PackageNotFoundError:
        raise InputError(f"itkwidgets is not installed; run: pip install itkwidgets=={wanted}") from None
    if installed.version != wanted:
        raise InputError(f"itkwidgets {installed.version} is installed; the viewer needs {wanted}: pip install it")
    files = {}
    for entry in installed.files or []:
        _, found, below = str(entry).replace(os.sep, "/").partition(_FRONT_END)
        if found and not below.endswith(".map"):  # source maps are for debugging and half of the size
            files[f"static/nbextensions/itkwidgets/{below}"] = Path(entry.locate()).resolve()
    if not files:
        raise InputError("the installed itkwidgets has no browser files; install it again from its wheel")
    return files


def extension_folder(prefix: Path | str | None = None) -> Path:
    """Where JupyterLab of `prefix` (by default this Python's) looks for the extension."""
    return Path(prefix or sys.prefix) / "share" / "jupyter" / "labextensions" / "vct-itkwidgets"


def install_labextension(prefix: Path | str | None = None) -> Path:
    """Put the extension under `prefix`/share/jupyter/labextensions (by default this Python's); returns its folder.

    Does nothing where it is already complete. The folder is made beside its place and renamed, so JupyterLab never
    sees half of it. Raises InputError where itkwidgets is absent or of another version.
    """
    files = {"package.json": SOURCE / "package.json", "static/remoteEntry.js": SOURCE / "static" / "remoteEntry.js"}
    files |= front_end_files()
    target = extension_folder(prefix)
    if _is_current(target, files):
        return target
    temporary = target.with_name(f".{target.name}.{os.getpid()}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        for name, file in files.items():
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, temporary / name)
        _swap(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def _is_current(target: Path, files: dict[str, Path]) -> bool:
    present = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    return present == set(files) and all(filecmp.cmp(files[name], target / name, shallow=False) for name in files)


def _swap(new: Path, target: Path) -> None:
    """Rename `new` to `target`; a folder cannot replace another in one step, so the old one steps aside first."""
    old = target.with_name(f".{target.name}.{os.getpid()}.old")
    if target.exists():
        os.replace(target, old)
    os.replace(new, target)
    shutil.rmtree(old, ignore_errors=True)
