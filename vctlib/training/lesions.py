"""Training of the detector of liver lesions, on people whose lesions are labelled voxel by voxel."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from monai.losses import DiceCELoss
from torch import Tensor, nn
from tqdm.std import tqdm

from vctlib.anatomy import ids_of
from vctlib.cohort import Cohort
from vctlib.config import Profile
from vctlib.errors import InputError
from vctlib.networks.inference import device
from vctlib.networks.lesion_detector import LesionDetector, box_about, box_size, interior_of
from vctlib.sources.lesion_insertion import liver_of
from vctlib.training.loop import TrainingSummary, train

_LESION_WEIGHT = 20.0  # of a lesion's voxel in the cross-entropy: one in hundreds of the interior's is


class LesionObjective:
    """Dice loss and weighted cross-entropy over the liver's interior; boxes are mirrored at random."""

    def __init__(self, network: nn.Module, hu: np.ndarray, interior: np.ndarray, lesions: np.ndarray) -> None:
        self._arrays = {"hu": hu, "interior": interior, "lesions": lesions}
        self._loss = DiceCELoss(sigmoid=True, weight=torch.tensor([_LESION_WEIGHT], device=device()))
        self.networks = {"network": network}

    def batch(self, rng: np.random.Generator, size: int) -> dict[str, Tensor]:
        chosen = rng.choice(len(self._arrays["hu"]), size=size, replace=size > len(self._arrays["hu"]))
        axes = tuple(axis for axis in (1, 2, 3) if rng.random() < 0.5)
        return {
            name: torch.from_numpy(np.flip(array[chosen], axes).copy())[:, None] for name, array in self._arrays.items()
        }

    def losses(self, batch: dict[str, Tensor], step: int) -> Iterator[tuple[str, Tensor, dict[str, float]]]:
        logits = self.networks["network"](batch["hu"], batch["interior"])
        inside = batch["interior"]
        loss = self._loss(logits[inside][None, None], batch["lesions"][inside][None, None].float())
        yield "network", loss, {"loss": loss.item()}


def train_lesion_detector(
    profile: Profile, people: Cohort, folder: Path, *, name: str, seed: int
) -> tuple[LesionDetector, TrainingSummary]:
    """A detector from people whose label maps tell `liver_lesion` from `liver`. Raises InputError where they do not, or
    where nobody has one."""
    config = profile.lesion_detector
    if "liver_lesion" not in (people.info.labels or {}).values():
        raise InputError(f"{people.path}: its label maps know no liver_lesion; a detector cannot learn from them")
    size = box_size(config, people.info.spacing_mm[0], people.info.grid)
    lesion = ids_of(people.info.labels, "liver_lesion")[0]
    parts = []
    for subject_id in tqdm(people.subjects, desc="reading livers", unit="body"):
        interior = interior_of(liver_of(people, subject_id))
        box = box_about(interior, size)
        if box is not None:
            labels = people.labels(subject_id)
            parts.append((people.ct(subject_id)[0][box], interior[box], labels[box] == lesion))
    hu, interior, lesions = (
        (np.stack(part) for part in zip(*parts, strict=True)) if parts else (None, None, np.zeros(0))
    )
    if not lesions.any():
        raise InputError(f"{people.path}: nobody among {len(people)} people has a lesion that fills half a voxel")
    torch.manual_seed(seed)
    network = LesionDetector(config).to(device())
    told = [config.model_dump(mode="json"), seed, people.subjects, people.info.model_dump(mode="json")]
    digest = hashlib.sha256(json.dumps(told).encode() + hu.tobytes() + lesions.tobytes())
    objective = LesionObjective(network, hu, interior, lesions)
    summary = train(
        objective,
        config.optimization,
        folder,
        name=name,
        seed=seed,
        key=digest.hexdigest(),
        precision=profile.precision,
        checkpoint_minutes=profile.checkpoint_minutes,
    )
    return objective.networks["network"], summary
