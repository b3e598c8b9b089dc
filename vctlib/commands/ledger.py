"""The ledger of a profile's frozen results: SHA-256 of every result file, table, drawing and executed notebook.

It is `results/<profile>/SHA256SUMS` below the book, in the format of sha256sum. Paths are relative to its own folder,
so that `sha256sum -c SHA256SUMS` checks it there.
"""

import os
import re
from pathlib import Path

from vctlib.errors import InputError
from vctlib.files import sha256, write_text

LEDGER = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")


def ledger_path(book: Path, profile: str) -> Path:
    """Where the ledger of a profile lies."""
    return book / "results" / profile / LEDGER


def listed_files(book: Path, profile: str) -> dict[str, Path]:
    """Path as the ledger writes it -> file, for all that it has to list. Hidden files are nobody's result."""
    folder = book / "results" / profile
    found = {}
    for kind in ("executed", "results"):
        for path in (book / kind / profile).rglob("*"):
            hidden = any(part.startswith(".") for part in path.relative_to(book / kind).parts)
            if path.is_file() and not hidden and path != folder / LEDGER:
                found[Path(os.path.relpath(path, folder)).as_posix()] = path
    return dict(sorted(found.items()))


def write_ledger(book: Path, profile: str) -> Path:
    """Write the ledger for the files that lie there now; returns its path."""
    path = ledger_path(book, profile)
    lines = [f"{sha256(file)}  {name}\n" for name, file in listed_files(book, profile).items()]
    write_text(path, "".join(lines))
    return path


def read_ledger(book: Path, profile: str) -> dict[str, str]:
    """Path as the ledger writes it -> SHA-256 in hex. Raises InputError: no ledger, or a line that is none."""
    path = ledger_path(book, profile)
    if not path.is_file():
        raise InputError(f"{path}: no ledger of the frozen results; vct freeze --profile {profile} writes it")
    listed = {}
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if (entry := _LINE.fullmatch(line)) is None:
            raise InputError(f"{path}, line {number}: expected a SHA-256, two spaces and a path, got {line!r}")
        listed[entry[2]] = entry[1]
    return listed


def check_ledger(book: Path, profile: str) -> dict[str, str]:
    """Path -> `changed`, `missing` or `not listed`; empty where files and ledger agree. Raises InputError."""
    listed, there = read_ledger(book, profile), listed_files(book, profile)
    wrong = {name: "missing" for name in listed if name not in there}
    wrong |= {name: "not listed" for name in there if name not in listed}
    wrong |= {name: "changed" for name in listed if name in there and sha256(there[name]) != listed[name]}
    return dict(sorted(wrong.items()))
