import pytest
import torch
from torch.nn import functional as F

from vctlib.errors import InputError
from vctlib.networks.sliding_window import decode_volume, encode_volume


class Blocks:
    """Encodes 4x4x4 blocks to their mean and the double of it; decodes the first channel by repeating it: no patch
    ever sees its neighbour."""

    compression = 4

    def encode(self, x):
        mean = F.avg_pool3d(x, 4)
        return torch.cat([mean, 2 * mean], dim=1)

    def decode(self, z):
        return F.interpolate(z[:, :1], scale_factor=4)


class Counting(Blocks):
    def __init__(self):
        self.shapes = []

    def encode(self, x):
        self.shapes.append(tuple(x.shape[2:]))
        return super().encode(x)


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.3, 0.5])
@pytest.mark.parametrize("patch", [(16, 16, 16), (8, 16, 24), (20, 12, 16)])
def test_windows_of_a_local_network_give_the_whole_volume(patch, overlap):
    volume = torch.randn(2, 1, 40, 24, 56)
    z = encode_volume(Blocks(), volume, patch, overlap)
    torch.testing.assert_close(z, Blocks().encode(volume))
    torch.testing.assert_close(decode_volume(Blocks(), z, patch, overlap), Blocks().decode(z))


def test_blended_weights_sum_to_one():
    """Whatever a window sees, a network that answers 1 gives 1 everywhere."""

    class One(Blocks):
        def encode(self, x):
            return torch.ones_like(super().encode(x))

    z = encode_volume(One(), torch.randn(1, 1, 40, 24, 56), (16, 16, 16), 0.4)
    torch.testing.assert_close(z, torch.ones(1, 2, 10, 6, 14))


def test_a_patch_of_the_volume_is_one_window():
    network = Counting()
    encode_volume(network, torch.randn(1, 1, 16, 8, 24), (16, 8, 24), 0.5)
    encode_volume(network, torch.randn(1, 1, 16, 8, 24), (32, 8, 64), 0.5)  # larger than the volume is no more
    assert network.shapes == [(16, 8, 24)] * 2


def test_no_gradient_is_kept():
    volume = torch.randn(1, 1, 16, 8, 24, requires_grad=True)
    assert not encode_volume(Blocks(), volume, (8, 8, 8), 0.0).requires_grad


@pytest.mark.parametrize(("volume", "patch"), [((18, 8, 8), (8, 8, 8)), ((16, 8, 8), (8, 8, 6))])
def test_sizes_that_do_not_fit_are_refused(volume, patch):
    with pytest.raises(InputError, match="must be divisible by the compression of 4"):
        encode_volume(Blocks(), torch.zeros(1, 1, *volume), patch, 0.0)
