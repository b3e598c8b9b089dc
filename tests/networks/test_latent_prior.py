"""The closed form against draws from the same Gaussian, and against solving the full covariance."""

import pytest
import torch

from vctlib.errors import InputError
from vctlib.networks import latent_prior
from vctlib.networks.latent_prior import LatentPrior

GRID = (2, 1, 3)
LEVELS = [(0.9, 0.1), (0.5, 0.5), (0.05, 0.95)]  # signal, noise
WEIGHTS = [(1.0, -1.0), (0.0, 1.0)]  # rectified flow, DDPM


@pytest.fixture(autouse=True)
def _half_of_the_latents(monkeypatch):
    monkeypatch.setattr(latent_prior, "_WITH_FACTORS", 0.5)


def a_prior(n_factors: int = 3) -> LatentPrior:
    torch.manual_seed(0)
    prior = LatentPrior(2, GRID, n_factors)
    prior.variance.copy_(0.1 + torch.rand(2, *GRID))
    prior.places.copy_(torch.tensor([1, 4, 5, 7, 10, 11]))
    prior.factors.copy_(torch.randn(n_factors, 6))
    return prior


def everywhere(prior: LatentPrior) -> torch.Tensor:
    """Factors (n, all latents)."""
    whole = torch.zeros(len(prior.factors), 12)
    whole[:, prior.places] = prior.factors
    return whole


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize(("signal", "noise"), LEVELS)
def test_posterior_is_that_of_the_full_covariance(signal, noise, weights):
    prior, noisy = a_prior(), torch.randn(4, 2, *GRID)
    factors = everywhere(prior).double()
    covariance = prior.variance.flatten().double().diag() + factors.T @ factors
    of_noisy = signal**2 * covariance + noise**2 * torch.eye(12)
    with_noisy = weights[0] * signal * covariance + weights[1] * noise * torch.eye(12)  # of target and noisy
    gain = torch.linalg.solve(of_noisy, with_noisy).T
    own = weights[0] ** 2 * covariance + weights[1] ** 2 * torch.eye(12)
    left = own - gain @ with_noisy.T
    levels = (torch.full((4, 1, 1, 1, 1), level) for level in (signal, noise))
    found = prior.posterior(noisy, *levels, weights)
    torch.testing.assert_close(
        found.target.flatten(1), (noisy.flatten(1).double() @ gain.T).float(), rtol=1e-3, atol=1e-4
    )
    wanted = left.diagonal().sqrt().float().expand(4, -1)
    torch.testing.assert_close(found.left_over.flatten(1), wanted, rtol=1e-3, atol=1e-4)


def test_scores_of_the_factors_are_found_where_there_is_little_noise():
    prior = a_prior()
    prior.variance.fill_(1e-4)
    clean = (torch.randn(5, 3) @ everywhere(prior)).view(5, 2, *GRID)
    levels = torch.full((5, 1, 1, 1, 1), 0.99), torch.full((5, 1, 1, 1, 1), 0.01)
    shared = prior.posterior(levels[0] * clean, *levels, (1.0, -1.0)).shared
    found = shared.flatten(1) * everywhere(prior).square().sum(0).sqrt()
    torch.testing.assert_close(found.view_as(clean), clean, atol=0.02, rtol=0.01)


def test_scores_of_people_who_are_sums_of_the_factors():
    """Exact where factors are orthogonal, as those of a fit are."""
    prior = a_prior()
    prior.factors.copy_(torch.linalg.qr(prior.factors.T)[0].T * torch.tensor([3.0, 2.0, 1.0])[:, None])
    scores = torch.randn(7, 3)
    x = (scores @ everywhere(prior)).view(7, 2, *GRID)
    torch.testing.assert_close(prior.scores(x), scores)
    assert LatentPrior(2, GRID, 0).scores(x).shape == (7, 0)


def test_fit_finds_the_factors_and_the_variance_about_them():
    truth, fitted = a_prior(2), LatentPrior(2, GRID, 2)
    x = (torch.randn(4000, 2) @ everywhere(truth)).view(-1, 2, *GRID)
    x = x + truth.variance.sqrt() * torch.randn_like(x)
    fitted.fit(x, x.square().mean(0))
    found, wanted = (everywhere(p).T @ everywhere(p) for p in (fitted, truth))
    assert torch.equal(fitted.places, truth.places)
    assert torch.corrcoef(torch.stack([found.flatten(), wanted.flatten()]))[0, 1] > 0.98
    torch.testing.assert_close(fitted.total_variance, truth.total_variance, rtol=0.1, atol=0.05)


def test_without_people_enough_it_says_so():
    with pytest.raises(InputError, match="3 factors need more than 4 people, not 4; lower prior_factors"):
        LatentPrior(2, GRID, 3).fit(torch.randn(4, 2, *GRID), torch.ones(2, 1, 1, 1))


def test_posterior_stays_in_float32_under_autocast():
    prior, noisy = a_prior(), torch.randn(1, 2, *GRID)
    levels = torch.full((1, 1, 1, 1, 1), 0.5), torch.full((1, 1, 1, 1, 1), 0.5)
    plain = prior.posterior(noisy, *levels, (1.0, -1.0))
    with torch.autocast("cpu", torch.bfloat16):
        cast = prior.posterior(noisy, *levels, (1.0, -1.0))
    assert all(torch.equal(a, b) for a, b in zip(plain, cast, strict=True))
