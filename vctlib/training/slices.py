"""The downstream model's data and training: one sagittal and one coronal slice a body, a scalar out.

Source: killeen2025 section 4.3.1. Slices are drawn from the middle third in training; the middle slice is used
afterwards.
"""

import copy
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from vctlib.cohort import Cohort
from vctlib.config import Profile
from vctlib.network_config import Optimization
from vctlib.networks.components import build
from vctlib.networks.inference import device, inference
from vctlib.training.arrays import BodyArrays
from vctlib.training.loop import TrainingSummary, train


def cut_slices(hu: np.ndarray, x: int, y: int, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Sagittal slice at `x` and coronal slice at `y` of a CT (x, y, z), each (1, height, width) in HU.

    Superior is up; each is resized to `size` (width, height) by bilinear interpolation.
    """
    planes = (hu[x, :, ::-1], hu[:, y, ::-1])  # (y, z) and (x, z), head first
    width, height = size
    resized = []
    for plane in planes:
        image = torch.from_numpy(np.ascontiguousarray(plane.T, np.float32))[None, None]
        resized.append(functional.interpolate(image, (height, width), mode="bilinear", antialias=True)[0])
    return resized[0], resized[1]


class SliceObjective:
    """Mean squared error of the standardised target over randomly drawn slices."""

    def __init__(self, network: nn.Module, hu: np.ndarray, target: np.ndarray, size: tuple[int, int]) -> None:
        self._hu, self._size = hu, size
        self._target = torch.from_numpy(np.asarray(target, np.float32))
        self.networks = {"network": network}

    def batch(self, rng: np.random.Generator, size: int) -> dict[str, Tensor]:
        chosen = rng.choice(len(self._hu), size=size, replace=size > len(self._hu))
        nx, ny, _ = self._hu.shape[1:]
        pairs = [
            cut_slices(self._hu[i], rng.integers(nx // 3, 2 * nx // 3), rng.integers(ny // 3, 2 * ny // 3), self._size)
            for i in chosen
        ]
        sagittal, coronal = (torch.stack(planes) for planes in zip(*pairs, strict=True))
        return {"sagittal": sagittal, "coronal": coronal, "target": self._target[chosen]}

    def losses(self, batch: dict[str, Tensor], step: int) -> Iterator[tuple[str, Tensor, dict[str, float]]]:
        network = self.networks["network"]
        predicted = network(batch["sagittal"], batch["coronal"])
        error = (predicted.float() - batch["target"]) / network.target_scale
        loss = error.square().mean()
        yield "network", loss, {"loss": loss.item()}


def train_slice_regressor(
    profile: Profile, people: Cohort, target: pd.Series, folder: Path, *, name: str, seed: int, tag: str | None = None
) -> tuple[nn.Module, TrainingSummary]:
    """A regressor of `target` (indexed by subject_id, its own unit) from the CTs of `people`.

    Their CTs are laid out in a cache of that `tag`, by default the `name`; trainings with one tag take turns in it.
    """
    config = profile.slice_regressor
    identity = [config.model_dump(mode="json"), seed, people.subjects, target.loc[people.subjects].tolist()]
    key = hashlib.sha256(json.dumps(identity).encode()).hexdigest()
    torch.manual_seed(seed)
    network = build("slice_regressor", profile).to(device())
    values = target.loc[people.subjects].to_numpy(float)
    network.set_target_statistics(float(values.mean()), float(values.std()))
    arrays = BodyArrays(people, folder / "cache", tag=f"_{tag or name}")
    steps = config.epochs * -(-len(people) // config.batch_size)
    optimization = Optimization(
        steps=steps, batch_size=min(config.batch_size, len(people)), learning_rate=config.learning_rate, decay="step"
    )
    objective = SliceObjective(network, arrays.hu, values, config.image_size)
    summary = train(
        objective,
        optimization,
        folder,
        name=name,
        seed=seed,
        key=key,
        precision=profile.precision,
        checkpoint_minutes=profile.checkpoint_minutes,
    )
    return objective.networks["network"], summary


class _Joined:
    """Several (n, x, y, z) arrays on disk as one, without copying them."""

    def __init__(self, parts: Sequence[np.ndarray]) -> None:
        self._parts, self._ends = parts, np.cumsum([len(part) for part in parts])
        self.shape = (int(self._ends[-1]), *parts[0].shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: int) -> np.ndarray:
        part = int(np.searchsorted(self._ends, index, side="right"))
        return self._parts[part][index - (self._ends[part - 1] if part else 0)]


def fine_tune(
    profile: Profile, network: nn.Module, parts: Sequence[tuple[Cohort, pd.Series]], folder: Path, *, name: str,
    seed: int, epochs: int,
) -> tuple[nn.Module, TrainingSummary]:  # fmt: skip
    """A copy of the regressor, trained on for `epochs` over the people of several cohorts and their targets together.

    `parts`: cohorts on one grid, each with its target indexed by subject_id. Rate and batch are the profile's; what the
    target is standardised by stays as it was.
    """
    config = profile.slice_regressor
    told = [[cohort.info.source, cohort.subjects, target.loc[cohort.subjects].tolist()] for cohort, target in parts]
    before = hashlib.sha256(b"".join(t.cpu().numpy().tobytes() for t in network.state_dict().values())).hexdigest()
    key = hashlib.sha256(json.dumps([config.model_dump(mode="json"), seed, epochs, before, told]).encode()).hexdigest()
    network = copy.deepcopy(network)
    arrays = [BodyArrays(cohort, folder / "cache", tag=f"_fine_tune_{i}").hu for i, (cohort, _) in enumerate(parts)]
    values = np.concatenate([target.loc[cohort.subjects].to_numpy(float) for cohort, target in parts])
    size = min(config.batch_size, len(values))
    optimization = Optimization(
        steps=epochs * -(-len(values) // size), batch_size=size, learning_rate=config.learning_rate, decay="step"
    )
    objective = SliceObjective(network, _Joined(arrays), values, config.image_size)
    limits = {"precision": profile.precision, "checkpoint_minutes": profile.checkpoint_minutes}
    summary = train(objective, optimization, folder, name=name, seed=seed, key=key, **limits)
    return objective.networks["network"], summary


def predict_one(network: nn.Module, hu: np.ndarray, profile: Profile) -> float:
    """The regressor's answer for one CT (x, y, z) in HU, from the middle slices."""
    sagittal, coronal = cut_slices(hu, hu.shape[0] // 2, hu.shape[1] // 2, profile.slice_regressor.image_size)
    with inference(profile.precision):
        answer = network(sagittal[None].to(device()), coronal[None].to(device()))
    return float(answer.float().item())


def predict(network: nn.Module, cohort: Cohort, profile: Profile) -> pd.Series:
    """The regressor's answer for every subject, from the middle slices; indexed by subject_id."""
    answers = {subject_id: predict_one(network, cohort.ct(subject_id)[0], profile) for subject_id in cohort.subjects}
    series = pd.Series(answers, name="prediction")
    series.index.name = "subject_id"
    return series
