import pytest
import torch
from safetensors.torch import load, save

from vctlib.network_config import ImageAutoencoderConfig
from vctlib.networks.segmentation_autoencoder import SegmentationAutoencoder
from vctlib.networks.stacked_autoencoder import StackedAutoencoder, VectorQuantisedStage

MEAN, SCALE = torch.tensor([0.1, -0.2, 0.3]), torch.tensor([0.5, 1.0, 2.0])  # of the first stage's latents
MEAN_5D, SCALE_5D = MEAN.view(1, 3, 1, 1, 1), SCALE.view(1, 3, 1, 1, 1)


@pytest.fixture
def stack(stack_config) -> StackedAutoencoder:
    network = StackedAutoencoder(stack_config)
    network.stages[1].set_input_statistics(MEAN, SCALE)
    return network.eval()


def test_stack_encodes_stage_by_stage(stack):
    x = torch.randn(2, 1, 16, 16, 32)
    first = stack.stages[0].encode(x)
    assert first.shape == (2, 3, 4, 4, 8)
    scaled = (first - torch.tensor([0.1, -0.2, 0.3]).view(1, 3, 1, 1, 1)) / torch.tensor([0.5, 1, 2]).view(
        1, 3, 1, 1, 1
    )
    torch.testing.assert_close(stack.stage_input(1, x), scaled)
    torch.testing.assert_close(stack.encode(x), stack.stages[1].encode(scaled))
    assert stack.encode(x).shape == (2, 4, 2, 2, 4)
    assert (stack.compression, stack.latent_channels) == (8, 4)
    torch.testing.assert_close(stack.stage_input(0, x), x)  # images are on their scale already


def test_stack_decodes_through_every_codebook(stack):
    z = torch.randn(1, 4, 2, 2, 4)
    inner, outer = stack.stages[1], stack.stages[0]
    latents = inner.decode(inner.quantise(z)[0])
    latents = latents * torch.tensor([0.5, 1, 2]).view(1, 3, 1, 1, 1) + torch.tensor([0.1, -0.2, 0.3]).view(
        1, 3, 1, 1, 1
    )
    codes = outer.quantise(latents)[0]
    rows = codes.movedim(1, -1).reshape(-1, 3)
    assert (rows[:, None] == outer.codebook.codes[None]).all(2).any(1).all()  # each is an entry of the outer codebook
    torch.testing.assert_close(stack.decode(z), outer.decode(codes))
    assert stack.decode(z).shape == (1, 1, 16, 16, 32)
    assert not torch.allclose(stack.decode(z), stack.decode(z, quantise=False))


def test_vanilla_is_the_stack_of_one(stage_config):
    network = StackedAutoencoder(ImageAutoencoderConfig(stages=(stage_config,))).eval()
    x = torch.randn(1, 1, 8, 8, 8)
    torch.testing.assert_close(network(x), network.stages[0](x)[0])
    assert network.compression == 2


def test_earlier_stages_get_no_gradient(stack):
    inputs = stack.train().stage_input(1, torch.randn(1, 1, 16, 16, 16))
    reconstruction, commitment = stack.stages[1](inputs)
    ((reconstruction - inputs).abs().mean() + commitment).backward()
    assert all(p.grad is None for p in stack.stages[0].parameters())
    assert all(p.grad is not None for p in stack.stages[1].parameters())


def test_decoding_in_training_mode_moves_no_code(stack):
    stack.train()
    before = stack.stages[0].codebook.codes.clone()
    with torch.no_grad():
        stack(torch.randn(1, 1, 16, 16, 16))
    assert torch.equal(before, stack.stages[0].codebook.codes)


def test_standardisation_is_undone(stack):
    latents = torch.randn(2, 3, 4, 4, 4)
    torch.testing.assert_close(stack.stages[1].restore(stack.stages[1].standardise(latents)), latents)


def test_saved_and_loaded_it_encodes_and_decodes_the_same(stack, stack_config):
    x = torch.randn(1, 1, 16, 16, 16)
    stack.train().stages[0](x)  # so that the codebook has learned something
    stack.eval()
    loaded = StackedAutoencoder(stack_config).eval()
    loaded.load_state_dict(load(save({k: v.contiguous() for k, v in stack.state_dict().items()})))
    assert torch.equal(loaded.encode(x), stack.encode(x)) and torch.equal(loaded(x), stack(x))


def test_latents_and_images_are_float32_under_autocast(stack):
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        z = stack.encode(torch.randn(1, 1, 16, 16, 16))
        assert z.dtype == stack.decode(z).dtype == torch.float32


def test_a_stage_learns_a_patch(stage_config):
    config = stage_config.model_copy(update={"channels": (16,), "latent_channels": 8, "codebook_size": 128})
    stage = VectorQuantisedStage(1, config)
    axis = torch.linspace(-1, 1, 16)
    radius = (axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + axis[None, None] ** 2).sqrt()
    x = torch.where(radius < 0.7, 0.05, -1.0)[None, None] + 0.3 * (radius < 0.3)  # a body with something denser inside
    optimizer = torch.optim.AdamW(stage.parameters(), 3e-3)
    for _ in range(200):
        reconstruction, commitment = stage(x)
        optimizer.zero_grad()
        ((reconstruction - x).abs().mean() + commitment).backward()
        optimizer.step()
    with torch.no_grad():
        error = (stage.eval()(x)[0] - x).abs().mean()
    assert error < 0.6 * (x - x.median()).abs().mean()  # what the best constant leaves
    assert stage.perplexity > 8


def test_stage_without_a_codebook_leaves_latents_as_they_are(stage_config):
    stage = VectorQuantisedStage(1, stage_config.model_copy(update={"codebook_size": 0}))
    z = stage.encode(torch.randn(1, 1, 16, 16, 16))
    quantised, commitment = stage.quantise(z)
    assert quantised is z and commitment == 0 and stage.perplexity != stage.perplexity
    assert not any("codebook" in name for name in stage.state_dict())


def test_segmentation_learns_from_labels_of_any_form(segmentation_config):
    network = SegmentationAutoencoder(segmentation_config, n_classes=4).eval()
    labels = torch.randint(0, 4, (2, 8, 8, 8))
    z = network.encode(labels)
    assert z.shape == (2, 4, 2, 2, 2) and network.compression == 4
    for same in (labels[:, None], labels.to(torch.uint8), network.one_hot(labels)):
        assert torch.equal(network.encode(same), z)
    assert torch.equal(network.one_hot(labels).argmax(1), labels)
    assert network.decode(z).shape == (2, 4, 8, 8, 8)
    torch.testing.assert_close(network(labels)[0], network.decode(z))
    with pytest.raises(ValueError, match="integer labels or one-hot of 4 classes"):
        network.encode(torch.randn(2, 3, 8, 8, 8))
