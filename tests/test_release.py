from collections import defaultdict

import pytest
import torch
import yaml

from vctlib.commands.release import RELEASED, release_weights
from vctlib.config import load_profile
from vctlib.errors import InputError
from vctlib.manifest import REPOSITORY, Entry, load_manifest
from vctlib.networks.weights import save_weights
from vctlib.results import sha256


@pytest.fixture
def root(tmp_path):
    (tmp_path / "data_manifest.yaml").write_bytes((REPOSITORY / "data_manifest.yaml").read_bytes())
    for component in RELEASED:
        train(tmp_path / "trained", component, 1.0)
    return tmp_path


def train(folder, component, value, profile="smoke"):
    training = {"people": 3, "seconds": 90.0, "hardware": 'a "fast" machine', "seed": 0}
    metadata = {"component": component, "profile": load_profile(profile).model_dump(mode="json"), "training": training}
    folder.mkdir(exist_ok=True)
    save_weights(folder / f"{component}.safetensors", {"w": torch.full((2,), value)}, metadata)


def entries(root):
    content = yaml.safe_load((root / "data_manifest.yaml").read_text())["entries"]
    return {entry["name"]: Entry.model_validate(entry) for entry in content}


def test_weights_and_manifest_agree(root):
    before = entries(root)
    for path in release_weights("smoke", str(root / "trained"), root):
        entry = entries(root)[f"smoke_{path.stem}"]
        assert (entry.sha256, entry.bytes) == (sha256(path), path.stat().st_size)
        assert "2 minutes" in entry.what and 'a "fast" machine' in entry.what
    assert before.items() <= entries(root).items()


def test_releasing_again_replaces_the_entries(root):
    release_weights("smoke", str(root / "trained"), root)
    first = (root / "data_manifest.yaml").read_text()
    release_weights("smoke", str(root / "trained"), root)
    assert (root / "data_manifest.yaml").read_text() == first
    train(root / "trained", "segmenter", 2.0)
    release_weights("smoke", str(root / "trained"), root)
    names = [entry["name"] for entry in yaml.safe_load((root / "data_manifest.yaml").read_text())["entries"]]
    assert len(set(names)) == len(names)
    assert entries(root)["smoke_segmenter"].sha256 == sha256(root / "trained" / "segmenter.safetensors")


def test_incomplete_or_foreign_weights_change_nothing(root):
    before = (root / "data_manifest.yaml").read_text()
    train(root / "trained", "segmenter", 1.0, profile="laptop")
    with pytest.raises(InputError, match="trained with the profile 'laptop'"):
        release_weights("smoke", str(root / "trained"), root)
    (root / "trained" / "segmenter.safetensors").unlink()
    with pytest.raises(InputError, match="no segmenter.safetensors"):
        release_weights("smoke", str(root / "trained"), root)
    assert (root / "data_manifest.yaml").read_text() == before and not (root / "models").exists()


def test_released_weights_of_a_profile_are_at_most_40_mb():
    sizes = defaultdict(int)
    for entry in load_manifest().values():
        if entry.source.startswith("repo:models/"):
            sizes[entry.source.split("/")[1]] += entry.bytes
    assert "laptop" in sizes and max(sizes.values()) <= 40e6, dict(sizes)
