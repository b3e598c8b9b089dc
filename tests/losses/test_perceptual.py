import pytest
import torch

from vctlib.anatomy import Window
from vctlib.losses.perceptual import PerceptualLoss


@pytest.fixture(scope="module")
def loss() -> PerceptualLoss:
    return PerceptualLoss().eval()


@pytest.fixture
def body() -> torch.Tensor:
    """A soft ellipsoid with a dense core, on the network's scale."""
    torch.manual_seed(0)
    axis = torch.linspace(-1, 1, 32)
    radius = (axis[:, None, None] ** 2 + 1.5 * axis[None, :, None] ** 2 + axis[None, None] ** 2).sqrt()
    return (torch.where(radius < 0.8, 0.05, -1.0) + 0.6 * (radius < 0.5))[None, None]


def test_zero_for_the_same_image_and_growing_with_noise(loss, body):
    noise = torch.randn_like(body)
    with torch.no_grad():
        found = [loss(body + scale * noise, body).item() for scale in (0.0, 0.02, 0.1, 0.3)]
    assert found[0] == 0 and found == sorted(found) and found[3] > 3 * found[1] > 0


def test_blur_is_told_from_a_small_shift_of_intensity(loss, body):
    """What L1 cannot: a blurred image is further off than a darker one of the same L1."""
    blurred = torch.nn.functional.avg_pool3d(body, 5, 1, 2, count_include_pad=False)
    shifted = body - (blurred - body).abs().mean()
    with torch.no_grad():
        assert loss(blurred, body) > 3 * loss(shifted, body)


def test_only_what_the_window_shows_counts(body):
    loss = PerceptualLoss(window=Window(-200, 300)).eval()
    with torch.no_grad():
        assert loss(torch.where(body < -0.5, -0.7, body), body) == 0  # -1000 and -700 HU are both black
        assert loss(torch.where(body > 0.5, 0.2, body), body) > 0


@pytest.mark.parametrize("axis", [2, 3, 4])
def test_all_three_axes_are_looked_at(loss, axis):
    """Planes of alternating brightness are uniform in slices across their axis and striped in the two others."""
    planes = torch.zeros(1, 1, 16, 16, 16)
    planes.transpose(2, axis)[:, :, ::2] = 0.5
    with torch.no_grad():
        assert loss(planes, torch.full_like(planes, 0.25)) > 0.05


def test_gradient_reaches_the_image_and_no_weight(loss, body):
    reconstruction = (body + 0.1 * torch.randn_like(body)).requires_grad_()
    loss(reconstruction, body).backward()
    assert reconstruction.grad.abs().sum() > 0
    assert not any(p.requires_grad for p in loss.parameters())


def test_training_draws_slices_and_leaves_the_features_alone(body):
    loss = PerceptualLoss(slices_per_axis=1).train()
    assert loss.training and not loss.features.training
    before = {name: value.clone() for name, value in loss.state_dict().items()}
    noisy = body + 0.1 * torch.randn_like(body)
    with torch.no_grad():
        drawn = []
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            drawn.append(loss(noisy, body).item())
        fixed = {loss.eval()(noisy, body).item() for _ in range(2)}
    assert drawn[0] == drawn[1] != drawn[2] and len(fixed) == 1
    assert all(torch.equal(value, before[name]) for name, value in loss.state_dict().items())
