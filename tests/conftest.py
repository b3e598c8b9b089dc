"""What all tests share: the folder of real data, no skipping in continuous integration, reproducible examples; and the
`smoke` profile made still smaller, with a few blocky people to train it on."""

import os
import shutil
from collections.abc import Generator
from pathlib import Path

import pytest
import yaml
from hypothesis import settings

os.environ.setdefault("MPLBACKEND", "Agg")  # no test opens a window
if (
    "PYTEST_XDIST_WORKER" in os.environ
):  # a worker a core: with more threads they wait for each other, ten times as long
    os.environ.setdefault("OMP_NUM_THREADS", "1")

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
        if need_it and not is_here() and not (IN_CI and marker == "browser"):  # CI installs Chromium: .ci/run
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


ROOT = Path(__file__).parents[1]


def copy_repository(target: Path) -> Path:
    """What a fresh checkout holds, whether committed or not: no environment, no runs, no data, no released weights."""

    def left_out(folder: str, names: list[str]) -> list[str]:
        top = ("runs", "data", "models", "build", "dist") if Path(folder) == ROOT else ()
        made = ("__pycache__", "_build", *top)
        return [n for n in names if n in made or (Path(folder) == ROOT and n.startswith(".")) or ".egg-info" in n]

    return Path(shutil.copytree(ROOT, target, ignore=left_out))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A copy of the repository, in which runs may be made."""
    return copy_repository(tmp_path_factory.mktemp("checkout") / "repository")


MICRO_STEPS = {"segmentation_autoencoder": 4, "latent_diffusion": 6, "post_processor": 3, "segmenter": 4}


@pytest.fixture(scope="session")
def micro_settings() -> dict:
    """The `smoke` profile with a handful of people and training steps; checkpoints after every step."""
    profile = yaml.safe_load((ROOT / "notebooks" / "profiles" / "smoke.yaml").read_text())
    profile |= {"name": "micro", "checkpoint_minutes": 1e-6}
    profile["cohort"] |= {"n_people": 8, "test_fraction": 0.25}
    profile["cohort"]["scanner"] |= {"angles": 30}
    for component, steps in MICRO_STEPS.items():
        profile[component]["optimization"] |= {"steps": steps, "warmup_steps": 2}
    for stage in profile["image_autoencoder"]["stages"]:
        stage |= {"adversarial_start": 2}
        # so fast that after five steps what is decoded depends on the latents
        stage["optimization"] |= {"steps": 5, "warmup_steps": 2, "learning_rate": 1e-2, "ema_decay": 0.5}
    profile["synthesis"] |= {"steps": 2, "draws_per_person": 2}
    return profile


@pytest.fixture(scope="session")
def micro_profile(micro_settings):
    """The micro profile on a grid of 32 x 24 x 48 voxels of 40 mm."""
    from vctlib.config import load_profile

    grid = [32, 24, 48]
    changes = {"cohort": {"grid": grid, "spacing_mm": [40.0] * 3}, "sliding_window": {"image_patch": grid}}
    # of bone, the blocky people below are 640 mm long; in the frame they are a little shorter
    changes["body_frame"] = {"length_voxels": 15, "lowest_voxel": 5, "mean_length_mm": 640.0, "mean_girth_mm": 640.0}
    changes["body_frame"]["deformation"] = {"n_shapes": 2, "template_people": 3, "iterations": [5, 5]}
    for component, side in (("segmentation_autoencoder", 16), ("post_processor", 16), ("segmenter", 24)):
        changes[component] = {"optimization": {"patch": [side] * 3}}
    stages = zip(micro_settings["image_autoencoder"]["stages"], (16, 12), strict=True)
    patched = [_merged(stage, {"optimization": {"patch": [side] * 3}}) for stage, side in stages]
    changes["image_autoencoder"] = {"stages": patched}
    return load_profile("smoke", _merged(micro_settings, changes))


def _merged(base: dict, changes: dict) -> dict:
    return base | {k: _merged(base[k], v) if isinstance(v, dict) else v for k, v in changes.items()}


# Structures in the order they are painted: HU, then a box in voxels as (low, high) for x, y and z
BLOCKS = {
    "subcutaneous_fat": (-100, (10, 22), (8, 16), (4, 40)),
    "skeletal_muscle": (50, (11, 21), (9, 15), (4, 40)),
    "brain": (35, (13, 19), (9, 15), (40, 46)),
    "liver": (110, (16, 20), (10, 14), (22, 26)),
    "lung_upper_lobe_left": (-750, (12, 15), (10, 14), (28, 32)),
    "femur_left": (600, (12, 14), (11, 13), (6, 18)),
    "femur_right": (600, (18, 20), (11, 13), (6, 18)),
    "hip_left": (450, (12, 15), (11, 13), (18, 20)),
    "hip_right": (450, (17, 20), (11, 13), (18, 20)),
    "vertebrae_L1": (300, (15, 17), (10, 12), (20, 22)),
}


def make_block_people(folder, profile, n: int):
    """A reference cohort of n people made of blocks, some wider than others; every fourth is for testing."""
    import numpy as np

    from vctlib.anatomy import TOTAL, ids_of
    from vctlib.cohort import CohortInfo, CohortWriter

    config = profile.cohort
    about = {"name": "reference", "kind": "reference", "source": "blocks", "code_version": "0", "seed": 0}
    info = CohortInfo(spacing_mm=config.spacing_mm, grid=config.grid, labels=dict(TOTAL), **about)
    writer = CohortWriter(folder, info)
    people = [f"B{number}" for number in range(n)]
    affine = np.diag([*config.spacing_mm, 1.0])
    for number, person in enumerate(people):
        hu, labels = np.full(config.grid, -1000, np.int16), np.zeros(config.grid, np.uint8)
        for name, (value, *sides) in BLOCKS.items():
            wider = number % 4 if name == "subcutaneous_fat" else 0
            box = tuple(slice(low - wider * (axis == 0), high) for axis, (low, high) in enumerate(sides))
            hu[box], labels[box] = value, ids_of(TOTAL, name)[0]
        row = {"sex": ("female", "male")[number % 2], "age_years": 35.0 + 5 * (number % 8)}
        row |= {"height_cm": 155.0 + 4 * (number % 8), "weight_kg": 55.0 + 8 * (number % 4)}
        writer.add(person, row | {"split": "test" if number % 4 == 3 else "train"}, hu, labels, affine)
    return writer.finish(people)


@pytest.fixture(scope="session")
def tiny_people(tmp_path_factory, micro_profile):
    """Six training and two test people made of blocks."""
    return make_block_people(tmp_path_factory.mktemp("people") / "reference", micro_profile, 8)


@pytest.fixture(scope="session")
def micro_shop(tmp_path_factory, micro_profile, tiny_people):
    """A workshop in which every component has been trained; `.trainings` says what each trainer returned."""
    from vctlib.training.components import TRAINERS
    from vctlib.training.run import TrainingRun

    folder = tmp_path_factory.mktemp("workshop")
    shop = TrainingRun(micro_profile, tiny_people, folder / "training", folder / "models", folder / "released", seed=3)
    return shop, {name: trainer(shop) for name, trainer in TRAINERS.items()}


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    """Where a module's notebooks write."""
    return tmp_path_factory.mktemp("out")


@pytest.fixture
def study(out, micro_profile, micro_shop, tiny_people, monkeypatch):
    """Runs the cells of a notebook with parameters, strictly; returns its variables and its result."""
    from tests.cells import run_cells

    profile = out / "micro.yaml"
    profile.write_text(yaml.safe_dump(micro_profile.model_dump(mode="json")))

    def run(name: str, **given):
        given = {"reference": str(tiny_people.path), "models": str(micro_shop[0].models)} | given
        given = {name: value for name, value in given.items() if value is not None}
        return run_cells(name, monkeypatch, **given, profile=str(profile), out=str(out))

    return run
