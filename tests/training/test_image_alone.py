"""A latent diffusion without the label map's latents: the same people and seeds, and bodies that have no label map."""

import dataclasses
from types import SimpleNamespace

import pytest
import torch

from vctlib import synthesis
from vctlib.anatomy import PAPER16, reduce_labels
from vctlib.attributes import Attributes
from vctlib.config import changed
from vctlib.errors import InputError
from vctlib.networks.components import GENERATOR_COMPONENTS, build, restore
from vctlib.synthesis import Generator, reconstruct_cohort, synthesize_cohort
from vctlib.training.components import train_post_processor
from vctlib.training.retrain import retrained_diffusion

ALONE = {"joint_labels": False}


def reduced(cohort):
    """A person's label map in the paper's classes, by id."""
    return lambda subject: reduce_labels(cohort.labels(subject), cohort.info.labels, PAPER16)


@pytest.fixture(scope="module")
def weights(micro_shop) -> dict:
    """The generator's parts as they are."""
    return {part: micro_shop[0].weights(part) for part in GENERATOR_COMPONENTS}


@pytest.fixture(scope="module")
def alone(micro_shop, weights, tmp_path_factory) -> dict:
    """The same with a diffusion of the image's latents alone, and so without the post-processor."""
    trained = retrained_diffusion(micro_shop[0], tmp_path_factory.mktemp("alone"), ALONE)
    return {part: path for part, path in weights.items() if part != "post_processor"} | {"latent_diffusion": trained}


def test_only_the_images_latents_are_modelled_with_the_statistics_that_they_had(weights, alone):
    joint, single = (restore(paths["latent_diffusion"], "latent_diffusion")[0] for paths in (weights, alone))
    channels = joint.image_channels
    assert single.latent_shape[0] == channels < joint.latent_shape[0] and single.joint_shape == joint.latent_shape
    assert torch.equal(single.statistics.scale, joint.statistics.scale[:channels])
    assert torch.equal(single.statistics.mean, joint.statistics.mean[:channels])
    z = torch.randn(2, *joint.latent_shape)
    assert torch.equal(single.split(z)[0], joint.split(z)[0]) and single.split(z)[1] is None


def test_a_profile_that_says_nothing_models_both(micro_profile):
    assert micro_profile.latent_diffusion.joint_labels and build("latent_diffusion", micro_profile).joint_labels
    network = build("latent_diffusion", changed(micro_profile, {"latent_diffusion": ALONE}))
    assert not network.joint_labels and len(network.statistics.groups) == 1


def test_one_seed_is_one_noise_of_the_image(weights, alone, tiny_people, micro_profile, monkeypatch):
    """Where the denoiser leaves the noise as it is, latents of the image are the same, whatever else is modelled."""
    as_it_is = SimpleNamespace(sample=lambda predict, noise, *_: noise)
    monkeypatch.setattr(synthesis, "make_schedule", lambda _: as_it_is)
    attributes = [Attributes.from_row(tiny_people.table.loc[person]).values() for person in ("B1", "B4")]
    found = [
        Generator.load(paths).sample_latents(attributes, [[0, 1], [0, 2]], micro_profile.synthesis)
        for paths in (weights, alone)
    ]
    joint, single = (sampled.latents for sampled in found)
    torch.testing.assert_close(single, joint[:, : single.shape[1]])
    assert not torch.equal(single[0], single[1])


def test_bodies_have_no_label_map(alone, tiny_people, micro_profile, tmp_path):
    generator, people = Generator.load(alone), tiny_people.table.iloc[:2]
    config = micro_profile.synthesis.model_copy(update={"draws_per_person": 1})
    made = synthesize_cohort(generator, tiny_people, people, tmp_path / "synthetic", config, 0)
    again = reconstruct_cohort(generator, tiny_people, ["B3"], tmp_path / "reconstructed", reduced(tiny_people))
    for cohort in (made, again):
        assert not cohort.has_labels and not (cohort.path / "labels").exists()
        assert cohort.ct(cohort.subjects[0])[0].std() > 0


def test_a_post_processor_that_reads_labels_is_refused(alone, weights, empty_shop):
    with pytest.raises(InputError, match="makes none; leave the post-processor out"):
        Generator.load(alone | {"post_processor": weights["post_processor"]})
    shop = dataclasses.replace(empty_shop, profile=changed(empty_shop.profile, {"latent_diffusion": ALONE}))
    with pytest.raises(InputError, match="reads_labels needs latent_diffusion.joint_labels"):
        train_post_processor(shop)


def test_a_post_processor_that_reads_none_mends_what_the_image_alone_gives(alone, empty_shop, tiny_people):
    """It learns from people whose latents this diffusion has renewed, and improves its bodies."""
    changes = {"reads_labels": False}
    profile = changed(empty_shop.profile, {"latent_diffusion": ALONE, "post_processor": changes})
    shop = dataclasses.replace(empty_shop, profile=profile, released=alone["latent_diffusion"].parent)
    train_post_processor(shop)
    generator = Generator.load(alone | {"post_processor": shop.weights("post_processor")})
    hu, labels = tiny_people.ct("B3")[0], reduced(tiny_people)("B3")
    improved, none = generator.reconstruct(hu, labels)
    decoded, _ = Generator.load(alone).reconstruct(hu, labels)
    assert none is None and 0 < abs(improved - decoded).max()
