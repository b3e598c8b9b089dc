import numpy as np
import pandas as pd
import pytest

from vctlib.errors import InputError
from vctlib.trial.arms import rebias
from vctlib.trial.split import BiasedSplit, draw_populations, fit_biased_split

LINE = BiasedSplit(0.5, 10.0, "below", "volume", "other", "target")


def test_assignment_by_hand():
    frame = pd.DataFrame({"volume": [40.0, 40.0, 80.0, 80.0], "other": [29.0, 31.0, 50.0, 50.1]})
    assert LINE.assign(frame).tolist() == ["ID", "OOD", "ID", "OOD"]
    above = BiasedSplit(0.5, 10.0, "above", "volume", "other", "target")
    assert above.assign(frame).tolist() == ["OOD", "ID", "OOD", "ID"]


@pytest.mark.parametrize("task", ["body_fat", "muscle"])
@pytest.mark.parametrize("id_share", [0.3, 0.5, 0.7])
def test_the_id_side_holds_the_share_asked_for(people, task, id_share):
    train = people[people["split"] == "train"]
    side = fit_biased_split(people, task, id_share).assign(train)
    assert np.mean(side == "ID") == pytest.approx(id_share, abs=1.5 / len(train))


@pytest.mark.parametrize(("task", "sign"), [("body_fat", 1), ("muscle", -1)])
def test_the_split_makes_volume_a_shortcut(people, task, sign):
    """Stronger correlation on the ID side, of the natural sign, and a line through it that misses OOD people."""
    fitted = fit_biased_split(people, task, 0.5)
    assert np.sign(fitted.correlation) == np.sign(fitted.correlation_id) == sign
    assert abs(fitted.correlation_id) > abs(fitted.correlation) + 0.3
    volume, target = people[fitted.volume_column], people[fitted.target_column]
    inside = fitted.assign(people) == "ID"
    assert np.corrcoef(volume[inside], target[inside])[0, 1] == pytest.approx(fitted.correlation_id, abs=0.1)
    error = np.abs(np.polyval(np.polyfit(volume[inside], target[inside], 1), volume) - target)
    assert error[~inside].mean() > 3 * error[inside].mean()


def test_no_other_direction_of_a_finer_fan_is_much_better(people, split):
    train = people[people["split"] == "train"]
    volume, target = train[split.volume_column].to_numpy(), train[split.target_column].to_numpy()
    standard = [(train[c] - train[c].mean()) / train[c].std(ddof=0) for c in (split.volume_column, split.other_column)]
    best = 0.0
    for angle in np.linspace(0, 2 * np.pi, 1000):
        score = np.cos(angle) * standard[0] + np.sin(angle) * standard[1]
        inside = (score <= np.quantile(score, 0.5)).to_numpy()
        best = max(best, np.corrcoef(volume[inside], target[inside])[0, 1])
    assert split.correlation_id == pytest.approx(best, abs=0.02)


def test_the_rule_sees_training_people_only(people, split):
    changed = people.copy()
    test = changed["split"] == "test"
    changed.loc[test, ["body_volume_l_measured", "muscle_percent_measured", "body_fat_percent_measured"]] = 1.0
    assert fit_biased_split(changed, "body_fat", 0.5) == split


def test_the_rule_does_not_depend_on_order_or_units(people, split):
    shuffled = fit_biased_split(people.sample(frac=1, random_state=0), "body_fat", 0.5)
    assert (shuffled.slope, shuffled.intercept) == pytest.approx((split.slope, split.intercept))
    millilitres = people.assign(body_volume_l_measured=people["body_volume_l_measured"] * 1000)
    rescaled = fit_biased_split(millilitres, "body_fat", 0.5)
    assert (rescaled.slope * 1000, rescaled.intercept) == pytest.approx((split.slope, split.intercept))
    assert (rescaled.assign(millilitres) == split.assign(people)).all()


def test_drawn_people_come_from_the_right_side_and_never_twice(people, split):
    drawn = draw_populations(people, split, n_train=150, n_id=60, n_ood=60, seed=0)
    assert [len(part) for part in (drawn.train, drawn.id_test, drawn.ood_test)] == [150, 60, 60]
    assert len({*drawn.train, *drawn.id_test, *drawn.ood_test}) == 270
    side = dict(zip(people["subject_id"], split.assign(people), strict=True))
    part = dict(zip(people["subject_id"], people["split"], strict=True))
    assert {(part[s], side[s]) for s in drawn.train} == {("train", "ID")}
    assert {(part[s], side[s]) for s in drawn.id_test} == {("test", "ID")}
    assert {(part[s], side[s]) for s in drawn.ood_test} == {("test", "OOD")}
    chosen = people[people["subject_id"].isin(drawn.train)]
    expected = np.corrcoef(chosen["body_volume_l_measured"], chosen["body_fat_percent_measured"])[0, 1]
    assert drawn.training_correlation == pytest.approx(expected)


def test_draws_follow_the_seed_and_not_the_order_or_the_index(people, split):
    first = draw_populations(people, split, seed=0)
    assert draw_populations(people.sample(frac=1, random_state=1), split, seed=0).train == first.train
    assert draw_populations(people.set_index("subject_id"), split, seed=0).train == first.train
    assert draw_populations(people, split, seed=1).train != first.train


def test_too_few_people_are_counted(people, split):
    few = draw_populations(people, split, n_train=10_000, n_id=60, n_ood=60)
    assert len(few.train) == few.available["training"] < 10_000
    assert f"training {len(few.train)} of {len(few.train)} people (10000 asked for)" in few.describe()
    with pytest.raises(InputError, match=r"OOD test: \d+ there, 500 asked for"):
        draw_populations(people, split, n_ood=500, minimum=400)


def test_what_is_wrong_with_the_table_is_said_in_one_line(people, split):
    with pytest.raises(InputError, match="no column muscle_percent_measured"):
        fit_biased_split(people.drop(columns="muscle_percent_measured"), "body_fat")
    with pytest.raises(InputError, match="no task 'bone'"):
        fit_biased_split(people, "bone")
    with pytest.raises(InputError, match="at least 5 training people on each side; there are 5"):
        fit_biased_split(people.head(5), "body_fat")
    holes = people.copy()
    holes.loc[3, "body_volume_l_measured"] = np.nan
    with pytest.raises(InputError, match="body_volume_l_measured .* p003"):
        split.assign(holes)


def test_rebiasing_keeps_the_right_side_only():
    frame = pd.DataFrame(
        {
            "population": ["ID", "ID", "OOD", "OOD"],
            "volume": [40.0, 40.0, 40.0, 40.0],
            "other": [29.0, 31.0, 29.0, 31.0],
        }
    )
    kept, culled = rebias(frame, LINE)
    assert kept.index.tolist() == [0, 3]
    assert culled == 0.5
    again, none = rebias(kept, LINE)
    assert len(again) == 2 and none == 0.0
