"""Every component trained end to end on a few blocky people: what is released, what it builds on, what resumes."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch

from tests.training.conftest import hash_of
from vctlib.anatomy import PAPER16, reduce_labels
from vctlib.errors import InputError
from vctlib.networks.body_frame import placement
from vctlib.networks.components import restore
from vctlib.networks.inference import encode_body, inference, post_process, reconstruct_volume, segment, to_network
from vctlib.networks.organ_intensities import organ_quantiles
from vctlib.networks.precision import make_accelerator
from vctlib.training import components, loop, run
from vctlib.training.components import TRAINERS, joint_latents, train_image_autoencoder, train_segmentation_autoencoder
from vctlib.training.loop import TrainingPaused


def test_every_component_is_released_with_what_it_took(micro_shop, micro_profile):
    shop, trainings = micro_shop
    assert set(trainings) == set(TRAINERS)
    for name, training in trainings.items():
        _, profile, told = restore(shop.weights(name), name)
        assert profile == micro_profile and told == training
        assert training["people"] == 6 and training["seed"] == 3 and training["seconds"] > 0
        for part, summary in training["parts"].items():
            assert summary["steps"] in (3, 4, 5, 6) and part.startswith(name)
            assert all(np.isfinite(value) for value in summary.values())
    assert list(trainings["image_autoencoder"]["parts"]) == ["image_autoencoder_0", "image_autoencoder_1"]
    assert {"perceptual", "adversarial"} <= set(trainings["image_autoencoder"]["parts"]["image_autoencoder_0"])


def test_only_training_people_are_seen(micro_shop, tiny_people):
    shop, _ = micro_shop
    volumes = np.load(shop.folder / "cache" / "hu.npy")
    people = tiny_people.subset("train").subjects
    assert len(volumes) == len(people) == 6
    assert all(np.array_equal(volume, tiny_people.ct(p)[0]) for volume, p in zip(volumes, people, strict=True))


def test_weights_alone_give_what_the_trained_network_gave(empty_shop, monkeypatch, tiny_people):
    """The network that came out of the training, and the one restored from its file, answer alike to the last bit."""
    released = {}

    def keep(path, component, network, *rest):
        released[component] = network.eval()
        original(path, component, network, *rest)

    original = run.release
    monkeypatch.setattr(run, "release", keep)
    for trainer in (train_image_autoencoder, train_segmentation_autoencoder):
        trainer(empty_shop)
    image, segmentation = (restore(empty_shop.weights(name), name)[0] for name in released)
    hu, _ = tiny_people.ct("B3")
    labels = reduce_labels(tiny_people.labels("B3"), tiny_people.info.labels, PAPER16)
    before, where = encode_body(*released.values(), hu, labels, empty_shop.profile)
    assert before.std() > 0 and where == placement(empty_shop.profile, hu, labels, image.shapes)
    assert np.array_equal(before, encode_body(image, segmentation, hu, labels, empty_shop.profile)[0])
    pair = (released["image_autoencoder"], image)
    assert np.array_equal(*(reconstruct_volume(network, hu, where, empty_shop.profile) for network in pair))


def test_same_seed_same_weights_and_another_seed_others(micro_shop, empty_shop, tmp_path):
    shop, _ = micro_shop
    TRAINERS["segmenter"](empty_shop)
    assert hash_of(empty_shop.weights("segmenter")) == hash_of(shop.weights("segmenter"))
    other = dataclasses.replace(empty_shop, seed=4, folder=tmp_path / "other", models=tmp_path / "other")
    TRAINERS["segmenter"](other)
    assert hash_of(other.weights("segmenter")) != hash_of(shop.weights("segmenter"))


def test_later_stage_is_trained_on_standardised_latents(micro_shop):
    shop, _ = micro_shop
    inputs = np.load(shop.folder / "cache" / "stage_1_input.npy")
    assert inputs.shape == (6, 4, 16, 12, 24)
    flat = np.moveaxis(inputs, 1, 0).reshape(4, -1)
    np.testing.assert_allclose(flat.mean(1), 0, atol=1e-3)
    np.testing.assert_allclose(flat.std(1), 1, atol=1e-3)


def test_first_stage_does_not_move_while_the_second_is_trained(empty_shop, monkeypatch):
    states = []
    original = components._standardise_stage

    def spy(shop, network, level, arrays):
        original(shop, network, level, arrays)
        states.append({name: value.clone() for name, value in network.stages[0].state_dict().items()})

    monkeypatch.setattr(components, "_standardise_stage", spy)
    train_image_autoencoder(empty_shop)
    released = restore(empty_shop.weights("image_autoencoder"), "image_autoencoder")[0].stages[0].state_dict()
    assert all(torch.equal(released[name], value) for name, value in states[0].items())


def test_released_weights_stand_in_for_what_is_not_trained_here(micro_shop, empty_shop):
    shop, _ = micro_shop
    with pytest.raises(InputError, match="image_autoencoder.safetensors: no such weights"):
        TRAINERS["latent_diffusion"](empty_shop)
    empty_shop.released.mkdir()
    for name in ("image_autoencoder", "segmentation_autoencoder"):
        shutil.copy(shop.weights(name), empty_shop.released)
    for name in ("latent_diffusion", "post_processor"):
        TRAINERS[name](empty_shop)
        assert hash_of(empty_shop.weights(name)) == hash_of(shop.weights(name))
    # one's own go before the released: train another one, and what builds on it changes
    own = dataclasses.replace(empty_shop, seed=8)
    train_image_autoencoder(own)
    assert own.source("image_autoencoder") == own.weights("image_autoencoder")
    assert own.source("segmentation_autoencoder").parent == own.released
    latents = joint_latents(own)[0]
    assert not torch.equal(latents, joint_latents(dataclasses.replace(own, models=own.released))[0])


def test_joint_latents_are_those_of_the_people_with_their_attributes(micro_shop, tiny_people):
    shop, _ = micro_shop
    latents, placements, organs, attributes = joint_latents(shop)
    assert latents.shape == (6, 8, 8, 6, 12)
    image, segmentation = (shop.trained(name) for name in ("image_autoencoder", "segmentation_autoencoder"))
    train = tiny_people.subset("train")
    person = train.subjects[4]
    labels = reduce_labels(tiny_people.labels(person), tiny_people.info.labels, PAPER16)
    expected, where = encode_body(image, segmentation, tiny_people.ct(person)[0], labels, shop.profile)
    assert np.array_equal(latents[4].numpy(), expected)
    assert placements[4].tolist() == pytest.approx(where.numbers, rel=1e-6)
    seen = organ_quantiles(tiny_people.ct(person)[0], labels)
    assert np.isfinite(seen).any() and np.array_equal(organs[4].numpy(), seen, equal_nan=True)
    assert attributes[:, 0].tolist() == [0 if sex == "female" else 1 for sex in train.table["sex"]]
    assert attributes[:, 2].tolist() == train.table["height_cm"].tolist()


def test_diffusion_knows_the_statistics_of_its_latents(micro_shop):
    shop, _ = micro_shop
    network = restore(shop.weights("latent_diffusion"), "latent_diffusion")[0]
    latents, placements, _, attributes = joint_latents(shop)
    x = network.statistics.standardise(latents, attributes)
    assert torch.allclose(network.statistics.restore(x, attributes), latents, atol=1e-4)
    assert torch.allclose(network.placements.mean[0], placements[:, 0].log().mean())
    assert x[:, : network.image_channels].mean().abs() < 1e-4  # the blocky people's label maps are all alike
    # the denoiser is released with eight bits; a latent keeps some variance of its own whatever factors explain
    ratio = network.denoiser.prior.total_variance / network.statistics.residual_variance
    assert ratio.min() > 0.99 and ratio.max() < 1.3
    assert network.denoiser.prior.factors.abs().max() > 0


def test_post_processor_and_segmenter_answer_on_whole_bodies(micro_shop, tiny_people):
    shop, _ = micro_shop
    hu, _ = tiny_people.ct("B7")
    post_processor, segmenter = (restore(shop.weights(name), name)[0] for name in ("post_processor", "segmenter"))
    improved = post_process(post_processor, hu, np.zeros(hu.shape, np.uint8), shop.profile, sampled=False)
    assert improved.shape == hu.shape and 0 < np.abs(improved - hu).max() < 500  # it began as the identity
    found = segment(segmenter, hu, shop.profile)
    assert found.dtype == np.uint8 and found.shape == hu.shape
    with inference(shop.profile.precision):
        assert np.array_equal(found, segmenter(to_network(hu))[0].argmax(0).numpy())


@pytest.mark.parametrize(("where", "step"), [("image_autoencoder_0", 2), *(("image_autoencoder_1", n) for n in (0, 3))])
def test_interrupted_in_or_between_stages_gives_the_same_weights(micro_shop, empty_shop, monkeypatch, where, step):
    shop, _ = micro_shop
    original, running = loop._seed_step, []

    def fit(self, name, *rest):
        running.append(name)
        return fit_before(self, name, *rest)

    def interrupt(seed, at):
        if (running[-1], at) == (where, step):
            raise KeyboardInterrupt
        return original(seed, at)

    fit_before = components.TrainingRun.fit
    with monkeypatch.context() as patched:
        patched.setattr(components.TrainingRun, "fit", fit)
        patched.setattr(loop, "_seed_step", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train_image_autoencoder(empty_shop)
    assert not empty_shop.weights("image_autoencoder").exists()
    again = train_image_autoencoder(empty_shop)
    assert [(part, s["steps"]) for part, s in again["parts"].items()] == [(f"image_autoencoder_{n}", 5) for n in (0, 1)]
    assert hash_of(empty_shop.weights("image_autoencoder")) == hash_of(shop.weights("image_autoencoder"))


def test_paused_training_goes_on_and_gives_the_same_weights(micro_shop, image_shop):
    shop, _ = micro_shop
    hurried = dataclasses.replace(image_shop, max_minutes=0.0)
    pauses = 0
    while True:
        try:
            train_segmentation_autoencoder(hurried)
            break
        except TrainingPaused as error:
            pauses += 1
            assert f"paused at step {pauses} of 4" in str(error) and "\n" not in str(error)
            assert not hurried.weights("segmentation_autoencoder").exists()
    assert pauses == 3
    name = "segmentation_autoencoder"
    assert hash_of(hurried.weights(name)) == hash_of(shop.weights(name))


def test_released_and_called_again_trains_no_further_step_until_tidied(image_shop, monkeypatch):
    training = train_segmentation_autoencoder(image_shop)
    before = hash_of(image_shop.weights("segmentation_autoencoder"))
    with monkeypatch.context() as patched:
        patched.setattr(loop, "_seed_step", lambda *_: pytest.fail("a step was taken"))
        assert train_segmentation_autoencoder(image_shop) == training
    assert hash_of(image_shop.weights("segmentation_autoencoder")) == before
    checkpoint = image_shop.folder / "segmentation_autoencoder.checkpoint.safetensors"
    assert checkpoint.exists()
    image_shop.tidy(training)
    assert not checkpoint.exists() and image_shop.weights("segmentation_autoencoder").exists()


def test_checkpoint_of_other_settings_is_not_gone_on_from(image_shop):
    with pytest.raises(TrainingPaused):
        train_segmentation_autoencoder(dataclasses.replace(image_shop, max_minutes=0.0))
    for changes in ({"seed": 9}, {"profile": _more_steps(image_shop.profile)}):
        with pytest.raises(InputError, match="other settings; delete it"):
            train_segmentation_autoencoder(dataclasses.replace(image_shop, **changes))


def _more_steps(profile):
    config = profile.segmentation_autoencoder
    optimization = config.optimization.model_copy(update={"steps": 9})
    return profile.model_copy(
        update={"segmentation_autoencoder": config.model_copy(update={"optimization": optimization})}
    )


@pytest.mark.parametrize("name", ["latent_diffusion", "post_processor"])
def test_checkpoint_on_top_of_other_weights_is_not_gone_on_from(micro_shop, empty_shop, name):
    """Else a training that was paused would go on with the latents of another autoencoder."""
    shop, _ = micro_shop
    empty_shop.models.mkdir()
    behind = ["latent_diffusion"] if name == "post_processor" else []  # whose people it mends
    for source in ("image_autoencoder", "segmentation_autoencoder", *behind):
        shutil.copy(shop.weights(source), empty_shop.models)
    with pytest.raises(TrainingPaused):
        TRAINERS[name](dataclasses.replace(empty_shop, max_minutes=0.0))
    train_image_autoencoder(dataclasses.replace(empty_shop, seed=8))
    with pytest.raises(InputError, match="other settings; delete it"):
        TRAINERS[name](empty_shop)


def test_one_process_may_train_at_several_precisions():
    """Accelerate keeps one state a process, and with it the first precision."""
    assert [make_accelerator(setting).mixed_precision for setting in ("no", "bf16", "no")] == ["no", "bf16", "no"]


def test_training_summary_is_json(micro_shop):
    _, trainings = micro_shop
    assert json.loads(json.dumps(trainings)) == trainings
