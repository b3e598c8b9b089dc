"""What the post-processor is trained on, and for."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.training.conftest import OPTIMIZATION, Shifted, losses_of
from vctlib.anatomy import PAPER16
from vctlib.network_config import PostProcessorConfig
from vctlib.networks.unet import PostProcessor
from vctlib.training import loop, objectives
from vctlib.training.decoded import DecodedPeople
from vctlib.training.loop import TrainingPaused, train


def test_post_processor_goes_from_reconstruction_to_image(arrays):
    reconstructed = (arrays.hu[:2] + 100).clip(-1000, 2000)
    arrays.body = arrays.body[:2]  # of two of the three people
    config = PostProcessorConfig(channels=(4, 8), residual_units=1, optimization=OPTIMIZATION)
    objective = objectives.PostProcessorObjective(Shifted(), config, arrays, DecodedPeople(reconstructed))
    objective.networks["network"] = nn.Identity()
    batch = objective.batch(np.random.default_rng(0), 20)
    assert torch.allclose(batch["x"] - batch["y"], torch.tensor(0.1), atol=1e-6)
    assert not torch.isclose(batch["y"], torch.tensor(0.052)).any()  # never the third
    ((_, loss, figures),) = losses_of(objective, batch)
    assert loss.item() == pytest.approx(0.1, rel=1e-4) and set(figures) == {"reconstruction", "as_decoded"}
    with_features = config.model_copy(update={"perceptual_weight": 0.5})
    objective = objectives.PostProcessorObjective(nn.Identity(), with_features, arrays, DecodedPeople(reconstructed))
    ((_, loss, figures),) = losses_of(objective, {"x": batch["x"][:2], "y": batch["x"][:2]})
    assert loss.item() == pytest.approx(0, abs=1e-6) and figures["perceptual"] == pytest.approx(0, abs=1e-6)


def test_post_processor_sees_the_labels_of_its_patch_and_pays_for_squares(arrays):
    config = PostProcessorConfig(
        channels=(4, 8), residual_units=1, optimization=OPTIMIZATION, reads_labels=True, squared_weight=3.0
    )
    labels = (arrays.hu > 0).astype(np.uint8)
    objective = objectives.PostProcessorObjective(nn.Identity(), config, arrays, DecodedPeople(arrays.hu, labels))
    batch = objective.batch(np.random.default_rng(0), 4)
    assert batch["x"].shape[1] == 1 + len(PAPER16) + 1
    assert torch.equal(batch["x"][:, 2] > 0, batch["y"][:, 0] > 0) and (batch["x"][:, 1:].sum(1) == 1).all()
    objective.networks["network"] = Shift(0.5)
    ((_, loss, figures),) = losses_of(objective, batch)
    assert loss.item() == pytest.approx(0.5 + 3 * 0.25, rel=1e-5) and figures["squared"] == pytest.approx(0.25)
    assert figures["as_decoded"] == pytest.approx(0, abs=1e-6)  # what the network adds is no part of it


def test_post_processor_pays_for_what_a_cube_holds_and_not_for_where(arrays):
    config = PostProcessorConfig(
        channels=(4, 8), residual_units=1, optimization=OPTIMIZATION, histogram_weight=2.0, histogram_side=4
    )
    objective = objectives.PostProcessorObjective(nn.Identity(), config, arrays, DecodedPeople(arrays.hu))
    batch = objective.batch(np.random.default_rng(0), 2)
    turned = batch["y"].unflatten(2, (-1, 4)).flip(3).flatten(2, 3)  # within every cube, along x
    ((_, loss, figures),) = losses_of(objective, {"x": turned, "y": batch["y"]})
    assert loss.item() == pytest.approx(figures["reconstruction"], rel=1e-5) and figures["reconstruction"] > 0
    objective.networks["network"] = Shift(0.001)
    ((_, loss, figures),) = losses_of(objective, batch)
    assert loss.item() == pytest.approx(0.001 + 2 * figures["histograms"], rel=1e-3)
    assert 0.0005 < figures["histograms"] < 0.004  # companded, 1 HU weighs up to 2.5 times as much


def test_post_processor_is_told_whose_patch_is_like_a_sample(arrays):
    config = PostProcessorConfig(
        channels=(4, 8), residual_units=1, optimization=OPTIMIZATION, reads_labels=True, blur=1.0, told_sampled=True
    )
    labels, sampled = np.zeros(arrays.hu.shape, np.uint8), np.arange(len(arrays.hu)) == 1
    shifted = arrays.hu + 100 * sampled[:, None, None, None]
    decoded = DecodedPeople(shifted, labels, sampled)
    objective = objectives.PostProcessorObjective(nn.Identity(), config, arrays, decoded)
    batch = objective.batch(np.random.default_rng(0), 20)
    told, changed = batch["x"][:, -1], batch["x"][:, 0] - batch["y"][:, 0]
    assert batch["x"].shape[1] == 1 + len(PAPER16) + 1 + 1 and set(told.unique().tolist()) == {0.0, 1.0}
    assert torch.allclose(changed, 0.1 * told, atol=1e-6)
    network = PostProcessor(config, len(PAPER16) + 1)
    assert network(batch["x"][:, :, :8, :8, :8]).shape == (20, 1, 8, 8, 8)
    with pytest.raises(ValueError, match="told_sampled needs noise_shares or blur"):
        PostProcessorConfig(channels=(4, 8), residual_units=1, optimization=OPTIMIZATION, told_sampled=True)


def test_shares_of_noise_must_not_fall():
    with pytest.raises(ValueError, match="must not fall"):
        PostProcessorConfig(channels=(4, 8), residual_units=1, optimization=OPTIMIZATION, noise_shares=(0.7, 0.3))


class Shift(nn.Module):
    """The image, by so much too bright."""

    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = by

    def forward(self, x):
        return x[:, :1] + self.by


def test_post_processor_and_discriminator_take_turns_over_the_same_slices(arrays):
    config = PostProcessorConfig(
        channels=(4, 8), residual_units=1, optimization=OPTIMIZATION, perceptual_weight=0.5, adversarial_weight=0.25,
        adversarial_start=2,
    )  # fmt: skip
    objective = objectives.PostProcessorObjective(Shift(0.2), config, arrays, DecodedPeople(arrays.hu))
    assert list(objective.networks) == ["network", "discriminator"]  # the average follows the first
    torch.manual_seed(0)
    ((before, _, without),) = losses_of(objective, step=1)
    assert before == "network" and "adversarial" not in without
    (name, loss, figures), (judge, judged, its_figures) = losses_of(objective, step=2)
    assert (name, judge) == ("network", "discriminator")
    expected = figures["reconstruction"] + 0.5 * figures["perceptual"] + 0.25 * figures["adversarial"]
    assert loss.item() == pytest.approx(expected, rel=1e-5) and figures["adversarial"] != 0
    assert judged.item() == its_figures["discriminator"] and 1 < judged.item() < 3  # it starts undecided
    judged.backward()
    assert all(p.grad.abs().sum() > 0 for p in objective.networks["discriminator"].parameters() if p.ndim > 1)


def adversarial_objective(arrays) -> objectives.PostProcessorObjective:
    config = PostProcessorConfig(
        channels=(4, 8), residual_units=1, optimization=OPTIMIZATION, adversarial_weight=0.25, adversarial_start=1,
        slices_per_axis=3,
    )  # fmt: skip
    torch.manual_seed(0)
    network = PostProcessor(config, len(PAPER16) + 1)
    return objectives.PostProcessorObjective(
        network, config, arrays, DecodedPeople((arrays.hu + 100).clip(-1000, 2000))
    )


def test_discriminator_goes_on_from_a_pause_as_if_there_had_been_none(arrays, tmp_path):
    """Its weights, and the vectors of its power iteration."""
    optimization = OPTIMIZATION.model_copy(update={"steps": 4})
    whole, paused = adversarial_objective(arrays), None
    train(whole, optimization, tmp_path / "whole", name="p", seed=0, key="k", precision="no")
    for _ in range(3):
        paused = adversarial_objective(arrays)
        with pytest.raises(TrainingPaused):
            train(paused, optimization, tmp_path / "paused", name="p", seed=0, key="k", precision="no", max_minutes=0)
    paused = adversarial_objective(arrays)
    train(paused, optimization, tmp_path / "paused", name="p", seed=0, key="k", precision="no")
    begun = adversarial_objective(arrays).networks["discriminator"].state_dict()
    for part in ("network", "discriminator"):
        ours, theirs = (objective.networks[part].state_dict() for objective in (whole, paused))
        assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
    moved = whole.networks["discriminator"].state_dict()
    assert not all(torch.equal(begun[name], moved[name]) for name in begun)


def test_both_optimisers_forget_fast_and_as_many_slices_are_seen_as_asked_for(arrays, tmp_path, monkeypatch):
    betas, original = [], loop._descend

    def spy(accelerator, network, optimizer, loss, rate, optimization):
        betas.extend(group["betas"] for group in optimizer.param_groups)
        original(accelerator, network, optimizer, loss, rate, optimization)

    monkeypatch.setattr(loop, "_descend", spy)
    objective = adversarial_objective(arrays)
    assert objective._perceptual.slices_per_axis == 3
    train(objective, OPTIMIZATION, tmp_path, name="p", seed=0, key="k", precision="no")
    assert set(betas) == {(0.5, 0.99)}
