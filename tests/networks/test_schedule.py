import pytest
import torch

from tests.networks.people import NAN
from vctlib.networks.schedule import DenoisingDiffusion, RectifiedFlow, drop_attributes, guided, make_schedule

SCHEDULES = [RectifiedFlow(), DenoisingDiffusion(), DenoisingDiffusion(timesteps=200)]
MEAN, SD = 0.7, 0.4


def ideal(schedule):
    """The prediction of least squared error for latents that are Gaussian with MEAN and SD."""

    def predict(noisy, timesteps):
        signal, noise = schedule.levels(timesteps)
        gain = signal * SD**2 / (signal**2 * SD**2 + noise**2)
        clean = MEAN + gain * (noisy - signal * MEAN)
        predicted_noise = (noisy - signal * clean) / noise
        of_clean, of_noise = schedule.target_weights
        return of_clean * clean + of_noise * predicted_noise

    return predict


@pytest.mark.parametrize(
    ("schedule", "steps", "tolerance"),
    [
        (SCHEDULES[0], 200, 0.005),
        (SCHEDULES[0], 20, 0.01),
        (SCHEDULES[1], 1000, 0.01),  # ancestral
        (SCHEDULES[1], 250, 0.02),  # DDIM
        (SCHEDULES[1], 30, 0.08),
        (SCHEDULES[2], 200, 0.03),
    ],
)
def test_sampling_a_gaussian_gives_its_mean_and_deviation(schedule, steps, tolerance):
    noise = torch.randn(1, 1, 20, 40, 50)
    x = schedule.sample(ideal(schedule), (noise - noise.mean()) / noise.std(), steps)
    assert x.mean().item() == pytest.approx(MEAN, abs=0.01)
    assert x.std().item() == pytest.approx(SD, abs=tolerance)


def test_a_direction_of_large_variance_keeps_its_spread_where_steps_begin_late_enough():
    """One with 5000 times the variance of a latent is decided while nearly all is noise; even steps pass over that."""
    sd, n, steps = 70.0, 20000, 20

    def predict(noisy, timesteps):
        signal, noise = (level[0, 0, 0, 0, 0] for level in schedule.levels(timesteps))
        clean = signal * sd**2 / (signal**2 * sd**2 + noise**2) * noisy
        return clean - (noisy - signal * clean) / noise

    found = {}
    for name, schedule in (("late", RectifiedFlow(location=1.9, scale=1.8)), ("plain", RectifiedFlow())):
        found[name] = schedule.sample(predict, torch.randn(1, 1, 1, 1, n), steps).std().item() / sd
    assert found["late"] == pytest.approx(1, abs=0.05) and found["plain"] < 0.8


def test_a_path_steps_through_the_noise_that_training_sees():
    schedule = RectifiedFlow(location=1.9, scale=1.8)
    drawn = schedule.training_pair(torch.zeros(20000, 1, 1, 1, 1)).timesteps
    share_above = [(drawn > timestep).float().mean().item() for timestep in schedule.path(4)]
    assert share_above == pytest.approx([0, 0.25, 0.5, 0.75], abs=0.02)


def test_straight_paths_need_one_step():
    """Where all noise leads to one latent, the velocity is constant along a path and Euler is exact."""
    wanted = torch.full((2, 1, 2, 2, 2), 3.0)
    schedule = RectifiedFlow()

    def predict(noisy, timesteps):
        signal, level = schedule.levels(timesteps)
        return wanted - (noisy - signal * wanted) / level

    torch.testing.assert_close(schedule.sample(predict, torch.randn(2, 1, 2, 2, 2), 1), wanted)


@pytest.mark.parametrize(
    ("schedule", "narrower"), [(SCHEDULES[0], 0.02), (SCHEDULES[2], 0.12)], ids=["flow", "ddpm200"]
)
def test_what_is_noised_a_little_and_denoised_is_almost_what_it_was(schedule, narrower):
    """Share 0 keeps all, share 1 nothing; between, the more noise the less, and the spread stays."""
    noise, clean = torch.randn(2, 1, 1, 20, 40, 50)
    clean = MEAN + SD * (clean - clean.mean()) / clean.std()
    kept = []
    for share in (0.0, 0.05, 0.6, 1.0):
        x = schedule.renew(ideal(schedule), clean, noise, 50, share)
        kept.append(torch.corrcoef(torch.stack([x.flatten(), clean.flatten()]))[0, 1].item())
        assert x.std().item() == pytest.approx(SD, abs=narrower * SD)
    assert kept[0] == pytest.approx(1) and kept == sorted(kept, reverse=True)
    assert kept[1] > 0.8 and abs(kept[3]) < 0.1


@pytest.mark.parametrize("schedule", SCHEDULES, ids=["flow", "ddpm1000", "ddpm200"])
def test_training_pairs_are_the_mix_that_the_levels_say(schedule):
    clean, noise = torch.randn(3, 2, 4, 4, 4), torch.randn(3, 2, 4, 4, 4)
    timesteps = torch.tensor([0, 77, schedule.timesteps - 1])
    noisy, same, target, weight = schedule.training_pair(clean, noise, timesteps)
    signal, level = schedule.levels(timesteps)
    torch.testing.assert_close(noisy, signal * clean + level * noise)
    of_clean, of_noise = schedule.target_weights
    torch.testing.assert_close(target, of_clean * clean + of_noise * noise)
    assert torch.equal(same, timesteps) and weight == 1


def test_ddpm_keeps_the_variance_and_ends_in_noise():
    schedule = DenoisingDiffusion()
    timesteps = torch.arange(1000)
    signal, noise = schedule.levels(timesteps)
    torch.testing.assert_close(signal**2 + noise**2, torch.ones_like(signal))
    # by hand: the product of 1 - beta, beta the square of an even ramp from sqrt(0.0015) to sqrt(0.0195)
    betas = torch.linspace(0.0015**0.5, 0.0195**0.5, 1000, dtype=torch.float64) ** 2
    torch.testing.assert_close(signal.flatten().double() ** 2, (1 - betas).cumprod(0), rtol=1e-4, atol=1e-7)
    assert signal[-1] < 0.02
    noisy = schedule.training_pair(torch.randn(1, 1, 40, 40, 40), timesteps=torch.tensor([500])).noisy
    assert noisy.var().item() == pytest.approx(1, abs=0.02)


def test_fewer_timesteps_end_in_noise_too():
    assert DenoisingDiffusion(timesteps=100).levels(torch.tensor([99]))[0] < 0.02


def test_bfloat16_latents_leave_the_schedule_as_it_was():
    schedule = DenoisingDiffusion()
    before = schedule.levels(torch.arange(1000))[0]
    schedule.training_pair(torch.randn(2, 1, 4, 4, 4, dtype=torch.bfloat16))
    assert torch.equal(before, schedule.levels(torch.arange(1000))[0])


@pytest.mark.parametrize("schedule", SCHEDULES[:2], ids=["flow", "ddpm"])
def test_a_generator_decides_the_pair(schedule):
    clean = torch.randn(4, 1, 4, 4, 4)
    pairs = [schedule.training_pair(clean, generator=torch.Generator().manual_seed(7)) for _ in range(2)]
    assert all(torch.equal(a, b) for a, b in zip(*pairs, strict=True))
    assert not torch.equal(pairs[0].noisy, schedule.training_pair(clean).noisy)


def test_flow_draws_timesteps_about_the_middle():
    drawn = RectifiedFlow().training_pair(torch.zeros(20000, 1, 1, 1, 1)).timesteps
    quartiles = drawn.quantile(torch.tensor([0.25, 0.5, 0.75]))
    # logistic function of the normal quartiles -0.674, 0, 0.674
    torch.testing.assert_close(quartiles, torch.tensor([337.6, 500.0, 662.4]), atol=8, rtol=0)


def test_guidance_is_between_and_beyond():
    def network(noisy, timesteps, attributes):
        told = (attributes + 7).nan_to_num(0.0).sum(1)  # unknown differs from 0
        return noisy + told.view(-1, 1, 1, 1, 1) + timesteps.view(-1, 1, 1, 1, 1)

    noisy, timesteps = torch.randn(2, 1, 2, 2, 2), torch.tensor([1.0, 2.0])
    attributes = torch.tensor([[1.0, 20.0, 3.0, 4.0], [NAN, NAN, 5.0, 0.0]])
    conditional, none = network(noisy, timesteps, attributes), noisy + timesteps.view(-1, 1, 1, 1, 1)
    torch.testing.assert_close(guided(network, attributes, 1)(noisy, timesteps), conditional)
    torch.testing.assert_close(guided(network, attributes, 0)(noisy, timesteps), none)
    torch.testing.assert_close(guided(network, attributes, 3)(noisy, timesteps), none + 3 * (conditional - none))


def test_attributes_are_dropped_as_often_as_asked():
    attributes = torch.tensor([[0.0, 40.0, 170.0, 80.0]]).repeat(40000, 1)
    dropped = drop_attributes(attributes, 0.2, torch.Generator().manual_seed(0))
    kept = ~dropped.isnan()
    assert torch.equal(dropped[kept], attributes[kept]) and not attributes.isnan().any()  # in a tensor of their own
    torch.testing.assert_close(1 - kept.float().mean(0), torch.full((4,), 0.2), atol=0.01, rtol=0)
    # whole vectors: half of 0.2, and all four one by one hardly ever
    assert (~kept).all(1).float().mean().item() == pytest.approx(0.1, abs=0.01)
    assert torch.equal(drop_attributes(attributes[:5], 0.0), attributes[:5])
    assert drop_attributes(attributes[:5], 1.0).isnan().all()


def test_what_was_unknown_stays_so():
    attributes = torch.tensor([[NAN, 40.0, NAN, 80.0]]).repeat(2000, 1)
    dropped = drop_attributes(attributes, 0.3, torch.Generator().manual_seed(0))
    assert dropped[:, [0, 2]].isnan().all()
    assert dropped[:, 1].isnan().float().mean().item() == pytest.approx(0.3, abs=0.03)


def test_a_profile_names_the_schedule(diffusion_config):
    assert isinstance(make_schedule(diffusion_config), RectifiedFlow)
    other = diffusion_config.model_copy(update={"schedule": "ddpm", "timesteps": 50})
    assert isinstance(make_schedule(other), DenoisingDiffusion) and make_schedule(other).timesteps == 50
