"""Bodies through a network: one window is the network itself, more are blended."""

import numpy as np
import pytest
import torch
from monai.inferers import sliding_window_inference

from vctlib.anatomy import PAPER16
from vctlib.intensity import denormalise_hu
from vctlib.network_config import Optimization, PostProcessorConfig
from vctlib.networks.inference import post_process, to_network
from vctlib.networks.unet import PostProcessor


@pytest.fixture
def network():
    torch.manual_seed(0)
    network = torch.nn.Conv3d(1, 1, 3, padding=1).eval()
    network.reads_labels = network.writes_labels = False
    return network


def blended(network, hu, window):
    with torch.inference_mode():
        out = sliding_window_inference(to_network(hu), window.image_patch, 1, network, window.overlap, mode="gaussian")
    return denormalise_hu(out[0, 0]).numpy()


@pytest.mark.parametrize(("wider", "calls"), [(0, 1), (8, 2)])
def test_one_window_is_the_network_and_more_are_blended(network, micro_profile, wider, calls):
    profile = micro_profile.model_copy(update={"precision": "no"})  # or rounding hides what is compared
    window, passes = profile.sliding_window, []
    network.register_forward_hook(lambda *_: passes.append(1))
    shape = np.array(window.image_patch) + [0, 0, wider]
    hu = np.random.default_rng(0).uniform(-1000, 1000, shape).astype(np.float32)
    labels = np.ones(hu.shape, np.uint8)
    found, same = post_process(network, hu, labels, profile)
    assert len(passes) == calls and found.shape == hu.shape and same is labels
    np.testing.assert_allclose(found, blended(network, hu, window), atol=0.05)


def test_a_post_processor_that_writes_labels_returns_the_likeliest(micro_profile):
    config = PostProcessorConfig(
        channels=(4, 8),
        residual_units=1,
        optimization=Optimization(steps=1, batch_size=1, learning_rate=1),
        reads_labels=True,
        label_weight=1.0,
        fold=2,
    )
    profile = micro_profile.model_copy(update={"precision": "no"})
    n_classes = len(PAPER16) + 1
    network = PostProcessor(config, n_classes).eval()
    rng = np.random.default_rng(0)
    hu = rng.uniform(-1000, 1000, profile.sliding_window.image_patch).astype(np.float32)
    read = rng.integers(0, n_classes, hu.shape).astype(np.uint8)
    image, labels = post_process(network, hu, read, profile)
    np.testing.assert_allclose(image, hu, atol=0.05)  # untrained, both as they are
    assert labels.dtype == np.uint8 and (labels == read).all()
    with torch.no_grad():
        network.label_head.bias.view(n_classes, -1)[5] += 10  # dearer than any class that is read
    assert (post_process(network, hu, read, profile)[1] == 5).all()
