"""The studies beside the book, each run whole on a few blocky people with hardly trained networks.

Their cells run here, in this process: a kernel for each would cost more than all of them.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.cells import run_cells
from tests.conftest import make_block_people
from vctlib.cohort import Cohort, CohortInfo, CohortWriter
from vctlib.errors import InputError
from vctlib.metrics.regions import REGIONS
from vctlib.networks.components import build, release
from vctlib.training.equal_time import standard_configurations


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("studies")


@pytest.fixture
def study(out, micro_profile, micro_shop, tiny_people, monkeypatch):
    """Runs the cells of a notebook with parameters, strictly; returns its variables and its result."""
    profile = out / "micro.yaml"
    profile.write_text(yaml.safe_dump(micro_profile.model_dump(mode="json")))

    def run(name: str, **given):
        given = {"reference": str(tiny_people.path), "models": str(micro_shop[0].models)} | given
        given = {name: value for name, value in given.items() if value is not None}
        return run_cells(name, monkeypatch, **given, profile=str(profile), out=str(out))

    return run


def test_gallery_has_everybody_and_marks_what_was_never_taught(study, out):
    given = {"ages_years": [40, 99], "heights_cm": {"female": 160.0}, "builds_bmi": {"medium": 25.0}}
    names, metrics = study("17_show_gallery", **given)
    assert Cohort.open(out / "cohorts" / "gallery").subjects == ["female-40-medium-s0", "female-99-medium-s0"]
    assert names["asked"].at["female-99-medium", "flag"] == "extrapolation"
    assert metrics["bodies"].value == 2 and metrics["extrapolation"].value >= 1
    assert (out / "figures" / "17_gallery.svg").stat().st_size > 10_000
    assert (out / "figures" / "17_radiographs.svg").is_file()
    turned = {f"female-{age}-medium{ending}" for age in (40, 99) for ending in (".js", ".png", "-small.png")}
    assert {path.name for path in (out / "volumes").iterdir()} == turned | {"gallery.json"}


ARMS = {
    "as it is": {},
    "guided": {"synthesis": {"guidance_scale": 2.0}, "seed": 4},
    "retrained": {"people_share": 0.9, "steps_share": 0.5},
    "as decoded": {"post_processing": False},
}


def test_every_arm_is_measured_once(study, out):
    names, metrics = study("16_vary_generator", n_people=2, arms=ARMS)
    assert list(dict.fromkeys(names["sensitivity"]["arm"])) == list(ARMS)
    sources = [Cohort.open(out / "cohorts" / "sensitivity" / name.replace(" ", "_")).info for name in ARMS]
    assert "guidance 2" in sources[1].source and (sources[0].seed, sources[1].seed) == (0, 4)
    assert len({own.source for own in sources}) == len(ARMS)  # other weights, settings or parts
    assert metrics["height_mae_as_it_is"].unit == "cm" and metrics["arms"].value == len(ARMS)
    made = {path: path.stat().st_mtime_ns for path in out.rglob("*.nii.gz")}
    trained = {path: path.stat().st_mtime_ns for path in out.rglob("latent_diffusion.safetensors")}
    study("16_vary_generator", n_people=2, arms=ARMS)
    assert {path: path.stat().st_mtime_ns for path in [*made, *trained]} == made | trained and len(trained) == 1


def test_peer_is_timed_and_its_preset_extrapolated(study):
    names, metrics = study("18_time_peers", max_seconds=0.0)
    assert list(names["crops"]["side"]) == [8, 8] and set(names["crops"]["part"]) == {"denoise", "decode"}
    assert metrics["operations_maisi"].value > 1000 * metrics["operations_ours"].value
    assert metrics["share_measured"].value < 0.1 and metrics["seconds_maisi"].value > metrics["seconds_ours"].value


def test_autoencoders_are_trained_and_compared(study, out, micro_profile):
    kinds = standard_configurations(micro_profile)
    chosen = {name: kinds[name] for name in ("the same, continuous", "block PCA, 8 channels")}
    names, metrics = study("19_compare_autoencoders", seconds=0.1, n_people=1, configurations=chosen)
    assert set(names["table"]["arm"]) == set(chosen)
    assert metrics["channels_block_PCA_8_channels"].value == 8 and metrics["psnr_db_the_same_continuous"].unit == "dB"
    assert metrics["steps_block_PCA_8_channels"].value >= 1
    assert (out / "figures" / "19_autoencoders.svg").is_file()


def test_latents_are_quantised_with_codes_of_every_size(study, out):
    names, metrics = study("28_search_codebook", sizes=[2, 512], counts=[1, 2], n_train=4, n_people=1)
    arms = ["continuous", "2 codes", "512 codes", "2 × 2 codes", "2 × 512 codes"]
    assert list(names["arms"]) == arms == list(dict.fromkeys(names["table"]["arm"]))
    assert [book.shape[0] for book in names["books"][512]] == [512, 512]
    assert metrics["psnr_db_2_x_512_codes"].unit == "dB" and metrics["people_taught"].value == 4
    shown = pd.read_csv(out / "tables" / "codebooks_beside_paper.csv").set_index("Latents")
    assert list(shown["PSNR, paper (dB)"]) == ["–", "–", "29.10", "–", "30.96"]
    assert (out / "figures" / "28_codebooks.svg").is_file()


@pytest.fixture
def halved(out, tiny_people) -> str:
    """The blocky people, four of them to train on and four whom nothing has seen."""
    if not (out / "halved").exists():
        shutil.copytree(tiny_people.path, out / "halved")
        split = pd.Series(["train", "train", "test", "test"] * 2, tiny_people.table.index, name="split")
        Cohort.open(out / "halved").add_columns(split.to_frame())
    return str(out / "halved")


def test_every_part_is_taken_out_of_the_same_people(study, out, halved):
    fewer_factors = {"latent_diffusion": {"prior_factors": 1}}  # than four people have between them
    given = {"n_people": 4, "steps_share": 0.5, "reference": halved, "overrides": fewer_factors}
    names, metrics = study("20_ablate_realism", **given)
    cohorts, arms = names["cohorts"], names["arms"]
    assert [name for name in arms if not cohorts[name].has_labels] == ["image alone, trained briefly"]
    people = cohorts["reference"].subjects
    assert not set(people) & set(cohorts["training"].subjects)
    assert all(list(cohorts[name].table["reference_id"]) == people for name in arms)
    assert len({cohorts[name].info.source for name in arms}) == len(arms) == 6
    assert len(names["table"]) == len(REGIONS) * (1 + len(arms))  # and the floor
    assert metrics["frechet_over_floor_torso_average_reference"].value == pytest.approx(1)
    assert metrics["frechet_full_body_sagittal_with_labels_trained_briefly"].n == 4
    assert (out / "figures" / "20_ablation.svg").is_file() and (out / "tables" / "ablation_by_region.csv").is_file()
    made = {path: path.stat().st_mtime_ns for path in (out / "cohorts" / "ablation").rglob("*.nii.gz")}
    trained = {path: path.stat().st_mtime_ns for path in (out / "sensitivity").rglob("latent_diffusion.safetensors")}
    study("20_ablate_realism", **given)
    assert {path: path.stat().st_mtime_ns for path in [*made, *trained]} == made | trained and len(trained) >= 2


def test_too_few_people_for_a_distance_are_told_before_anything_is_trained(study):
    with pytest.raises(InputError, match="2 people of the test split are too few for a distance; take 4 or more"):
        study("20_ablate_realism", n_people=2)


def test_somebody_elses_model_is_tried_without_a_reference_cohort(study, out):
    people = out / "people.csv"
    rows = [f"E{n},{('female', 'male')[n % 2]},{30 + n},165,{60 + 30 * (n % 4 > 1)}" for n in range(12)]
    people.write_text("\n".join(["subject_id,sex,age_years,height_cm,weight_kg", *rows]) + "\n")
    names, metrics = study("22_try_a_model", people=str(people), reference=None)
    assert metrics["people"].value == 12 and set(names["judged"].verdicts) == {
        "usual_weight_synthetic",
        "obese_synthetic",
    }
    assert metrics["obese_synthetic_mae"].n == 6 and "<h2>Verdict</h2>" in (out / "trial" / "report.html").read_text()
    assert (out / "figures" / "22_subgroups.svg").is_file() and (out / "tables" / "try_populations.csv").is_file()


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


def test_everybody_is_seen_beside_who_stands_for_them(study, out, tiny_people):
    real = Cohort.open(tiny_people.path)
    info = real.info.model_copy(update={"name": "synthetic", "kind": "synthetic"})
    writer = CohortWriter(out / "doubles", info)
    drawn = [(person, draw) for person in real.subjects[2:] for draw in range(2)]
    for person, draw in drawn:
        row = real.table.loc[person].to_dict() | {"reference_id": person, "draw": draw}
        writer.add(f"{person}-s{draw}", row, real.ct(person)[0], real.labels(person), real.ct(person)[1])
    writer.finish([f"{person}-s{draw}" for person, draw in drawn])
    given = {"synthetic": str(out / "doubles"), "models": None, "n_people": 2, "labels": True}
    names, metrics = study("25_inspect_cohort", **given, person="B4")
    assert [metrics[name].value for name in ("people", "without_synthetic", "synthetic", "shown")] == [6, 2, 12, 2]
    inspected = pd.read_csv(out / "tables" / "inspected.csv")
    assert list(inspected["synthetic_id"]) == ["B4-s0", "B4-s1", "B5-s0", "B5-s1"]
    assert list(inspected["weight_kg"]) == list(real.table.loc[inspected["subject_id"], "weight_kg"])
    assert (out / "figures" / "25_pairs.svg").stat().st_size > 10_000
    with pytest.raises(InputError, match="no person 'B0': give an id, as B2, or a place from 0 to 5"):
        study("25_inspect_cohort", **given, person="B0")  # of whom no double was made
