"""Precision, recall, density and coverage: values by hand, the expectation under equality, and what a collapse does."""

import numpy as np
import pytest

from vctlib.errors import InputError
from vctlib.metrics.neighbours import expected_coverage, neighbours

# k = 1: the balls around reference people at 0, 1, 3 reach 1, 1, 2; those around the others at 0.5, 6, 6.5 5.5, .5, .5
REFERENCE, OTHER = np.array([[0.0], [1.0], [3.0]]), np.array([[0.5], [6.0], [6.5]])


def test_hand_values():
    found = neighbours(REFERENCE, OTHER, k=1)
    assert found.precision == pytest.approx(1 / 3)  # only 0.5 lies in a ball of the reference
    assert found.density == pytest.approx(2 / 3)  # 0.5 in the balls of 0 and 1; that of 3 begins at 1
    assert found.recall == pytest.approx(1.0)  # the ball of 0.5 reaches from -5 to 6
    assert found.coverage == pytest.approx(2 / 3)


def test_the_same_people_are_precise_and_covered():
    people = np.random.default_rng(0).integers(-1000, 1000, (40, 3, 4))  # whole numbers: distances without rounding
    found = neighbours(people, people)
    assert (found.precision, found.recall, found.coverage) == (1, 1, 1)
    # In a ball lie the five neighbours that make it and the person herself.
    assert found.density == pytest.approx(6 / 5)


@pytest.mark.parametrize(("n", "m"), [(60, 60), (120, 60), (40, 80)])
def test_two_samples_of_one_population_have_the_expected_density_and_coverage(n, m):
    rng = np.random.default_rng(1)
    found = [neighbours(rng.normal(size=(n, 8)), rng.normal(size=(m, 8))) for _ in range(60)]
    assert np.mean([f.coverage for f in found]) == pytest.approx(expected_coverage(n, m), abs=0.02)
    # Of a person's n - 1 neighbours and one of the others, the latter is among the k nearest with probability k / n.
    assert np.mean([f.density for f in found]) == pytest.approx(1, abs=0.1)


def test_expected_coverage_by_hand():
    assert expected_coverage(3, 3, k=1) == pytest.approx(1 - 2 / 5)  # of five other people two are of the own side


def test_mode_collapse_lowers_recall_and_coverage_and_not_precision():
    rng = np.random.default_rng(2)
    modes = 20.0 * np.eye(4)
    reference = modes[rng.integers(4, size=200)] + rng.normal(size=(200, 4))
    fair = neighbours(reference, modes[rng.integers(4, size=200)] + rng.normal(size=(200, 4)))
    collapsed = neighbours(reference, modes[0] + rng.normal(size=(200, 4)))
    assert fair.recall > 0.7 and fair.coverage > 0.9
    assert collapsed.recall < 0.5 * fair.recall and collapsed.coverage < 0.4
    assert collapsed.precision > 0.7


def test_people_who_are_nobody_lower_precision_and_density():
    rng = np.random.default_rng(3)
    found = neighbours(rng.normal(size=(100, 4)), rng.normal(10, 1, size=(100, 4)))
    assert (found.precision, found.density, found.coverage) == (0, 0, 0)


def test_an_outlier_among_the_reference_lifts_precision_more_than_density():
    """What naeem2020 made density for: one ball that holds everything."""
    rng = np.random.default_rng(4)
    reference = np.concatenate([rng.normal(size=(50, 2)), [[100.0, 0.0]]])
    found = neighbours(reference, rng.normal(10, 1, size=(50, 2)))
    assert found.precision == 1 and found.density == pytest.approx(1 / 5)


def test_slices_of_a_person_are_no_neighbours_of_each_other():
    """Persons are far apart and their slices alike: only persons of the other side may be in a ball."""
    persons = 50.0 * np.arange(8)[:, None, None] + np.zeros((8, 5, 2))
    found = neighbours(persons, persons + 40.0, k=1)
    assert found.coverage == 1 and found.density == pytest.approx(7 * 2 / 8 + 1 / 8, abs=0.2)


def test_few_people_have_fewer_neighbours():
    assert neighbours(REFERENCE, OTHER[:2]) == neighbours(REFERENCE, OTHER[:2], k=1)
    with pytest.raises(InputError, match="two people on each side"):
        neighbours(REFERENCE, OTHER[:1])
