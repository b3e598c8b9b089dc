import numpy as np
import pytest

from vctlib.errors import InputError
from vctlib.metrics.memorization import closest_pairs, memorization, nearest, shrink, shrink_all


def test_shrinking_averages_blocks_inside_the_window():
    hu = np.arange(8).reshape(2, 2, 2) * 10
    assert shrink(hu, 2).tolist() == [35]
    assert shrink(np.full((2, 2, 2), 3000), 2).tolist() == [200]  # bone saturates
    assert shrink(np.full((3, 2, 2), 0), 2).tolist() == [0, -100]  # half of the second block is air
    assert np.array_equal(shrink(hu, 1), hu.ravel())
    with pytest.raises(InputError, match="at least 1"):
        shrink(hu, 0)


def test_distance_is_root_mean_square_in_hu():
    distances, positions = nearest(np.array([[0.0, 0, 0, 0]]), np.array([[9.0, 9, 9, 9], [4, 0, 0, 0]]))
    assert distances.tolist() == [2] and positions.tolist() == [1]


@pytest.fixture
def bodies():
    rng = np.random.default_rng(0)
    return lambda n: rng.normal(0, 50, size=(n, 200))


def test_a_generator_that_learnt_the_population_has_ratio_one(bodies):
    result = memorization(bodies(60), bodies(60), bodies(100))
    low, high = result.ratio.ci95
    assert low < 1 < high and high - low < 0.1
    assert result.closer_than_any_held_out < 0.2


def test_copies_are_found_and_traced_to_their_originals(bodies):
    training = bodies(100)
    copies = training[[7, 42, 99]] + bodies(3) / 50
    result = memorization(copies, bodies(60), training)
    assert result.ratio.value < 0.1 and result.ratio.ci95[1] < 0.2
    assert result.nearest.tolist() == [7, 42, 99] and result.closer_than_any_held_out == 1


def test_some_copies_among_many_show_in_the_share(bodies):
    training = bodies(100)
    synthetic = np.concatenate([training[:30], bodies(70)])
    result = memorization(synthetic, bodies(100), training)
    assert 0.30 <= result.closer_than_any_held_out < 0.36


def test_closest_pairs_are_the_copies_nearest_first_and_no_training_body_twice(bodies):
    training = bodies(100)
    noise = bodies(5) / np.array([[10], [50], [20], [5], [2]])
    synthetic = np.concatenate([bodies(20), training[[7, 42, 7, 99, 3]] + noise])
    pairs = closest_pairs(memorization(synthetic, bodies(20), training), k=3)
    assert [pair[:2] for pair in pairs] == [(21, 42), (22, 7), (23, 99)]
    assert [pair[2] for pair in pairs] == pytest.approx([1.0, 2.5, 10.0], rel=0.2)
    assert len(closest_pairs(memorization(synthetic[:2], bodies(20), training), k=4)) <= 2


def test_overlapping_groups_are_an_error(bodies):
    training = bodies(10)
    with pytest.raises(InputError, match="held-out body 1 is training body 4"):
        memorization(bodies(5), np.stack([bodies(1)[0], training[4]]), training)


def test_different_downsampling_is_an_error():
    volumes = [np.zeros((4, 4, 4))] * 2
    with pytest.raises(InputError, match="one downsampling"):
        nearest(shrink_all(volumes, 2), shrink_all(volumes, 4))
