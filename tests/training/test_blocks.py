import numpy as np
import pytest
import torch

from tests.training.conftest import OPTIMIZATION, PATCH, SHAPE, Shifted, losses_of
from vctlib.errors import InputError
from vctlib.intensity import compand, expand
from vctlib.network_config import BlockStageConfig, Optimization
from vctlib.networks.block_stage import BlockStage
from vctlib.training import objectives
from vctlib.training.blocks import fit_components

GRID, BLOCK, CHANNELS, PLANTED = (12, 8, 16), 4, 2, 3


def stage(latent_channels: int = PLANTED) -> BlockStage:
    optimization = Optimization(steps=1, batch_size=1, learning_rate=1e-3)
    config = BlockStageConfig(
        block=BLOCK, latent_channels=latent_channels, channels=(8,), residual_layers=1, optimization=optimization
    )
    return BlockStage(CHANNELS, config).eval()


@pytest.fixture
def people():
    """Volumes whose blocks, inside a mask, are mixtures of three patterns about a mean; outside anything at all."""
    generator = torch.Generator().manual_seed(1)
    random = lambda *shape: torch.randn(*shape, generator=generator)  # noqa: E731
    mean, patterns = random(CHANNELS, 4, 4, 4), random(PLANTED, CHANNELS, 4, 4, 4)
    mask = np.zeros(GRID, bool)
    mask[2, 1, 0:12] = mask[9, 6, 5] = True  # touches three blocks of a corner column and one of the opposite
    touched = [(0, 0, 0), (0, 0, 1), (0, 0, 2), (2, 1, 1)]
    volumes = []
    for _ in range(10):
        volume = 100 * random(CHANNELS, *GRID)
        for x, y, z in touched:
            block = mean + (
                random(PLANTED, 1, 1, 1, 1) * torch.tensor([3.0, 2, 1]).view(-1, 1, 1, 1, 1) * patterns
            ).sum(0)
            volume[:, 4 * x : 4 * x + 4, 4 * y : 4 * y + 4, 4 * z : 4 * z + 4] = block
        volumes.append(volume)
    return volumes, mask, touched


def test_components_are_those_of_masked_blocks(people):
    volumes, mask, touched = people
    network = stage()
    fit_components(network, volumes.__getitem__, lambda _: mask, len(volumes), 0)
    x = torch.stack(volumes)
    reconstructed = network.decode(network.encode(x))
    latents = []
    for a, b, c in touched:
        window = (slice(None), slice(None), *(slice(4 * i, 4 * i + 4) for i in (a, b, c)))
        torch.testing.assert_close(reconstructed[window], x[window], atol=1e-3, rtol=1e-3)
        latents.append(network.encode(x)[:, :, a, b, c])
    latents = torch.cat(latents)
    torch.testing.assert_close(latents.mean(0), torch.zeros(PLANTED), atol=1e-3, rtol=0)
    torch.testing.assert_close(latents.std(0), network.latent_scale, rtol=1e-3, atol=0)
    assert (network.latent_scale.diff() <= 0).all()


def test_same_seed_same_components(people):
    volumes, mask, _ = people
    one, two = stage(), stage()
    for network in (one, two):
        fit_components(network, volumes.__getitem__, lambda _: mask, len(volumes), 5)
    assert torch.equal(one.components, two.components) and torch.equal(one.mean, two.mean)


def test_fewer_blocks_than_components_is_said(people):
    volumes, mask, _ = people
    with pytest.raises(InputError, match="40 blocks are too few for 40 principal components"):
        fit_components(stage(40), volumes.__getitem__, lambda _: mask, len(volumes), 0)


def test_block_stage_is_trained_on_whole_blocks_of_companded_images(arrays):
    config = BlockStageConfig(
        block=4, latent_channels=3, channels=(8, 4), residual_layers=1, squared_weight=3.0, optimization=OPTIMIZATION
    )
    stage = Shifted(0.2)
    stage.standardise = compand
    objective = objectives.BlockStageObjective(stage, config, arrays)
    x = objective.batch(np.random.default_rng(0), 40)["x"]
    ramp = torch.arange(np.prod(SHAPE)).reshape(SHAPE).float()
    objective._hu = ramp[None].repeat(3, 1, 1, 1).numpy() / 10  # so that a patch tells where it was cut
    corners = expand(objective.batch(np.random.default_rng(0), 40)["x"][:, 0, 0, 0, 0]) * 10000
    places = {np.unravel_index(int(corner), SHAPE) for corner in corners.round()}
    assert len(places) > 2 and all(index % 4 == 0 for place in places for index in place)
    assert x.shape == (40, 1, *PATCH)
    assert {round(value, 3) for value in expand(x).unique().tolist()} == {-1.0, 0.05, 0.051, 0.052, 0.8}
    ((name, loss, figures),) = losses_of(objective)
    assert name == "stage" and figures == pytest.approx({"reconstruction": 0.2, "squared": 0.04})
    assert loss.item() == pytest.approx(0.2 + 3 * 0.04)
