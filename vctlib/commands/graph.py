"""`vct run` and `vct train`: the notebooks' graph through Snakemake; whatever ends it, the same command resumes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vctlib.commands import progress
from vctlib.config import Profile, load_profile
from vctlib.errors import InputError
from vctlib.manifest import REPOSITORY, load_manifest, problem_of
from vctlib.run import StepFailed

SECONDS_TO_STOP = 20
SECONDS_FOR_LOCK = 10  # a run that was killed needs a moment until its last process is gone


def run_graph(
    profile: str,
    *,
    training: bool = False,
    studies: bool = False,
    cores: int | None = None,
    until: str | None = None,
    root: Path = REPOSITORY,
) -> int:
    """Run what is missing or out of date; returns how many steps ran.

    training: all that is trained, and nothing else. studies: what stands beside the book, and what it needs.
    until: stop after this step (`02`, `02_x` or its rule's name).
    Raises InputError: unknown profile or step, wrong released weights, another run at work; StepFailed.
    """
    settings = load_profile(profile)
    given = profile if not Path(profile).suffix else str(Path(profile).resolve())
    folder = root / "runs" / settings.name
    # not Snakemake's --until: a summary does not respect it
    target = rule_name(until, root) if until else "studies" if studies else "all"
    if not training:
        check_released_weights(settings, root)
    command = [sys.executable, "-m", "snakemake", "--snakefile", "notebooks/Snakefile", "--directory", str(root)]
    command += ["--cores", str(cores or usable_cores()), "--resources", "gpu=1"]
    command += ["--nolock", "--rerun-incomplete", "--keep-incomplete", "--keep-going"]  # our own lock: see `exclusive`
    targets = ["--config", f"profile={given}"] + (["train=all", "--", "train"] if training else ["--", target])
    with exclusive(folder) as lock:
        steps = planned_steps([*command, "--summary", *targets], root)
        if not steps:
            print(f"{settings.name}: everything is up to date in runs/{settings.name}")
            return 0
        plan = progress.Plan.make(folder, steps, root / "book" / "results" / settings.name)
        print(plan.describe(settings.name), flush=True)
        environment = os.environ | {progress.VARIABLE: str(plan.path), "VCT_PYTHON": sys.executable}
        started = subprocess.Popen([*command, "--quiet", "all", *targets], cwd=root, env=environment, pass_fds=[lock])
        if _wait(started) != 0:
            raise StepFailed(plan.describe_end(settings.name))
    print(plan.describe_end(settings.name))
    return len(steps)


def usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def rule_name(step: str, root: Path) -> str:
    """`02`, `02_measure_reference_cohort`, its file or `measure_reference_cohort` -> the last. Raises InputError."""
    names = sorted(path.stem for path in (root / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    wanted = Path(step).stem
    found = [name for name in names if wanted in (name, name[:2], name[3:])]
    if not found:
        raise InputError(f"no step {step!r} among notebooks/; there are: {', '.join(names)}")
    return found[0][3:]


def check_released_weights(settings: Profile, root: Path) -> None:
    """Released weights are what data_manifest.yaml says, or are not used. Raises InputError naming the file."""
    released = sorted((root / "models" / settings.name).glob("*.safetensors"))
    entries = {entry.member: entry for entry in load_manifest().values() if entry.scheme == "repo"} if released else {}
    for path in released:
        entry = entries.get(path.relative_to(root).as_posix())
        if entry is None:
            raise InputError(f"{path.relative_to(root)}: released weights need an entry in data_manifest.yaml")
        if problem := problem_of(entry, path):
            raise InputError(f"{problem}; restore the released file: git checkout -- {entry.member}")


def planned_steps(command: list[str], root: Path) -> list[str]:
    """Notebooks that would run, in their order. Raises InputError with Snakemake's reason."""
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    if done.returncode != 0 or not rows or "plan" not in rows[0]:
        lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        first = next((number for number, line in enumerate(lines) if "Error" in line or "Exception" in line), 0)
        raise InputError(f"notebooks/Snakefile: {' '.join(lines[first : first + 4])}")
    plan, file = rows[0].index("plan"), rows[0].index("output_file")
    pending = {Path(row[file]).stem for row in rows[1:] if row[plan] == "update pending" and "/executed/" in row[file]}
    return sorted(pending)


@contextmanager
def exclusive(folder: Path) -> Iterator[int]:
    """Only one run works on a folder. The lock is the system's: it ends with the processes that hold it, however they
    end. Yields its file descriptor. Raises InputError."""
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as lock:
        for remaining in range(10 * SECONDS_FOR_LOCK, -1, -1):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if remaining == 0:
                    raise InputError(f"{folder}: another vct run or vct train is at work here; wait for it") from None
                time.sleep(0.1)
        yield lock.fileno()


def _wait(process: subprocess.Popen) -> int:
    """Exit status of Snakemake. When we are told to stop, so are all processes below it, then KeyboardInterrupt."""
    try:
        return process.wait()
    except KeyboardInterrupt:
        _stop(process)
        raise


def _stop(process: subprocess.Popen) -> None:
    """Ask Snakemake to start nothing more and its notebooks to end; what is left after a while is killed."""
    import psutil

    try:
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for member in family:
        try:
            if {"vctlib", "snakemake"} & set(member.cmdline()):
                member.send_signal(signal.SIGTERM)
        except psutil.Error:
            continue
    _, alive = psutil.wait_procs(family, timeout=SECONDS_TO_STOP)
    for member in alive:
        try:
            member.kill()
        except psutil.Error:
            continue
