import json
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from vctlib import labextension
from vctlib.errors import InputError
from vctlib.labextension import install_labextension

ROOT = Path(__file__).parents[1]


def _files(folder):
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


def test_files_land_where_jupyterlab_looks(tmp_path):
    target = install_labextension(tmp_path)
    assert target == tmp_path / "share" / "jupyter" / "labextensions" / "vct-itkwidgets"
    files = _files(target)
    package = json.loads(files["package.json"].read_text())
    assert package["name"] == target.name and package["jupyterlab"]["extension"] is True
    assert package["jupyterlab"]["_build"]["load"] in files
    script = files["static/remoteEntry.js"].read_text()
    assert f"'{package['name']}'" in script and f"'{package['version']}'" in script
    front_end = "static/nbextensions/itkwidgets/"
    assert files[front_end + "index.js"].stat().st_size > 1_000_000
    assert files[front_end + "itk/WebWorkers/Pipeline.worker.js"] and not any(name.endswith(".map") for name in files)


def test_nothing_is_fetched_from_the_network():
    script = (labextension.SOURCE / "static" / "remoteEntry.js").read_text()
    assert "http://" not in script and "https://" not in script


def test_a_second_install_changes_nothing_and_a_damaged_one_is_repaired(tmp_path):
    target = install_labextension(tmp_path)
    before = {name: path.stat().st_mtime_ns for name, path in _files(target).items()}
    install_labextension(tmp_path)
    assert {name: path.stat().st_mtime_ns for name, path in _files(target).items()} == before
    (target / "static" / "remoteEntry.js").write_text("half")
    (target / "static" / "left_over.js").write_text("of an older version")
    install_labextension(tmp_path)
    assert set(_files(target)) == set(before)
    assert (target / "static" / "remoteEntry.js").stat().st_size > 1000
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_an_interrupted_install_leaves_the_old_one(tmp_path, monkeypatch):
    target = install_labextension(tmp_path)
    (target / "package.json").write_text("{}")

    def full_disk(source, destination):
        raise OSError("no space left on device")

    monkeypatch.setattr(labextension.shutil, "copyfile", full_disk)
    with pytest.raises(OSError, match="no space"):
        install_labextension(tmp_path)
    assert (target / "package.json").read_text() == "{}"
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_another_version_or_none_is_one_clear_line(tmp_path, monkeypatch):
    monkeypatch.setattr(labextension, "distribution", lambda name: SimpleNamespace(version="1.0a55", files=[]))
    with pytest.raises(InputError, match="1.0a55 is installed; the viewer needs 0.32.6"):
        install_labextension(tmp_path)

    def absent(name):
        raise labextension.PackageNotFoundError(name)

    monkeypatch.setattr(labextension, "distribution", absent)
    with pytest.raises(InputError, match="not installed"):
        install_labextension(tmp_path)
    assert not list(tmp_path.iterdir())


def test_make_lab_puts_it_in_place_before_jupyterlab_starts(tmp_path):
    """The very line of the Makefile, run on another prefix."""
    done = subprocess.run(["make", "--dry-run", "lab"], cwd=ROOT, capture_output=True, text=True)
    install, start = [line for line in done.stdout.splitlines() if "labextension" in line or "jupyter lab" in line]
    assert start.split()[1:] == ["lab", "notebooks"]
    code = install.split("-c ", 1)[1].strip("'")
    exec(code.replace("install_labextension()", f"install_labextension({str(tmp_path)!r})"), {})
    assert (tmp_path / "share" / "jupyter" / "labextensions" / "vct-itkwidgets" / "package.json").is_file()
