"""result.json: every number the book prints, with what it takes to believe it.

One file a notebook: parameters, profile, seed, commit, versions, device, time, memory, hashes of the inputs, and
`metrics: {name: {value, unit, n, ci95}}`. Written whole or not at all.
"""

import importlib.metadata
import json
import math
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vctlib.errors import InputError
from vctlib.files import REPOSITORY, sha256, write_text

SCHEMA_VERSION = 1
_PACKAGES = ("vctlib", "torch", "monai", "numpy", "scipy", "scikit-learn", "nibabel", "papermill")


class Metric(BaseModel):
    model_config = ConfigDict(extra="forbid")
    value: float | None  # None where a quantity could not be computed; never NaN
    unit: str
    n: Annotated[int, Field(ge=0)]
    ci95: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _finite_and_ordered(self):
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError("value is not finite; write None and say why in the notebook")
        if self.ci95 is not None and not self.ci95[0] <= self.ci95[1]:
            raise ValueError("ci95 must be (lower, upper)")
        return self


class Result(BaseModel):
    model_config = ConfigDict(extra="forbid")
    schema_version: int = SCHEMA_VERSION
    notebook: str
    parameters: dict[str, Any]
    profile: str
    seed: int
    git_commit: str | None
    git_dirty: bool | None
    versions: dict[str, str]
    device: str
    created: str
    wall_seconds: float | None
    peak_memory_gb: float
    inputs: dict[str, str]  # path -> SHA-256
    metrics: dict[str, Metric]
    verdicts: dict[str, str] = {}  # of a trial, by population and arm


def metric(value: float | None, unit: str, n: int, ci95: tuple[float, float] | None = None) -> dict:
    """One entry of `metrics`. A value or an interval that is not finite becomes None."""
    value = None if value is None or not math.isfinite(value) else float(value)
    if ci95 is not None:
        ci95 = (float(ci95[0]), float(ci95[1])) if all(map(math.isfinite, ci95)) else None
    return Metric(value=value, unit=unit, n=int(n), ci95=ci95).model_dump()


def hardware() -> str:
    """The processor, its cores and the memory, for people: `AMD EPYC, 2 cores, 23 GB, no accelerator`.

    Where `OMP_NUM_THREADS` allows fewer threads than there are cores: `AMD EPYC, 1 of 2 cores, ...`.
    """
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    torch = sys.modules.get("torch")  # never imported for this: statistics run without it
    accelerated = torch is not None and torch.cuda.is_available()
    accelerator = torch.cuda.get_device_name() if accelerated else "no accelerator"
    threads = os.environ.get("OMP_NUM_THREADS", "")
    used = f"{threads} of {cores}" if threads.isdecimal() and 0 < int(threads) < cores else cores
    return f"{model}, {used} cores, {memory:.0f} GB, {accelerator}"


def _portable(path: Path) -> str:
    """The path from the repository's root, or the bare name outside it: results are published, home folders are not."""
    path = path.resolve()
    return path.relative_to(REPOSITORY).as_posix() if path.is_relative_to(REPOSITORY) else path.name


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], capture_output=True, text=True, timeout=10, cwd=Path(__file__).parent, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def write(
    path: Path | str,
    *,
    notebook: str,
    parameters: Mapping[str, Any],
    profile: str,
    seed: int,
    metrics: Mapping[str, Mapping],
    inputs: Iterable[Path | str] = (),
    wall_seconds: float | None = None,
    verdicts: Mapping[str, str] | None = None,
) -> dict:
    """Validate and write a result file (atomically); returns what was written. Raises InputError."""
    status = _git("status", "--porcelain", "--untracked-files=no")
    try:
        result = Result(
            notebook=notebook,
            parameters=dict(parameters),
            profile=profile,
            seed=seed,
            git_commit=_git("rev-parse", "HEAD"),
            git_dirty=None if status is None else bool(status),
            versions=_versions(),
            device=hardware(),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            wall_seconds=wall_seconds,
            peak_memory_gb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
            inputs={_portable(Path(item)): sha256(Path(item)) for item in inputs},
            metrics=dict(metrics),
            verdicts=dict(verdicts or {}),
        ).model_dump()
    except ValidationError as error:
        problem = error.errors()[0]
        raise InputError(f"{path}: {'.'.join(map(str, problem['loc']))}: {problem['msg']}") from None
    write_text(Path(path), json.dumps(result, indent=1, default=str) + "\n")
    return result


def read(path: Path | str) -> Result:
    """Read and validate a result file. Raises InputError naming the file and the problem."""
    try:
        return Result.model_validate_json(Path(path).read_text())
    except OSError:
        raise InputError(f"{path}: no such result file; run the notebook that makes it") from None
    except ValidationError as error:
        problem = error.errors()[0]
        raise InputError(f"{path}: {'.'.join(map(str, problem['loc']))}: {problem['msg']}") from None
