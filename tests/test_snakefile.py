"""The graph: what depends on what, what an edit runs again, and where weights come from.

Snakemake runs the real Snakefile; in the place of `vct notebook` stands a script that writes what a notebook would.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from vctlib.commands.graph import planned_steps
from vctlib.commands.imports import library_of
from vctlib.errors import InputError
from vctlib.parameters import declared_parameters
from vctlib.run import read_cells

ROOT = Path(__file__).parents[1]
SNAKEFILE = ROOT / "notebooks" / "Snakefile"
OF_THE_BOOK, BESIDE_IT = SNAKEFILE.read_text().split("\nSTUDIES = {")
STEPS, STUDIES = (re.findall(r'^    "(\d\d_\w+)": Step\(', text, re.MULTILINE) for text in (OF_THE_BOOK, BESIDE_IT))
TRAINING = sorted(step for step in STEPS if "_train_" in step)
EVALUATION = sorted(set(STEPS) - set(TRAINING))

# Called as: stub -m vctlib notebook NOTEBOOK --output EXECUTED -p profile P -p out RUN. A table beside it says what
# each step makes.
STUB = """#!/bin/sh
notebook=$4; executed=$6; run=${12}
name=$(basename "$notebook" .ipynb)
echo "$name" >> stub.log
if [ "$name" = "$STUB_FAILS" ]; then exit 1; fi
for file in $(cat "stub_outputs/$name") "results/$name.json"; do
  mkdir -p "$(dirname "$run/$file")"; echo "$name $$" > "$run/$file"
done
echo "$name" > "$executed"
"""
SEGMENTED = "tables/reference_segmented.csv tables/reconstructed_segmented.csv tables/segmenter_on_reference.csv"
MAKES = {
    "01_make_reference_cohort": "cohorts/reference/cohort.json",
    "02_measure_reference_cohort": "tables/reference_measured.csv",
    "03_train_image_autoencoder": "models/image_autoencoder.safetensors",
    "04_train_segmentation_autoencoder": "models/segmentation_autoencoder.safetensors",
    "05_train_latent_diffusion": "models/latent_diffusion.safetensors",
    "06_train_post_processor": "models/post_processor.safetensors",
    "07_train_segmenter": "models/segmenter.safetensors",
    "08_reconstruct_people": f"cohorts/reconstructed/cohort.json {SEGMENTED}",
    "09_synthesize_people": "cohorts/synthetic/cohort.json tables/synthetic_segmented.csv "
    "tables/synthetic_consistency.csv",
    "11_train_slice_regressors": "models/slice_regressor_body_fat.safetensors "
    "models/slice_regressor_muscle.safetensors tables/populations_body_fat.csv tables/populations_muscle.csv",
    "12_run_trial": "tables/predictions_body_fat.csv tables/predictions_muscle.csv",
    "15_compare_with_real_ct": "cohorts/compared/cohort.json",
}
WEIGHTS = [Path(file).name for step in TRAINING for file in MAKES[step].split()]


class Repository:
    """A checkout with the real Snakefile, profiles and library, and notebooks."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(ROOT / "notebooks" / "profiles", root / "notebooks" / "profiles")
        for path in (SNAKEFILE, *(ROOT / "notebooks").glob("*.ipynb")):
            shutil.copy(path, root / "notebooks")
        shutil.copytree(ROOT / "vctlib", root / "vctlib", ignore=shutil.ignore_patterns("__pycache__"))
        (root / "stub_outputs").mkdir()
        for step in (*STEPS, *STUDIES):
            (root / "stub_outputs" / step).write_text(MAKES.get(step, ""))
        self.stub = root / "stub"
        self.stub.write_text(STUB)
        self.stub.chmod(0o755)

    def snakemake(self, *arguments: str, fails: str = "", **config: str) -> subprocess.CompletedProcess:
        command = [*self.command, "--quiet", "all", "--keep-going", "--rerun-incomplete", "--keep-incomplete"]
        command += ["--config", *(f"{key}={value}" for key, value in ({"profile": "smoke"} | config).items())]
        environment = os.environ | {"VCT_PYTHON": str(self.stub), "STUB_FAILS": fails}
        return subprocess.run(
            [*command, "--", *arguments], cwd=self.root, env=environment, capture_output=True, text=True
        )

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "snakemake", "--snakefile", "notebooks/Snakefile", "--cores", "2", "--nolock"]

    def run(self, *arguments: str, **options: str) -> list[str]:
        """Run the graph; the steps that ran, in their order."""
        log = self.root / "stub.log"
        log.unlink(missing_ok=True)
        done = self.snakemake(*arguments, **options)
        assert done.returncode == 0 or options.get("fails"), done.stderr
        return [line.split()[0] for line in log.read_text().splitlines()] if log.exists() else []

    def plan(self, *targets: str, **config: str) -> list[str]:
        settings = [f"{key}={value}" for key, value in ({"profile": "smoke"} | config).items()]
        return planned_steps([*self.command, "--summary", "--config", *settings, "--", *targets], self.root)

    def release(self, *files: str) -> None:
        (self.root / "models" / "smoke").mkdir(parents=True, exist_ok=True)
        for file in files:
            (self.root / "models" / "smoke" / file).write_text("released")

    def append(self, path: str, text: str) -> None:
        with open(self.root / path, "a") as file:
            file.write(text)


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A repository where everything has run once, training included."""
    repository = Repository(tmp_path_factory.mktemp("finished"))
    repository.order = repository.run("all")
    return repository


def test_everything_runs_once_and_in_an_order_that_respects_needs(finished):
    numbers = [step[:2] for step in finished.order]
    assert sorted(finished.order) == sorted(STEPS)
    for earlier, later in [("01", "02"), ("01", "03"), ("03", "04"), ("04", "05"), ("03", "06"), ("07", "08")]:
        assert numbers.index(earlier) < numbers.index(later)
    for earlier, later in [("05", "09"), ("06", "09"), ("08", "10"), ("09", "10"), ("08", "11"), ("11", "12")]:
        assert numbers.index(earlier) < numbers.index(later)
    assert finished.run("all") == []


def test_another_frame_trains_again_what_sees_bodies_in_it(finished):
    path = finished.root / "notebooks" / "profiles" / "smoke.yaml"
    before = path.read_text()
    assert finished.plan("train", train="all") == []
    profile = yaml.safe_load(before)
    profile["body_frame"]["lowest_voxel"] += 1
    path.write_text(yaml.safe_dump(profile))
    planned = finished.plan("train", train="all")
    path.write_text(before)
    assert {step[:2] for step in planned} >= {"03", "04", "05", "06"}
    assert "07_train_segmenter" not in planned and "01_make_reference_cohort" not in planned


def test_touch_runs_nothing_and_an_edit_what_rests_on_it(finished):
    for path in ("vctlib/measure/mass.py", "notebooks/09_synthesize_people.ipynb"):
        os.utime(finished.root / path)
    finished.append("vctlib/plots/style.py", "\n# how it looks\n")
    assert finished.run("all") == []
    finished.append("notebooks/10_evaluate_generator.ipynb", " ")
    assert finished.run("all") == ["10_evaluate_generator"]
    finished.append("vctlib/trial/report.py", "\n# edited\n")
    assert finished.run("all") == ["12_run_trial"]


def test_edit_of_a_network_trains_nothing_unless_training_is_asked_for(finished):
    finished.append("vctlib/networks/unet.py", "\n# edited\n")
    assert not set(finished.plan("all")) & set(TRAINING)
    assert set(TRAINING) <= set(finished.plan("train", train="all"))
    assert "01_make_reference_cohort" not in finished.plan("train", train="all")
    finished.run("all")


def test_change_of_one_section_of_the_profile_runs_what_reads_it(finished):
    path = finished.root / "notebooks" / "profiles" / "smoke.yaml"
    before = path.read_text()
    profile = yaml.safe_load(before)
    profile["trial"]["bootstrap"] += 1
    path.write_text(yaml.safe_dump(profile))
    assert finished.plan("all") == ["12_run_trial"]
    profile["synthesis"]["steps"] += 1
    path.write_text(yaml.safe_dump(profile))
    assert finished.plan("all") == ["09_synthesize_people", "10_evaluate_generator", "12_run_trial"]
    path.write_text(before + "# a comment changes nothing\n")
    assert finished.plan("all") == []


def test_released_weights_stand_in_for_training(repository):
    repository.release(*WEIGHTS)
    assert sorted(repository.run("all")) == EVALUATION
    assert not (repository.root / "runs/smoke/models").exists()
    assert (repository.root / "runs/smoke/tables/populations_muscle.csv").read_text() == "released"
    assert repository.plan("all") == []


def test_training_that_has_weights_is_a_target_with_nothing_to_do(repository):
    repository.release(*WEIGHTS)
    assert repository.plan("train_segmenter") == []
    repository.run("train", train="train_segmenter")
    assert repository.plan("train_segmenter") == []


def test_one_missing_release_trains_that_component_only(repository):
    repository.release(*(name for name in WEIGHTS if name != "populations_muscle.csv"))
    assert set(repository.plan("all")) & set(TRAINING) == {"11_train_slice_regressors"}


def test_own_training_goes_before_the_release(repository):
    repository.release(*WEIGHTS)
    repository.run("all")
    repository.run("train", train="train_segmenter")
    assert (repository.root / "runs/smoke/models/segmenter.safetensors").is_file()
    again = repository.plan("all")
    assert "07_train_segmenter" not in again
    assert {"08_reconstruct_people", "09_synthesize_people", "13_read_real_ct"} <= set(again)


def test_training_that_did_not_come_to_its_end_is_not_taken_for_one(repository):
    weights = repository.root / "runs/smoke/models/segmenter.safetensors"
    weights.parent.mkdir(parents=True)
    weights.write_text("from a run that was killed before its result was written")
    assert "07_train_segmenter" in repository.plan("all")


def test_failure_keeps_the_others_and_its_own_files(repository):
    repository.release(*WEIGHTS)
    resume = repository.root / "runs/smoke/cohorts/synthetic/ct/a.nii.gz"
    resume.parent.mkdir(parents=True)
    resume.write_text("made before the failure")
    ran = repository.run("all", fails="09_synthesize_people")
    assert "13_read_real_ct" in ran and "10_evaluate_generator" not in ran
    assert resume.exists()
    assert set(repository.run("all")) == {"09_synthesize_people", "10_evaluate_generator", "12_run_trial"}


def test_target_is_a_step_and_what_it_needs(repository):
    assert repository.plan("measure_reference_cohort") == ["01_make_reference_cohort", "02_measure_reference_cohort"]
    assert repository.plan("train_latent_diffusion") == [
        "01_make_reference_cohort",
        "03_train_image_autoencoder",
        "04_train_segmentation_autoencoder",
        "05_train_latent_diffusion",
    ]


def test_studies_stand_beside_the_book_and_run_by_name(finished):
    for target, config in (("all", {}), ("train", {"train": "all"})):
        assert not set(finished.plan(target, **config)) & set(STUDIES)
    assert finished.plan("studies") == sorted(STUDIES) != []  # all that they need is there


def test_study_brings_what_it_needs(repository):
    repository.release(*WEIGHTS)
    assert repository.plan("show_gallery") == ["01_make_reference_cohort", "17_show_gallery"]


def test_wrong_configuration_is_one_line(repository):
    for config in ({"train": "train_everything"}, {"profile": "smock"}):
        with pytest.raises(InputError, match=r"no such rule|no profile 'smock'") as error:
            repository.plan("all", **config)
        assert "\n" not in str(error.value)


def test_library_of_a_notebook_is_what_it_imports(tmp_path):
    (tmp_path / "vctlib" / "a").mkdir(parents=True)
    (tmp_path / "vctlib" / "plots").mkdir()
    files = {
        "__init__.py": "",
        "a/__init__.py": "from .two import value",
        "a/one.py": "def f():\n    from vctlib.b import g",
        "a/two.py": "import numpy",
        "a/unused.py": "",
        "b.py": "from vctlib import c\nfrom vctlib.plots import style",
        "c.py": "",
        "plots/__init__.py": "",
        "plots/style.py": "from vctlib.a import unused",
    }
    for name, source in files.items():
        (tmp_path / "vctlib" / name).write_text(source)
    cells = [{"cell_type": "code", "source": source} for source in ("%matplotlib inline", "from vctlib.a.one import f")]
    (tmp_path / "n.ipynb").write_text(json.dumps({"cells": cells}))
    found = library_of(tmp_path / "n.ipynb", tmp_path)
    assert found == [f"vctlib/{name}" for name in ("a/__init__.py", "a/one.py", "a/two.py", "b.py", "c.py")]


def test_notebooks_and_steps_are_the_same():
    found = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert found == sorted([*STEPS, *STUDIES])


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebook_takes_what_the_graph_gives(path):
    declared = declared_parameters(path, read_cells(path))
    assert {"profile", "out", "seed"} <= set(declared), json.dumps(sorted(declared))
