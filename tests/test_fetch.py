"""Downloads and archives: only what was asked for is written, and nowhere but where it was asked for."""

import hashlib
import io
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from vctlib import fetch
from vctlib.errors import InputError
from vctlib.manifest import Entry, resolve


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def write(path: Path, content: bytes = b"some bytes") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def files_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def member_entry(archive_sha256: str) -> dict[str, Entry]:
    """The file data/x.txt, which holds one x, of the sdist of a package."""
    fields = {"name": "thing", "what": "a file", "source": "pypi:pkg==1.0#data/x.txt", "used_by": ["tests"]}
    fields |= {"archive": {"file": "pkg-1.0.tar.gz", "sha256": archive_sha256}, "sha256": digest(b"x"), "bytes": 1}
    fields |= {"licence": "CC0-1.0", "citation": "nobody", "redistributable": True, "fallback": None}
    return {"thing": Entry.model_validate(fields)}


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    monkeypatch.setenv("VCTLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("VCTLIB_DATA", raising=False)
    return tmp_path


def test_download_stops_at_the_size_it_was_promised(places):
    big = write(places / "big.bin", b"x" * 5000)
    target = places / "target.bin"
    with pytest.raises(InputError, match="more than the 100 bytes"):
        fetch.download(big.as_uri(), target, limit=100)
    fetch.download(big.as_uri(), target, limit=5000)
    assert target.read_bytes() == big.read_bytes()


def make_tar(path: Path) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in (("pkg-1.0/data/x.txt", b"x"), ("pkg-1.0/../../evil.txt", b"evil")):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("pkg-1.0/link.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return path


@pytest.mark.parametrize("member", ["../evil", "/etc/passwd", "a/../../evil", "~/x", "C:/x", "a\\b", ""])
def test_members_that_leave_the_archive_are_refused(member, places):
    archive = make_tar(places / "pkg-1.0.tar.gz")
    with pytest.raises(InputError, match="relative path"):
        fetch.extract(archive, member, places / "out")
    assert files_below(places) == ["pkg-1.0.tar.gz"]


def test_extract_takes_one_regular_file(places):
    archive, out = make_tar(places / "pkg-1.0.tar.gz"), places / "out/x"
    out.parent.mkdir()
    fetch.extract(archive, "data/x.txt", out)
    assert out.read_bytes() == b"x"
    for member, complaint in (("link.txt", "regular file"), ("absent.txt", "holds no file"), ("data", "holds no file")):
        with pytest.raises(InputError, match=complaint):
            fetch.extract(archive, member, places / "out/y")
    assert files_below(places) == ["out/x", "pkg-1.0.tar.gz"]
    with zipfile.ZipFile(places / "pkg.whl", "w") as wheel:
        wheel.writestr("pkg/x.txt", "from the wheel")
    fetch.extract(places / "pkg.whl", "pkg/x.txt", out)
    assert out.read_text() == "from the wheel"
    with pytest.raises(InputError, match="not a readable archive"):
        fetch.extract(write(places / "bad.whl"), "pkg/x.txt", out)


def test_archive_in_the_cache_serves_its_members_without_pip(places, monkeypatch):
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("pip was asked"))
    kept = places / "cache/archives/pkg-1.0.tar.gz"
    kept.parent.mkdir(parents=True)
    make_tar(kept)
    assert resolve("thing", manifest=member_entry(digest(kept.read_bytes()))).read_bytes() == b"x"


def test_archive_with_other_bytes_is_fetched_again_and_pip_checks_it(places, monkeypatch):
    write(places / "cache/archives/pkg-1.0.tar.gz", b"damaged")
    seen = []

    def pip(command, **options):
        seen.append((command, Path(command[command.index("--requirement") + 1]).read_text()))
        return subprocess.CompletedProcess(command, 1, "", "ERROR: no network")

    monkeypatch.setattr(subprocess, "run", pip)
    with pytest.raises(InputError, match="pip cannot fetch pkg==1.0 .ERROR: no network"):
        resolve("thing", manifest=member_entry("a" * 64))
    ((command, wanted),) = seen
    assert "--require-hashes" in command and "--no-deps" in command and "--no-binary" in command
    assert wanted == f"pkg==1.0 --hash=sha256:{'a' * 64}\n"


def test_select_columns_keeps_values_as_they_stand(places):
    table = write(places / "t.tsv", b'id\tname\tx\n1.0\t"a, b"\t007\n2\tc\t\n')
    fetch.select_columns(table, ["x", "name"], places / "t.csv")
    assert (places / "t.csv").read_text() == 'x,name\n007,"a, b"\n,c\n'
    with pytest.raises(InputError, match="no column 'y'"):
        fetch.select_columns(table, ["y"], places / "u.csv")
