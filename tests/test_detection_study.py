"""Study 26 run whole on a few blocky people, whose lesions are painted here in the place of the phantoms'."""

import json

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.cells import run_cells
from tests.conftest import make_block_people
from vctlib.anatomy import TOTAL, ids_of
from vctlib.cohort import CohortWriter
from vctlib.errors import InputError
from vctlib.networks.components import restore

LIVER, LESION = (ids_of(TOTAL, name)[0] for name in ("liver", "liver_lesion"))
PROTOCOL = {
    "task": "liver_lesions", "endpoint": "auc", "truth_column": "truth",
    "margins": {"acceptable": 0.9, "failure": 0.8},
    "populations": {"short": {"height_cm": [100, 170]}, "tall": {"height_cm": [170, 220]}},
    "arms": ["real", "synthetic"], "n_resamples": 100,
}  # fmt: skip


def _with_lesions(healthy, folder):
    """The same people; one in four of those to train on, and every second to test, has a dark lesion."""
    writer = CohortWriter(folder, healthy.info.model_copy(update={"name": "lesions"}))
    (folder / "findings").mkdir()
    for number, person in enumerate(healthy.subjects):
        (hu, affine), labels, found = healthy.ct(person), healthy.labels(person), []
        if number % 4 == 1 or number % 16 in (3, 7):
            place = np.argwhere(labels == LIVER).mean(0).round().astype(int)
            hu[tuple(place)], labels[tuple(place)] = -60, LESION
            found = [{"kind": "liver_lesion", "diameter_mm": 50.0, "contrast_hu": -150.0}]
            found[0]["position_mm"] = [float(value) for value in (affine @ [*place, 1])[:3]]
        (folder / "findings" / f"{person}.json").write_text(json.dumps(found))
        writer.add(person, healthy.table.loc[person].to_dict(), hu, labels, affine)
    return writer.finish(healthy.subjects)


@pytest.fixture
def people(tmp_path, micro_profile, monkeypatch):
    """Cohorts and files that the study needs, by its parameters' names."""
    healthy = make_block_people(tmp_path / "reference", micro_profile, 48)
    monkeypatch.setattr("vctlib.sources.reference.make_reference", lambda _, folder, __: _with_lesions(healthy, folder))
    tested = healthy.subset("test")
    cohorts = {"reference": healthy}
    for kind, draws in (("reconstructed", 1), ("synthetic", 2)):
        writer = CohortWriter(tmp_path / kind, healthy.info.model_copy(update={"name": kind, "kind": kind}))
        ids = [f"{person}-{draw}" for person in tested.subjects for draw in range(draws)]
        for subject_id in ids:
            person = subject_id.split("-")[0]
            (hu, affine), labels = healthy.ct(person), healthy.labels(person)
            if subject_id == "B3-1":  # a synthetic body that came out without a liver
                labels[labels == LIVER] = 0
            row = healthy.table.loc[person].to_dict() | {"reference_id": person}
            writer.add(subject_id, row, hu, labels, affine)
        cohorts[kind] = writer.finish(ids)
    profile, protocol = tmp_path / "micro.yaml", tmp_path / "protocol.yaml"
    profile.write_text(yaml.safe_dump(micro_profile.model_dump(mode="json")))
    protocol.write_text(yaml.safe_dump(PROTOCOL))
    files = {"profile": str(profile), "protocol": str(protocol), "out": str(tmp_path / "out")}
    return files | {name: str(cohort.path) for name, cohort in cohorts.items()}


STEPS = {"steps": 60, "batch_size": 4, "learning_rate": 5e-3, "warmup_steps": 5}
QUICK = {"lesion_detector": {"channels": [8, 16], "box_mm": [240, 240, 240], "optimization": STEPS}}


def test_a_detector_is_tried_in_every_arm(people, monkeypatch, tmp_path):
    (tmp_path / "out" / "cohorts").mkdir(parents=True)
    names, metrics = run_cells("26_detect_lesions", monkeypatch, **people, overrides=QUICK)
    predictions = pd.read_csv(tmp_path / "out" / "tables" / "detection.csv")
    assert dict(predictions["arm"].value_counts()) == {"synthetic": 24, "real": 12, "inserted": 12, "reconstructed": 12}
    height = names["people"]["height_cm"]
    assert (height[names["taught"]] < 170).all() and not set(names["taught"]) & set(predictions["subject_id"])
    truth = predictions.set_index("image")["truth"]
    assert (truth[["B3", "B7", "B7-0"]] == 1).all() and (truth[["B11", "B15", "B15-1"]] == 0).all()
    assert predictions.loc[predictions["prediction"].isna(), "image"].tolist() == ["B3-1"]
    assert metrics["unanswered"].value == 1 and metrics["auc_real_short"].n == 6
    assert metrics["auc_real_short"].value > 0.9  # one dark voxel in a liver without noise
    assert restore(tmp_path / "out" / "detection" / "lesion_detector.safetensors", "lesion_detector")
    for figure in ("26_roc", "26_lesion"):
        assert (tmp_path / "out" / "figures" / f"{figure}.svg").stat().st_size > 5_000
    shown = pd.read_csv(tmp_path / "out" / "tables" / "detection_by_arm.csv")
    assert len(shown) == 8 and (tmp_path / "out" / "tables" / "detection_by_size.csv").is_file()


def test_only_phantoms_can_be_made_with_lesions(people, monkeypatch):
    with pytest.raises(InputError, match="a profile of phantoms without conditions"):
        run_cells("26_detect_lesions", monkeypatch, **people, overrides={"cohort": {"source": "nifti", "n_more": 0}})
