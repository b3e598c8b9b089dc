"""Weights survive the way to disk and back exactly, with their metadata, whole or not at all."""

import pytest
import torch

from vctlib.errors import InputError
from vctlib.networks.weights import load_weights, packed, save_weights, unpacked


def test_round_trip_is_exact(tmp_path):
    torch.manual_seed(0)
    state = {
        "a": torch.randn(3, 4),
        "b": torch.arange(5),
        "half": torch.randn(2).bfloat16(),
        "flag": torch.tensor(True),
    }
    metadata = {"component": "segmenter", "profile": {"name": "smoke", "grid": [48, 32, 128]}, "steps": 3, "note": None}
    save_weights(tmp_path / "models" / "w.safetensors", state, metadata)
    loaded, stored = load_weights(tmp_path / "models" / "w.safetensors")
    assert stored == metadata and set(loaded) == set(state)
    for name, tensor in state.items():
        assert loaded[name].dtype == tensor.dtype and torch.equal(loaded[name], tensor)


def test_eight_bits_a_number_and_a_scale_a_row_come_back_close(tmp_path):
    torch.manual_seed(0)
    state = {
        "net.conv": torch.randn(6, 4, 3, 3, 3) * torch.logspace(-4, 3, 6).view(-1, 1, 1, 1, 1),  # rows of all sizes
        "net.empty": torch.zeros(2, 3),
        "net.bias": torch.randn(6),
        "net.count": torch.arange(4),
        "other": torch.randn(5, 5),
    }
    save_weights(tmp_path / "w.safetensors", packed(state, ("net.",)), {})
    stored, _ = load_weights(tmp_path / "w.safetensors")
    assert stored["net.conv"].dtype == torch.int8 and stored["net.bias"].dtype == torch.float16
    loaded = unpacked(stored)
    assert set(loaded) == set(state)
    largest = state["net.conv"].abs().amax((1, 2, 3, 4), keepdim=True)
    assert ((loaded["net.conv"] - state["net.conv"]).abs() <= largest / 253).all()
    torch.testing.assert_close(loaded["net.bias"].float(), state["net.bias"], rtol=1e-3, atol=1e-4)
    for name in ("net.empty", "net.count", "other"):
        assert torch.equal(loaded[name], state[name])
    again = packed(loaded, ("net.",))  # packing what was packed changes nothing
    assert torch.equal(again["net.conv"], stored["net.conv"])


def test_views_and_shared_tensors_are_stored_by_value(tmp_path):
    base = torch.arange(12.0).reshape(3, 4)
    save_weights(tmp_path / "w.safetensors", {"t": base.T, "same": base, "again": base}, {})
    loaded, _ = load_weights(tmp_path / "w.safetensors")
    assert torch.equal(loaded["t"], base.T) and torch.equal(loaded["same"], loaded["again"])


@pytest.mark.parametrize("name", ["w.pt", "w.pth", "w.ckpt", "w.pkl", "w"])
def test_other_suffixes_are_refused(tmp_path, name):
    with pytest.raises(InputError, match="safetensors only"):
        save_weights(tmp_path / name, {}, {})
    torch.save({"a": torch.zeros(1)}, tmp_path / name)
    with pytest.raises(InputError, match="safetensors only"):
        load_weights(tmp_path / name)


def test_absent_and_damaged_files_are_named(tmp_path):
    path = tmp_path / "w.safetensors"
    with pytest.raises(InputError, match="w.safetensors: no such weights"):
        load_weights(path)
    torch.save({"a": torch.zeros(1)}, path)  # a pickle under the right name
    with pytest.raises(InputError, match="w.safetensors: not a readable"):
        load_weights(path)
    save_weights(path, {"a": torch.zeros(100)}, {})
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(InputError, match="w.safetensors: not a readable"):
        load_weights(path)


def test_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "w.safetensors"
    save_weights(path, {"a": torch.ones(2)}, {"version": 1})
    with pytest.raises(TypeError):
        save_weights(path, {"a": torch.zeros(2)}, {"version": object()})
    loaded, metadata = load_weights(path)
    assert metadata == {"version": 1} and torch.equal(loaded["a"], torch.ones(2))
    assert [item.name for item in tmp_path.iterdir()] == [path.name]
