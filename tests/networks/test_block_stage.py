import pytest
import torch
from safetensors.torch import load, save
from torch.nn import functional as F

from tests.networks.conftest import OPTIMIZATION
from vctlib.intensity import compand
from vctlib.network_config import BlockSegmentationConfig, BlockStageConfig, ImageAutoencoderConfig
from vctlib.networks.block_stage import BlockStage
from vctlib.networks.segmentation_autoencoder import SegmentationAutoencoder
from vctlib.networks.stacked_autoencoder import StackedAutoencoder

BLOCK = {"block": 4, "latent_channels": 6, "channels": (16, 8), "residual_layers": 1, "optimization": OPTIMIZATION}


def config(**changes) -> BlockStageConfig:
    return BlockStageConfig(**BLOCK | changes)


def trained(stage: BlockStage) -> BlockStage:
    """One whose decoder is no longer nothing."""
    with torch.no_grad():
        for parameter in stage.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return stage


def test_all_components_lose_nothing():
    stage = BlockStage(2, config(block=2, latent_channels=16)).eval()
    stage.set_components(torch.randn(16), stage.components.clone(), torch.rand(16) + 1)
    x = torch.randn(2, 2, 4, 6, 8)
    z = stage.encode(x)
    assert z.shape == (2, 16, 2, 3, 4)
    torch.testing.assert_close(stage.decode(z), x, atol=1e-5, rtol=1e-5)


def test_latents_are_the_components_of_each_block_less_the_mean():
    stage = BlockStage(1, config()).eval()
    mean = torch.randn(64)
    stage.set_components(mean, stage.components.clone(), torch.ones(6))
    x = torch.randn(1, 1, 8, 4, 12)
    block = x[0, 0, 4:8, 0:4, 8:12].reshape(-1)
    torch.testing.assert_close(stage.encode(x)[0, :, 1, 0, 2], stage.components.flatten(1) @ (block - mean))


def test_decoder_begins_as_the_linear_inverse_times_the_gain():
    stage, louder = (BlockStage(1, config(), gain=gain).eval() for gain in (1.0, 6.0))
    louder.load_state_dict(stage.state_dict())
    z = torch.randn(1, 6, 2, 3, 2)
    linear = F.conv_transpose3d(z, stage.components, stride=4)
    torch.testing.assert_close(stage.decode(z), linear)
    torch.testing.assert_close(louder.decode(z), 6 * linear)
    assert not torch.allclose(trained(stage).decode(z), linear)


def test_decoder_sees_latents_on_one_scale():
    stage = trained(BlockStage(1, config())).eval()
    z = torch.randn(1, 6, 2, 2, 2)
    scale = torch.rand(6) + 0.5
    before = stage.residual(z)
    stage.set_components(torch.zeros(64), stage.components.clone(), scale)
    scaled = z * scale.view(1, -1, 1, 1, 1)
    torch.testing.assert_close(
        stage.decode(scaled) - F.conv_transpose3d(scaled, stage.components, stride=4), before, atol=1e-5, rtol=1e-4
    )


def test_noise_is_there_in_training_alone_and_commitment_never():
    stage, x = BlockStage(1, config(latent_noise=0.5)), torch.randn(1, 1, 8, 8, 8)
    assert not torch.equal(stage(x)[0], stage(x)[0])
    stage.eval()
    reconstruction, commitment = stage(x)
    assert torch.equal(reconstruction, stage(x)[0]) and commitment.item() == 0
    z = torch.randn(1, 6, 2, 2, 2)
    assert torch.equal(stage.quantise(z)[0], z) and stage.quantise(z)[1].item() == 0


def test_components_are_no_parameters():
    stage = BlockStage(1, config())
    assert all(name.startswith("residual.") for name, _ in stage.named_parameters())


def test_first_of_a_stack_it_compands_and_hands_its_latents_on(stage_config):
    first = config(latent_channels=3)
    stack = StackedAutoencoder(ImageAutoencoderConfig(stages=(first, stage_config), multi_window=None)).eval()
    x = torch.rand(1, 1, 16, 16, 16) * 3 - 1
    assert (stack.compression, stack.latent_channels) == (8, 4)
    torch.testing.assert_close(stack.stage_input(0, x), compand(x))
    torch.testing.assert_close(stack.stage_input(1, x), stack.stages[0].encode(compand(x)))
    assert stack.encode(x).shape == (1, 4, 2, 2, 2)
    decoded = stack.decode(stack.encode(x))
    assert decoded.shape == x.shape and decoded.min() >= -1 and decoded.max() <= 2


def test_saved_and_loaded_it_is_the_same_under_autocast_too():
    stack_config = ImageAutoencoderConfig(stages=(config(),), multi_window=None)
    stack, loaded = (StackedAutoencoder(stack_config).eval() for _ in range(2))
    trained(stack.stages[0])
    loaded.load_state_dict(load(save({k: v.contiguous() for k, v in stack.state_dict().items()})))
    x = torch.rand(1, 1, 8, 8, 8)
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        z = stack.encode(x)
        assert z.dtype == stack.decode(z).dtype == torch.float32
        assert torch.equal(loaded.encode(x), z) and torch.equal(loaded(x), stack(x))
    torch.testing.assert_close(z, stack.encode(x))  # components are never computed in half precision


def test_it_learns_what_the_components_leave_out():
    axis = torch.linspace(-1, 1, 16)
    radius = (axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + axis[None, None] ** 2).sqrt()
    x = torch.where(radius < 0.7, 0.05, -1.0)[None, None]
    stage = BlockStage(1, config(latent_noise=0.0))
    with torch.no_grad():
        before = (stage(x)[0] - x).abs().mean()
    optimizer = torch.optim.AdamW(stage.parameters(), 3e-3)
    for _ in range(100):
        optimizer.zero_grad()
        (stage(x)[0] - x).abs().mean().backward()
        optimizer.step()
    assert (stage.eval()(x)[0] - x).abs().mean() < 0.3 * before


def test_label_maps_come_back_as_logits():
    segmentation = BlockSegmentationConfig(**BLOCK | {"block": 2, "latent_channels": 32, "channels": (8,)})
    network = SegmentationAutoencoder(segmentation, n_classes=4).eval()
    labels = torch.randint(0, 4, (2, 8, 4, 6))
    assert network.compression == 2 and network.latent_channels == 32
    logits = network.decode(network.encode(labels))
    assert torch.equal(logits.argmax(1), labels)
    assert logits.softmax(1).gather(1, labels[:, None]).min() > 0.99


def reading(image_channels: int = 3, **changes) -> SegmentationAutoencoder:
    """Of label maps of four classes, whose decoder reads an image's latents."""
    segmentation = BlockSegmentationConfig(**BLOCK | {"block": 2, "channels": (8,), "reads_image": True} | changes)
    return SegmentationAutoencoder(segmentation, n_classes=4, image_channels=image_channels)


def test_a_decoder_that_reads_the_image_answers_to_its_latents():
    network, labels = reading().eval(), torch.randint(0, 4, (1, 8, 8, 8))
    z, image = network.encode(labels), torch.randn(1, 3, 4, 4, 4)
    assert z.shape == (1, 6, 4, 4, 4)  # the encoder knows nothing of the image
    linear = network.decode(torch.cat([z, image], 1))
    assert torch.equal(linear, network.decode(torch.cat([z, 0 * image], 1)))  # as long as it is the linear inverse
    trained(network.stage)
    decoded = network.decode(torch.cat([z, image], 1))
    assert not torch.allclose(decoded, network.decode(torch.cat([z, 0 * image], 1)))
    assert not torch.allclose(decoded, network.decode(torch.cat([z, image.flip(1)], 1)))
    torch.testing.assert_close(network(labels, image)[0], decoded)


def test_the_image_helps_where_it_knows_more():
    """Labels that one principal component cannot hold, but the image shows."""
    network, labels = reading(1, latent_channels=1, latent_noise=0.0), torch.randint(0, 2, (4, 4, 4, 4))
    labels = labels.repeat_interleave(2, 1).repeat_interleave(2, 2).repeat_interleave(2, 3)
    network.stage.components.zero_()  # so that nothing of the labels is left in their own latents
    image = labels[:, None, ::2, ::2, ::2].float()
    optimizer = torch.optim.AdamW(network.parameters(), 1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        F.cross_entropy(network(labels, image)[0], labels).backward()
        optimizer.step()
    with torch.no_grad():
        right = (network(labels, image)[0].argmax(1) == labels).float().mean()
        without = (network(labels, 0 * image)[0].argmax(1) == labels).float().mean()
    assert right > 0.95 and without < 0.8


def test_the_image_is_seen_on_one_scale():
    network = trained(reading().stage).eval()
    z = torch.randn(1, 9, 2, 2, 2)
    before = network.residual(z)
    network.context_scale.copy_(torch.tensor([0.5, 2.0, 10.0]))
    z[:, 6:] *= network.context_scale.view(1, -1, 1, 1, 1)
    own = F.conv_transpose3d(z[:, :6], network.components, stride=2)
    torch.testing.assert_close(network.decode(z) - network.gain * own, before, atol=1e-4, rtol=1e-4)


def test_noise_of_training_reaches_the_latents_of_the_image_too():
    stage = trained(reading(latent_noise=0.0).stage)
    labels, image = torch.rand(1, 4, 4, 4, 4), torch.randn(1, 3, 2, 2, 2)
    assert torch.equal(stage(labels, image)[0], stage(labels, image)[0])
    stage.noise = 0.1
    stage.latent_scale.zero_().add_(1e-6)  # next to no noise in its own
    assert not torch.allclose(stage(labels, image)[0], stage(labels, image)[0], atol=1e-4)


def test_another_number_of_channels_is_told():
    network, labels = reading(), torch.randint(0, 4, (1, 4, 4, 4))
    for given in (torch.zeros(1, 2, 2, 2, 2), None):
        with pytest.raises(ValueError, match="reads 9 channels, 3 of them of the context, and got [68]"):
            network(labels, given)
    with pytest.raises(ValueError, match="reads 9 channels"):
        network.eval().decode(network.encode(labels))
    with pytest.raises(ValueError, match="reads 6 channels, 0 of them of the context, and got 9"):
        BlockStage(1, config()).decode(torch.zeros(1, 9, 2, 2, 2))


@pytest.mark.parametrize("changes", [{"channels": ()}, {"channels": (8, 8, 8, 8)}, {"block": 6, "channels": (8, 8, 8)}])
def test_decoder_must_end_inside_a_block(changes):
    with pytest.raises(ValueError, match="a factor of two"):
        config(**changes)


def test_patches_must_be_of_whole_blocks():
    with pytest.raises(ValueError, match="whole blocks of 4"):
        config(optimization=OPTIMIZATION.model_copy(update={"patch": (8, 6, 8)}))
