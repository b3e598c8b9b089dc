"""The studies of the trial, each run whole on a few blocky people with models that have hardly learned anything."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.conftest import make_block_people
from vctlib.cohort import Cohort, CohortInfo, CohortWriter
from vctlib.networks.components import build, release


@pytest.fixture
def judged_people(tmp_path):
    """Forty-eight people, half of them tested, whose brightness is their fat; generated ones are a little brighter."""
    found = {}
    for kind, brighter in (("reference", 0), ("reconstructed", 5), ("synthetic", 10), ("others", 0)):
        about = {
            "name": kind,
            "kind": "reference" if kind == "others" else kind,
            "labels": None,
            "source": "blocks",
            "code_version": "0",
            "seed": 0,
        }
        writer = CohortWriter(tmp_path / kind, CohortInfo(spacing_mm=(40, 40, 40), grid=(12, 12, 24), **about))
        ids, measured = [], []
        for number in range(48):
            person, split = f"B{number:02d}", ("train", "test")[number % 2]
            if kind != "reference" and split == "train":
                continue
            row = {"sex": ("female", "male")[number // 2 % 2], "age_years": 30.0 + number, "height_cm": 170.0}
            row |= {"weight_kg": 60.0 + number, "split": split, "reference_id": person}
            ids.append(f"{person}-s0" if kind == "synthetic" else person)
            writer.add(ids[-1], row, np.full((12, 12, 24), 10 * number + brighter, np.int16), None, np.eye(4))
            measured.append({"subject_id": ids[-1], "body_fat_percent_measured": 20.0 + number})
        writer.finish(ids)
        table = pd.DataFrame(measured).assign(muscle_percent_measured=40.0, liver_volume_ml_measured=range(len(ids)))
        table = table.assign(bone_density_g_per_cm3_measured=1.0 + table["liver_volume_ml_measured"] / 100)
        table.to_csv(tmp_path / f"{kind}.csv", index=False)
        found |= {kind: str(tmp_path / kind)}
    return found | {
        ("measured" if kind == "reference" else f"{kind}_measured"): f"{tmp_path}/{kind}.csv" for kind in found
    }


def test_many_models_are_judged_by_both_arms(study, out, judged_people):
    models = {"fat, all": {"task": "fat"}, "liver, women": {"task": "liver", "people": {"sex": "female"}}}
    given = {"populations": {"all": {}, "old": {"age_years": [40, 99]}}, "sizes": [5, 8], "n_draws": 2}
    names, metrics = study("23_judge_verdicts", **judged_people, **given, models=models, n_train=6, n_calibrate=5)
    cells = pd.read_csv(out / "tables" / "verdict_cells.csv")
    assert cells[["model", "population"]].drop_duplicates().shape == (4, 2)
    everybody = cells[cells["population"] == "all"]
    assert set(everybody["n_synthetic"]) == {19} == set(everybody["n_calibrated"])  # 24, five of them set apart
    apart = {name: names["people"].loc[list(ids)] for name, ids in names["calibrating"].items()}
    assert all(len(own) == 5 and set(own["split"]) == {"test"} for own in apart.values())
    assert set(apart["liver, women"]["sex"]) == {"female"} and metrics["people_set_apart_least"].value == 5
    assert 0 <= metrics["same_verdict_calibrated"].value <= 1 and metrics["same_verdict_calibrated"].n == 4
    assert (out / "tables" / "verdict_agreement_calibrated.csv").is_file()
    assert metrics["same_verdict_others"].n == 4 and metrics["same_verdict_others"].value == 1  # who are the same
    assert len(names["taught_by"]["fat, all"]) == 6
    women = names["people"].loc[list(names["taught_by"]["liver, women"])]
    assert set(women["sex"]) == {"female"} and set(women["split"]) == {"train"} and len(women) == 6
    limits = names["limits"]["liver"]
    assert limits.failure == pytest.approx(1.5 * limits.acceptable) and limits.acceptable > 0
    assert metrics["cells"].value == 4 and 0 <= metrics["same_verdict"].value <= 1
    decidable = cells[cells.groupby("task")["verdict_real"].transform("nunique") > 1]
    assert metrics["controls_same_verdict"].n == (decidable["model"] == "fat, all").sum()  # the other saw women alone
    assert sum(metrics[f"both_{name}"].value for name in ("pass", "fail", "open")) <= 4
    assert (out / "figures" / "23_verdicts.svg").is_file() and (out / "figures" / "23_agreement_by_size.svg").is_file()


def _models_on_trial(folder: Path, out: Path, profile, shop, member: dict[str, str]) -> str:
    """The folder of all networks, two that have learned nothing but a mean among them; `member` says who is where."""
    shutil.copytree(shop.models, folder / "models")
    (out / "tables").mkdir(exist_ok=True)
    for task in ("body_fat", "muscle"):
        network, name = build("slice_regressor", profile), f"slice_regressor_{task}"
        network.set_target_statistics(30.0, 5.0)
        release(folder / "models" / f"{name}.safetensors", name, network, profile, {})
        table = pd.DataFrame({"subject_id": list(member), "population": list(member.values())})
        table.to_csv(out / "tables" / f"populations_{task}.csv", index=False)
    return str(folder / "models")


def test_a_model_is_trained_on_with_people_who_taught_it_nothing(study, out, micro_profile, micro_shop, tmp_path):
    people = make_block_people(tmp_path / "reference", micro_profile, 32)
    rng = np.random.default_rng(0)
    measured = pd.DataFrame({"subject_id": people.subjects, "body_fat_percent_measured": rng.uniform(20, 40, 32)})
    measured["muscle_percent_measured"] = 75 - measured["body_fat_percent_measured"] + rng.normal(0, 2, 32)
    measured["body_volume_l_measured"] = 60 + measured["body_fat_percent_measured"] + rng.normal(0, 5, 32)
    measured.to_csv(tmp_path / "measured.csv", index=False)
    train, test = (people.subset(split).subjects for split in ("train", "test"))
    member = pd.Series("train", train[:6]).to_dict() | dict(zip(test, ["ID", "OOD"] * 4, strict=True))
    models = _models_on_trial(tmp_path, out, micro_profile, micro_shop[0], member)
    given = {"reference": str(people.path), "measured": f"{tmp_path}/measured.csv", "models": models}
    names, metrics = study("24_repair_model", **given, n_people=3, epochs=1)
    assert not {person for ids in names["beyond"].values() for person in ids} & set(test)
    assert set(names["synthetic"].table["reference_id"]) == set(names["wanted"].index)
    table = pd.read_csv(out / "tables" / "repair.csv").set_index(["task", "population", "arm"])
    assert (table.loc[(slice(None), slice(None), "as it is"), "change"] == 0).all() and len(table) == 16
    row = table.loc[("body_fat", "OOD", "with synthetic people")]
    assert row["change"] == pytest.approx(row["value"] - table.at[("body_fat", "OOD", "as it is"), "value"])
    assert metrics["muscle_ID_trained_on_nobody_new_mae"].n == 4


def test_parts_of_a_picture_are_exchanged(study, out, micro_profile, micro_shop, tmp_path):
    people = make_block_people(tmp_path / "reference", micro_profile, 8)
    info = people.info.model_copy(update={"name": "reconstructed", "kind": "reconstructed"})
    writer = CohortWriter(tmp_path / "reconstructed", info)
    for number, person in enumerate(people.subjects):
        hu, affine = people.ct(person)
        changed = np.where(hu > -500, hu - 20, hu) if number else hu  # of the first, nothing was lost
        row = people.table.loc[person].to_dict() | {"reference_id": person}
        writer.add(person, row, changed, people.labels(person), affine)
    writer.finish(people.subjects)
    member = dict(zip(people.subjects, ["ID", "OOD"] * 4, strict=True))
    models = _models_on_trial(tmp_path, out, micro_profile, micro_shop[0], member)
    given = {"reference": str(people.path), "reconstructed": f"{tmp_path}/reconstructed", "models": models}
    names, metrics = study("27_exchange_parts", **given, n_people=5)
    own = names["found"].loc["B0"].filter(like="muscle/")
    assert len(own) == 12 and own.nunique() == 1  # all its pictures are the same
    table = pd.read_csv(out / "tables" / "exchange.csv").set_index("subject_id")
    moved = table["body_fat/reconstruction"] - table["body_fat/CT"]
    ids = ["B0", "B2", "B4"]
    assert metrics["body_fat_ID_reconstruction_moved"].value == pytest.approx(moved[ids].mean())
    into = table["body_fat/CT, fat of the reconstruction"]
    error = metrics["body_fat_ID_CT_fat_of_the_reconstruction_mean_error"]
    assert error.value == pytest.approx(into[ids].mean()) and error.n == 3
    assert (out / "figures" / "27_exchange.svg").is_file() and len(names["shown"]) == 2 * 2 * 12


def _cohort_of_kind(folder: Path, people: Cohort, kind: str, ending: str, brighter: int) -> Cohort:
    """Everybody for testing again, a little brighter."""
    info = people.info.model_copy(update={"name": kind, "kind": "reference" if kind == "others" else kind})
    writer, ids = CohortWriter(folder / kind, info), []
    for person in people.subset("test").subjects:
        hu, affine = people.ct(person)
        row = people.table.loc[person].to_dict() | {"reference_id": person}
        ids.append(person + ending)
        writer.add(ids[-1], row, np.where(hu > -500, hu + brighter, hu), people.labels(person), affine)
    return writer.finish(ids)


def test_other_people_stand_in_the_place_of_synthetic_ones(
    study, out, micro_profile, micro_shop, tmp_path, monkeypatch
):
    people = make_block_people(tmp_path / "reference", micro_profile, 48)
    tested = people.subset("test").subjects
    monkeypatch.setattr(
        "vctlib.sources.reference.make_phantom_cohort",
        lambda folder, wanted, **_: _cohort_of_kind(Path(folder).parent, people, "others", "-o0", 0),
    )
    rng = np.random.default_rng(0)
    columns = {"body_fat_percent_measured": rng.uniform(20, 40, 48), "muscle_percent_measured": rng.uniform(30, 50, 48)}
    measured = pd.DataFrame({"subject_id": people.subjects, **columns})
    measured["body_volume_l_measured"] = 60 + measured["body_fat_percent_measured"]
    (out / "tables").mkdir(exist_ok=True)
    given, predicted = {"reference": str(people.path)}, []
    for kind, ending, brighter in (("reconstructed", "", 5), ("synthetic", "-s0", 10)):
        cohort = _cohort_of_kind(tmp_path, people, kind, ending, brighter)
        given[kind] = str(cohort.path)
        of_tested = measured.set_index("subject_id").loc[tested].set_axis(cohort.subjects)
        of_tested.rename_axis("subject_id").to_csv(out / "tables" / f"{kind}_segmented.csv")
    measured.to_csv(out / "tables" / "reference_segmented.csv", index=False)
    own = people.table[["sex", "age_years", "height_cm", "weight_kg", "split"]].join(measured.set_index("subject_id"))
    member = dict(zip(tested, ["ID", "OOD"] * 6, strict=True))
    for arm, error in (("real", 1.0), ("reconstructed", 2.0), ("synthetic", 4.0)):
        predicted.append(own.loc[tested].rename_axis("subject_id").reset_index().assign(arm=arm, error=error))
    predicted = pd.concat(predicted).assign(population=lambda t: t["subject_id"].map(member))
    for task, column in (("body_fat", "body_fat_percent_measured"), ("muscle", "muscle_percent_measured")):
        table = predicted.assign(truth=predicted[column], prediction=predicted[column] + predicted["error"])
        table.to_csv(out / "tables" / f"predictions_{task}.csv")
    models = _models_on_trial(tmp_path, out, micro_profile, micro_shop[0], member)
    overrides = {"synthesis": {"draws_per_person": 1}}
    names, metrics = study("29_draw_other_people", **given, models=models, overrides=overrides, n_told=3)
    assert names["others"].subjects == [f"{person}-o0" for person in tested] and metrics["others"].value == 12
    assert metrics["body_fat_ID_real_mae"].value == pytest.approx(1.0) and metrics["body_fat_ID_real_mae"].n == 6
    assert metrics["muscle_OOD_synthetic_mae"].value == pytest.approx(4.0)
    read = pd.read_csv(out / "tables" / "others_predictions_body_fat.csv")
    assert read["prediction"].nunique() == 1  # these people look the same
    error = (read["prediction"] - read["truth"]).abs().groupby(read["population"]).mean()
    assert metrics["body_fat_OOD_other_people_mae"].value == pytest.approx(error["OOD"])
    added = metrics["body_fat_OOD_added_by_attributes_alone"].value
    assert added == pytest.approx(error["OOD"] - 1.0)
    assert metrics["body_fat_OOD_added_by_the_generator"].value == pytest.approx(4.0 - error["OOD"])
    told = pd.DataFrame([json.loads(path.read_text()) for path in (out / "rows" / "told").glob("B*.json")])
    change = told["body_fat/answer/more"] - told["body_fat/answer/less"]
    assert metrics["body_fat_answer_moved"].value == pytest.approx(change.mean()) and len(told) == 3
    assert (out / "figures" / "29_others.svg").is_file()
    shown = pd.read_csv(out / "tables" / "others_by_arm.csv")
    assert set(shown["Arm"]) >= {"Real", "Other people", "Synthetic"}
