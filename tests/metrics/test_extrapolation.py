import numpy as np
import pandas as pd
import pytest

from vctlib.metrics.extrapolation import FLAGS, combination_counts, error_by_flag


def _people(rows):
    columns = ["sex", "age_years", "height_cm", "weight_kg"]
    return pd.DataFrame(rows, columns=columns, index=[f"P{i}" for i in range(len(rows))])


TRAINING = _people(
    [("male", 45.0, 175.0, 85.0)] * 3
    + [("male", 45.0, 175.0, 95.0)] * 4
    + [("female", 45.0, 175.0, 85.0), ("female", 20.0, 140.0, 40.0), ("female", 90.0, 200.0, 150.0)]
)


def test_combinations_and_neighbourhoods_by_hand():
    asked = _people(
        [
            ("male", 42.0, 171.0, 88.0),  # the combination of the three; the four are its neighbours
            ("male", 55.0, 165.0, 89.0),  # of no training person's combination, within a category of all seven
            ("male", 45.0, 175.0, 105.0),  # a category from the four, two from the three
            ("female", 45.0, 175.0, 95.0),  # the men are no neighbours of hers
            ("male", 45.0, 195.0, 85.0),  # two categories taller than anybody
        ]
    )
    found = combination_counts(asked, TRAINING, fewest=4)
    assert found["in_combination"].tolist() == [3, 0, 0, 0, 0]
    assert found["in_neighbourhood"].tolist() == [7, 7, 4, 1, 0]
    assert found["flag"].tolist() == ["known", "unseen", "unseen", "extrapolation", "extrapolation"]


def test_an_attribute_left_open_asks_for_nothing():
    nobody = (None, np.nan, np.nan, np.nan)
    asked = _people([("male", np.nan, 175.0, 85.0), ("male", np.nan, 175.0, 45.0), nobody])
    found = combination_counts(asked, TRAINING, fewest=4)
    assert found["in_combination"].tolist() == [3, 0, 10] and found["in_neighbourhood"].tolist() == [7, 0, 10]
    assert found["flag"].tolist() == ["known", "extrapolation", "known"]


def test_an_unknown_attribute_of_a_training_person_is_near_to_no_value():
    training = _people([("male", np.nan, 175.0, 85.0)] * 9 + [("male", 45.0, 175.0, 85.0)])
    asked = _people([("male", 45.0, 175.0, 85.0), ("male", np.nan, 175.0, 85.0)])
    assert combination_counts(asked, training)["in_neighbourhood"].tolist() == [1, 10]


def test_beyond_everybody_is_extrapolation_though_the_category_is_open():
    """80 years and over holds ages that nobody had."""
    training = _people([("male", 81.0, 175.0, 85.0), ("male", 88.0, 179.0, 81.0)] * 9)
    asked = _people([("male", 85.0, 177.0, 83.0), ("male", 110.0, 177.0, 83.0), ("male", 85.0, 177.0, 80.5)])
    found = combination_counts(asked, training)
    assert found["in_combination"].tolist() == [18, 18, 18]
    assert found["flag"].tolist() == ["known", "extrapolation", "extrapolation"]


def test_error_by_flag_by_hand():
    people = _people([("male", 45.0, 170.0, 80.0)] * 4)
    flags = pd.Series(["known", "known", "extrapolation", "extrapolation"], people.index)
    measured = people.assign(height_cm_measured=[171.0, 169.0, 180.0, 176.0])[::-1]
    targets = {"height": (people["height_cm"], "height_cm_measured", "cm")}
    rows = error_by_flag({"synthetic": measured}, targets, flags, n_resamples=100).set_index("flag")
    assert list(rows.index) == list(FLAGS) and rows["n"].tolist() == [2, 0, 2]
    assert rows.loc["known", ["mae", "bias"]].tolist() == [1, 0]
    assert rows.loc["extrapolation", ["mae", "bias"]].tolist() == [8, 8]
    assert rows.loc["extrapolation", ["mae_low", "mae_high"]].tolist() == pytest.approx([6, 10])
    assert np.isnan(rows.loc["unseen", "mae"])


def test_bodies_that_could_not_be_measured_do_not_count():
    people = _people([("male", 45.0, 170.0, 80.0)] * 3)
    measured = people.assign(height_cm_measured=[171.0, np.nan, 172.0])
    targets = {"height": (people["height_cm"], "height_cm_measured", "cm")}
    rows = error_by_flag({"synthetic": measured}, targets, pd.Series("known", people.index), n_resamples=100)
    assert rows.loc[0, "n"] == 2 and rows.loc[0, "mae"] == pytest.approx(1.5)
