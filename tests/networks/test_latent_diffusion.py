import pytest
import torch

from vctlib.attributes import N_CATEGORIES
from vctlib.errors import InputError
from vctlib.networks.latent_diffusion import AttributeEmbedding, LatentDiffusion

GRID = (4, 2, 6)


def people(n: int) -> torch.Tensor:
    return torch.stack([torch.randint(0, size + 1, (n,)) for size in N_CATEGORIES.values()], dim=1)


class Answers(torch.nn.Module):
    """Stands for the U-Net: gives one answer everywhere and remembers what it saw of two channels."""

    def __init__(self, answer: float):
        super().__init__()
        self.answer = answer

    def forward(self, inputs, timesteps, class_labels):
        self.seen = inputs[:, :2]
        return torch.full_like(self.seen, self.answer)


@pytest.mark.parametrize("schedule", ["rectified_flow", "ddpm"])
def test_untrained_it_is_the_best_guess_for_gaussian_latents(diffusion_config, schedule):
    """Regression of the target on the noisy latent, by least squares over many draws, gives the same slope, and the
    U-Net is asked for a remainder of unit variance."""
    network = LatentDiffusion(diffusion_config.model_copy(update={"schedule": schedule}), 2, GRID)
    variance = torch.tensor([0.25, 4.0])
    network.prior.fit(torch.zeros(2, 2, *GRID), variance.view(2, 1, 1, 1))
    for timestep in (100, 500, 900):
        clean = variance.sqrt().view(2, 1, 1, 1) * torch.randn(500, 2, *GRID)
        timesteps = torch.full((500,), timestep)
        noisy, _, target, _ = network.schedule.training_pair(clean, timesteps=timesteps)
        slope = (noisy * target).mean((0, 2, 3, 4)) / (noisy * noisy).mean((0, 2, 3, 4))
        with torch.no_grad():
            predicted = network(noisy, timesteps, people(500))
        torch.testing.assert_close(predicted, slope.view(2, 1, 1, 1) * noisy, atol=0.1, rtol=0.1)


@pytest.mark.parametrize("schedule", ["rectified_flow", "ddpm"])
def test_unet_sees_and_is_asked_for_unit_variance(diffusion_config, schedule):
    network = LatentDiffusion(diffusion_config.model_copy(update={"schedule": schedule}), 2, GRID)
    network.prior.fit(torch.zeros(2, 2, *GRID), torch.tensor([0.25, 4.0]).view(2, 1, 1, 1))
    clean = network.prior.variance.sqrt() * torch.randn(4000, 2, *GRID)
    for timestep in (30, 500, 900):
        timesteps = torch.full((4000,), timestep)
        noisy, _, target, _ = network.schedule.training_pair(clean, timesteps=timesteps)
        network.unet = Answers(0.0)
        guess = network(noisy, timesteps, people(4000))
        network.unet = Answers(1.0)
        gain = network(noisy, timesteps, people(4000)) - guess
        asked_for = (target - guess) / gain
        torch.testing.assert_close(asked_for.std((0, 2, 3, 4)), torch.ones(2), atol=0.03, rtol=0)
        torch.testing.assert_close(network.unet.seen.std((0, 2, 3, 4)), torch.ones(2), atol=0.03, rtol=0)


def test_it_learns_what_attributes_say(diffusion_config):
    """Two kinds of people, whose latents are +1 and -1 everywhere: samples follow the category."""
    network = LatentDiffusion(diffusion_config, 1, GRID)
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
    categories = torch.tensor([[1, 0, 0, 0], [2, 0, 0, 0]] * 4)
    clean = torch.where(categories[:, :1] == 1, 1.0, -1.0).view(-1, 1, 1, 1, 1).expand(-1, 1, *GRID)
    for _ in range(60):
        noisy, timesteps, target, _ = network.schedule.training_pair(clean)
        optimizer.zero_grad()
        (network(noisy, timesteps, categories) - target).square().mean().backward()
        optimizer.step()
    with torch.no_grad():
        x = network.schedule.sample(lambda x, t: network(x, t, categories), torch.randn(8, 1, *GRID), 5)
    assert ((x.mean((1, 2, 3, 4)) - clean.mean((1, 2, 3, 4))).abs() < 0.5).all()


def test_every_category_and_none_has_its_own_vector():
    embedding = AttributeEmbedding(32, 64)
    everyone = [(0, 0, 0, 0)]
    for i, size in enumerate(N_CATEGORIES.values()):
        everyone += [tuple(value if j == i else 0 for j in range(4)) for value in range(1, size + 1)]
    out = embedding(torch.tensor(everyone))
    assert out.shape == (1 + sum(N_CATEGORIES.values()), 64)
    assert (torch.cdist(out, out) + torch.eye(len(out))).min() > 1e-3
    assert [table.weight.shape for table in embedding.tables] == [(n + 1, 32) for n in N_CATEGORIES.values()]


def test_coordinates_tell_places_apart(diffusion_config):
    """Without them a convolutional network away from the border answers alike everywhere."""
    network = LatentDiffusion(diffusion_config, 1, GRID)
    assert network.coordinates.shape == (3, *GRID)
    assert network.coordinates[0, 0, 0, 0] == -1.5 and network.coordinates[2, 0, 0, -1] == 1.5
    assert "coordinates" not in network.state_dict() and "prior.variance" in network.state_dict()
    plain = LatentDiffusion(diffusion_config.model_copy(update={"coordinates": False}), 1, GRID)
    assert plain(torch.zeros(1, 1, *GRID), torch.tensor([1.0]), people(1)).shape == (1, 1, *GRID)


def test_a_grid_that_cannot_be_halved_is_refused(diffusion_config):
    with pytest.raises(InputError, match=r"\(4, 3, 6\) cannot be halved 1 times"):
        LatentDiffusion(diffusion_config, 1, (4, 3, 6))
