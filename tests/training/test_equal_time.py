"""Equal time: steps follow what a step costs, the schedule shrinks whole, and what is done is not done again."""

import json

import pytest

from vctlib.config import changed
from vctlib.networks.components import restore
from vctlib.training import equal_time
from vctlib.training.equal_time import standard_configurations, train_for, with_steps


def test_all_that_counts_steps_shrinks_alike(micro_profile):
    kind = standard_configurations(micro_profile)["stacked VQ-VAE, 8 channels"]
    profile = with_steps(changed(micro_profile, {"image_autoencoder": kind}), 0.1)
    for stage in profile.image_autoencoder.stages:
        assert (stage.optimization.steps, stage.optimization.warmup_steps, stage.adversarial_start) == (100, 5, 50)
    assert with_steps(profile, 1e-9).image_autoencoder.stages[0].optimization.steps == 1


@pytest.mark.parametrize("name", ["smoke", "laptop", "gpu", "paper"])
def test_kinds_fit_every_profile(name):
    from vctlib.config import load_profile

    profile = load_profile(name)
    for kind in standard_configurations(profile).values():
        stages = changed(profile, {"image_autoencoder": kind}).image_autoencoder.stages  # refused where they do not
        assert len(stages) <= 2


def test_time_decides_the_steps_once(micro_profile, micro_shop, tmp_path, monkeypatch):
    shop, _ = micro_shop
    kind = standard_configurations(micro_profile)["the same, continuous"]
    run = shop.__class__(changed(micro_profile, {"image_autoencoder": kind}), *list(vars(shop).values())[1:])
    asked = []

    def train(own) -> dict:
        """Steps of the first stage cost 0.1 s, of the second 0.3 s."""
        steps = [stage.optimization.steps for stage in own.profile.image_autoencoder.stages]
        asked.append(steps)
        own.weights("image_autoencoder").write_text("weights")
        return {"parts": {str(i): {"steps": n, "seconds": n * (0.1 + 0.2 * i)} for i, n in enumerate(steps)}}

    monkeypatch.setattr(equal_time, "train_image_autoencoder", train)
    monkeypatch.setattr(equal_time.time, "monotonic", iter([0.0, 12 * 0.4 + 5, 100.0, 130.0]).__next__)  # 5 s once
    done = train_for(run, 45.0, tmp_path)
    assert asked == [[12, 12], [100, 100]]  # (45 - 5) s / 0.4 s
    assert done.steps == (100, 100) and done.seconds == 30 and done.weights.exists()
    assert train_for(run, 45.0, tmp_path) == done and len(asked) == 2
    (done.weights.parent / "timed.json").unlink()  # killed before its end
    monkeypatch.setattr(equal_time.time, "monotonic", iter([0.0, 1.0]).__next__)
    train_for(run, 45.0, tmp_path)
    assert asked[2:] == [[100, 100]]  # no second probe, hence no other steps
    assert json.loads((done.weights.parent / "plan.json").read_text()) == pytest.approx(0.1)


def test_continuous_kind_is_trained_and_restored(micro_profile, micro_shop, tmp_path):
    shop, _ = micro_shop
    kind = standard_configurations(micro_profile)["the same, continuous"]
    run = shop.__class__(changed(micro_profile, {"image_autoencoder": kind}), *list(vars(shop).values())[1:])
    done = train_for(run, 0.0, tmp_path)
    network, _, training = restore(done.weights, "image_autoencoder")
    assert done.steps == (1, 1) and training["people"] == 6
    assert all(stage.codebook is None for stage in network.stages)
