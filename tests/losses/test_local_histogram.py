"""The distance of the distributions of intensities in small cubes."""

import pytest
import torch
from scipy.stats import wasserstein_distance

from vctlib.intensity import compand
from vctlib.losses.local_histogram import LocalHistogramLoss


@pytest.fixture
def pair():
    """Two volumes (2, 1, 8, 12, 16) on the network's scale."""
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(2, 1, 8, 12, 16, generator=generator) * 2.4 - 1.0 for _ in range(2)]


def test_it_is_the_mean_wasserstein_distance_of_cubes(pair):
    ours, theirs = pair
    distances = [
        wasserstein_distance(*(compand(v[b, 0, x : x + 4, y : y + 4, z : z + 4]).ravel().numpy() for v in pair))
        for b in range(2)
        for x in range(0, 8, 4)
        for y in range(0, 12, 4)
        for z in range(0, 16, 4)
    ]
    assert LocalHistogramLoss(4)(ours, theirs).item() == pytest.approx(sum(distances) / len(distances), rel=1e-5)


def test_it_does_not_see_where_in_a_cube_something_lies(pair):
    volume, _ = pair
    turned = volume.clone()
    turned[:, :, :4, :4, :4] = volume[:, :, :4, :4, :4].flip(2, 3, 4)
    assert LocalHistogramLoss(4)(turned, volume).item() == pytest.approx(0, abs=1e-7)
    moved = volume.roll(4, dims=2)  # into another cube
    assert LocalHistogramLoss(4)(moved, volume).item() > 0.01


def test_a_mean_is_worse_than_a_guess():
    """Half of a cube is fat, half muscle: grey everywhere is nearer voxel by voxel than the two in the wrong order,
    but not by the loss; and a wrong mean always costs."""
    truth = torch.full((1, 1, 4, 4, 4), 0.05)
    truth[:, :, :2] = -0.1
    guess, grey = truth.flip(2), torch.full_like(truth, -0.025)
    loss = LocalHistogramLoss(4)
    assert (grey - truth).abs().mean() < (guess - truth).abs().mean() and loss(guess, truth) < loss(grey, truth)
    too_bright = truth + 0.01
    assert loss(too_bright, truth) >= (compand(too_bright).mean() - compand(truth).mean()).abs() - 1e-6


def test_its_gradient_sorts_a_cube_towards_the_truth(pair):
    ours, theirs = (volume.clone() for volume in pair)
    ours.requires_grad_()
    loss = LocalHistogramLoss(4)(ours, theirs)
    loss.backward()
    assert LocalHistogramLoss(4)(ours.detach() - 20 * ours.grad, theirs) < loss
