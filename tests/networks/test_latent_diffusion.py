import pytest
import torch

from tests.networks.people import NAN, typical
from vctlib.attributes import N_CATEGORIES
from vctlib.errors import InputError
from vctlib.networks.latent_diffusion import LatentDiffusion

GRID = (4, 2, 6)


def people(n: int) -> torch.Tensor:
    return typical(torch.stack([torch.randint(0, size + 1, (n,)) for size in N_CATEGORIES.values()], dim=1))


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


@pytest.mark.parametrize(("conditioning", "steps"), [("categories", 60), ("values", 150)])
def test_it_learns_what_attributes_say(diffusion_config, conditioning, steps):
    """Two kinds of people, whose latents are +1 and -1 everywhere: samples follow what is known of them."""
    network = LatentDiffusion(diffusion_config.model_copy(update={"conditioning": conditioning}), 1, GRID)
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
    attributes = torch.tensor([[0.0, NAN, NAN, NAN], [1.0, NAN, NAN, NAN]] * 4)
    clean = torch.where(attributes[:, :1] == 0, 1.0, -1.0).view(-1, 1, 1, 1, 1).expand(-1, 1, *GRID)
    for _ in range(steps):
        noisy, timesteps, target, _ = network.schedule.training_pair(clean)
        optimizer.zero_grad()
        (network(noisy, timesteps, attributes) - target).square().mean().backward()
        optimizer.step()
    with torch.no_grad():
        x = network.schedule.sample(lambda x, t: network(x, t, attributes), torch.randn(8, 1, *GRID), 5)
    assert ((x.mean((1, 2, 3, 4)) - clean.mean((1, 2, 3, 4))).abs() < 0.5).all()


def test_within_a_category_only_values_tell_people_apart(diffusion_config):
    people = torch.tensor([[0.0, 41.0, 171.0, 71.0], [0.0, 41.0, 171.0, 79.0]])
    for conditioning in ("categories", "values"):
        network = LatentDiffusion(diffusion_config.model_copy(update={"conditioning": conditioning}), 1, GRID)
        for parameter in network.parameters():  # the last layer begins as nothing
            torch.nn.init.normal_(parameter, std=0.2)
        with torch.no_grad():
            alike = network(torch.ones(2, 1, *GRID), torch.full((2,), 500.0), people)
        assert torch.allclose(alike[0], alike[1], atol=1e-6) == (conditioning == "categories")


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
