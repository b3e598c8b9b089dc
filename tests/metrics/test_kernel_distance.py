"""The kernel distance: the double sum written out, no bias at small n, and a person's slices held apart."""

import numpy as np
import pytest

from vctlib.errors import InputError
from vctlib.metrics.kernel_distance import kernel_distance


def _written_out(x, y):
    """Unbiased estimate of gretton2012, equation 3, term by term."""

    def k(a, b):
        return (a @ b / len(a) + 1) ** 3

    n, m = len(x), len(y)
    first = sum(k(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    second = sum(k(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return first + second - 2 * sum(k(a, b) for a in x for b in y) / (n * m)


def test_is_the_double_sum():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(7, 3)), rng.normal(1, 2, size=(5, 3))
    assert kernel_distance(x, y) == pytest.approx(_written_out(x, y))
    assert kernel_distance(x[:, None], y[:, None]) == pytest.approx(_written_out(x, y))


def test_two_samples_of_one_population_are_at_zero_on_average_at_any_n():
    rng = np.random.default_rng(1)
    for n in (4, 16):
        found = [kernel_distance(rng.normal(size=(n, 6)), rng.normal(size=(2 * n, 6))) for _ in range(400)]
        assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(400)
        assert min(found) < 0  # an estimate that cannot be negative is biased


def test_slices_of_one_person_do_not_bias_it():
    """Persons differ much more than a person's slices do; held against themselves they would look alike."""
    rng = np.random.default_rng(2)

    def people(n):
        return rng.normal(size=(n, 1, 4)) + 0.01 * rng.normal(size=(n, 6, 4))

    by_person, by_slice = [], []
    for _ in range(200):
        x, y = people(8), people(8)
        by_person.append(kernel_distance(x, y))
        by_slice.append(kernel_distance(x.reshape(-1, 4), y.reshape(-1, 4)))
    error = np.std(by_person) / np.sqrt(200)
    assert abs(np.mean(by_person)) < 3 * error
    assert np.mean(by_slice) > 5 * error


def test_a_shifted_population_and_one_of_another_spread_are_found():
    rng = np.random.default_rng(3)
    real = rng.normal(size=(150, 5))
    same, shifted, narrow = (
        rng.normal(size=(150, 5)),
        rng.normal(0.5, 1, size=(150, 5)),
        0.3 * rng.normal(size=(150, 5)),
    )
    floor = abs(kernel_distance(real, same))
    assert kernel_distance(real, shifted) > 5 * floor and kernel_distance(real, narrow) > 2 * floor


def test_one_person_has_no_distance():
    with pytest.raises(InputError, match="two people on each side"):
        kernel_distance(np.zeros((1, 3)), np.zeros((4, 3)))
