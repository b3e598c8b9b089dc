"""The generator of bodies in a frame of their own: what its networks see, and who teaches them."""

import dataclasses
import shutil

import numpy as np
import pytest
import torch
from torch import nn

from tests.training.conftest import OPTIMIZATION, PATCH, SHAPE, losses_of
from vctlib.anatomy import HU_RANGE, PAPER16, ids_of, reduce_labels
from vctlib.errors import InputError
from vctlib.intensity import normalise_hu
from vctlib.metrics.training_people import people_taught
from vctlib.network_config import BlockSegmentationConfig, VectorQuantisedSegmentationConfig
from vctlib.networks.body_frame import BodyFrame, placement
from vctlib.networks.components import restore
from vctlib.networks.inference import inference, to_network
from vctlib.training import objectives
from vctlib.training.components import TRAINERS, joint_latents, train_segmentation_autoencoder
from vctlib.training.loop import TrainingPaused
from vctlib.training.shapes import fit_shapes

AUTOENCODERS = ("image_autoencoder", "segmentation_autoencoder")
BONES = ids_of(PAPER16, "bone") + ids_of(PAPER16, "appendicular_bones")


@pytest.fixture
def with_autoencoders(micro_shop, empty_shop):
    """A shop that has the trained autoencoders, and nothing else."""
    shop, _ = micro_shop
    empty_shop.models.mkdir()
    for name in AUTOENCODERS:
        shutil.copy(shop.weights(name), empty_shop.models)
    return empty_shop


def in_another_frame(shop):
    frame = shop.profile.body_frame.model_copy(update={"lowest_voxel": 7})
    return dataclasses.replace(shop, profile=shop.profile.model_copy(update={"body_frame": frame}))


def test_generators_see_bodies_deformed(empty_shop):
    shop, shapes = empty_shop, fit_shapes(empty_shop)
    framed, plain = shop.arrays(PAPER16, framed=True, shapes=shapes), shop.arrays(PAPER16)
    for hu, labels, as_it_lies, of_it in zip(framed.hu, framed.labels, plain.hu, plain.labels, strict=True):
        expected = BodyFrame(shop.profile, placement(shop.profile, as_it_lies, of_it, shapes), shapes)
        np.testing.assert_allclose(hu, expected.into(as_it_lies).clip(*HU_RANGE), atol=0.6)
        assert np.array_equal(labels, expected.labels_into(of_it))
        undeformed = BodyFrame(shop.profile, placement(shop.profile, as_it_lies, of_it))
        assert np.abs(hu - undeformed.into(as_it_lies)).max() > 50


def test_generators_see_bodies_in_their_frame_and_others_as_they_lie(empty_shop):
    shop, frame = empty_shop, empty_shop.profile.body_frame
    framed, plain = shop.arrays(PAPER16, framed=True), shop.arrays(PAPER16)
    assert framed.hu.dtype == plain.hu.dtype == np.int16 and framed.labels.dtype == plain.labels.dtype
    for hu, labels, as_it_lies, of_it in zip(framed.hu, framed.labels, plain.hu, plain.labels, strict=True):
        slices = np.flatnonzero(np.isin(labels, BONES).any((0, 1)))
        assert (slices[0], slices[-1]) == (frame.lowest_voxel, frame.lowest_voxel + frame.length_voxels - 1)
        expected = BodyFrame(shop.profile, placement(shop.profile, as_it_lies, of_it))
        np.testing.assert_allclose(hu, expected.into(as_it_lies).clip(*HU_RANGE), atol=0.6)
        assert np.array_equal(labels, expected.labels_into(of_it)) and not np.array_equal(labels, of_it)
    other = in_another_frame(shop).arrays(PAPER16, framed=True)  # in the same folder
    assert np.isin(other.labels[0], BONES).any((0, 1)).argmax() == 7


@pytest.mark.parametrize("name", AUTOENCODERS)
def test_checkpoint_of_another_frame_is_not_gone_on_from(with_autoencoders, name):
    with pytest.raises(TrainingPaused):
        TRAINERS[name](dataclasses.replace(with_autoencoders, max_minutes=0.0))
    with pytest.raises(InputError, match="other settings; delete it"):
        TRAINERS[name](in_another_frame(with_autoencoders))


def test_latents_and_reconstructions_of_another_frame_are_made_anew(with_autoencoders):
    latents, placements, organs, _ = joint_latents(with_autoencoders)
    others, same_places, same_organs, _ = joint_latents(in_another_frame(with_autoencoders))
    assert not torch.equal(latents, others) and torch.equal(placements[:, :7], same_places[:, :7])
    torch.testing.assert_close(organs, same_organs, rtol=0, atol=0, equal_nan=True)
    path = with_autoencoders.folder / "cache" / "reconstructed.npy"
    alone = {"reads_labels": False, "noise_shares": None, "told_sampled": False}  # behind the image autoencoder
    config = with_autoencoders.profile.post_processor.model_copy(update=alone)
    changed = with_autoencoders.profile.model_copy(update={"post_processor": config})
    with_autoencoders = dataclasses.replace(with_autoencoders, profile=changed)
    made = []
    for shop in (with_autoencoders, in_another_frame(with_autoencoders)):
        with pytest.raises(TrainingPaused):
            TRAINERS["post_processor"](dataclasses.replace(shop, max_minutes=0.0))
        made.append(np.load(path))
        shutil.rmtree(shop.folder / "post_processor", ignore_errors=True)
        for checkpoint in shop.folder.glob("post_processor*"):
            checkpoint.unlink()
    assert not np.array_equal(*made)


def test_more_people_teach_the_latents_and_nothing_else(with_autoencoders, tiny_people):
    alone = joint_latents(with_autoencoders)
    more = tiny_people.select(["B3", "B7"])  # of the test people, as no phantoms are made here
    shop = dataclasses.replace(with_autoencoders, more=more)
    together = joint_latents(shop)
    assert [len(part) for part in together] == [8, 8, 8, 8]
    for part, before in zip(together, alone, strict=True):
        torch.testing.assert_close(part[:6], before, rtol=0, atol=0, equal_nan=True)
    assert together.attributes[6:, 2].tolist() == more.table["height_cm"].tolist()
    labels = reduce_labels(more.labels("B7"), more.info.labels, PAPER16)
    shapes = shop.trained("image_autoencoder").shapes
    expected = placement(shop.profile, more.ct("B7")[0], labels, shapes)
    assert together[1][7].tolist() == pytest.approx(expected.numbers, rel=1e-6)
    assert len(shop.arrays().hu) == 6
    with pytest.raises(TrainingPaused):
        TRAINERS["latent_diffusion"](dataclasses.replace(shop, max_minutes=0.0))
    with pytest.raises(InputError, match="other settings; delete it"):  # a checkpoint with them is not one without
        TRAINERS["latent_diffusion"](with_autoencoders)


def test_training_with_more_people_says_how_many(with_autoencoders, tiny_people):
    shop = dataclasses.replace(with_autoencoders, more=tiny_people.select(["B3"]))
    assert TRAINERS["latent_diffusion"](shop)["people"] == 7
    assert people_taught(shop.weights("latent_diffusion")) == 7  # what step 10 reads


def test_label_maps_are_decoded_beside_the_image_on_its_scale(micro_shop):
    """Of an image autoencoder that quantises, too, whose latents have no scale of their own."""
    shop, _ = micro_shop
    image, segmentation = (restore(shop.weights(name), name)[0] for name in AUTOENCODERS)
    assert segmentation.reads_image and not hasattr(image.stages[-1], "latent_scale")
    hu = shop.arrays(framed=True, shapes=image.shapes).hu
    with inference(shop.profile.precision):
        latents = torch.cat([image.encode(to_network(volume)).float().flatten(2) for volume in hu], 2)[0]
    torch.testing.assert_close(segmentation.stage.context_scale, latents.std(1), rtol=1e-3, atol=1e-5)


def test_a_quantising_autoencoder_of_label_maps_needs_no_image(empty_shop):
    config, optimization = empty_shop.profile, empty_shop.profile.segmentation_autoencoder.optimization
    quantising = VectorQuantisedSegmentationConfig(
        channels=(8, 8), residual_layers=1, latent_channels=4, codebook_size=32, optimization=optimization
    )
    frame = config.body_frame.model_copy(update={"deformation": None})  # which the image autoencoder holds
    profile = config.model_copy(update={"segmentation_autoencoder": quantising, "body_frame": frame})
    train_segmentation_autoencoder(dataclasses.replace(empty_shop, profile=profile))
    network = restore(empty_shop.weights("segmentation_autoencoder"), "segmentation_autoencoder")[0]
    assert not network.reads_image and network.decode(network.encode(torch.zeros(1, 8, 8, 8).long())).isfinite().all()


class Means(nn.Module):
    """An image autoencoder whose latents are the means of blocks of four voxels."""

    def encode(self, x):
        return nn.functional.avg_pool3d(x, 4)


def test_label_map_and_the_images_latents_are_of_one_place(arrays):
    seen = []

    class Spy(nn.Module):
        def forward(self, one_hot, context):
            seen.append((one_hot, context))
            return one_hot.clone().requires_grad_(), torch.tensor(0.0)

    blocks = {"block": 4, "latent_channels": 3, "channels": (8,), "residual_layers": 1, "reads_image": True}
    config = BlockSegmentationConfig(**blocks, optimization=OPTIMIZATION)
    objective = objectives.SegmentationObjective(Spy(), arrays, len(PAPER16) + 1, config, Means())
    batch = objective.batch(np.random.default_rng(0), 8)
    assert batch["x"].shape == batch["y"].shape == (8, 1, *PATCH) and SHAPE != PATCH
    assert torch.equal(batch["y"] == 1, (batch["x"] * 1000).round() == 800)  # bone where the image shows it
    losses_of(objective, batch)
    one_hot, context = seen[0]
    expected = nn.functional.avg_pool3d(normalise_hu(batch["x"] * 1000), 4)
    torch.testing.assert_close(context, expected)
    assert torch.equal(one_hot.argmax(1, keepdim=True), batch["y"]) and not context.requires_grad
