"""`vct trial`: anybody's model, good or bad, ends in a report."""

import json

import numpy as np
import pandas as pd
import pytest

from vctlib import results
from vctlib.cohort import CohortInfo, CohortWriter
from vctlib.commands.trial import run_trial
from vctlib.errors import InputError

N = 24  # people; the young half are right for all models here, the old half harder
PROTOCOL = """
task: body_fat
truth_column: fat_percent
populations: {young: {age_years: [0, 50]}, old: {age_years: [50, 100]}, unborn: {age_years: [-1, 0]}}
arms: [synthetic]
n_resamples: 200
seconds_a_body: 3.0
"""
MODELS = """
import os
import time

import numpy as np


def good(hu, affine):
    return float(hu[0, 0, 0])  # the truth of these people


def off_where_old(hu, affine):
    return np.array([[hu[0, 0, 0] + 6.0 * (hu[1, 0, 0] >= 50)]])


def fat_where_young(hu, affine):
    return float(hu[0, 0, 0]) if hu[1, 0, 0] < 50 else 0.0


def sees_pictures(hu, affine):
    return float(hu[0, 0, 0]) + 6.0 * hu[3, 0, 0]


def fraction(hu, affine):
    return hu[0, 0, 0] / 100


def constant(hu, affine):
    return 30


def troubled(hu, affine):
    number = int(hu[2, 0, 0])
    if number == 0:
        return float("nan")
    if number == 1:
        raise ValueError("no liver\\nhere")
    if number == 2:
        time.sleep(60)
    if number == 3:
        os._exit(9)
    if number == 4:
        return [1.0, 2.0]
    if number == 5:
        return "thirty"
    return good(hu, affine)


def nothing(hu, affine):
    raise RuntimeError("always")


not_a_function = 3
"""


def make_cohort(path, kind="synthetic", draws=1, picture=0):
    about = {"name": kind, "kind": kind, "labels": None, "source": "blocks", "code_version": "0", "seed": 0}
    writer = CohortWriter(path, CohortInfo(spacing_mm=(8, 8, 8), grid=(4, 4, 4), **about))
    ids = []
    for number in range(N):
        for draw in range(draws):
            hu = np.zeros((4, 4, 4), np.int16)
            truth, age = 20 + number, 30.0 if number < N // 2 else 60.0
            hu[:, 0, 0] = truth, age, number, picture
            row = {"sex": ("female", "male")[number % 2], "age_years": age, "height_cm": 170.0}
            row |= {"weight_kg": 60.0 + number, "split": "test", "fat_percent": float(truth)}
            row |= {"flag": "extrapolation" if number == 0 else "known"} if kind == "synthetic" else {}
            row |= {"reference_id": f"P{number}"} if kind != "reference" else {}
            ids.append(f"P{number}-s{draw}" if kind == "synthetic" else f"P{number}")
            writer.add(ids[-1], row, hu, None, np.eye(4))
    return writer.finish(ids).path


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trial")
    (folder / "models.py").write_text(MODELS)
    (folder / "protocol.yaml").write_text(PROTOCOL)
    make_cohort(folder / "cohort")
    return folder


@pytest.fixture
def trial(place, tmp_path):
    def run(model, protocol=None, cohorts=("cohort",), truth=(), out="out"):
        if protocol is not None:
            (tmp_path / "protocol.yaml").write_text(protocol)
        path = tmp_path / "protocol.yaml" if protocol is not None else place / "protocol.yaml"
        name = f"{place / 'models.py'}:{model}"
        page = run_trial(str(path), name, [str(place / each) for each in cohorts], str(tmp_path / out), truth)
        return page.read_text(), results.read(tmp_path / out / "result.json")

    return run


def test_it_tells_where_a_model_fails(trial, tmp_path, capsys):
    page, result = trial("off_where_old")
    assert result.verdicts == {"young_synthetic": "pass", "old_synthetic": "fail"}
    assert result.metrics["young_synthetic_mae"].value == 0 and result.metrics["old_synthetic_mae"].value == 6
    told = capsys.readouterr().out
    assert "synthetic images say fail: MAE 6.00 pp" in told and "On the population unborn: not enough evidence" in told
    assert (
        page.index("<h2>Verdict</h2>") < page.index("<h2>Why") < page.index("Subgroups") < page.index("Protocol</h2>")
    )
    assert "unborn: 0 people" in page and page.count("<svg") == 2 and "Whom the generator knows" in page
    answers = pd.read_csv(tmp_path / "out" / "answers.csv")
    assert len(answers) == N and (answers["prediction"] - answers["fat_percent"]).tolist() == [0.0] * 12 + [6.0] * 12


def test_trouble_is_counted_and_ends_nothing(trial):
    page, result = trial("troubled", PROTOCOL + "most_unanswered: 0.6\n")
    for problem in (
        "answered with NaN",
        "raised ValueError: no liver here",
        "no answer after 3 s",
        "its process ended (exit code 9)",
        "answered with 2 numbers in place of one",
        "answered with str in place of a number",
    ):
        assert f"1 of 24 synthetic images: {problem}" in page
    assert result.metrics["young_synthetic_mae"].n == 6 and result.verdicts["young_synthetic"] == "pass"


def test_no_verdict_where_many_have_no_answer(trial, capsys):
    page, result = trial("troubled")
    assert result.verdicts == {"young_synthetic": "not enough evidence", "old_synthetic": "pass"}
    assert "50% of 12 images have no answer" in page
    told = capsys.readouterr().out
    assert "too many images have no answer" in told and "would settle it" not in told
    assert told.index("Read this first: ") < told.index("- On the population young")


def test_a_model_that_never_answers_still_has_a_report(trial, capsys):
    page, result = trial("nothing")
    assert result.verdicts == {} and "no answer to any of the 24 images; most often: raised RuntimeError" in page
    assert "most often: raised RuntimeError: always" in capsys.readouterr().out
    assert "no answer to judge" in page and "<h2>Why" not in page and "no clinical evidence" in page
    assert "24 of 24 synthetic images: raised RuntimeError: always (first: P0-s0)" in page


@pytest.mark.parametrize(
    ("model", "words"),
    [("fraction", "such as a fraction in place of percent"), ("constant", "same answer, 30, to all")],
)
def test_answers_that_cannot_be_meant_so_are_said_first(trial, model, words):
    page, _ = trial(model)
    assert page.index("Read this first") < page.index(words) < page.index("<h2>Verdict")


def test_real_images_beside_give_differences(trial, place):
    make_cohort(place / "real", "reference")
    _, result = trial("off_where_old", PROTOCOL.replace("[synthetic]", "[real, synthetic]"), cohorts=("cohort", "real"))
    assert result.verdicts["old_real"] == "fail" and result.metrics["old_synthetic_difference"].value == 0
    assert result.metrics["old_synthetic_p_equivalence"].value < 0.05


def test_reconstructions_of_one_population_calibrate_another(trial, place):
    """A model that adds 6 points to every picture that is none of a CT: with that known, it is right."""
    make_cohort(place / "ct", "reference")
    make_cohort(place / "again", "reconstructed", picture=1)
    make_cohort(place / "drawn", picture=1)
    arms = "[real, reconstructed, synthetic, synthetic_calibrated]\ncalibrate_on: young"
    page, result = trial("sees_pictures", PROTOCOL.replace("[synthetic]", arms), cohorts=("ct", "again", "drawn"))
    assert result.verdicts["old_synthetic"] == "fail" and result.metrics["old_synthetic_mae"].value == 6
    assert result.verdicts["old_synthetic_calibrated"] == result.verdicts["old_real"] == "pass"
    assert result.metrics["old_synthetic_calibrated_mae"].value == pytest.approx(0)
    assert "young_synthetic_calibrated" not in result.verdicts
    assert "Synthetic (calibrated): pass (0.00 [0.00, 0.00]), as real images do" in page
    assert "as people of the population <em>young</em> tell it" in page


def test_an_interrupted_trial_asks_only_the_rest(trial, tmp_path):
    trial("good")
    row = tmp_path / "out" / "rows" / "synthetic" / "P3-s0.json"
    row.write_text(json.dumps({"value": 99.0, "problem": "", "seconds": 0.0}))
    assert trial("good")[1].metrics["young_synthetic_mae"].value == pytest.approx((99 - 23) / 12)


def test_a_folder_of_something_else_is_left_alone(trial, tmp_path, place):
    trial("good")
    report = (tmp_path / "out" / "report.html").read_bytes()
    for other in ({"model": "constant"}, {"model": "good", "protocol": PROTOCOL + "seed: 3\n"}):
        with pytest.raises(InputError, match="holds the trial of .*name another folder"):
            trial(**other)
    assert (tmp_path / "out" / "report.html").read_bytes() == report
    with pytest.raises(InputError, match="is the folder of a cohort"):
        trial("good", out=str(place / "cohort"))


def test_truth_may_come_from_another_table(trial, tmp_path):
    truth = pd.DataFrame({"subject_id": [f"P{n}-s0" for n in range(N)], "other": [20.0 + n for n in range(N)]})
    truth.loc[2, "other"] = np.nan
    truth.to_csv(tmp_path / "truth.csv", index=False)
    protocol = PROTOCOL.replace("fat_percent", "other")
    page, result = trial("good", protocol + "most_unanswered: 0.2\n", truth=[str(tmp_path / "truth.csv")])
    assert result.metrics["young_synthetic_mae"].n == 11 and "1 of 24 synthetic images: no other" in page
    with pytest.raises(InputError, match="no column other; it has .*--truth"):
        trial("good", protocol, out="other")
    with pytest.raises(InputError, match="no such file"):
        trial("good", protocol, truth=["absent.csv"], out="other")


@pytest.mark.parametrize(
    ("change", "cohorts", "words"),
    [
        ({"[synthetic]": "[real, synthetic]"}, ("cohort",), "asks for the arm real: give a reference cohort"),
        ({}, ("cohort", "cohort"), "both synthetic cohorts"),
        ({"[0, 50]": "[90, 99]", "[50, 100]": "[99, 100]"}, ("cohort",), "nobody of these cohorts is in young, old"),
        ({"age_years: [0, 50]": "shoe: [0, 50]"}, ("cohort",), "no column shoe"),
    ],
)
def test_what_cannot_be_tried_is_said_in_one_line(trial, change, cohorts, words):
    protocol = PROTOCOL
    for old, new in change.items():
        protocol = protocol.replace(old, new)
    with pytest.raises(InputError, match=words) as caught:
        trial("good", protocol, cohorts)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("absent", "has no function absent"),
        ("not_a_function", "has no function not_a_function"),
    ],
)
def test_a_model_that_is_not_there_is_named(trial, name, words):
    with pytest.raises(InputError, match=words):
        trial(name)


def test_a_detection_ends_in_a_report_on_its_auc(trial, place, tmp_path):
    """Scores that tell who is fatter than others of that age among the young, and are the same for all the old."""
    people = pd.read_csv(place / "cohort" / "subjects.csv", dtype={"subject_id": str})
    middle = people.groupby("age_years")["fat_percent"].transform("median")
    people.assign(is_fat=(people["fat_percent"] > middle).astype(int)).to_csv(tmp_path / "truth.csv", index=False)
    protocol = PROTOCOL.replace("task: body_fat\ntruth_column: fat_percent", "task: obesity\ntruth_column: is_fat")
    protocol += "endpoint: auc\nmargins: {acceptable: 0.9, failure: 0.6}\n"
    page, result = trial("fat_where_young", protocol, truth=[str(tmp_path / "truth.csv")])
    assert result.metrics["young_synthetic_auc"].value == 1 and result.verdicts["young_synthetic"] == "pass"
    assert result.metrics["old_synthetic_auc"].value == 0.5 and result.metrics["old_synthetic_auc"].unit == "1"
    assert "MAE" not in page and "What drives the error" not in page and "times smaller" not in page
    assert {"auc", "auc_low"} <= set(pd.read_csv(tmp_path / "out" / "arms.csv"))
