"""What tests of trainings share."""

import dataclasses
import hashlib
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from vctlib.network_config import Optimization, VectorQuantisedStageConfig
from vctlib.training.arrays import body_positions

SHAPE, PATCH = (16, 16, 24), (12, 12, 12)
OPTIMIZATION = Optimization(steps=3, batch_size=2, learning_rate=1e-3, patch=PATCH, warmup_steps=0)


@pytest.fixture
def arrays():
    """Three people: a soft block with a hard core in air; classes 1 and 4."""
    hu, labels = np.full((3, *SHAPE), -1000, np.int16), np.zeros((3, *SHAPE), np.uint8)
    for person in range(3):
        hu[person, 4:12, 4:12, 2:20], labels[person, 4:12, 4:12, 2:20] = 50 + person, 4
        hu[person, 7:9, 7:9, 4:18], labels[person, 7:9, 7:9, 4:18] = 800, 1
    return SimpleNamespace(hu=hu, labels=labels, body=[body_positions(volume) for volume in hu])


def stage_config(**changes) -> VectorQuantisedStageConfig:
    values = {"channels": (8,), "residual_layers": 1, "latent_channels": 3, "codebook_size": 16}
    values |= {"perceptual_weight": 0.0, "adversarial_weight": 0.0, "adversarial_start": 0}
    return VectorQuantisedStageConfig(**values | {"optimization": OPTIMIZATION} | changes)


class Shifted(nn.Module):
    """A stage that adds a constant to its input and reports a commitment loss."""

    def __init__(self, shift: float = 0.0, commitment: float = 0.0) -> None:
        super().__init__()
        self.shift, self.commitment = nn.Parameter(torch.tensor(shift)), commitment

    def forward(self, x):
        return x + self.shift, torch.tensor(self.commitment)


def losses_of(objective, batch=None, step=0):
    batch = batch or objective.batch(np.random.default_rng(0), 2)
    return list(objective.losses(batch, step))


def hash_of(path) -> str:
    """Over the tensors of a weights file; its metadata hold how long the training took."""
    digest = hashlib.sha256()
    for name, tensor in sorted(load_file(path).items()):
        digest.update(name.encode() + tensor.numpy().tobytes())
    return digest.hexdigest()


@pytest.fixture
def empty_shop(micro_shop, tmp_path):
    """The same people and seed in a folder of its own, where nothing is trained or released yet."""
    shop, _ = micro_shop
    places = {"folder": tmp_path / "training", "models": tmp_path / "models", "released": tmp_path / "released"}
    return dataclasses.replace(shop, **places)


@pytest.fixture
def image_shop(micro_shop, empty_shop):
    """The same with the image autoencoder, which that of label maps reads."""
    shop, _ = micro_shop
    empty_shop.models.mkdir()
    shutil.copy(shop.weights("image_autoencoder"), empty_shop.models)
    return empty_shop
