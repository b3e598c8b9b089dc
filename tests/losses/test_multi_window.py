import pytest
import torch

from vctlib.intensity import normalise_hu
from vctlib.losses.multi_window import MultiWindowL1
from vctlib.network_config import MultiWindow

LOSS = MultiWindowL1(MultiWindow(soft_hu=(-200, 200), hard_hu=(200, 1500), soft_weight=4, hard_weight=1.5))


def hu(*values: float) -> torch.Tensor:
    return normalise_hu(torch.tensor(values, dtype=torch.float32)).view(1, 1, -1, 1, 1)


@pytest.mark.parametrize(
    ("target_hu", "weight"),
    [(-1000, 1), (-201, 1), (-200, 4), (0, 4), (199, 4), (200, 1.5), (1499, 1.5), (1500, 1), (2000, 1)],
)
def test_window_of_the_target_decides(target_hu, weight):
    """Windows are closed below and open above; 100 HU are 0.1 on the network's scale."""
    target = hu(target_hu)
    assert LOSS(target + 0.1, target).item() == pytest.approx(0.1 * weight, abs=1e-6)
    assert LOSS(target - 0.1, target).item() == pytest.approx(0.1 * weight, abs=1e-6)


def test_mean_over_the_patch_by_hand():
    # errors of 100, 50, 200 and 0 HU in lung, muscle, bone and air
    target, reconstruction = hu(-800, 50, 700, -1000), hu(-700, 0, 900, -1000)
    assert LOSS(reconstruction, target).item() == pytest.approx((1 * 0.1 + 4 * 0.05 + 1.5 * 0.2 + 0) / 4, abs=1e-6)


def test_every_whole_number_of_hu_falls_into_its_window():
    """float32 brings some integers back from the network's scale a hair too low."""
    values = torch.arange(-1000, 2001)
    for border in (-511, -254, -200, -30, 200, 301):
        config = MultiWindow(soft_hu=(border, border + 10), hard_hu=(border + 10, border + 20))
        weights = MultiWindowL1(config).weights(normalise_hu(values.float()))
        assert torch.equal(weights == 4, (values >= border) & (values < border + 10))
        assert torch.equal(weights == 1.5, (values >= border + 10) & (values < border + 20))


def test_equal_weights_are_plain_l1():
    loss = MultiWindowL1(MultiWindow(soft_weight=1, hard_weight=1, other_weight=1))
    a, b = torch.rand(2, 1, 4, 4, 4), torch.rand(2, 1, 4, 4, 4)
    torch.testing.assert_close(loss(a, b), (a - b).abs().mean())


def test_gradient_of_soft_tissue_is_larger():
    reconstruction = hu(60, 60, 60).requires_grad_()
    LOSS(reconstruction, hu(50, 700, -900)).backward()
    torch.testing.assert_close(reconstruction.grad.flatten(), torch.tensor([4.0, -1.5, 1.0]) / 3)
