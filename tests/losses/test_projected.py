import pytest
import torch
from torch import nn

from vctlib.losses.perceptual import PerceptualLoss, SliceMaps
from vctlib.losses.projected import FeatureDiscriminator, discriminating, fooling


class FirstChannel(nn.Module):
    """Says what the first channel of each map holds."""

    def forward(self, maps):
        return [each[:, :1] for each in maps]


def maps_of(made: list[float], real: list[float]) -> list[SliceMaps]:
    """One axis, a map of one place for each stage."""
    return [SliceMaps(*([torch.full((1, 2, 1, 1), value) for value in values] for values in (made, real)))]


def test_hinge_by_hand():
    maps = maps_of(made=[-2.0, 0.5], real=[0.25, 3.0])
    assert fooling(FirstChannel(), maps).item() == -(-2.0 + 0.5) / 2
    assert discriminating(FirstChannel(), maps).item() == ((0.75 + 0) + (0 + 1.5)) / 2
    undecided = maps_of(made=[0.0, 0.0], real=[0.0, 0.0])
    assert discriminating(FirstChannel(), undecided).item() == 2.0


@pytest.fixture(scope="module")
def volumes() -> tuple[torch.Tensor, torch.Tensor]:
    """A volume of sharp patches of tissue, and the same blurred, on the network's scale."""
    torch.manual_seed(0)
    coarse = 0.1 * torch.randn(1, 1, 8, 8, 8).sign()
    sharp = nn.functional.interpolate(coarse, scale_factor=4, mode="nearest")
    return sharp, nn.functional.avg_pool3d(sharp, 5, 1, 2, count_include_pad=False)


def test_it_learns_to_tell_blurred_from_sharp_and_what_is_sharper_fools_it_better(volumes):
    sharp, blurred = volumes
    torch.manual_seed(1)
    perceptual, discriminator = PerceptualLoss(4).train(), FeatureDiscriminator()
    optimizer = torch.optim.AdamW(discriminator.parameters(), 2e-3, betas=(0.5, 0.99))
    losses = []
    for _ in range(40):
        loss = discriminating(discriminator, perceptual.maps(blurred, sharp))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 1.8 and losses[-1] < 0.8
    with torch.no_grad():
        between = [torch.lerp(blurred, sharp, share) for share in (0.0, 0.5, 1.0)]
        costs = [fooling(discriminator.eval(), perceptual.eval().maps(each, sharp)).item() for each in between]
    assert costs == sorted(costs, reverse=True)  # sharper fools better


def test_the_maker_gets_no_gradient_from_the_discriminators_loss(volumes):
    sharp, blurred = volumes
    made = blurred.clone().requires_grad_()
    discriminator = FeatureDiscriminator()
    discriminating(discriminator, PerceptualLoss(1).maps(made, sharp)).backward()
    assert made.grad is None and all(p.grad is not None for p in discriminator.parameters())


def test_every_layer_keeps_distances_at_most():
    torch.manual_seed(0)
    discriminator = FeatureDiscriminator()
    maps = [torch.randn(2, channels, 8, 8) for channels in (16, 24, 40, 112)]
    for _ in range(20):  # the power iteration goes on with each step of training
        discriminator(maps)
    for head in discriminator.eval().heads:
        for layer in head:
            if isinstance(layer, nn.Conv2d):
                assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1.0, abs=0.05)


def test_low_precision_outside_does_not_reach_its_logits():
    maps = [torch.randn(1, channels, 4, 4) for channels in (16, 24, 40, 112)]
    discriminator = FeatureDiscriminator().eval()
    with torch.autocast("cpu", torch.bfloat16):
        inside = discriminator(maps)
    for a, b in zip(inside, discriminator(maps), strict=True):
        assert a.dtype == torch.float32 and torch.equal(a, b)
