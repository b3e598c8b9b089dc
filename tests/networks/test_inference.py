"""Bodies through a network: one window is the network itself, more are blended."""

import numpy as np
import pytest
import torch
from monai.inferers import sliding_window_inference

from vctlib.intensity import denormalise_hu
from vctlib.networks.inference import post_process, to_network


@pytest.fixture
def network():
    torch.manual_seed(0)
    network = torch.nn.Conv3d(1, 1, 3, padding=1).eval()
    network.reads_labels = False
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
    found = post_process(network, hu, np.zeros(hu.shape, np.uint8), profile)
    assert len(passes) == calls and found.shape == hu.shape
    np.testing.assert_allclose(found, blended(network, hu, window), atol=0.05)
