"""People of attributes that no mixture of the training people has are told from the others."""

import numpy as np
import pandas as pd
import pytest

from vctlib.metrics.extrapolation import beyond_training, outside_hull

CUBE = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e3])
def test_hull_of_a_cube(scale):
    inside, outside = [[0.5, 0.5, 0.5], [1, 1, 1], [0, 0.3, 1]], [[1.01, 0.5, 0.5], [0.5, -0.01, 0.5]]
    found = outside_hull(CUBE * scale, np.array(inside + outside) * scale)
    assert list(found) == [False] * len(inside) + [True] * len(outside)


def test_hull_of_few_points():
    segment = np.array([[0.0, 0, 0], [2, 2, 2]])
    assert list(outside_hull(segment, [[1, 1, 1], [1, 1, 1.1]])) == [False, True]
    assert list(outside_hull(np.empty((0, 3)), [[1, 1, 1]])) == [True]


def people(*rows) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["sex", "age_years", "height_cm", "weight_kg"])
    return frame.set_index(pd.Index([f"P{i}" for i in range(len(rows))], name="subject_id"))


def test_sexes_are_apart_and_neighbours_counted():
    corners = [("female", age, height, weight) for age in (20, 80) for height in (150, 180) for weight in (45, 115)]
    training = people(*corners, ("male", 50, 165, 80), ("female", np.nan, 165, 80))
    asked = people(("female", 50, 165, 80), ("male", 50, 165, 80), ("male", 52, 166, 81), ("female", 25, 152, 49))
    found = beyond_training(asked, training)
    assert list(found["extrapolation"]) == [False, False, True, False]
    assert list(found["near"]) == [0, 1, 1, 1]  # within the hull, and yet nobody is like her
