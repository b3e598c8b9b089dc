"""Slices stand upright and come from where they should; the regressor learns what slices show."""

import numpy as np
import pandas as pd
import pytest
import torch

from vctlib.cohort import CohortInfo, CohortWriter
from vctlib.networks.components import release, restore
from vctlib.training.slices import SliceObjective, _Joined, cut_slices, fine_tune, predict, train_slice_regressor

SHAPE = (9, 6, 12)


def place_coded() -> np.ndarray:
    """A volume whose value says where it is: 10000 z + 100 y + x."""
    x, y, z = np.meshgrid(*map(np.arange, SHAPE), indexing="ij")
    return (10000 * z + 100 * y + x).astype(np.int32)


def test_slices_are_the_planes_asked_for_with_the_head_up():
    sagittal, coronal = cut_slices(place_coded(), 4, 2, (6, 12))  # of the sagittal plane's own size: y wide, z high
    assert sagittal.shape == (1, 12, 6)
    for row in range(12):
        z = 11 - row  # the first row is the crown
        assert sagittal[0, row].tolist() == [10000 * z + 100 * y + 4 for y in range(6)]
    _, coronal = cut_slices(place_coded(), 4, 2, (9, 12))
    assert coronal.shape == (1, 12, 9)
    assert coronal[0, 0].tolist() == [110000 + 200 + x for x in range(9)]
    assert coronal[0, 11].tolist() == [200 + x for x in range(9)]


def test_resizing_keeps_the_mean_and_the_way_up():
    hu = np.zeros((12, 12, 40), np.int16)
    hu[:, :, 30:] = 1000  # the upper quarter
    for plane in cut_slices(hu, 6, 6, (24, 20)):
        assert plane.shape == (1, 20, 24) and plane.mean().item() == pytest.approx(250, rel=0.02)
        assert plane[0, :4].mean() > 950 and plane[0, 8:].abs().max() < 1


def test_training_slices_come_from_the_middle_third():
    hu = np.repeat(place_coded()[None], 3, axis=0)
    objective = SliceObjective(torch.nn.Identity(), hu, np.array([1.0, 2.0, 3.0]), (9, 12))
    seen_x, seen_y = set(), set()
    rng = np.random.default_rng(0)
    for _ in range(20):
        batch = objective.batch(rng, 2)
        seen_x |= {round(v) % 100 for v in batch["sagittal"][:, 0, :, 0].flatten().tolist()}
        seen_y |= {round(v) // 100 % 100 for v in batch["coronal"][:, 0, :, 0].flatten().tolist()}
        assert len(set(batch["target"].tolist())) == 2  # nobody twice while there are others
    assert seen_x == {3, 4, 5} and seen_y == {2, 3}
    assert len(objective.batch(rng, 5)["target"]) == 5  # more than there are people


def test_loss_is_in_units_of_the_targets_spread():
    class Guess(torch.nn.Module):
        target_scale = torch.tensor(4.0)

        def forward(self, sagittal, coronal):
            return torch.full((len(sagittal),), 10.0)

    objective = SliceObjective(Guess(), np.zeros((2, *SHAPE), np.int16), np.array([8.0, 14.0]), (6, 12))
    batch = objective.batch(np.random.default_rng(0), 2)
    ((name, loss, _),) = objective.losses(batch, 0)
    assert name == "network" and loss.item() == pytest.approx(((2 / 4) ** 2 + (4 / 4) ** 2) / 2)


@pytest.fixture(scope="module")
def uniform_people(tmp_path_factory):
    """Sixteen boxes of one density each; the density is what is to be predicted."""
    about = {"name": "r", "kind": "reference", "source": "t", "code_version": "0", "seed": 0}
    info = CohortInfo(spacing_mm=(8, 8, 8), grid=(24, 24, 32), labels=None, **about)
    writer = CohortWriter(tmp_path_factory.mktemp("uniform") / "c", info)
    row = {"sex": "male", "age_years": 40, "height_cm": 170, "weight_kg": 70, "split": "train"}
    values = {f"U{i:02d}": value for i, value in enumerate(np.linspace(-200, 200, 16).round())}
    for person, value in values.items():
        hu = np.full(info.grid, -1000)
        hu[4:20, 4:20, 4:28] = value
        writer.add(person, row, hu, None, np.eye(4))
    return writer.finish(values), pd.Series(values)


@pytest.fixture(scope="module")
def profile(micro_profile):
    changes = {"image_size": (32, 48), "epochs": 24, "batch_size": 8, "learning_rate": 2e-4}
    return micro_profile.model_copy(
        update={"precision": "no", "slice_regressor": micro_profile.slice_regressor.model_copy(update=changes)}
    )


def test_it_learns_density_and_answers_the_same_again(uniform_people, profile, tmp_path):
    people, density = uniform_people
    target = 30 + 0.05 * density  # percent, say
    network, summary = train_slice_regressor(profile, people, target, tmp_path, name="slice_regressor_t", seed=0)
    assert summary.steps == 48
    answers = predict(network, people, profile)
    assert np.corrcoef(answers, target)[0, 1] > 0.9
    assert (answers - target).abs().mean() < 0.5 * target.std()
    assert answers.equals(predict(network, people, profile))
    reversed_order = predict(network, people.select(people.subjects[::-1]), profile)
    assert reversed_order.loc[people.subjects].equals(answers)

    release(tmp_path / "w.safetensors", "slice_regressor_t", network, profile, {})
    restored = restore(tmp_path / "w.safetensors", "slice_regressor_t")[0]
    assert predict(restored, people, profile).equals(answers)


def test_joined_arrays_are_each_others_continuation():
    first, second = np.arange(2 * 24).reshape(2, 2, 3, 4), 100 + np.arange(3 * 24).reshape(3, 2, 3, 4)
    joined = _Joined([first, second])
    assert joined.shape == (5, 2, 3, 4) and len(joined) == 5
    assert np.array_equal(np.stack([joined[i] for i in range(5)]), np.concatenate([first, second]))


def test_training_on_reaches_people_whom_it_failed_and_leaves_the_model_as_it_was(uniform_people, profile, tmp_path):
    people, density = uniform_people
    target = 30 + 0.05 * density
    light, dense = people.select(people.subjects[:8]), people.select(people.subjects[8:])
    before, _ = train_slice_regressor(profile, light, target, tmp_path, name="before", seed=0)
    kept = {name: tensor.clone() for name, tensor in before.state_dict().items()}

    def error(network):
        return (predict(network, dense, profile) - target.loc[dense.subjects]).abs().mean()

    faster = profile.slice_regressor.model_copy(update={"learning_rate": 5e-4})
    profile = profile.model_copy(update={"slice_regressor": faster})
    after, summary = fine_tune(
        profile, before, [(light, target), (dense, target)], tmp_path, name="after", seed=0, epochs=24
    )
    assert summary.steps == 24 * 2 and error(after) < 0.7 * error(before)
    assert all(torch.equal(kept[name], tensor) for name, tensor in before.state_dict().items())
    assert after.target_mean == before.target_mean  # what the target is standardised by stays
