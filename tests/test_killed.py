"""Killed five times at moments drawn at random, a run that is called again goes on, and ends as one left in peace.

SIGKILL goes to all processes of a run at once, as in a power cut. How far the work has come decides the moment, plus a
random fraction of a second, so that the machine's speed does not decide what is hit.
"""

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import yaml
from safetensors.numpy import load_file

KILLS = 5
PEOPLE, STEPS = 10, (14, 10)
IMAGE = "image_autoencoder"
ENVIRONMENT = {"OMP_NUM_THREADS": "2"} | os.environ
CORES = ENVIRONMENT["OMP_NUM_THREADS"]  # the graph gives them all to a notebook; sums depend on how many share them

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def profile(checkout, micro_settings) -> Path:
    """Ten phantoms, and an image autoencoder of two stages with enough steps to be killed in."""
    stages = [
        stage
        | {"adversarial_start": 4, "optimization": stage["optimization"] | {"steps": steps, "patch": [16, 16, 16]}}
        for stage, steps in zip(micro_settings[IMAGE]["stages"], STEPS, strict=True)
    ]
    settings = micro_settings | {
        "cohort": micro_settings["cohort"] | {"n_people": PEOPLE},
        IMAGE: micro_settings[IMAGE] | {"stages": stages},
    }
    path = checkout / "micro.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def start(checkout: Path, *arguments: object) -> subprocess.Popen:
    command = [sys.executable, "-m", "vctlib", *map(str, arguments)]
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, cwd=checkout, env=ENVIRONMENT, start_new_session=True, **silent)


def finish(checkout: Path, *arguments: object) -> str:
    """Run to the end; what it says."""
    command = [sys.executable, "-m", "vctlib", *map(str, arguments)]
    done = subprocess.run(command, cwd=checkout, env=ENVIRONMENT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def kill_all(process: subprocess.Popen) -> None:
    """The process group, and what has left it: kernels have sessions of their own."""
    family = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGKILL)
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    process.wait()
    psutil.wait_procs(family, timeout=20)


def disturbed(checkout: Path, arguments: list, progress: Callable[[], float], seed: int) -> list[float]:
    """Start, kill, start again, ... and let the last one finish; how far the work was at each kill."""
    rng = np.random.default_rng(seed)
    reached = []
    for part in range(KILLS):
        moment, delay = (part + rng.uniform(0.05, 0.95)) / KILLS, rng.uniform(0, 0.4)
        process = start(checkout, *arguments)
        end = time.monotonic() + 300
        while progress() < moment and process.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(delay)
        assert process.poll() is None, f"ended by itself before kill {part + 1}, at {progress():.2f} of the work"
        kill_all(process)
        reached.append(progress())
    finish(checkout, *arguments)
    return reached


def bodies(out: Path) -> float:
    """Share of the reference people that is on disk."""
    return len(list((out / "cohorts" / "reference" / "rows").glob("*.json"))) / PEOPLE


def steps(out: Path) -> float:
    """Share of the training steps of both stages that a checkpoint holds."""
    return sum(len(curve(out, stage)) for stage in (0, 1)) / sum(STEPS)


def curve(out: Path, stage: int) -> pd.DataFrame:
    path = out / "training" / f"{IMAGE}_{stage}.curves.csv"
    return pd.read_csv(path).drop(columns="seconds") if path.exists() else pd.DataFrame()


def files_of(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def weights_of(out: Path) -> dict[str, str]:
    tensors = load_file(out / "models" / f"{IMAGE}.safetensors")
    return {name: hashlib.sha256(tensor.tobytes()).hexdigest() for name, tensor in tensors.items()}


def figures_of(out: Path, step: str) -> dict[str, dict]:
    metrics = json.loads((out / "results" / f"{step}.json").read_text())["metrics"]
    return {name: metric for name, metric in metrics.items() if not name.endswith("seconds")}


def assert_same_cohort(out: Path, undisturbed: Path) -> None:
    step = "01_make_reference_cohort"
    assert files_of(out / "cohorts" / "reference") == files_of(undisturbed / "cohorts" / "reference")
    assert figures_of(out, step) == figures_of(undisturbed, step)


def assert_same_training(out: Path, undisturbed: Path) -> None:
    step = f"03_train_{IMAGE}"
    assert weights_of(out) == weights_of(undisturbed)
    assert figures_of(out, step) == figures_of(undisturbed, step)
    for stage in (0, 1):
        pd.testing.assert_frame_equal(curve(out, stage), curve(undisturbed, stage), check_exact=True)
    assert not list((out / "training").glob("*.checkpoint.safetensors"))


def assert_nothing_left_over(folder: Path) -> None:
    """Of half-written notebooks and volumes; what fails says so in its name."""
    for pattern in (
        "*.failed.ipynb",
        ".*.running.ipynb",
        "*.checkpoint.safetensors",
        ".*.safetensors*.tmp",
        ".*.gz.*.tmp",
    ):
        assert not list(folder.rglob(pattern))


@pytest.fixture(scope="module")
def undisturbed(checkout, profile, tmp_path_factory) -> Path:
    """Steps 01 and 03 through the graph, in peace."""
    finish(checkout, "run", "--profile", profile, "--until", "03", "--cores", CORES)
    return (checkout / "runs" / "micro").rename(tmp_path_factory.mktemp("undisturbed") / "micro")


def test_cohort(checkout, profile, undisturbed, tmp_path):
    notebook = ["notebook", "01_make_reference_cohort", "-p", "profile", profile, "-p", "out", tmp_path]
    reached = disturbed(checkout, [*notebook, "--output", tmp_path / "01.ipynb"], lambda: bodies(tmp_path), seed=1)
    assert reached[0] < 0.6 and sorted(reached) == reached  # nothing that was whole is made again
    assert_same_cohort(tmp_path, undisturbed)
    assert_nothing_left_over(tmp_path)


def test_training_notebook(checkout, profile, undisturbed, tmp_path):
    arguments = ["notebook", f"03_train_{IMAGE}", "-p", "profile", profile, "-p", "out", tmp_path]
    arguments += ["-p", "reference", undisturbed / "cohorts" / "reference", "--output", tmp_path / "03.ipynb"]
    reached = disturbed(checkout, arguments, lambda: steps(tmp_path), seed=2)
    assert reached[0] < 0.6 and sorted(reached) == reached
    assert_same_training(tmp_path, undisturbed)
    assert_nothing_left_over(tmp_path)


def test_graph(checkout, profile, undisturbed):
    out = checkout / "runs" / "micro"
    arguments = ["run", "--profile", profile, "--until", "03", "--cores", CORES]
    disturbed(checkout, arguments, lambda: (bodies(out) + steps(out)) / 2, seed=3)
    assert_same_cohort(out, undisturbed)
    assert_same_training(out, undisturbed)
    assert_nothing_left_over(out)
    executed = [path.name for path in sorted((out / "executed").iterdir())]
    assert executed == ["01_make_reference_cohort.ipynb", f"03_train_{IMAGE}.ipynb"]
    assert "everything is up to date" in finish(checkout, *arguments)
