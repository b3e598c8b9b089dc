import numpy as np
import pytest
import torch

from vctlib.cohort import Cohort, CohortInfo, CohortWriter
from vctlib.errors import InputError
from vctlib.metrics import training_people as module
from vctlib.metrics.memorization import closest_pairs, memorization, shrink_all
from vctlib.metrics.training_people import TrainingPeople, people_taught, training_people
from vctlib.networks.weights import save_weights

GRID = (4, 4, 6)
AFFINE = np.diag([8.0, 8, 8, 1])


def volume(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-150, 150, GRID).astype(np.int16)


def make(path, seeds, spacing: float = 8.0, finished: bool = True) -> Cohort | None:
    """A cohort of P0001, P0002 and so on, with a body of noise for each seed."""
    about = {"name": "any", "kind": "reference", "source": "noise", "code_version": "0", "seed": 0}
    writer = CohortWriter(path, CohortInfo(spacing_mm=(spacing,) * 3, grid=GRID, labels=None, **about))
    ids = [f"P{number:04d}" for number, _ in enumerate(seeds, start=1)]
    row = {"sex": "female", "age_years": 50.0, "height_cm": 165.0, "weight_kg": 65.0, "split": "train"}
    for subject_id, seed in zip(ids, seeds, strict=True):
        writer.add(subject_id, row, volume(seed), None, AFFINE)
    return writer.finish(ids) if finished else None


@pytest.fixture
def train(tmp_path) -> Cohort:
    return make(tmp_path / "reference", [1, 2, 3])


@pytest.fixture
def both(tmp_path, train) -> TrainingPeople:
    """Three reference people, and two others of the same ids."""
    return TrainingPeople({"reference": train, "more": make(tmp_path / "more", [4, 5])})


def test_people_of_one_id_are_two_people(both):
    assert len(both) == 5 and both.name(0) == "reference P0001" and both.name(3) == "more P0001"
    assert np.array_equal(both.hu(0), volume(1)) and np.array_equal(both.hu(3), volume(4))
    assert [hu.tolist() for hu in both.volumes()] == [volume(seed).tolist() for seed in (1, 2, 3, 4, 5)]


def test_volumes_are_read_one_after_the_other(both, monkeypatch):
    read = []
    monkeypatch.setattr(Cohort, "ct", lambda self, subject_id: (read.append(subject_id), None))
    volumes = both.volumes()
    assert read == []
    next(volumes)
    assert read == ["P0001"]


def test_copy_of_somebody_beside_the_reference_is_found_and_named(both):
    synthetic = [volume(6), volume(5) + 1, volume(2) + 2]
    found = memorization(*(shrink_all(some, 1) for some in (synthetic, [volume(7), volume(8)], both.volumes())))
    table = both.nearest_table(["a", "b", "c"], found.synthetic_hu, found.nearest).set_index("subject_id")
    assert table.loc["b"].tolist() == ["more", "P0002", 1.0]
    assert table.loc["c"].tolist() == ["reference", "P0002", 2.0]  # the same id, another person
    assert [(ours, both.name(theirs)) for ours, theirs, _ in closest_pairs(found, k=2)] == [
        (1, "more P0002"),
        (2, "reference P0002"),
    ]
    held_out = both.nearest_table(["d", "e"], found.held_out_hu, found.held_out_nearest)
    for row, seed in zip(held_out.itertuples(), (7, 8), strict=True):
        nearest = both.hu(both.people.index((row.nearest_cohort, row.nearest_id)))
        assert row.nearest_hu == pytest.approx(np.sqrt(np.mean((volume(seed) - nearest.astype(float)) ** 2)))


def test_cohorts_on_other_grids_are_told_apart(tmp_path, train):
    coarse = make(tmp_path / "coarse", [4], spacing=16.0)
    with pytest.raises(InputError, match=r"reference: .* of \(8.0, 8.0, 8.0\) mm, more: .* of \(16.0") as error:
        TrainingPeople({"reference": train, "more": coarse})
    assert "\n" not in str(error.value)


def test_people_beside_the_reference_are_taken_where_they_lie(tmp_path, train):
    usual = tmp_path / "cohorts" / "more"
    make(usual, [4, 5])
    assert len(training_people(train, 5, None, usual)) == 5
    assert len(training_people(train, 3, None, usual)) == 3  # nobody but the reference taught these weights
    assert len(training_people(train, 9, None, usual)) == 5  # not all are at hand


def test_absent_folder_leaves_the_reference_unless_it_was_asked_for(tmp_path, train):
    assert len(training_people(train, 5, None, tmp_path / "nowhere")) == 3
    make(tmp_path / "begun", [4], finished=False)
    assert len(training_people(train, 5, None, tmp_path / "begun")) == 3
    with pytest.raises(InputError, match="nowhere: no finished cohort"):
        training_people(train, 5, str(tmp_path / "nowhere"), tmp_path / "usual")


def test_given_folder_goes_before_the_usual_one(tmp_path, train, monkeypatch):
    make(tmp_path / "usual", [4, 5])
    make(tmp_path / "mine", [6])
    people = training_people(train, 3, str(tmp_path / "mine"), tmp_path / "usual")
    assert len(people) == 4 and np.array_equal(people.hu(3), volume(6))
    monkeypatch.setattr(module, "REPOSITORY", tmp_path)
    assert len(training_people(train, 3, "mine", tmp_path / "usual")) == 4  # below the repository


def test_weights_say_how_many_taught_them(tmp_path):
    path = tmp_path / "latent_diffusion.safetensors"
    tensors = {"bias": torch.zeros(1)}
    save_weights(path, tensors, {"training": {"people": 1119, "seed": 0}})
    assert people_taught(path) == 1119
    for metadata in ({"seed": 0}, {"training": {"seed": 0}}, {"training": "long ago"}):
        save_weights(path, tensors, metadata)
        with pytest.raises(InputError, match="latent_diffusion.safetensors: does not say how many people"):
            people_taught(path)
