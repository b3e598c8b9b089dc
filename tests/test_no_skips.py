"""In continuous integration a skipped test is a failed test; elsewhere it is a skip."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SKIPS = """
import pytest

def test_skips_itself():
    pytest.skip("no reason at all")

def test_needs_data(data_dir):
    assert data_dir

@pytest.mark.xfail(reason="known")
def test_expected_failure():
    assert False
"""


def run_pytest(folder: Path, **environment: str) -> str:
    """The summary line of pytest run on the folder, which uses the project's conftest."""
    (folder / "conftest.py").write_text((Path(__file__).parent / "conftest.py").read_text())
    (folder / "pytest.ini").write_text("[pytest]\n")
    outside = {name: value for name, value in os.environ.items() if name not in ("CI", "VCTLIB_DATA")}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(folder)]
    done = subprocess.run(command, cwd=folder, env=outside | environment, capture_output=True, text=True)
    return done.stdout


@pytest.mark.parametrize("module", [SKIPS, "import pytest\npytest.importorskip('no_such_module')\n"])
def test_ci_turns_skips_into_failures(tmp_path, module):
    (tmp_path / "test_skips.py").write_text(module)
    outside, inside = run_pytest(tmp_path), run_pytest(tmp_path, CI="true")
    last_line = outside.splitlines()[-1]
    assert "skipped" in last_line and " failed" not in last_line and "error" not in last_line
    assert "CI is set, so nothing may be skipped" in inside
    assert "skipped" not in inside.splitlines()[-1]
    if module is SKIPS:  # a skip inside a fixture counts as an error
        assert "1 failed, 1 xfailed, 1 error" in inside.splitlines()[-1]


def test_data_dir_is_what_the_variable_names(tmp_path):
    (tmp_path / "test_data.py").write_text(f"def test_data(data_dir):\n    assert str(data_dir) == {str(tmp_path)!r}\n")
    assert "1 passed" in run_pytest(tmp_path, CI="true", VCTLIB_DATA=str(tmp_path))
