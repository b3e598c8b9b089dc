"""What step 10 says of copies: its own cells on people made of blocks, with copies in the place of synthetic people."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from vctlib.cohort import Cohort, CohortWriter
from vctlib.errors import InputError
from vctlib.networks.weights import save_weights

CELLS = json.loads((Path(__file__).parents[1] / "notebooks" / "10_evaluate_generator.ipynb").read_text())["cells"]
SOURCES = {cell["id"]: "".join(cell["source"]) for cell in CELLS}
SETTLE, COMPARE, SHOW = "10-02", "10-14", "10-25"


def like(cohort: Cohort, path: Path, bodies: dict) -> Cohort:
    """Other bodies on the grid of a cohort, in a folder of their own: id -> CT in HU."""
    writer = CohortWriter(path, cohort.info.model_copy(update={"labels": None}))
    row = {"sex": "female", "age_years": 50.0, "height_cm": 165.0, "weight_kg": 65.0, "split": "train"}
    for subject_id, hu in bodies.items():
        writer.add(subject_id, row, hu, None, np.diag([*cohort.info.spacing_mm, 1.0]))
    return writer.finish(bodies)


@pytest.fixture
def out(tmp_path, micro_profile, tiny_people) -> Path:
    """What teaches and is made: 6 reference people and 2 of `more` with ids that repeat; a copy of B1 of either."""
    body = {s: tiny_people.ct(s)[0] for s in tiny_people.subjects}
    noise = np.random.default_rng(0).integers(-40, 40, (2, *tiny_people.info.grid)).astype(np.int16)
    others = {"B0": body["B0"] + noise[0] + 60, "B1": body["B1"] + noise[1] + 60}
    folder = tmp_path / "out"
    like(tiny_people, folder / "cohorts" / "more", others)
    like(tiny_people, folder / "cohorts" / "synthetic", {"B3-s0": body["B1"] + 1, "B7-s0": others["B1"] + 2})
    held_out = {s: body[s] + 5 for s in tiny_people.subset("test").subjects}
    like(tiny_people, folder / "cohorts" / "reconstructed", held_out)
    training = {"training": {"people": 8}}
    (folder / "models").mkdir()
    save_weights(folder / "models" / "latent_diffusion.safetensors", {"bias": torch.zeros(1)}, training)
    (tmp_path / "micro.yaml").write_text(yaml.safe_dump(micro_profile.model_dump(mode="json")))
    return folder


def look_for_copies(out: Path, tiny_people: Cohort, **given) -> tuple[dict, pd.DataFrame, list[str]]:
    """The metrics, the table, and the captions of the closest pairs."""
    names = {"seed": 0, "overrides": {}, "reconstructed": None, "synthetic": None, "more": None, "models": None}
    names |= {"profile": str(out.parent / "micro.yaml"), "out": str(out), "reference": str(tiny_people.path)} | given
    exec(SOURCES[SETTLE], names)
    cohorts = names["cohorts"]
    names["arms"] = cohorts | {"reference": names["people"]}
    names |= {"drawn": cohorts["synthetic"], "metrics": {}}
    exec(SOURCES[COMPARE], names)
    exec(SOURCES[SHOW], names)
    return names["metrics"], pd.read_csv(out / "tables" / "nearest_training_distance.csv"), names["captions"]


def test_copies_are_sought_among_everybody_who_taught(out, tiny_people, capsys):
    metrics, table, captions = look_for_copies(out, tiny_people)
    assert metrics["memorization_people"]["value"] == metrics["memorization_people_trained"]["value"] == 8
    assert "compared with 8 of the 8 people" in capsys.readouterr().out
    assert table.groupby("cohort").size().to_dict() == {"reconstructed": 2, "reference": 2, "synthetic": 2}
    synthetic = table[table["cohort"] == "synthetic"].set_index("subject_id")
    columns = ["nearest_cohort", "nearest_id"]
    assert synthetic.loc["B7-s0", columns].tolist() == ["more", "B1"]
    assert synthetic.loc["B3-s0", "nearest_cohort"] == "reference"
    assert synthetic["nearest_hu"].max() < 2 and metrics["closer_than_any_held_out"]["value"] == 100
    assert captions[0].startswith("B3-s0, ") and captions[0].split("\n")[1] in ("reference B1", "reference B5")  # twins
    assert captions[1].startswith("B7-s0, ") and captions[1].endswith("HU from\nmore B1")
    assert (out / "figures" / "10_closest_pairs.svg").is_file()


def test_without_their_folder_the_step_says_how_many_are_missing(out, tiny_people, capsys):
    (out / "cohorts" / "more").rename(out / "elsewhere")
    metrics, table, captions = look_for_copies(out, tiny_people)
    assert (metrics["memorization_people"]["value"], metrics["memorization_people_trained"]["value"]) == (6, 8)
    assert "compared with 6 of the 8 people" in capsys.readouterr().out
    assert set(table["nearest_cohort"]) == {"reference"} and "more" not in "".join(captions)
    assert table.set_index("subject_id").loc["B7-s0", "nearest_hu"] > 10  # the copy is not found
    again, _, captions = look_for_copies(out, tiny_people, more=str(out / "elsewhere"))
    assert again["memorization_people"]["value"] == 8 and captions[1].endswith("more B1")
    with pytest.raises(InputError, match="nowhere: no finished cohort"):
        look_for_copies(out, tiny_people, more=str(out / "nowhere"))
