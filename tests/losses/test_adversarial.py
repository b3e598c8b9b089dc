import pytest
import torch
from torch import nn

from vctlib.losses.adversarial import AdversarialLoss


class Judge(nn.Module):
    """Answers the mean of its input; MONAI's discriminators return intermediate features before the answer."""

    def forward(self, x):
        return [x * 100, x.mean((1, 2, 3, 4))]


def volume(value: float) -> torch.Tensor:
    return torch.full((1, 1, 2, 2, 2), value)


@pytest.fixture
def loss() -> AdversarialLoss:
    torch.manual_seed(0)
    return AdversarialLoss(channels=1, patch=16, features=4)


@pytest.mark.parametrize("answer", [-2.0, 0.0, 0.3, 1.0, 1.5])
def test_least_squares_by_hand(loss, answer):
    """Negative answers count in full, too: nothing activates before the squares."""
    assert loss.generator(Judge(), volume(answer)).item() == pytest.approx((answer - 1) ** 2)
    real = volume(0.5)
    expected = (answer**2 + (0.5 - 1) ** 2) / 2
    assert loss.discriminating(Judge(), volume(answer), real).item() == pytest.approx(expected)


def test_each_loss_descends_its_own_network(loss):
    reconstruction = torch.randn(1, 1, 12, 12, 12, requires_grad=True)
    loss.discriminating(loss.discriminator, reconstruction, torch.randn(1, 1, 12, 12, 12)).backward()
    assert reconstruction.grad is None
    assert all(p.grad is not None for p in loss.discriminator.parameters())
    loss.generator(loss.discriminator, reconstruction).backward()
    assert reconstruction.grad.abs().sum() > 0


def test_discriminator_learns_to_tell_rough_from_smooth(loss):
    rough, smooth = torch.randn(2, 1, 16, 16, 16), torch.zeros(2, 1, 16, 16, 16)
    optimizer = torch.optim.AdamW(loss.discriminator.parameters(), 1e-2)
    for _ in range(15):
        optimizer.zero_grad()
        judged = loss.discriminating(loss.discriminator, smooth, rough)
        judged.backward()
        optimizer.step()
    assert judged < 0.1  # 0.25 is the best that ignorance can do
    assert loss.generator(loss.discriminator, smooth) > 3 * loss.generator(loss.discriminator, rough)


def test_no_state_beside_the_weights(loss):
    """Instance norm keeps no running statistics, so a checkpoint of the parameters is whole."""
    assert not list(loss.discriminator.buffers())


@pytest.mark.parametrize("side", [12, 16, 19, 20, 24])
def test_no_convolution_sees_less_than_its_kernel(side):
    """Else bfloat16 weight gradients come from memory that was never written."""
    discriminator = AdversarialLoss(channels=2, patch=side, features=4).discriminator
    for layer in discriminator.modules():
        if isinstance(layer, nn.Conv3d):
            layer.register_forward_hook(
                lambda module, inputs, _: (
                    pytest.fail(f"{inputs[0].shape}") if min(inputs[0].shape[2:]) < max(module.kernel_size) else None
                )
            )
    discriminator(torch.randn(1, 2, side, side, side))
