"""What all tests share: the folder of real data, no skipping in continuous integration, reproducible examples."""

import os
import shutil
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("MPLBACKEND", "Agg")  # no test opens a window

settings.register_profile("vctlib", deadline=None, derandomize=True)  # the same examples on every machine
settings.load_profile("vctlib")

IN_CI = os.environ.get("CI", "").lower() not in ("", "0", "false")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data that VCTLIB_DATA names; the test is skipped where there is none."""
    named = os.environ.get("VCTLIB_DATA")
    if not named:
        pytest.skip("VCTLIB_DATA is not set: it names the folder of real data that this test reads")
    if not Path(named).is_dir():
        pytest.skip(f"VCTLIB_DATA names {named}, which is not a folder")
    return Path(named)


def has_cuda() -> bool:
    import torch  # only where a test asks: it costs a second

    return torch.cuda.is_available()


def has_browser() -> bool:
    return any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))


EQUIPMENT = {"gpu": has_cuda, "browser": has_browser}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take out the tests whose marker names equipment that this machine lacks; unlike a skip, that is allowed in CI."""
    for marker, is_here in EQUIPMENT.items():
        need_it = [item for item in items if item.get_closest_marker(marker)]
        if need_it and not is_here():
            config.hook.pytest_deselected(items=need_it)
            items[:] = [item for item in items if item not in need_it]


def _forbid_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure; an expected failure (xfail) is also reported as skipped and stays."""
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"CI is set, so nothing may be skipped. {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _forbid_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _forbid_skip(report)
    return report
