"""Bodies through a network: one window is the network itself, more are blended."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from monai.inferers import sliding_window_inference
from scipy.ndimage import gaussian_filter

from vctlib.anatomy import PAPER16
from vctlib.intensity import compand, denormalise_hu, normalise_hu
from vctlib.networks.inference import encode_body, post_process, to_network


@pytest.fixture
def network():
    torch.manual_seed(0)
    network = torch.nn.Conv3d(1, 1, 3, padding=1).eval()
    network.reads_labels, network.told_sampled, network.multiple = False, False, 4
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
    found = post_process(network, hu, np.zeros(hu.shape, np.uint8), profile, sampled=True)
    assert len(passes) == calls and found.shape == hu.shape
    np.testing.assert_allclose(found, blended(network, hu, window), atol=0.05)


@pytest.mark.parametrize("empty", [True, False])
def test_only_a_box_about_the_body_is_post_processed_and_beyond_it_is_air(network, micro_profile, empty):
    """The box keeps a margin, and borders where the network folds voxels."""
    profile, shapes = micro_profile.model_copy(update={"precision": "no"}), []
    network.register_forward_hook(lambda module, inputs, output: shapes.append(tuple(output.shape[2:])))
    hu = np.full(profile.sliding_window.image_patch, -950, np.float32)
    if not empty:
        hu[9:13, 10:12, 5:30] = 40
    found = post_process(network, hu, None, profile, sampled=True)
    whole = blended(network, hu, profile.sliding_window)
    box = tuple(slice(0, size) for size in hu.shape) if empty else (slice(4, 20), slice(4, 16), slice(0, 36))
    assert shapes[0] == tuple(part.stop - part.start for part in box)
    inside = tuple(slice(part.start + 1, part.stop - 1) for part in box)  # the network sees one voxel about
    np.testing.assert_allclose(found[inside], whole[inside], atol=0.05)
    beyond = np.ones(hu.shape, bool)
    beyond[box] = False
    assert (found[beyond] == -1000).all()


def test_a_blurred_body_is_the_mean_of_many_that_are_shifted(micro_profile):
    """Seen through encoders that change nothing: companded intensities and shares of classes, smeared alike."""
    profile = micro_profile.model_copy(update={"precision": "no", "body_frame": None})
    shape = profile.sliding_window.image_patch
    hu, labels = np.full(shape, -1000, np.float32), np.zeros(shape, np.uint8)
    middle = tuple(slice(size // 4, 3 * size // 4) for size in shape)
    hu[middle], labels[middle] = -100, 4
    as_it_is = SimpleNamespace(encode=lambda x: x, compression=1)
    sharp, _ = encode_body(as_it_is, as_it_is, hu, labels, profile)
    assert np.array_equal(sharp[0], normalise_hu(hu)) and np.array_equal(sharp[5], labels == 4)
    found, _ = encode_body(as_it_is, as_it_is, hu, labels, profile, 1.2)
    wanted = gaussian_filter(compand(normalise_hu(hu)), 1.2, mode="constant", cval=-1.0, truncate=4)
    np.testing.assert_allclose(compand(found[0]), wanted, atol=0.02)
    inside = tuple(slice(5, -5) for _ in shape)  # at the borders of the grid classes do not add up to 1
    np.testing.assert_allclose(found[5][inside], gaussian_filter((labels == 4) + 0.0, 1.2)[inside], atol=0.02)
    assert len(found) == 1 + len(PAPER16) + 1 and found[1:].sum(0)[inside] == pytest.approx(1, abs=1e-3)
