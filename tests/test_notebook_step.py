"""The beginning and the end of every notebook: where it writes, what it needs, which weights, what it leaves."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from vctlib import notebook, results
from vctlib.errors import InputError
from vctlib.notebook import Step
from vctlib.results import metric

ROOT = Path(__file__).parents[1]


@pytest.fixture
def step(tmp_path, monkeypatch) -> Step:
    monkeypatch.setattr(notebook, "ROOT", tmp_path)
    return Step.begin("05_train_latent_diffusion", "smoke", 7, str(tmp_path / "out"), {}, reference=None)


def touch(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_profile_seed_and_place_are_printed_and_settled(tmp_path, capsys):
    overrides = {"synthesis": {"steps": 3}}
    step = Step.begin("x", "smoke", 7, str(tmp_path / "out"), overrides, models=None)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "profile smoke: 16 x 16 x 16 mm, 48 x 32 x 128 voxels; seed 7"
    assert said[1].startswith("hardware: ") and said[2].endswith("figures mean nothing.")
    assert step.out == tmp_path / "out" and step.profile.synthesis.steps == 3
    expected = {"profile": "smoke", "seed": 7, "out": str(tmp_path / "out"), "overrides": overrides, "models": None}
    assert step.parameters == expected
    Step.begin("x", "laptop", 0, str(tmp_path))
    assert len(capsys.readouterr().out.splitlines()) == 2  # whose figures do mean something


def test_folders_are_below_the_repository_unless_absolute(tmp_path, monkeypatch):
    monkeypatch.setattr(notebook, "ROOT", tmp_path)
    assert Step.begin("x", "smoke", 0, None).out == tmp_path / "runs" / "smoke"
    assert Step.begin("x", "smoke", 0, "elsewhere").out == tmp_path / "elsewhere"
    assert list(tmp_path.iterdir()) == []  # nothing is made before something is written


@pytest.mark.parametrize("wrong", [{"cohort": {"n_peopel": 3}}, {"sed": 1}])
def test_wrong_overrides_are_one_line(tmp_path, wrong):
    with pytest.raises(InputError, match="unknown key") as error:
        Step.begin("x", "smoke", 0, str(tmp_path), wrong)
    assert "\n" not in str(error.value)


def test_every_missing_input_names_a_notebook_that_exists(step):
    for relative, made_by in notebook._MADE_BY.items():
        assert (ROOT / "notebooks" / f"{made_by}.ipynb").is_file()
        with pytest.raises(InputError, match=rf"notebooks/{made_by}\.ipynb") as error:
            step.need(None, relative)
        assert str(step.out / relative) in str(error.value) and "\n" not in str(error.value)


def test_whatever_a_notebook_asks_for_has_a_maker():
    asked = set()
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        source = "".join("".join(cell["source"]) for cell in json.loads(path.read_text())["cells"])
        asked |= set(re.findall(r'step\.need\(\w+, f?"([^"]+)"', source))
        asked |= {f"tables/{name}.csv" for name in re.findall(r'step\.table\(f?"([^"]+)"', source)}
    plain = {name for name in asked if "{" not in name}
    patterns = [re.sub(r"\{\w+\}", r"\\w+", name) for name in asked - plain]
    assert plain <= set(notebook._MADE_BY) and {"cohorts/reference", "tables/synthetic_consistency.csv"} <= plain
    assert all(any(re.fullmatch(pattern, known) for known in notebook._MADE_BY) for pattern in patterns)


def test_cohort_that_is_not_finished_is_missing(step):
    folder = step.out / "cohorts" / "reference"
    touch(folder / "begun.json")
    with pytest.raises(InputError, match="not there yet"):
        step.need(None, "cohorts/reference")
    touch(folder / "cohort.json")
    assert step.need(None, "cohorts/reference") == folder


def test_given_input_goes_before_the_default(step, tmp_path):
    touch(step.out / "tables" / "reference_segmented.csv", "subject_id,v\n007,1\n")
    given = touch(tmp_path / "mine.csv", "subject_id,v\n008,2\n")
    assert list(step.table("reference_segmented").index) == ["007"]  # an id stays text
    assert step.table("reference_segmented", str(given)).loc["008", "v"] == 2
    with pytest.raises(InputError, match="nowhere.csv is not there yet"):
        step.table("reference_segmented", str(tmp_path / "nowhere.csv"))
    with pytest.raises(InputError, match="not there yet"):
        step.need(str(tmp_path), "cohorts/reference")  # a folder, but no cohort


def test_weights_given_then_trained_then_released(step, tmp_path):
    name = "segmenter.safetensors"
    with pytest.raises(InputError, match=r"no weights segmenter.safetensors.*make train PROFILE=smoke") as error:
        step.weights("segmenter")
    assert "\n" not in str(error.value)
    released = touch(tmp_path / "models" / "smoke" / name)
    assert step.weights("segmenter") == released
    trained = touch(step.out / "models" / name)
    assert step.weights("segmenter") == trained
    given = touch(tmp_path / "mine" / name)
    assert step.weights("segmenter", str(given.parent)) == given
    assert step.weights("segmenter", "mine") == given  # below the repository
    with pytest.raises(InputError, match="image_autoencoder"):
        step.weights("image_autoencoder", "mine")  # of the folder given, or of none


def test_tables_keep_their_index_where_it_has_a_name(step):
    table = pd.DataFrame({"v": [1.5]}, pd.Index(["007"], name="subject_id"))
    assert step.save_table(table, "a").read_text() == "subject_id,v\n007,1.5\n"
    assert step.save_table(table.reset_index(drop=True), "b").read_text() == "v\n1.5\n"


def test_the_end_writes_the_result_and_glues_it_for_the_book(step, tmp_path, monkeypatch):
    import myst_nb

    glued = {}
    monkeypatch.setattr(myst_nb, "glue", lambda name, value, display: glued.update({name: value}))
    source = touch(tmp_path / "in.csv", "x")
    metrics = {"mae": metric(2.5, "pp", 12, (2.0, 3.0)), "absent": metric(float("nan"), "1", 0)}
    written = step.finish(metrics, [source])
    read = results.read(step.out / "results" / "05_train_latent_diffusion.json")
    assert read.metrics["mae"].value == 2.5 and read.seed == 7 and read.profile == "smoke"
    assert read.parameters["reference"] is None and read.wall_seconds > 0
    assert list(read.inputs.values()) == [results.sha256(source)]
    assert (glued["mae"], glued["mae.n"], glued["mae.low"], glued["mae.high"]) == (2.5, 12, 2.0, 3.0)
    assert all(glued[name] != glued[name] for name in ("absent", "absent.low", "absent.high"))  # NaN, never None
    assert glued["profile"] == "smoke" and glued["created"] == written["created"]
    with pytest.raises(InputError, match="result.*not finite|value"):
        step.finish({"bad": {"value": float("inf"), "unit": "1", "n": 1}})
