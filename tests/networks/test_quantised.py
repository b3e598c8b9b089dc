import pytest
import torch
from torch import nn

from vctlib.networks.quantised import QuantisedAutoencoder, codebook, quantise


class Halves(nn.Module):
    """Means of pairs along x, and the pairs that are left, as two channels; back by repeating the means."""

    compression, latent_channels = 2, 2

    def encode(self, x):
        return torch.cat([nn.functional.avg_pool3d(x, 2), nn.functional.max_pool3d(x, 2)], dim=1)

    def decode(self, z):
        return nn.functional.interpolate(z[:, :1], scale_factor=2)


FIRST = torch.tensor([[0.0, 0.0], [10.0, 10.0], [-10.0, 10.0]])
SECOND = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])


def test_each_latent_becomes_the_nearest_code():
    latents = torch.tensor([[0.4, -0.3], [9.0, 11.0], [-7.0, 8.0], [0.9, 0.1]])
    found = quantise(latents, [codebook(FIRST)])
    torch.testing.assert_close(found, FIRST[[0, 1, 2, 0]])


def test_a_second_codebook_takes_what_the_first_leaves():
    latents = torch.tensor([[9.0, 11.0], [-10.9, 8.9], [0.8, 0.1]])
    expected = torch.tensor([[10.0, 11.0], [-11.0, 9.0], [1.0, 0.0]])
    torch.testing.assert_close(quantise(latents, [codebook(FIRST), codebook(SECOND)]), expected)


def test_whole_volumes_are_quantised_in_place():
    x = 12 * torch.randn(2, 1, 8, 6, 4)
    plain, quantised = Halves(), QuantisedAutoencoder(Halves(), [FIRST])
    z, own = plain.encode(x), quantised.encode(x)
    assert own.shape == z.shape and (quantised.compression, quantised.latent_channels) == (2, 2)
    for place in ((0, 1, 0, 1), (1, 3, 2, 0)):
        b, i, j, k = place
        nearest = FIRST[(FIRST - z[b, :, i, j, k]).square().sum(1).argmin()]
        torch.testing.assert_close(own[b, :, i, j, k], nearest)
    torch.testing.assert_close(quantised.decode(own), plain.decode(own))


@pytest.mark.parametrize("books", [[], [torch.zeros(4, 3)], [FIRST, torch.zeros(2)]])
def test_codes_of_other_channels_are_refused(books):
    with pytest.raises(ValueError, match=r"each of \(codes, 2\)"):
        QuantisedAutoencoder(Halves(), books)
