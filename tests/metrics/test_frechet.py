import numpy as np
import pytest
from scipy.linalg import sqrtm
from sklearn.covariance import ledoit_wolf

from vctlib.errors import InputError
from vctlib.metrics.frechet import at_same_n, distance_between_gaussians, frechet_distance, real_to_real


def _random_covariance(rng, d):
    a = rng.normal(size=(d, d))
    return a @ a.T


def test_hand_values():
    one, zero = np.eye(3), np.zeros(3)
    assert distance_between_gaussians(zero, one, zero, one) == pytest.approx(0, abs=1e-12)
    assert distance_between_gaussians(zero, one, [3, 4, 0], one) == pytest.approx(25)
    assert distance_between_gaussians(zero, 4 * one, zero, 9 * one) == pytest.approx(3)  # 3 (3 - 2)^2
    diagonals = np.diag([1.0, 4, 9]), np.diag([4.0, 1, 9])
    assert distance_between_gaussians(zero, diagonals[0], zero, diagonals[1]) == pytest.approx(2)


def test_agrees_with_the_square_root_of_the_product():
    rng = np.random.default_rng(0)
    c1, c2, m1, m2 = _random_covariance(rng, 6), _random_covariance(rng, 6), rng.normal(size=6), rng.normal(size=6)
    expected = np.square(m1 - m2).sum() + np.trace(c1 + c2 - 2 * sqrtm(c1 @ c2).real)
    assert distance_between_gaussians(m1, c1, m2, c2) == pytest.approx(expected)


def test_symmetric_and_unchanged_by_rotation():
    rng = np.random.default_rng(1)
    c1, c2, m = _random_covariance(rng, 5), _random_covariance(rng, 5), rng.normal(size=5)
    value = distance_between_gaussians(m, c1, 0 * m, c2)
    assert distance_between_gaussians(0 * m, c2, m, c1) == pytest.approx(value)
    q = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    assert distance_between_gaussians(q @ m, q @ c1 @ q.T, 0 * m, q @ c2 @ q.T) == pytest.approx(value)


def test_people_of_two_kinds_alone_have_a_distance():
    """Their covariance has one direction, and what `ledoit_wolf` calls its shrinkage may be below 0 by rounding."""
    for seed in range(20):
        kinds = np.random.default_rng(seed).standard_normal((2, 64))
        rows = np.concatenate([kinds, kinds])
        assert frechet_distance(rows, rows + 1, "ledoit_wolf").value == pytest.approx(64)


def test_singular_covariances_stay_real_and_never_negative():
    c = np.diag([1.0, 0, 0, 0])
    assert distance_between_gaussians(np.zeros(4), c, np.zeros(4), c) == pytest.approx(0, abs=1e-12)
    assert distance_between_gaussians(np.zeros(4), c, np.zeros(4), np.zeros((4, 4))) == pytest.approx(1)


def test_recovers_the_distance_of_the_populations_at_large_n():
    rng = np.random.default_rng(2)
    a = rng.normal(size=(40_000, 3))
    b = rng.normal(size=(40_000, 3)) * [2, 1, 1] + [0, 1, 0]  # (2 - 1)^2 + 1^2
    distance = frechet_distance(a, b)
    assert distance.value == pytest.approx(2, abs=0.05)
    assert distance.covariance == "sample" and distance.n == 40_000


def test_few_rows_are_shrunk_and_named_so():
    features = np.random.default_rng(3).normal(size=(20, 50))
    distance = frechet_distance(features[:10], features[10:])
    assert distance.covariance == "ledoit_wolf" and "Ledoit-Wolf" in distance.name and "n = 10" in distance.name
    forced = frechet_distance(features[:10], features[10:], covariance="sample")
    assert forced.value > distance.value and "Ledoit" not in forced.name


@pytest.mark.parametrize("covariance", ["ledoit_wolf", "sample"])
def test_few_rows_give_what_all_dimensions_give(covariance):
    """With fewer rows than features the distance is computed in the space of the rows; the answer is the same."""
    rng = np.random.default_rng(8)
    a, b = rng.normal(size=(9, 40)), rng.normal(0.3, 2, size=(13, 40))
    found = [ledoit_wolf(x)[0] if covariance == "ledoit_wolf" else np.cov(x, rowvar=False) for x in (a, b)]
    whole = distance_between_gaussians(a.mean(axis=0), found[0], b.mean(axis=0), found[1])
    assert frechet_distance(a, b, covariance).value == pytest.approx(whole, rel=1e-6)


def test_floor_of_equal_populations_falls_with_n():
    features = np.random.default_rng(4).normal(size=(1200, 8))
    small, large = real_to_real(features, 100), real_to_real(features)
    assert small.n == 100 and large.n == 600
    assert 4 < small.value / large.value < 9  # the bias goes as 1 / n
    assert small.interval95[0] < small.value < small.interval95[1]


def test_a_shifted_population_stands_above_its_floor_and_the_same_one_does_not():
    rng = np.random.default_rng(5)
    real, alike, shifted = rng.normal(size=(400, 6)), rng.normal(size=(300, 6)), rng.normal(0.5, size=(300, 6))
    floor = real_to_real(real, 150)
    assert at_same_n(real, shifted, 150).value > 3 * floor.interval95[1]
    same = at_same_n(real, alike, 150)
    assert same.value < 1.5 * floor.interval95[1] and same.n == floor.n


def test_slices_of_one_person_never_go_to_both_sides():
    people = np.repeat(10.0 * np.random.default_rng(6).normal(size=(6, 1, 2)), 5, axis=1)
    people += np.random.default_rng(7).normal(size=people.shape)
    by_person = real_to_real(people, draws=4)
    by_slice = real_to_real(people.reshape(-1, 2), draws=4)
    assert by_person.n == 15 and by_person.value > 3 * by_slice.value


def test_bad_input_is_named():
    with pytest.raises(InputError, match="one network"):
        frechet_distance(np.zeros((4, 3)), np.zeros((4, 2)))
    with pytest.raises(InputError, match="at least 2 rows"):
        frechet_distance(np.zeros((1, 3)), np.zeros((4, 3)))
    with pytest.raises(InputError, match="finite"):
        frechet_distance(np.full((4, 3), np.nan), np.zeros((4, 3)))
    with pytest.raises(InputError, match="cannot be drawn from 5"):
        real_to_real(np.zeros((5, 2)), 3)
