"""data_manifest.yaml: every byte that comes from outside or is released, and the way to a verified copy of it.

`resolve(name)` looks in the repository, below `VCTLIB_DATA`, among the installed packages and in the cache, and fetches
what it did not find. Whatever it returns has the size and the SHA-256 that the manifest names.
"""

import importlib.util
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from vctlib import fetch
from vctlib.config import first_problem
from vctlib.errors import InputError
from vctlib.files import REPOSITORY, sha256, written_whole

MANIFEST = REPOSITORY / "data_manifest.yaml"
INDEXES = Path(__file__).resolve().parent / "data"

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_SOURCE = re.compile(r"https://\S+|pypi:[\w.-]+==[\w.]+#\S+|debian:[\w.+-]+=[\w.+~-]+#\S+|repo:\S+")


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Archive(Strict):
    """The distribution that holds a `pypi:` member: checked before anything is taken out of it."""

    file: str
    sha256: Sha256


class Entry(Strict):
    """One file, or one folder of files where `index` names a list of them.

    source: `https://...`, `pypi:NAME==VERSION#path/in/archive`, `debian:PACKAGE=VERSION#path` or `repo:path`.
    """

    name: str
    what: str
    source: str
    archive: Archive | None = None
    columns: list[str] | None = None  # of a tab-separated source, written as CSV
    derived: str | None = None  # how the file was made from the source, where no code here repeats it
    local: str | None = None  # below VCTLIB_DATA
    index: str | None = None  # of a folder: a file of vctlib/data in the format of sha256sum
    status: Literal["verified", "unverified"] = "verified"
    sha256: Sha256 | None  # of a folder: of its index
    bytes: Annotated[int, Field(gt=0)] | None  # of a folder: the sum; None where only the hash is published
    licence: str
    citation: str
    redistributable: bool
    used_by: list[str]
    fallback: str | None

    @field_validator("source")
    @classmethod
    def _known_source(cls, source: str) -> str:
        if not _SOURCE.fullmatch(source):
            raise ValueError(
                f"{source!r} is not https://..., pypi:NAME==VERSION#path, debian:PACKAGE=VERSION#path or repo:path"
            )
        return source

    @model_validator(mode="after")
    def _whole(self):
        for path in (self.local, self.index, self.member):
            if path is not None:
                fetch.check_relative(path)
        if self.status == "verified" and self.sha256 is None:
            raise ValueError("a verified entry needs its sha256; without one write status: unverified")
        if self.status == "unverified" and self.sha256 is not None:
            raise ValueError("an unverified entry carries no sha256; once it is checked, write status: verified")
        if self.scheme == "pypi" and self.archive is None and self.derived is None:
            raise ValueError("a pypi: source needs the file name and the sha256 of its archive")
        if self.index is not None and self.derived is None:
            raise ValueError("a folder needs `derived`: how its files were made from the source")
        return self

    @property
    def scheme(self) -> str:
        return self.source.split(":", 1)[0]

    @property
    def member(self) -> str | None:
        """Path inside the archive or the repository; None for a plain URL."""
        if self.scheme == "repo":
            return self.source.removeprefix("repo:")
        return self.source.split("#", 1)[1] if self.scheme in ("pypi", "debian") else None

    @property
    def fetchable(self) -> bool:
        return self.status == "verified" and self.derived is None and self.scheme in ("https", "pypi")

    @property
    def file_name(self) -> str:
        return PurePosixPath(self.local or self.member or self.source).name


def cache_folder() -> Path:
    """`VCTLIB_CACHE`, or the platform's folder for what can be fetched again."""
    if chosen := os.environ.get("VCTLIB_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "vctlib"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "vctlib"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "vctlib"


def load_manifest(path: Path | str = MANIFEST) -> dict[str, Entry]:
    """Entries by name. Raises InputError naming the entry and the key that is wrong."""
    try:
        content = yaml.safe_load(Path(path).read_text())
    except OSError:
        raise InputError(f"{path}: no such file; run vct in a checkout of the repository") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not readable as YAML ({' '.join(str(error).split())})") from None
    if not isinstance(content, dict) or not isinstance(content.get("entries"), list):
        raise InputError(f"{path}: expected a list of entries under the key `entries`")
    entries: dict[str, Entry] = {}
    for position, item in enumerate(content["entries"]):
        label = item.get("name", f"number {position + 1}") if isinstance(item, dict) else f"number {position + 1}"
        try:
            entry = Entry.model_validate(item)
        except ValidationError as error:
            raise InputError(f"{path}: entry {label}: {first_problem(error)}") from None
        if entry.name in entries:
            raise InputError(f"{path}: entry {entry.name} stands there twice")
        entries[entry.name] = entry
    return entries


def read_index(entry: Entry) -> dict[str, str]:
    """Paths of a folder's files and their SHA-256. Raises InputError where the index is not the manifest's."""
    path = INDEXES / entry.index
    if not path.is_file() or sha256(path) != entry.sha256:
        raise InputError(f"{path}: missing, or not the index whose sha256 data_manifest.yaml gives for {entry.name}")
    lines = [line.split("  ", 1) for line in path.read_text().splitlines()]
    return {fetch.check_relative(name): digest for digest, name in lines}


def problem_of(entry: Entry, path: Path) -> str | None:
    """What is wrong with a copy, in words; None where it is what the manifest says."""
    if entry.index is not None:
        for name, digest in read_index(entry).items():
            file = path / name
            if not file.is_file():
                return f"{file} is missing"
            if (found := sha256(file)) != digest:
                return f"{file} has SHA-256 {found}, expected {digest}"
        return None
    if entry.bytes is not None and path.stat().st_size != entry.bytes:
        return f"{path} has {path.stat().st_size} bytes, expected {entry.bytes}"
    found = sha256(path)
    return None if found == entry.sha256 else f"{path} has SHA-256 {found}, expected {entry.sha256}"


def _installed(entry: Entry) -> Path | None:
    """The member of a `pypi:` source in the installed package, found without importing the package."""
    package, _, rest = (entry.member or "").partition("/")
    if entry.scheme != "pypi" or entry.columns or entry.derived or not rest or not package.isidentifier():
        return None
    spec = importlib.util.find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        if (Path(folder) / rest).is_file():
            return Path(folder) / rest
    return None


def cache_path(entry: Entry) -> Path:
    return cache_folder() / entry.name / entry.file_name


def locate(entry: Entry) -> tuple[str, Path] | None:
    """(place, path) of the first copy on this machine, verified; None where there is none.

    A wrong copy in the repository or below VCTLIB_DATA raises InputError and stays untouched; a wrong copy in the
    cache is deleted; an installed package of another version is passed over.
    """
    if entry.status == "unverified":
        return None
    if entry.scheme == "repo" and (path := REPOSITORY / entry.member).exists():
        if problem := problem_of(entry, path):
            raise InputError(f"{entry.name}: {problem}; restore the released file: git checkout -- {entry.member}")
        return "repository", path
    data = os.environ.get("VCTLIB_DATA")
    if data and entry.local and (path := Path(data).expanduser() / entry.local).exists():
        if problem := problem_of(entry, path):
            raise InputError(f"{entry.name}: {problem}; replace or remove it (VCTLIB_DATA={data}), it is not used")
        return "VCTLIB_DATA", path
    if (path := _installed(entry)) and problem_of(entry, path) is None:
        return "installed", path
    path = cache_path(entry)
    if entry.index is None and path.is_file():
        if problem_of(entry, path) is None:
            return "cache", path
        path.unlink(missing_ok=True)
    return None


def resolve(name: str, *, manifest: dict[str, Entry] | None = None, fetcher: Callable = fetch.fetch) -> Path:
    """A verified copy of an entry, fetched into the cache where there is none yet.

    fetcher(entry, destination) writes the file's bytes to a temporary path; they are checked before they get their
    name. Raises InputError: unknown entry, no checksum, wrong bytes, no network.
    """
    entries = load_manifest() if manifest is None else manifest
    if name not in entries:
        raise InputError(f"data_manifest.yaml has no entry {name!r}; it has: {', '.join(entries)}")
    entry = entries[name]
    if found := locate(entry):
        return found[1]
    if not entry.fetchable:
        raise InputError(how_to_obtain(entry))
    path = cache_path(entry)
    with written_whole(path, several_writers=True) as temporary:
        fetcher(entry, temporary)
        if problem := problem_of(entry, temporary):
            problem = problem.replace(str(temporary), entry.source)
            raise InputError(
                f"{name}: {problem}; the download was thrown away. Try again; if it repeats, the source has changed: "
                "compare with the publisher before you touch data_manifest.yaml"
            )
    return path


def how_to_obtain(entry: Entry) -> str:
    """One line for a person: how to get an entry that is not fetched automatically."""
    place = f"VCTLIB_DATA/{entry.local}" if entry.local else "the repository"
    fallback = f" Without it: {entry.fallback}." if entry.fallback else ""
    if entry.status == "unverified":
        return (
            f"{entry.name}: its SHA-256 is not known yet, so it is neither fetched nor used. Download {entry.source}, "
            f"compare `sha256sum FILE` with the publisher's, write sha256 and `status: verified` into "
            f"data_manifest.yaml, and put the file at {place}.{fallback}"
        )
    if entry.scheme == "repo":
        return f"{entry.name}: {entry.member} is missing; restore it: git checkout -- {entry.member}"
    made = f" ({entry.derived})" if entry.derived else ""
    return f"{entry.name}: no copy here. Set VCTLIB_DATA and put it at {place}; source: {entry.source}{made}.{fallback}"
