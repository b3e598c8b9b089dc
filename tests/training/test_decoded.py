"""What the post-processor has to mend: people as the generator decodes them, blurred and renewed on request."""

import dataclasses
import shutil

import numpy as np
import pytest
import torch

from vctlib.anatomy import PAPER16
from vctlib.networks.body_frame import BodyFrame, placement
from vctlib.networks.inference import decode_image, encode_body, with_amounts
from vctlib.training.decoded import decoded_people


@pytest.fixture
def generator_shop(micro_shop, empty_shop):
    """A shop that has everything in front of the post-processor."""
    shop, _ = micro_shop
    empty_shop.models.mkdir()
    for name in ("image_autoencoder", "segmentation_autoencoder", "latent_diffusion"):
        shutil.copy(shop.weights(name), empty_shop.models)
    return empty_shop


def asking_for(shop, **settings):
    config = shop.profile.post_processor.model_copy(update={"reads_labels": True, "max_people": 2} | settings)
    return dataclasses.replace(shop, profile=shop.profile.model_copy(update={"post_processor": config}))


def test_people_are_decoded_as_the_generator_does_it(generator_shop):
    shop = asking_for(generator_shop)
    arrays = shop.arrays(PAPER16)
    images, labels, _ = decoded_people(shop, arrays)
    assert images.shape == labels.shape == (2, *arrays.hu.shape[1:])
    assert images.dtype == np.int16 and labels.dtype == np.uint8 and labels.max() <= len(PAPER16)
    networks = [shop.trained(name) for name in ("image_autoencoder", "segmentation_autoencoder")]
    z, where = encode_body(*networks, arrays.hu[1], arrays.labels[1], shop.profile)
    frame = BodyFrame(shop.profile, where, networks[0].shapes)
    own = decode_image(networks[0], torch.from_numpy(z)[None, : networks[0].latent_channels], frame, shop.profile)
    assert where == placement(shop.profile, arrays.hu[1], arrays.labels[1], networks[0].shapes) and any(where.shape)
    own = with_amounts(own, labels[1], where, shop.profile)  # as fat and as dense of bone as the person
    np.testing.assert_allclose(images[1], own, atol=0.51)  # rounded to whole HU
    without = decoded_people(asking_for(generator_shop, reads_labels=False, told_sampled=False), arrays)
    assert without.labels is None and without.sampled is None


def test_share_zero_keeps_a_person_and_noise_and_blur_change_one_for_good(generator_shop):
    arrays = asking_for(generator_shop).arrays(PAPER16)
    made = {}
    for name, settings in {
        "plain": {},
        "none": {"noise_shares": (0.0, 0.0)},
        "half": {"noise_shares": (0.6, 0.6)},
        "blur": {"blur": 3.0},
        "again": {"noise_shares": (0.6, 0.6)},  # a cache of other settings is not used
    }.items():
        made[name] = np.array(decoded_people(asking_for(generator_shop, **settings), arrays).hu, float)
    np.testing.assert_allclose(made["none"], made["plain"], atol=1.01)  # standardised and back
    for name in ("half", "blur"):
        change = np.abs(made[name] - made["plain"]).max((1, 2, 3))
        assert change[0] == 0 and change[1] > 5  # every second one stays a reconstruction
    told = decoded_people(asking_for(generator_shop, blur=3.0), arrays)
    np.testing.assert_array_equal(told.sampled, change > 0)
    assert np.array_equal(made["half"], made["again"]) and not np.array_equal(made["half"], made["blur"])
