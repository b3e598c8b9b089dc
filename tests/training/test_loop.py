import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from vctlib.errors import InputError
from vctlib.network_config import Optimization
from vctlib.training import loop
from vctlib.training.loop import TrainingPaused, learning_rate, train


class Line:
    """Fit y = 2x - 1 with dropout noise and a second network that chases the first: randomness and two optimizers."""

    def __init__(self):
        torch.manual_seed(0)
        self.networks = {
            "model": nn.Sequential(nn.Linear(1, 8), nn.Dropout(0.1), nn.Linear(8, 1)),
            "other": nn.Linear(1, 1),
        }

    def batch(self, rng, size):
        x = torch.from_numpy(rng.normal(size=(size, 1)).astype(np.float32))
        return {"x": x, "y": 2 * x - 1}

    def losses(self, batch, step):
        predicted = self.networks["model"](batch["x"])
        loss = (predicted - batch["y"]).square().mean()
        yield "model", loss, {"loss": loss.item()}
        chase = (self.networks["other"](batch["x"]) - predicted.detach()).square().mean()
        yield "other", chase, {"chase": chase.item()}


OPTIMIZATION = Optimization(steps=60, batch_size=16, learning_rate=0.02, ema_decay=0.9, warmup_steps=5)


def run(folder, objective=None, optimization=OPTIMIZATION, **options):
    objective = objective or Line()
    options = dict(name="line", seed=1, key="k", precision="no") | options
    summary = train(objective, optimization, folder, **options)
    return summary, {f"{n}.{k}": v for n, m in objective.networks.items() for k, v in m.state_dict().items()}


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_it_learns(tmp_path):
    summary, _ = run(tmp_path, optimization=OPTIMIZATION.model_copy(update={"steps": 400}))
    assert summary.steps == 400 and summary.final["loss"] < 0.5
    curves = pd.read_csv(tmp_path / "line.curves.csv")
    assert list(curves.columns) == ["step", "seconds", "loss", "chase"] and curves["step"].iloc[-1] == 400
    assert curves["loss"].iloc[-1] < 0.2 * curves["loss"].iloc[0]


def test_the_seed_decides(tmp_path):
    first, again, other = (run(tmp_path / str(i), seed=s)[1] for i, s in enumerate((1, 1, 2)))
    assert equal(first, again) and not equal(first, other)


@pytest.mark.parametrize("stop", [1, 7, 31, 59])
def test_killed_and_resumed_gives_the_same_weights(tmp_path, monkeypatch, stop):
    _, whole = run(tmp_path / "whole")

    class Killed(Line):
        def losses(self, batch, step):
            if step == stop:
                raise KeyboardInterrupt
            return super().losses(batch, step)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken", Killed(), checkpoint_minutes=0.0)
    summary, resumed = run(tmp_path / "broken")
    assert equal(whole, resumed) and summary.steps == 60
    a, b = (pd.read_csv(tmp_path / n / "line.curves.csv").drop(columns="seconds") for n in ("whole", "broken"))
    pd.testing.assert_frame_equal(a, b, check_exact=True)


@pytest.mark.parametrize("last", [False, True])
def test_killed_between_a_checkpoint_and_its_curves(tmp_path, monkeypatch, last):
    run(tmp_path / "whole")

    def killed(path, text):
        if not last or text.splitlines()[-1].startswith("60,"):
            raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(loop, "write_text", killed)
        run(tmp_path / "broken", checkpoint_minutes=0.0)
    run(tmp_path / "broken")
    a, b = (pd.read_csv(tmp_path / n / "line.curves.csv").drop(columns="seconds") for n in ("whole", "broken"))
    pd.testing.assert_frame_equal(a, b, check_exact=True)


def test_max_minutes_pauses_and_goes_on(tmp_path):
    _, whole = run(tmp_path / "whole")
    with pytest.raises(TrainingPaused, match="step 1 of 60"):
        run(tmp_path / "pieces", max_minutes=0.0)
    assert equal(whole, run(tmp_path / "pieces")[1])


def test_checkpoints_of_other_settings_or_damaged_are_refused(tmp_path):
    run(tmp_path)
    with pytest.raises(InputError, match="other settings"):
        run(tmp_path, key="else")
    file = tmp_path / "line.checkpoint.safetensors"
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(InputError, match="damaged checkpoint"):
        run(tmp_path)


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
    with pytest.raises(InputError, match="no longer finite"):
        run(tmp_path, optimization=OPTIMIZATION.model_copy(update={"learning_rate": 1e30, "gradient_clip": 1e30}))


def test_the_average_follows_the_weights(tmp_path):
    """After n equal updates towards w the average is within decay**n of w; here against a hand-rolled average."""
    objective = Line()
    weights, average, count = [], None, 0
    original = loop._descend

    def spy(accelerator, network, *rest):
        nonlocal average, count
        original(accelerator, network, *rest)
        if isinstance(network, nn.Sequential):
            now = network[0].weight.detach().clone()
            weights.append(now)
            rate = 0.0 if average is None else min(0.9, (1 + count) / (10 + count))
            average = now if average is None else rate * average + (1 - rate) * now
            count += 1

    loop._descend = spy
    try:
        _, state = run(tmp_path, objective)
    finally:
        loop._descend = original
    assert torch.allclose(state["model.0.weight"], average, atol=1e-6)
    assert not torch.equal(state["model.0.weight"], weights[-1])


def test_learning_rate_schedules():
    cosine = Optimization(steps=100, batch_size=1, learning_rate=1.0, warmup_steps=10, final_learning_rate_fraction=0.1)
    assert learning_rate(cosine, 0) == pytest.approx(0.1)
    assert learning_rate(cosine, 10) == pytest.approx(1.0)
    assert learning_rate(cosine, 55) == pytest.approx(0.55)  # halfway: midpoint of 1.0 and 0.1
    assert learning_rate(cosine, 100) == pytest.approx(0.1)
    step = cosine.model_copy(update={"decay": "step"})
    assert [learning_rate(step, s) for s in (20, 50, 90)] == pytest.approx([1.0, 0.1, 0.01])
