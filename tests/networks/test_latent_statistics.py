import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures

from tests.networks.people import NAN, typical
from vctlib.attributes import N_CATEGORIES
from vctlib.errors import InputError
from vctlib.networks.conditions import to_categories
from vctlib.networks.latent_statistics import LatentStandardiser

GRID = (2, 3, 4)
MODES = ["channel", "position", "attributes"]
SIZES = list(N_CATEGORIES.values())


def people(n: int = 300, channels: int = 3, noise: float = 0.5) -> tuple[torch.Tensor, torch.Tensor]:
    """Latents with a mean at each position, an effect of each category, and noise that differs between channels; and
    the attributes (n, 4) of whom they are."""
    categories = torch.stack([torch.randint(1, size + 1, (n,)) for size in SIZES], dim=1)
    z = torch.randn(channels, *GRID).expand(n, -1, -1, -1, -1).clone()
    for i, size in enumerate(SIZES):
        z += torch.randn(size + 1, channels, *GRID)[categories[:, i]]
    deviation = noise * torch.tensor([1.0, 4.0, 0.25][:channels]).view(-1, 1, 1, 1)
    return z + deviation * torch.randn_like(z), typical(categories)


def fitted(mode, z, attributes, **options) -> LatentStandardiser:
    standardiser = LatentStandardiser(mode, z.shape[1], GRID, **options)
    standardiser.fit(z, attributes)
    return standardiser


@pytest.mark.parametrize("mode", MODES)
def test_restore_undoes_standardise(mode):
    z, attributes = people()
    standardiser = fitted(mode, z, attributes)
    torch.testing.assert_close(standardiser.restore(standardiser.standardise(z, attributes), attributes), z)


@pytest.mark.parametrize("mode", MODES)
def test_standardised_latents_have_mean_zero_and_mean_square_one(mode):
    z, attributes = people(2000)
    x = fitted(mode, z, attributes).standardise(z, attributes)
    assert x.mean().item() == pytest.approx(0, abs=0.01)
    assert x.square().mean().item() == pytest.approx(1, abs=0.05)
    if mode != "channel":
        assert x.mean(0).abs().max() < 0.01


def test_scale_is_the_root_of_the_deviation_in_groups():
    """Half whitening keeps the order of channels: deviations 1 : 4 become 1 : 2, and each group has mean square 1."""
    z = torch.randn(4000, 3, *GRID) * torch.tensor([1.0, 4.0, 100.0]).view(3, 1, 1, 1)
    attributes = torch.full((4000, 4), NAN)
    x = fitted("position", z, attributes, groups=(2, 1)).standardise(z, attributes)
    deviation = x.transpose(0, 1).flatten(1).std(1)
    assert (deviation[1] / deviation[0]).item() == pytest.approx(2, rel=0.02)
    assert x[:, :2].square().mean().item() == pytest.approx(1, abs=0.02)
    assert deviation[2].item() == pytest.approx(1, abs=0.02)
    whitened = fitted("position", z, attributes, whitening=1.0).standardise(z, attributes)
    torch.testing.assert_close(whitened.transpose(0, 1).flatten(1).std(1), torch.ones(3), atol=0.02, rtol=0)


def test_attributes_are_ridge_regression():
    """Categories, their order and its products, each with its own penalty: scikit-learn's ridge on scaled features."""
    z, attributes = people(60)
    standardiser = fitted("attributes", z, attributes)
    categories = to_categories(attributes)
    encoder = OneHotEncoder(categories=[list(range(1, size + 1)) for size in SIZES], sparse_output=False)
    place = 2 * (categories.numpy() - 1) / (np.array(SIZES) - 1) - 1
    curves = PolynomialFeatures(2, include_bias=False).fit_transform(place)
    curves = np.delete(curves, 4, axis=1)  # the square of sex is 1
    penalties = np.repeat([10, 0.1, 0.5], [sum(SIZES), 4, 9])
    features = np.hstack([encoder.fit_transform(categories.numpy()), curves]) / np.sqrt(penalties)
    ridge = Ridge(alpha=1, solver="cholesky").fit(features, z.flatten(1).double().numpy())
    expected = torch.from_numpy(ridge.predict(features)).view_as(z).float()
    torch.testing.assert_close(standardiser.expected(attributes), expected, atol=1e-3, rtol=1e-3)


def test_rare_people_are_not_drawn_to_the_mean():
    """A trend over weight reaches its last category, though only three in a hundred people are in it."""
    categories = torch.ones(300, 4, dtype=torch.long)
    categories[:, 3] = torch.randint(1, SIZES[3], (300,))
    categories[:9, 3] = SIZES[3]
    z = categories[:, 3].float().view(-1, 1, 1, 1, 1).expand(-1, 1, *GRID) + 0.1 * torch.randn(300, 1, *GRID)
    attributes = typical(categories)
    expected = fitted("attributes", z, attributes).expected(attributes[:1])
    assert expected.mean().item() == pytest.approx(SIZES[3], abs=0.15)


def test_residual_variance_is_that_of_people_left_out():
    z, attributes = people(40)
    standardiser = fitted("attributes", z, attributes)
    left = []
    for i in range(len(z)):
        others = torch.arange(len(z)) != i
        without = fitted("attributes", z[others], attributes[others])
        without.regression.lowest.fill_(-torch.inf)  # who is unlike all others is not held to them here
        without.regression.highest.fill_(torch.inf)
        left.append(z[i] - without.expected(attributes[i : i + 1])[0])
    variance = torch.stack(left).square().sum(0) / (len(z) - 1)
    torch.testing.assert_close(standardiser.residual_variance * standardiser.scale**2, variance, rtol=2e-3, atol=1e-4)


def test_none_contributes_nothing():
    z, attributes = people()
    standardiser = fitted("attributes", z, attributes)
    nobody = torch.full((1, 4), NAN)
    torch.testing.assert_close(standardiser.expected(nobody)[0], z.mean(0), atol=1e-5, rtol=0)
    # sex alone moves the mean as the sexes differ, whatever else they do
    of_one_sex = torch.tensor([[0.0, NAN, NAN, NAN], [1.0, NAN, NAN, NAN]])
    apart = standardiser.expected(of_one_sex).diff(dim=0)[0]
    found = z[attributes[:, 0] == 1].mean(0) - z[attributes[:, 0] == 0].mean(0)
    assert torch.corrcoef(torch.stack([apart.flatten(), found.flatten()]))[0, 1] > 0.9


def test_attributes_explain_what_they_do():
    z, attributes = people(2000, noise=0.5)
    residual = fitted("attributes", z, attributes).residual_variance * fitted("attributes", z, attributes).scale ** 2
    torch.testing.assert_close(residual.mean((1, 2, 3)), torch.tensor([0.25, 4.0, 0.0156]), rtol=0.1, atol=0.01)


def test_a_latent_that_never_varies_stays_finite():
    z, attributes = people()
    z[:, :, 0] = 5.0  # air
    standardiser = fitted("attributes", z, attributes)
    x = standardiser.standardise(z, attributes)
    assert x.isfinite().all() and x[:, :, 0].abs().max() < 1e-3
    assert standardiser.residual_variance.min() > 0


@pytest.mark.parametrize("mode", MODES)
def test_state_holds_everything_and_autocast_changes_nothing(mode):
    z, attributes = people()
    standardiser = fitted(mode, z, attributes)
    other = LatentStandardiser(mode, 3, GRID)
    other.load_state_dict(standardiser.state_dict())
    with torch.autocast("cpu", torch.bfloat16):
        again = other.standardise(z, attributes)
    assert torch.equal(again, standardiser.standardise(z, attributes)) and again.dtype == torch.float32


def test_bad_requests_are_told():
    with pytest.raises(InputError, match="do not add up to 3"):
        LatentStandardiser("position", 3, GRID, groups=(2, 2))
    with pytest.raises(InputError, match="at least two people"):
        LatentStandardiser("position", 3, GRID).fit(torch.zeros(1, 3, *GRID), torch.zeros(1, 4))
