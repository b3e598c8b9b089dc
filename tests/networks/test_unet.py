import pytest
import torch

from vctlib.network_config import Optimization, PostProcessorConfig, SegmenterConfig
from vctlib.networks.unet import IntensityBasis, PostProcessor, Segmenter

SIZES = {
    "channels": (8, 16),
    "residual_units": 1,
    "optimization": Optimization(steps=1, batch_size=1, learning_rate=1),
}
CONFIG = SegmenterConfig(**SIZES)
N_CLASSES = 3


def l1_after_training(network, x, wanted):
    """Of 80 steps towards `wanted`; the loss of the last one."""
    optimizer = torch.optim.AdamW(network.parameters(), 5e-3)
    for _ in range(80):
        optimizer.zero_grad()
        loss = (network(x) - wanted).abs().mean()
        loss.backward()
        optimizer.step()
    return loss


def test_intensities_become_hat_functions():
    basis = IntensityBasis()
    x = torch.linspace(-1, 2, 3001).view(1, 1, -1, 1, 1)
    hats = basis(x)
    assert torch.equal(hats[:, :, 0], torch.zeros_like(hats[:, :, 0]))  # air is nothing
    inside = x.flatten() >= basis.knots.flatten()[0]
    assert torch.allclose(hats.sum(1).flatten()[inside], torch.ones(int(inside.sum())), atol=1e-4)
    straight = (hats * basis.knots).sum(1).flatten()[inside]  # a sum of them is linear between the knots
    assert torch.allclose(straight, x.flatten()[inside], atol=1e-4)
    assert ((hats > 0).sum(1) <= 2).all()


def test_post_processor_learns_a_step_between_tissues():
    """What lies between fat and muscle becomes the nearer of the two: a steep function of the intensity."""
    config = PostProcessorConfig(**SIZES, fold=2)
    torch.manual_seed(0)
    network = PostProcessor(config, N_CLASSES)
    x = torch.rand(1, 1, 16, 16, 16) * 0.2 - 0.13  # -130 to 70 HU
    wanted = torch.where(x < -0.03, -0.1, 0.04)
    loss = l1_after_training(network, x, wanted)
    assert loss < 0.5 * (x - wanted).abs().mean()


@pytest.mark.parametrize("fold", [1, 2])
def test_post_processor_starts_as_the_identity_and_can_leave_it(fold):
    torch.manual_seed(0)
    network = PostProcessor(PostProcessorConfig(**SIZES, fold=fold), N_CLASSES)
    x = torch.randn(1, 1, 16, 16, 16).clamp(-1, 2)
    assert torch.equal(network(x), x)
    wanted = x + 0.5 * (x > 0)
    loss = l1_after_training(network, x, wanted)
    assert loss < 0.6 * (x - wanted).abs().mean()


@pytest.mark.parametrize("fold", [1, 2])
def test_post_processor_is_the_same_in_every_window(fold):
    """Away from the borders a voxel's value does not depend on the patch that holds it: nothing is normalised."""
    network = PostProcessor(PostProcessorConfig(**SIZES, fold=fold), N_CLASSES).eval()
    torch.nn.init.normal_(network.head.weight, std=0.1)
    x = torch.randn(1, 1, 32, 16, 16)
    x[:, :, 24:] += 10
    with torch.no_grad():
        whole, part = network(x), network(x[:, :, :24])
    torch.testing.assert_close(whole[:, :, :12], part[:, :, :12])


def test_post_processor_reads_labels_where_it_is_told_to():
    network = PostProcessor(PostProcessorConfig(**SIZES, fold=2, reads_labels=True), N_CLASSES).eval()
    x, labels = torch.randn(1, 1, 16, 16, 16), torch.zeros(2, 1, N_CLASSES, 16, 16, 16)
    labels[0, :, 0] = labels[1, :, 1] = 1
    inputs = [torch.cat([x, one_hot], dim=1) for one_hot in labels]
    assert torch.equal(network(inputs[0]), x)  # untrained, the image as it is
    torch.nn.init.normal_(network.head.weight, std=0.1)
    with torch.no_grad():
        assert (network(inputs[0]) - network(inputs[1])).abs().max() > 0.01


def test_post_processor_has_a_curve_for_every_class():
    """Where neighbours do not matter: muscle of one class becomes brighter, that of another and its fat stay."""
    network = PostProcessor(PostProcessorConfig(**SIZES, reads_labels=True), N_CLASSES).eval()
    x, labels = torch.full((1, 1, 8, 8, 8), 0.05), torch.zeros(1, N_CLASSES, 8, 8, 8)
    x[..., :4] = -0.1
    labels[:, 1, :4] = labels[:, 2, 4:] = 1
    muscle = (network.basis.knots.flatten() - 0.05).abs().argmin()
    torch.nn.init.ones_(network.curves.weight[muscle, 0])
    with torch.no_grad():
        moved = (network(torch.cat([x, labels], dim=1)) - x)[0, 0]
    assert (moved[:4, :, 4:] > 0.1).all() and (moved[4:] == 0).all() and (moved[..., :4] == 0).all()


def test_post_processor_sees_nothing_in_air():
    """Whatever it has learned, air of samples and of reconstructions alike moves by its biases alone."""
    config = PostProcessorConfig(**SIZES, fold=2, reads_labels=True, blur=1.0, told_sampled=True)
    network = PostProcessor(config, N_CLASSES).eval()
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.zeros_(parameter)
    torch.nn.init.normal_(network.head.weight, std=0.1)
    air, told = torch.full((2, 1, 16, 16, 16), -1.0), torch.ones(2, 1, 16, 16, 16)
    background = torch.zeros(2, N_CLASSES, 16, 16, 16)
    background[:, 0] = 1
    told[0] = 0
    with torch.no_grad():
        assert torch.equal(network(torch.cat([air, background, told], dim=1)), air)
        body = torch.cat([air + 1, background.roll(1, dims=1), told], dim=1)
        first, second = network(body)
        assert (first - second).abs().max() > 0.01  # but in the body it matters which it is


def test_post_processor_learns_beside_much_air():
    """Air that the network saw would be moved as a whole by every step, and the error would rise before it falls."""
    config = PostProcessorConfig(**SIZES, fold=2, reads_labels=True)
    torch.manual_seed(0)
    network = PostProcessor(config, N_CLASSES)
    x, labels = torch.full((1, 1, 32, 32, 32), -1.0), torch.zeros(1, N_CLASSES, 32, 32, 32)
    labels[:, 0] = 1
    body = (..., slice(8, 24), slice(8, 24), slice(8, 24))
    x[body] = 0.05 * torch.randn(16, 16, 16)
    labels[body] = labels.roll(1, dims=1)[body]
    wanted = x.clone()
    wanted[body] += 0.1
    nothing_done = (x - wanted).abs().mean().item()
    optimizer, losses = torch.optim.AdamW(network.parameters(), 1e-3, betas=(0.9, 0.99)), []
    for _ in range(40):
        optimizer.zero_grad()
        loss = (network(torch.cat([x, labels], dim=1)) - wanted).abs().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert max(losses) < 1.5 * nothing_done and losses[-1] < 0.7 * nothing_done


def test_segmenter_tells_classes_apart_by_hounsfield_units_alone():
    """Uniform patches, which instance norm alone makes alike: air, water, bone."""
    network = Segmenter(CONFIG, n_classes=3)
    x = torch.tensor([-1.0, 0.0, 1.0]).view(3, 1, 1, 1, 1).expand(3, 1, 8, 8, 8) + 0.01 * torch.randn(3, 1, 8, 8, 8)
    y = torch.arange(3).view(3, 1, 1, 1).expand(3, 8, 8, 8)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(x), y).backward()
        optimizer.step()
    assert (network(x).argmax(1) == y).float().mean() > 0.95


def test_segmenter_places_every_voxel():
    """Folding and unfolding keep voxels where they are: a network that passes values on passes them to their place."""
    network = Segmenter(CONFIG, n_classes=1).eval()
    first, _, last = network.head
    with torch.no_grad():
        for layer in (first, last):
            layer.weight.zero_()
            layer.bias.zero_()
        network.lift.weight.zero_()
        network.lift.weight[0, :, 0, 0, 0] = network.basis.knots.flatten()  # a sum of hats that is the number itself
        for channel in range(8):
            first.weight[channel, CONFIG.channels[0] + channel, 1, 1, 1] = 1
            last.weight[channel, channel] = 1
        x = torch.rand(1, 1, 8, 8, 16)
        torch.testing.assert_close(network(x), x)
