import numpy as np
import pandas as pd
import pytest

from vctlib.trial.answers import odd_answers, unanswered, withhold_verdicts
from vctlib.trial.protocol import Protocol

PROTOCOL = Protocol(task="body_fat", arms=["synthetic"], populations={"all": {}})


def answers_of(prediction, problem=""):
    n = len(prediction)
    return pd.DataFrame(
        {
            "arm": "synthetic",
            "population": "all",
            "subject_id": [f"p{i}" for i in range(n)],
            "image_id": [f"p{i}-s0" for i in range(n)],
            "truth": np.linspace(20, 40, n),
            "prediction": prediction,
            "problem": problem,
        }
    )


def test_sound_answers_have_no_remark():
    assert odd_answers(answers_of(np.linspace(21, 39, 10)), PROTOCOL) == []


def test_one_answer_for_all_is_said():
    (remark,) = odd_answers(answers_of(np.full(10, 30.0)), PROTOCOL)
    assert "same answer, 30, to all 10 images" in remark


@pytest.mark.parametrize(("factor", "words"), [(0.01, "100 times smaller.*fraction"), (100, "much larger")])
def test_another_unit_is_said(factor, words):
    (remark,) = odd_answers(answers_of(np.linspace(20, 40, 10) * factor), PROTOCOL)
    assert pd.Series([remark]).str.contains(words).all()


def test_problems_are_counted_and_named_once():
    problem = ["", "answered with NaN", "", "answered with NaN", "raised ValueError: no"]
    table = unanswered(answers_of([1.0, np.nan, 1.0, np.nan, np.nan], problem))
    assert table.to_dict("list") == {
        "arm": ["synthetic"] * 2, "problem": ["answered with NaN", "raised ValueError: no"], "n": [2, 1], "of": [5, 5],
        "first": ["p1-s0", "p4-s0"],
    }  # fmt: skip


@pytest.mark.parametrize(("n_without", "verdict"), [(1, "pass"), (2, "not enough evidence")])
def test_who_answers_only_where_it_is_easy_does_not_pass(n_without, verdict):
    answers = answers_of(np.linspace(20, 40, 20), [""] * (20 - n_without) + ["raised"] * n_without)
    arms = pd.DataFrame({"population": ["all"], "arm": "synthetic", "verdict": "pass", "verdict_paper": "pass"})
    table, remarks = withhold_verdicts(arms, answers, PROTOCOL)
    assert table["verdict"].tolist() == [verdict] and len(remarks) == n_without - 1
    assert arms["verdict"].tolist() == ["pass"]  # the table given stays as it was
