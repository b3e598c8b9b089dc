"""Files that are whole or not there, and their fingerprints.

Whoever looks at a path finds the old content or the new, never a part of it.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


@contextmanager
def written_whole(path: Path, *, several_writers: bool = False) -> Iterator[Path]:
    """A temporary path beside `path` to write to; renamed to it when the block ends well, removed when it does not.

    What a killed process leaves is written over by the next one. With `several_writers`, processes that may write the
    same file at once get a temporary name each.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    owner = f".{os.getpid()}" if several_writers else ""
    temporary = path.with_name(f".{path.name}{owner}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole."""
    with written_whole(path) as temporary:
        temporary.write_text(text)


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def code_sha256(*names: str) -> str:
    """SHA-256 over the Python files of these modules and packages of vctlib, such as "networks", shortened."""
    package, digest = REPOSITORY / "vctlib", hashlib.sha256()
    for name in sorted(names):
        for path in sorted([package / f"{name}.py", *(package / name).rglob("*.py")]):
            if path.is_file():
                digest.update(path.relative_to(package).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]
