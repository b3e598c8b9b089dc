import importlib.machinery
import sys
from types import ModuleType

import pytest
import torch

from vctlib import manifest
from vctlib.errors import InputError
from vctlib.network_config import SliceRegressorConfig
from vctlib.networks import slice_regressor
from vctlib.networks.slice_regressor import SliceRegressor

CONFIG = SliceRegressorConfig(
    backbone="efficientnet_lite0", image_size=(32, 64), epochs=1, batch_size=4, learning_rate=1e-3, pretrained=True
)
SWIN = CONFIG.model_copy(update={"backbone": "swin_base_patch4_window12_384", "image_size": (384, 384)})


def slices(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    return 300 * torch.randn(n, 1, 64, 32), 300 * torch.randn(n, 1, 64, 32)


def test_answer_is_in_the_unit_of_the_target():
    network = SliceRegressor(CONFIG).eval()
    sagittal, coronal = slices(3)
    with torch.no_grad():
        plain = network(sagittal, coronal)
        network.set_target_statistics(30.0, 6.0)
        torch.testing.assert_close(network(sagittal, coronal), 30 + 6 * plain)
    assert plain.shape == (3,) and "target_mean" in network.state_dict()


def test_each_person_is_answered_for_alone_and_by_both_slices():
    network = SliceRegressor(CONFIG).eval()
    (sagittal, coronal), (other, _) = slices(3), slices(3)
    with torch.no_grad():
        together = network(sagittal, coronal)
        alone = torch.cat([network(sagittal[i : i + 1], coronal[i : i + 1]) for i in range(3)])
        torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)
        assert not torch.allclose(network(other, coronal), together)
        assert not torch.allclose(network(sagittal, other), together)
        assert not torch.allclose(network(coronal, sagittal), together)


def test_it_learns_and_answers_alike_in_training_and_evaluation():
    network = SliceRegressor(CONFIG)
    brightness = torch.tensor([-300.0, 300.0])
    sagittal, coronal = (s * 0.1 + brightness.view(2, 1, 1, 1) for s in slices(2))
    target = brightness / 300
    optimizer = torch.optim.AdamW(network.parameters(), 5e-4)
    for _ in range(15):
        optimizer.zero_grad()
        (network.train()(sagittal, coronal) - target).square().mean().backward()
        optimizer.step()
    with torch.no_grad():
        torch.testing.assert_close(network.train()(sagittal, coronal), network.eval()(sagittal, coronal))
        assert (network(sagittal, coronal) - target).square().mean() < 0.2  # 1 before


def test_swin_without_timm_says_what_to_install(monkeypatch):
    monkeypatch.setattr(slice_regressor.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install timm"):
        SliceRegressor(SWIN)


@pytest.fixture
def fake_timm(monkeypatch):
    """timm's documented interface, as far as it is used here."""
    calls = []

    def create_model(name, **options):
        calls.append((name, options))
        model = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
        model.num_features = 3
        return model

    module = ModuleType("timm")
    module.__spec__, module.create_model = importlib.machinery.ModuleSpec("timm", None), create_model
    monkeypatch.setitem(sys.modules, "timm", module)
    return calls


def test_swin_takes_its_weights_from_the_manifest_only(fake_timm, monkeypatch, tmp_path):
    with pytest.raises(InputError, match="swin_base_384"):
        SliceRegressor(SWIN)  # no checked weights are there
    assert not fake_timm
    monkeypatch.setattr(slice_regressor, "locate", lambda entry: ("VCTLIB_DATA", tmp_path / "swin.safetensors"))
    SliceRegressor(SWIN)
    ((name, options),) = fake_timm
    assert name == "swin_base_patch4_window12_384" and options["img_size"] == (384, 384)
    assert options["pretrained_cfg_overlay"] == {"file": str(tmp_path / "swin.safetensors")}
    assert "swin_base_384" in manifest.load_manifest()


def test_swin_untrained_needs_no_file(fake_timm):
    network = SliceRegressor(SWIN.model_copy(update={"pretrained": False}))
    assert fake_timm[0][1]["pretrained"] is False
    assert network(*slices(2)).shape == (2,)
