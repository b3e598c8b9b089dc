"""The one training loop: Accelerate, moving average, exact resume, curves.csv, a limit in minutes.

Every step is seeded from (seed, step), so a run killed at any moment and called again takes exactly the steps that an
undisturbed run takes.
"""

import math
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from tqdm.std import tqdm

from vctlib.errors import InputError
from vctlib.files import write_text
from vctlib.network_config import Optimization
from vctlib.networks.precision import make_accelerator
from vctlib.training.checkpoint import Progress, load_checkpoint, save_checkpoint

CURVE_ROWS = 200  # rows of curves.csv over a whole run


class Objective(Protocol):
    """What is trained, on what, and how the loss is made up."""

    networks: dict[str, nn.Module]  # the first is the one that the moving average follows

    # An objective may have `learning_rate_fractions`: network name -> factor on the common learning rate; and `betas`,
    # the decay rates of AdamW's two averages.

    def batch(self, rng: np.random.Generator, size: int) -> dict[str, Tensor]:
        """Draw a batch; all randomness comes from `rng`."""

    def losses(self, batch: dict[str, Tensor], step: int) -> Iterator[tuple[str, Tensor, dict[str, float]]]:
        """Yield (network name, loss to descend, figures for the curves) one optimizer after the other."""


class TrainingPaused(InputError):
    """`max_minutes` is over before the last step; the checkpoint holds everything."""


@dataclass(frozen=True)
class TrainingSummary:
    steps: int
    seconds: float  # over all the pieces
    final: dict[str, float]  # the last row of the curves

    def describe(self) -> dict[str, float | int]:
        return {"steps": self.steps, "seconds": round(self.seconds, 1)} | self.final


def learning_rate(optimization: Optimization, step: int) -> float:
    """Linear warm-up, then half a cosine down to the final fraction, or the two steps of killeen2025 section 4.3.1."""
    if step < optimization.warmup_steps:
        return optimization.learning_rate * (step + 1) / optimization.warmup_steps
    if optimization.decay == "step":
        drops = (step >= 0.5 * optimization.steps) + (step >= 0.9 * optimization.steps)
        return optimization.learning_rate * 0.1**drops
    span = max(1, optimization.steps - optimization.warmup_steps)
    cosine = 0.5 * (1 + math.cos(math.pi * (step - optimization.warmup_steps) / span))
    floor = optimization.final_learning_rate_fraction
    return optimization.learning_rate * (floor + (1 - floor) * cosine)


def moving_average(model: nn.Module, decay: float) -> AveragedModel:
    """Exponential moving average whose decay warms up as (1 + n) / (10 + n), so that early steps are forgotten."""

    @torch.no_grad()
    def update(averaged: list[Tensor], current: list[Tensor], n: Tensor) -> None:
        rate = min(decay, (1 + int(n)) / (10 + int(n)))
        torch._foreach_lerp_(averaged, current, 1 - rate)

    return AveragedModel(model, multi_avg_fn=update)


def _seed_step(seed: int, step: int) -> np.random.Generator:
    sequence = np.random.SeedSequence([seed, step, int(os.environ.get("RANK", 0))])
    torch.manual_seed(int(sequence.generate_state(1, np.uint64)[0]) % 2**63)
    return np.random.default_rng(sequence)


def train(
    objective: Objective,
    optimization: Optimization,
    folder: Path,
    *,
    name: str,
    seed: int,
    key: str,
    precision: str = "auto",
    max_minutes: float | None = None,
    checkpoint_minutes: float = 5.0,
) -> TrainingSummary:
    """Train to the last step; afterwards the first network holds the averaged weights where an average is kept.

    `folder` receives `<name>.checkpoint.safetensors` and `<name>.curves.csv`; `key` names the settings, and a
    checkpoint of other settings is refused. Raises TrainingPaused when `max_minutes` are over first.
    """
    accelerator = make_accelerator(precision)
    prepared = {n: accelerator.prepare(network) for n, network in objective.networks.items()}
    objective.networks.update(prepared)
    main = next(iter(prepared))
    modules = {n: accelerator.unwrap_model(network) for n, network in prepared.items()}
    raw_main = modules[main]
    optimizers = {
        n: torch.optim.AdamW(
            [p for p in network.parameters() if p.requires_grad],
            optimization.learning_rate,
            betas=getattr(objective, "betas", (0.9, 0.99)),
        )
        for n, network in prepared.items()
    }
    average = moving_average(raw_main, optimization.ema_decay) if optimization.ema_decay else None
    saved = modules if average is None else modules | {"average": average}
    checkpoint = folder / f"{name}.checkpoint.safetensors"
    progress = load_checkpoint(checkpoint, saved, optimizers, key)
    if progress.curves:  # a kill may have come between the checkpoint and its curves
        _write_curves(folder, name, progress)
    log_every = max(1, optimization.steps // CURVE_ROWS)
    begun, before, last_saved = time.monotonic(), progress.seconds, time.monotonic()
    sums: dict[str, float] = defaultdict(float)
    bar = tqdm(total=optimization.steps, initial=progress.step, desc=name, unit="step", mininterval=2.0)
    for network in prepared.values():
        network.train()
    while progress.step < optimization.steps:
        rng = _seed_step(seed, progress.step)
        rate = learning_rate(optimization, progress.step)
        batch = {k: v.to(accelerator.device) for k, v in objective.batch(rng, optimization.batch_size).items()}
        for network_name, loss, figures in objective.losses(batch, progress.step):
            own_rate = rate * getattr(objective, "learning_rate_fractions", {}).get(network_name, 1.0)
            _descend(accelerator, prepared[network_name], optimizers[network_name], loss, own_rate, optimization)
            for figure, value in figures.items():
                sums[figure] += value
        if average is not None:
            average.update_parameters(raw_main)
        progress.step += 1
        bar.update()
        if progress.step % log_every and progress.step < optimization.steps:
            continue
        row = {k: v / ((progress.step - 1) % log_every + 1) for k, v in sums.items()}
        if not all(map(math.isfinite, row.values())):
            raise InputError(f"{name}: the loss is no longer finite at step {progress.step}; lower the learning rate")
        sums.clear()
        now = time.monotonic()
        progress = Progress(
            progress.step,
            before + now - begun,
            (*progress.curves, {"step": progress.step, "seconds": round(before + now - begun, 1), **row}),
        )
        bar.set_postfix({k: f"{v:.4g}" for k, v in row.items()}, refresh=False)
        over = max_minutes is not None and now - begun > 60 * max_minutes
        if over or now - last_saved > 60 * checkpoint_minutes or progress.step == optimization.steps:
            save_checkpoint(checkpoint, saved, optimizers, progress, key)
            _write_curves(folder, name, progress)
            last_saved = now
        if over and progress.step < optimization.steps:
            bar.close()
            raise TrainingPaused(
                f"{name}: paused at step {progress.step} of {optimization.steps} after {max_minutes} minutes; "
                "run the same notebook again to go on"
            )
    bar.close()
    if average is not None:
        raw_main.load_state_dict(average.module.state_dict())
    for n, network in prepared.items():  # take the autocast wrapper off: who uses the network chooses the precision
        objective.networks[n] = accelerator.unwrap_model(network, keep_fp32_wrapper=False).eval()
    last = progress.curves[-1] if progress.curves else {}
    final = {figure: value for figure, value in last.items() if figure not in ("step", "seconds")}
    return TrainingSummary(progress.step, progress.seconds, final)


def _write_curves(folder: Path, name: str, progress: Progress) -> None:
    write_text(folder / f"{name}.curves.csv", pd.DataFrame(progress.curves).to_csv(index=False))


def _descend(accelerator, network, optimizer, loss, rate, optimization) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad(set_to_none=True)
    accelerator.backward(loss)
    accelerator.clip_grad_norm_(network.parameters(), optimization.gradient_clip)
    optimizer.step()
