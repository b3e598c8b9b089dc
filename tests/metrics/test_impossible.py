import numpy as np
import pandas as pd
import pytest

from vctlib.errors import InputError
from vctlib.metrics.impossible import (
    KINDS,
    PASS_RATE,
    STATED,
    checked_values,
    failures,
    fit_limits,
    judge,
    median_volumes,
    rates,
)

N = 400


@pytest.fixture
def people():
    """Training people of a sound plan: both sexes, a prostate in men, one in fifty with a spleen in two halves."""
    rng = np.random.default_rng(0)
    sex = pd.Series(np.where(np.arange(N) % 2, "male", "female"), name="sex")
    frame = pd.DataFrame(
        {
            "liver/volume_ml": rng.normal(1500, 150, N),
            "liver/extra_part_percent": 0.0,
            "liver/own_side_mm": rng.normal(60, 8, N),
            "spleen/volume_ml": rng.normal(200, 30, N),
            "spleen/extra_part_percent": np.where(np.arange(N) % 50 == 0, 45.0, 0.0),
            "spleen/own_side_mm": rng.normal(90, 8, N),
            "prostate/volume_ml": np.where(sex == "male", rng.normal(25, 3, N), 0.0),
            "kidney/weaker_side_percent": rng.normal(48, 1, N),
            "body/detached_percent": 0.0,
        }
    )
    return frame, sex


def _judge(frame, sex, people):
    training, training_sex = people
    medians = median_volumes(training, training_sex)
    limits = fit_limits(checked_values(training, training_sex, medians))
    return failures(checked_values(frame, sex, medians), limits), limits


def _one(people, sex="male", **changes):
    frame = people[0].iloc[[1]].copy()
    for name, value in changes.items():
        frame[name.replace("__", "/")] = value
    return frame, pd.Series([sex], frame.index)


def test_training_people_pass_and_only_the_check_they_break_is_laxer(people):
    failed, limits = _judge(*people, people)
    assert (~failed.any(axis=1)).mean() >= PASS_RATE
    moved = limits.index[limits["limit"] != limits["stated"]]
    assert list(moved) == ["spleen/extra_part_percent"] and limits.loc[moved[0], "limit"] == 45
    assert limits.loc["liver/volume_percent", "limit"] == STATED["missing"]


@pytest.mark.parametrize(
    "change, check, kind",
    [
        ({"liver__volume_ml": 0.0}, "liver/volume_percent", "missing"),
        ({"prostate__volume_ml": 1.0}, "prostate/volume_percent", "missing"),
        ({"liver__extra_part_percent": 30.0}, "liver/extra_part_percent", "doubled"),
        ({"spleen__own_side_mm": -5.0}, "spleen/own_side_mm", "wrong_side"),
        ({"kidney__weaker_side_percent": 0.0}, "kidney/weaker_side_percent", "one_sided"),
        ({"body__detached_percent": 3.0}, "body/detached_percent", "disconnected"),
    ],
)
def test_each_kind_of_impossible_body_is_found_and_named(people, change, check, kind):
    failed, limits = _judge(*_one(people, **change), people)
    assert failed.iloc[0].to_numpy().sum() == 1 and failed.iloc[0][check]
    table = rates(failed, limits).set_index("kind")
    assert table.loc[kind, "percent"] == 100 and table.loc["any", "bodies"] == 1
    assert table.loc[[other for other in KINDS if other != kind], "bodies"].sum() == 0


def test_a_sound_body_fails_nothing_and_a_woman_needs_no_prostate(people):
    assert not _judge(*_one(people), people)[0].any(axis=None)
    assert not _judge(*_one(people, sex="female", prostate__volume_ml=0.0), people)[0].any(axis=None)


def test_what_cannot_be_told_of_an_absent_organ_does_not_count_again(people):
    absent = {"liver__volume_ml": 0.0, "liver__extra_part_percent": np.nan, "liver__own_side_mm": np.nan}
    assert _judge(*_one(people, **absent), people)[0].to_numpy().sum() == 1


def test_a_laxer_limit_never_falls_on_the_other_side_of_the_stated_one(people):
    frame, sex = people
    frame["liver/own_side_mm"] += 1000  # far from the limit: it stays where it was stated
    limits = _judge(frame, sex, (frame, sex))[1]
    assert limits.loc["liver/own_side_mm", "limit"] == 0


def test_tables_of_other_versions_are_an_error(people):
    frame, sex = people
    medians = median_volumes(frame, sex)
    limits = fit_limits(checked_values(frame, sex, medians))
    with pytest.raises(InputError, match="body/detached_percent"):
        failures(checked_values(frame.drop(columns="body/detached_percent"), sex, medians), limits)
    with pytest.raises(InputError, match="nobody|no one|there are none"):
        fit_limits(checked_values(frame[:0], sex[:0], medians))


def test_cohorts_are_judged_by_the_training_peoples_limits(people):
    frame, sex = people
    mirrored = frame.assign(**{"liver/own_side_mm": -frame["liver/own_side_mm"]})
    table, limits = judge(people, {"reference": (frame[:100], sex[:100]), "synthetic": (mirrored[:50], sex[:50])})
    percent = table.set_index(["cohort", "kind"])["percent"]
    assert percent["synthetic", "wrong_side"] == 100 and percent["synthetic", "any"] == 100
    assert percent["reference", "any"] <= 1 and percent["training", "any"] <= 1
    assert limits.loc["liver/own_side_mm", ["reference_bodies", "synthetic_bodies"]].tolist() == [0, 50]


def test_a_structure_that_the_segmenter_never_finds_is_not_asked_for(people):
    frame, sex = people
    frame = frame.assign(**{"spleen/volume_ml": 0.0, "spleen/extra_part_percent": np.nan, "spleen/own_side_mm": np.nan})
    table, _ = judge((frame, sex), {"reference": (frame, sex)})
    assert table["bodies"].sum() == 0
