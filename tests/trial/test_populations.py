import numpy as np
import pandas as pd
import pytest

from vctlib.errors import InputError
from vctlib.trial.populations import members, with_bmi
from vctlib.trial.protocol import Protocol
from vctlib.trial.split import draw_populations, fit_biased_split

ARMS = ["synthetic"]


@pytest.fixture
def few():
    table = pd.DataFrame(
        {
            "sex": ["female", "male", "male", "female", "male", "female"],
            "age_years": [64.9, 65.0, 80.0, np.nan, 99.0, 100.0],
            "height_cm": [160.0, 200.0, 170.0, 150.0, 180.0, 170.0],
            "weight_kg": [65.0, 100.0, 90.0, 45.0, 81.0, np.nan],
        },
        index=list("abcdef"),
    )
    return table.rename_axis("subject_id")


def test_conditions_hold_from_and_up_to(few):
    protocol = Protocol(
        task="body_fat",
        arms=ARMS,
        populations={"old": {"age_years": [65, 100]}, "old_men": {"age_years": [65, 100], "sex": "male"}, "all": {}},
    )
    found = members(few, protocol)
    assert found.of == {"old": ("b", "c", "e"), "old_men": ("b", "c", "e"), "all": tuple("abcdef")}
    assert "old: 1 person lacks age_years" in found.notes[0] and any("old: 3 people; 5" in note for note in found.notes)


def test_bmi_follows_from_height_and_weight(few):
    assert with_bmi(few).loc[["a", "b"], "bmi"].tolist() == pytest.approx([25.390625, 25.0])
    protocol = Protocol(task="body_fat", arms=ARMS, populations={"heavy": {"bmi": [25, 60]}})
    assert members(few, protocol).of["heavy"] == ("a", "b", "c", "e")
    given = few.assign(bmi=1.0)
    assert with_bmi(given) is given


def test_words_may_be_several(few):
    protocol = Protocol(task="body_fat", arms=ARMS, populations={"either": {"sex": ["female", "male"]}})
    assert len(members(few, protocol).of["either"]) == 6


def test_a_word_that_nobody_has_is_said(few):
    protocol = Protocol(task="body_fat", arms=ARMS, populations={"some": {"ward": ["A", "b"]}})
    found = members(few.assign(ward=list("AABBCC")), protocol)
    assert found.of["some"] == ("a", "b")
    assert "some: nobody has ward 'b'; there are A, B, C" in found.notes


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        ({"diagnosis": "none"}, "no column diagnosis"),
        ({"sex": [0, 1]}, "asks for numbers in sex, which holds 'female'"),
        ({"sex": "F"}, "asks for sex F; it is female or male"),
    ],
)
def test_a_condition_that_cannot_be_told_is_named(few, conditions, words):
    protocol = Protocol(task="body_fat", arms=ARMS, populations={"some": conditions})
    with pytest.raises(InputError, match=words):
        members(few, protocol)


def test_without_populations_the_papers_boundary_draws_them(people):
    protocol = Protocol(task="body_fat", people={"train": 100, "id_test": 30, "ood_test": 30}, seed=4)
    found = members(people.set_index("subject_id"), protocol)
    drawn = draw_populations(people, fit_biased_split(people, "body_fat", 0.5), 100, 30, 30, seed=4)
    assert found.of == {"ID": drawn.id_test, "OOD": drawn.ood_test}
    assert found.split.target_column == "body_fat_percent_measured"
