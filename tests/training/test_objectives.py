"""What each objective asks of its network, on arrays small enough to know the answer."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from tests.training.conftest import OPTIMIZATION, PATCH, SHAPE, Shifted, losses_of, stage_config
from vctlib.anatomy import PAPER16
from vctlib.intensity import normalise_hu
from vctlib.network_config import (
    LatentDiffusionConfig,
    MultiWindow,
    SegmenterConfig,
    VectorQuantisedSegmentationConfig,
)
from vctlib.networks.components import JointLatentDiffusion
from vctlib.training import loop, objectives
from vctlib.training.loop import train

N_CLASSES = len(PAPER16) + 1


def segmentation_config(patch, cross_entropy) -> VectorQuantisedSegmentationConfig:
    values = {"channels": (8,), "residual_layers": 1, "latent_channels": 3, "codebook_size": 16}
    optimization = OPTIMIZATION.model_copy(update={"patch": patch})
    return VectorQuantisedSegmentationConfig(**values, cross_entropy_weight=cross_entropy, optimization=optimization)


def segmenter_config(patch, **amounts) -> SegmenterConfig:
    optimization = OPTIMIZATION.model_copy(update={"patch": patch})
    return SegmenterConfig(channels=(8, 16), residual_units=1, optimization=optimization, **amounts)


def test_perfect_reconstruction_costs_nothing_but_commitment(arrays):
    objective = objectives.ImageStageObjective(Shifted(0.0, 0.25), stage_config(), None, arrays)
    ((name, loss, figures),) = losses_of(objective)
    assert name == "stage" and loss.item() == 0.25
    assert figures == {"reconstruction": 0.0, "commitment": 0.25}


def test_distance_is_l1_and_windows_weigh_it(arrays):
    plain = objectives.ImageStageObjective(Shifted(0.1), stage_config(), None, arrays)
    assert losses_of(plain)[0][1].item() == pytest.approx(0.1, rel=1e-5)
    window = MultiWindow(soft_weight=4, hard_weight=2, other_weight=1)
    weighted = objectives.ImageStageObjective(Shifted(0.1), stage_config(), window, arrays)
    batch = {"x": normalise_hu(torch.tensor([-1000.0, 50, 50, 800])).view(1, 1, 1, 1, 4)}
    assert losses_of(weighted, batch)[0][1].item() == pytest.approx(0.1 * (1 + 4 + 4 + 2) / 4, rel=1e-5)


def test_patches_are_of_the_people_in_the_networks_scale(arrays):
    objective = objectives.ImageStageObjective(Shifted(), stage_config(), None, arrays)
    x = objective.batch(np.random.default_rng(0), 40)["x"]
    assert x.shape == (40, 1, *PATCH) and x.dtype == torch.float32
    values = {round(value, 3) for value in x.unique().tolist()}
    assert values == {-1.0, 0.05, 0.051, 0.052, 0.8}
    whole = stage_config(optimization=OPTIMIZATION.model_copy(update={"patch": None}))
    assert objectives.ImageStageObjective(Shifted(), whole, None, arrays).batch(np.random.default_rng(0), 1)[
        "x"
    ].shape == (1, 1, *SHAPE)


def test_same_draw_same_batch(arrays):
    objective = objectives.SegmenterObjective(nn.Identity(), arrays, segmenter_config(PATCH))
    one, two = (objective.batch(np.random.default_rng(5), 4) for _ in range(2))
    assert torch.equal(one["x"], two["x"]) and torch.equal(one["y"], two["y"])


def test_adversarial_part_starts_at_its_step_and_perceptual_is_there_from_the_first(arrays):
    config = stage_config(adversarial_weight=0.5, adversarial_start=3, perceptual_weight=0.1)
    objective = objectives.ImageStageObjective(Shifted(0.1), config, None, arrays)
    assert list(objective.networks) == ["stage", "discriminator"]  # the average follows the first
    before, after = losses_of(objective, step=2), losses_of(objective, step=3)
    assert [name for name, _, _ in before] == ["stage"]
    assert [name for name, _, _ in after] == ["stage", "discriminator"]
    assert set(before[0][2]) == {"reconstruction", "commitment", "perceptual"}
    figures = after[0][2]
    expected = figures["reconstruction"] + 0.1 * figures["perceptual"] + 0.5 * figures["adversarial"]
    assert after[0][1].item() == pytest.approx(expected, rel=1e-4)


def test_discriminator_moves_at_its_own_fraction_of_the_rate_once_it_starts(arrays, tmp_path, monkeypatch):
    rates = []
    original = loop._descend

    def spy(accelerator, network, optimizer, loss, rate, optimization):
        rates.append(rate)
        original(accelerator, network, optimizer, loss, rate, optimization)

    monkeypatch.setattr(loop, "_descend", spy)
    config = stage_config(adversarial_weight=0.1, adversarial_start=2)
    optimization = OPTIMIZATION.model_copy(update={"final_learning_rate_fraction": 1.0})
    objective = objectives.ImageStageObjective(Shifted(0.1), config, None, arrays)
    train(objective, optimization, tmp_path, name="s", seed=0, key="k", precision="no")
    assert rates == pytest.approx([1e-3, 1e-3, 1e-3, 0.2e-3])


def test_later_stages_see_the_latents_as_they_are(arrays):
    latents = np.random.default_rng(0).normal(size=(3, 2, 12, 12, 12)).astype(np.float32)
    bodies = objectives.latent_bodies(arrays.hu, 2)
    objective = objectives.LatentStageObjective(Shifted(), stage_config(), latents, bodies)
    x = objective.batch(np.random.default_rng(0), 3)["x"]
    assert x.shape == (3, 2, *PATCH)
    assert all(any(np.array_equal(patch, person) for person in latents) for patch in x.numpy())


def test_latent_bodies_lie_where_the_body_is(arrays):
    for factor in (2, 4):
        for body, found in zip(arrays.body, objectives.latent_bodies(arrays.hu, factor), strict=True):
            assert {tuple(p) for p in found} == {tuple(p // factor) for p in body}
            assert len(found) == len({tuple(p) for p in found})


class Fixed(nn.Module):
    """Logits that are right (or all wrong) about a known answer, and a commitment loss for the autoencoder."""

    def __init__(self, n_classes: int, right: bool = True, pair: bool = True) -> None:
        super().__init__()
        self.n_classes, self.right, self.pair = n_classes, right, pair
        self.answer = None

    def forward(self, x, image=None):
        answer = self.answer if self.right else (self.answer + 1) % self.n_classes
        logits = 40.0 * nn.functional.one_hot(answer[:, 0], self.n_classes).movedim(-1, 1).float()
        return (logits, torch.tensor(0.0)) if self.pair else logits


@pytest.mark.parametrize("cross_entropy", [0.0, 1.0])
def test_label_maps_right_and_wrong(arrays, cross_entropy):
    loss = {}
    for right in (True, False):
        network = Fixed(N_CLASSES, right)
        objective = objectives.SegmentationObjective(
            network, arrays, N_CLASSES, segmentation_config(None, cross_entropy)
        )
        batch = objective.batch(np.random.default_rng(0), 2)
        assert batch["y"].shape == (2, 1, *SHAPE) and batch["y"].dtype == torch.int64
        network.answer = batch["y"]
        loss[right] = losses_of(objective, batch)[0][1].item()
    # of classes that nobody has, MONAI's smooth term makes perfect ones
    assert loss[True] == pytest.approx(0, abs=1e-3)
    present = 2 + 2 * (cross_entropy > 0)  # the two classes there, and with wrong answers two more that are not
    assert loss[False] > 0.1 * present


def test_autoencoder_of_label_maps_is_given_one_hot(arrays):
    seen = []

    class Spy(Fixed):
        def forward(self, x, image=None):
            assert image is None  # no image was given
            seen.append(x)
            return super().forward(x)

    network = Spy(N_CLASSES)
    objective = objectives.SegmentationObjective(network, arrays, N_CLASSES, segmentation_config(PATCH, 0.0))
    batch = objective.batch(np.random.default_rng(0), 2)
    network.answer = batch["y"]
    losses_of(objective, batch)
    assert seen[0].shape == (2, N_CLASSES, *PATCH)
    assert torch.equal(seen[0].argmax(1, keepdim=True), batch["y"]) and (seen[0].sum(1) == 1).all()


def test_segmenter_gets_image_and_label_map_of_one_place(arrays):
    network = Fixed(N_CLASSES, pair=False)
    objective = objectives.SegmenterObjective(network, arrays, segmenter_config(PATCH))
    batch = objective.batch(np.random.default_rng(1), 8)
    hu = (batch["x"] * 1000).round().int()
    assert torch.equal(batch["y"] == 1, hu == 800) and torch.equal(batch["y"] == 0, hu == -1000)
    network.answer = batch["y"]
    assert losses_of(objective, batch)[0][1].item() == pytest.approx(0, abs=1e-3)


def test_segmenter_gets_disturbed_images_and_exact_labels(arrays):
    objective = objectives.SegmenterObjective(nn.Identity(), arrays, segmenter_config(PATCH, noise_hu=20.0))
    batch = objective.batch(np.random.default_rng(1), 8)
    error = batch["x"] * 1000 - torch.where(batch["y"] == 1, 800, -1000)
    assert error[batch["y"] == 1].std() > 2 and (error[batch["y"] == 0] == 0).all()


def test_segmenter_is_judged_on_the_body_and_a_little_air(arrays):
    network = Fixed(N_CLASSES, pair=False)
    arrays.hu[0, 5, 5, 5], arrays.labels[1, 0, 0, 0] = -900, 9  # gas inside a structure, and a label in the air
    objective = objectives.SegmenterObjective(network, arrays, segmenter_config(None))
    batch = objective.batch(np.random.default_rng(0), 60)
    inside = (batch["x"][:, 0] > -0.5) | (batch["y"][:, 0] > 0)
    assert batch["counted"][inside].all() and (batch["y"] == 9).any()
    assert batch["counted"][~inside].float().mean().item() == pytest.approx(0.02, rel=0.1)
    network.answer = torch.where(batch["counted"][:, None], batch["y"], 3)  # wrong wherever nobody looks
    assert losses_of(objective, batch)[0][1].item() == pytest.approx(0, abs=1e-3)
    network.right = False
    assert losses_of(objective, batch)[0][1].item() > 1


class Denoiser(nn.Module):
    """What a denoiser should say of latents that are independent Gaussians of this variance; or that plus an error."""

    def __init__(self, variance: float, error: float = 0.0) -> None:
        super().__init__()
        self.variance, self.error = variance, error

    def forward(self, noisy, timesteps, attributes):
        noise = (timesteps / 1000).view(-1, 1, 1, 1, 1)
        signal = 1 - noise
        gain = (signal * self.variance - noise) / (signal**2 * self.variance + noise**2)
        return gain * noisy + self.error


def diffusion_objective(denoiser, latents, attributes, dropout=0.2, seen=None):
    config = LatentDiffusionConfig(
        schedule="rectified_flow", mean="channel", channels=(8,), attention=(False,), residual_blocks=1,
        head_channels=8, norm_groups=4, coordinates=False, attribute_dropout=dropout, optimization=OPTIMIZATION,
    )  # fmt: skip

    def standardise(z, given):
        if seen is not None:
            seen.append(given)
        return z

    network = SimpleNamespace(denoiser=denoiser, statistics=SimpleNamespace(standardise=standardise))
    return objectives.LatentDiffusionObjective(network, config, latents, attributes)


def test_optimum_for_a_known_gaussian():
    """The exact answer costs what no network can save, E[variance / (signal^2 variance + noise^2)]; an error adds its
    square."""
    torch.manual_seed(0)
    variance = 0.5
    latents = variance**0.5 * torch.randn(2000, 1, 4, 4, 4)
    attributes = torch.ones(2000, 4)
    batch = {"z": latents, "attributes": attributes}
    noise = torch.randn(200_000).sigmoid()
    least = (variance / ((1 - noise) ** 2 * variance + noise**2)).mean().item()
    loss = {}
    for error in (0.0, 0.3):
        torch.manual_seed(1)
        objective = diffusion_objective(Denoiser(variance, error), latents, attributes)
        loss[error] = losses_of(objective, batch)[0][1].item()
    assert loss[0.0] == pytest.approx(least, rel=0.03)
    assert loss[0.3] - loss[0.0] == pytest.approx(0.3**2, abs=0.02)
    torch.manual_seed(1)
    assert losses_of(diffusion_objective(Denoiser(2.0), latents, attributes), batch)[0][1].item() > 1.02 * least


def test_attributes_are_dropped_before_latents_are_standardised():
    torch.manual_seed(0)
    attributes = torch.full((4000, 4), 2.0)
    latents = torch.randn(4000, 1, 1, 1, 1)
    standardised, denoised = [], []

    class Spy(Denoiser):
        def forward(self, noisy, timesteps, given):
            denoised.append(given)
            return super().forward(noisy, timesteps, given)

    objective = diffusion_objective(Spy(1.0), latents, attributes, 0.2, standardised)
    losses_of(objective, {"z": latents, "attributes": attributes})
    assert standardised[0] is denoised[0]
    assert denoised[0].isnan().float().mean().item() == pytest.approx(0.2, abs=0.02)
    assert torch.equal(attributes, torch.full((4000, 4), 2.0))  # the people themselves keep theirs


def test_latents_and_attributes_of_one_person_stay_together(micro_profile):
    count = 8
    network = JointLatentDiffusion(micro_profile)
    latents = torch.arange(count).view(count, 1, 1, 1, 1).expand(count, *network.latent_shape).float()
    attributes = torch.arange(count)[:, None] + torch.tensor([0.0, 20.0, 150.0, 60.0])
    objective = objectives.LatentDiffusionObjective(network, micro_profile.latent_diffusion, latents, attributes)
    batch = objective.batch(np.random.default_rng(0), 50)
    person = batch["z"][:, 0, 0, 0, 0].long()
    assert torch.equal(batch["attributes"], attributes[person]) and len(person.unique()) == count
    assert list(objective.networks) == ["denoiser"]
