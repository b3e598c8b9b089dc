"""The studies beside the book, each run whole on a few blocky people with hardly trained networks.

Their cells run here, in this process: a kernel for each would cost more than all of them.
"""

import shutil

import pandas as pd
import pytest

from vctlib.cohort import Cohort, CohortWriter
from vctlib.errors import InputError
from vctlib.metrics.regions import REGIONS
from vctlib.training.equal_time import standard_configurations


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
