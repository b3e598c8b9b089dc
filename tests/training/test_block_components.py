"""Autoencoders of principal components, trained end to end on a few blocky people."""

import dataclasses

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.training.conftest import hash_of
from vctlib.anatomy import PAPER16, reduce_labels
from vctlib.intensity import compand, normalise_hu
from vctlib.network_config import BlockSegmentationConfig, BlockStageConfig, ImageAutoencoderConfig
from vctlib.networks.components import restore
from vctlib.networks.inference import encode_body
from vctlib.training.components import train_image_autoencoder, train_segmentation_autoencoder
from vctlib.training.loop import TrainingPaused


@pytest.fixture
def block_shop(empty_shop):
    """Autoencoders of principal components; behind the image's a vector-quantised stage of the micro profile."""
    blocks = {"block": 2, "latent_channels": 5, "channels": (8,), "residual_layers": 1}
    profile = empty_shop.profile
    optimization = profile.segmentation_autoencoder.optimization
    stages = (BlockStageConfig(**blocks, optimization=optimization), profile.image_autoencoder.stages[1])
    changes = {
        "image_autoencoder": ImageAutoencoderConfig(stages=stages, multi_window=None),
        "segmentation_autoencoder": BlockSegmentationConfig(**blocks | {"block": 4}, optimization=optimization),
        "body_frame": None,  # so that what was read is what was seen
    }
    return dataclasses.replace(empty_shop, profile=profile.model_copy(update=changes))


def test_components_are_fitted_to_training_people_and_resumed_with_the_rest(block_shop, tiny_people, tmp_path):
    for trainer in (train_image_autoencoder, train_segmentation_autoencoder):
        trainer(block_shop)
    names = ("image_autoencoder", "segmentation_autoencoder")
    image, segmentation = (restore(block_shop.weights(name), name)[0] for name in names)
    stage = image.stages[0]
    hu = np.load(block_shop.folder / "cache" / "hu.npy")
    companded = compand(normalise_hu(torch.from_numpy(hu).float()))[:, None]
    body = torch.nn.functional.max_pool3d((torch.from_numpy(hu) > -500)[:, None].float(), 2)[:, 0] > 0
    latents = stage.encode(companded).movedim(1, -1)[body]
    torch.testing.assert_close(latents.mean(0), torch.zeros(5), atol=1e-3, rtol=0)  # all of the few blocks were used
    torch.testing.assert_close(latents.std(0), stage.latent_scale, rtol=1e-2, atol=2e-3)
    assert image.compression == segmentation.compression == 4 and segmentation.stage.latent_scale[0] > 0.1
    labels = reduce_labels(tiny_people.labels("B3"), tiny_people.info.labels, PAPER16)
    assert encode_body(image, segmentation, tiny_people.ct("B3")[0], labels, block_shop.profile)[0].shape[0] == 9
    kinds = {name: tensor.dtype for name, tensor in load_file(block_shop.weights("segmentation_autoencoder")).items()}
    assert kinds["stage.components"] == torch.float32 and kinds["stage.residual.layers.0.weight"] == torch.int8
    hurried = dataclasses.replace(block_shop, folder=tmp_path / "again", models=tmp_path / "again", max_minutes=0.0)
    for trainer in (train_image_autoencoder, train_segmentation_autoencoder):
        while True:
            try:
                trainer(hurried)
                break
            except TrainingPaused:
                pass
    assert [hash_of(hurried.weights(name)) for name in names] == [hash_of(block_shop.weights(name)) for name in names]
