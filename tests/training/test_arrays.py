"""Volumes for training: made once, never half-made, never of another cohort; patches show the body."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from vctlib.anatomy import PAPER16, ids_of
from vctlib.cohort import CohortInfo, CohortWriter
from vctlib.errors import InputError
from vctlib.training.arrays import BodyArrays, body_positions, cached_array, cut, patch_start

SHAPE = (20, 16, 24)


def ball() -> np.ndarray:
    """A body off the middle, in air, that some patches of eight voxels would miss."""
    place = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), axis=-1)
    return np.where(np.linalg.norm(place - [13, 5, 17], axis=-1) < 4.5, 0, -1000).astype(np.int16)


class Maker:
    """Counts what it makes; item i is filled with `value + i`, and making item `breaks_at` ends in an interruption."""

    def __init__(self, value: int = 0, breaks_at: int | None = None) -> None:
        self.value, self.breaks_at, self.calls = value, breaks_at, 0

    def __call__(self, index: int) -> np.ndarray:
        self.calls += 1
        if index == self.breaks_at:
            raise KeyboardInterrupt
        return np.full((2, 3), self.value + index, np.int16)


def get(path, make, key="k", count=4):
    return cached_array(path, key, make, count, "making")


def test_made_once_and_not_to_be_written_to(tmp_path):
    path, maker = tmp_path / "cache" / "a.npy", Maker()
    first = get(path, maker)
    assert maker.calls == 4 and first[:, 0, 0].tolist() == [0, 1, 2, 3] and first.dtype == np.int16
    again = get(path, maker)
    assert maker.calls == 4 and np.array_equal(first, again)
    with pytest.raises(ValueError, match="read-only"):
        again[0] = 1


@pytest.mark.parametrize(("key", "count"), [("other", 4), ("k", 3)])
def test_another_key_or_count_is_made_anew(tmp_path, key, count):
    path = tmp_path / "a.npy"
    get(path, Maker())
    assert get(path, Maker(100), key, count)[:, 0, 0].tolist() == [100 + i for i in range(count)]
    assert get(path, Maker(200))[0, 0, 0] == 200  # and what was there before is forgotten


@pytest.mark.parametrize("earlier", [False, True])
def test_interrupted_leaves_nothing_to_be_taken_for_whole(tmp_path, earlier):
    path = tmp_path / "a.npy"
    if earlier:
        get(path, Maker(50), "old")
    with pytest.raises(KeyboardInterrupt):
        get(path, Maker(7, breaks_at=2))
    assert not path.with_suffix(".json").exists()
    assert get(path, Maker(9))[:, 0, 0].tolist() == [9, 10, 11, 12]
    assert sorted(file.name for file in tmp_path.glob("[!.]*")) == ["a.json", "a.npy"]
    assert not list(tmp_path.glob(".*.tmp"))


def test_of_two_at_once_one_makes_it_and_the_other_waits(tmp_path):
    begun, others = threading.Event(), []

    def slow(index: int) -> np.ndarray:
        begun.set()
        time.sleep(0.05)
        return np.full((2, 3), index, np.int16)

    with ThreadPoolExecutor() as pool:
        first = pool.submit(get, tmp_path / "a.npy", slow)
        assert begun.wait(10)
        second = pool.submit(get, tmp_path / "a.npy", others.append)
        assert np.array_equal(first.result(), second.result())
    assert others == []


def test_killed_between_the_array_and_its_note(tmp_path):
    path = tmp_path / "a.npy"
    get(path, Maker(1))
    path.with_suffix(".json").unlink()
    assert get(path, Maker(5))[0, 0, 0] == 5


def test_cut_takes_the_last_three_axes_and_copies():
    volume = np.arange(3 * 20 * 16 * 24).reshape(3, *SHAPE)
    patch = cut(volume, (2, 3, 4), (5, 6, 7))
    assert patch.shape == (3, 5, 6, 7)
    assert patch[1, 0, 0, 0] == volume[1, 2, 3, 4] and patch[2, 4, 5, 6] == volume[2, 6, 8, 10]
    patch[:] = -1
    assert volume.min() == 0
    assert np.array_equal(cut(volume[0], (0, 0, 0), SHAPE), volume[0])


def test_body_positions_lie_in_the_body_and_air_has_its_middle():
    hu = ball()
    found = body_positions(hu)
    assert len(found) > 3 and (hu[tuple(found.T)] > -500).all()
    assert body_positions(np.full(SHAPE, -1000)).tolist() == [[10, 8, 12]]


def test_patches_stay_in_the_grid_and_touch_the_body():
    hu, patch, rng = ball(), (8, 8, 8), np.random.default_rng(0)
    body = body_positions(hu)
    starts = [patch_start(rng, body, patch, SHAPE) for _ in range(400)]
    assert all(0 <= a <= s - p for start in starts for a, p, s in zip(start, patch, SHAPE, strict=True))
    assert all((cut(hu, start, patch) > -500).any() for start in starts)
    everywhere = [tuple(rng.integers(0, s - p + 1) for p, s in zip(patch, SHAPE, strict=True)) for _ in range(400)]
    assert np.mean([(cut(hu, start, patch) > -500).any() for start in everywhere]) < 0.9  # so that this says something
    assert len(set(starts)) > 100  # the body does not always lie at the same place of its patch
    assert patch_start(rng, body, SHAPE, SHAPE) == (0, 0, 0)


def test_arrays_are_the_people_asked_for_with_the_labels_asked_for(tiny_people, tmp_path):
    train = tiny_people.subset("train")
    arrays = BodyArrays(train, tmp_path, target=PAPER16)
    assert arrays.subjects == train.subjects and len(arrays.hu) == len(arrays.labels) == len(arrays.body) == 6
    for index, person in enumerate(train.subjects):
        assert np.array_equal(arrays.hu[index], train.ct(person)[0])
        liver = ids_of(train.info.labels, "liver")[0]
        assert np.array_equal(arrays.labels[index] == ids_of(PAPER16, "liver")[0], train.labels(person) == liver)
    others = BodyArrays(tiny_people.subset("test"), tmp_path)  # the same folder, other people
    assert np.array_equal(others.hu[0], tiny_people.ct(others.subjects[0])[0]) and others.labels is None


def test_nobody_to_train_on_is_said(tiny_people, tmp_path):
    with pytest.raises(InputError, match="nobody to train on"):
        BodyArrays(tiny_people.select([]), tmp_path)


def test_arrays_follow_a_cohort_that_was_made_again(tmp_path):
    row = {"sex": "male", "age_years": 40, "height_cm": 170, "weight_kg": 70, "split": "train"}
    made = []
    for value in (0, 40):
        about = {"name": "reference", "kind": "reference", "source": "t", "code_version": "0", "seed": value}
        info = CohortInfo(spacing_mm=(8, 8, 8), grid=(4, 4, 4), labels=None, **about)
        writer = CohortWriter(tmp_path / "cohort", info, restart=True)
        writer.add("A", row, np.full((4, 4, 4), value), None, np.eye(4))
        made.append(int(BodyArrays(writer.finish(["A"]), tmp_path / "cache").hu[0, 0, 0, 0]))
    assert made == [0, 40]
