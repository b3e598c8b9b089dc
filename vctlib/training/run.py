"""One training of a profile: its people, where it reads and writes, and what it leaves behind."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from vctlib.cohort import Cohort
from vctlib.config import Profile
from vctlib.errors import InputError
from vctlib.files import sha256
from vctlib.network_config import Optimization
from vctlib.networks.body_shapes import BodyShapes
from vctlib.networks.components import release, restore
from vctlib.networks.inference import device, shapes_of
from vctlib.networks.precision import resolve_precision
from vctlib.results import hardware
from vctlib.training.arrays import BodyArrays
from vctlib.training.loop import Objective, TrainingSummary, train


@dataclass(frozen=True)
class TrainingRun:
    """One training of a profile: where it reads and writes, with what seed and time limit."""

    profile: Profile
    cohort: Cohort  # the reference
    folder: Path  # checkpoints, curves and caches
    models: Path  # the weights files that are made
    released: Path  # those that stand in for what has not been trained here
    seed: int
    max_minutes: float | None = None
    more: Cohort | None = None  # people beside the reference, who teach the latent diffusion

    def people(self) -> Cohort:
        return self.cohort.subset("train")

    def arrays(self, target=None, *, framed: bool = False, shapes: BodyShapes | None = None) -> BodyArrays:
        """Of the training people; `framed` as the generator's networks see them, deformed to the template of `shapes`
        if there are any."""
        frame_of = self.profile if framed else None
        return BodyArrays(self.people(), self.folder / "cache", target=target, frame_of=frame_of, shapes=shapes)

    def weights(self, component: str) -> Path:
        return self.models / f"{component}.safetensors"

    def source(self, component: str) -> Path:
        """The weights that a later component builds on: trained here, else released."""
        own = self.weights(component)
        return own if own.exists() else self.released / own.name

    def trained(self, component: str) -> nn.Module:
        """Raises InputError for an image autoencoder whose bodies are deformed otherwise than the profile says."""
        network = restore(self.source(component), component)[0].to(device())
        if component == "image_autoencoder":
            shapes, frame = shapes_of(network), self.profile.body_frame
            if (shapes and shapes.config) != (frame and frame.deformation):
                raise InputError(
                    f"{self.source(component)}: deforms bodies otherwise than body_frame.deformation of the profile "
                    f"{self.profile.name}; train it again, or take the profile that it was trained with"
                )
        return network

    def fit(self, name: str, objective: Objective, optimization: Optimization, section: dict) -> TrainingSummary:
        """Run the loop; settings, seed and cohort decide which checkpoint may be resumed."""
        identity = [name, section, self.seed, sha256(self.cohort.path / "subjects.csv")]
        key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        return train(
            objective,
            optimization,
            self.folder,
            name=name,
            seed=self.seed,
            key=key,
            precision=self.profile.precision,
            max_minutes=self.max_minutes,
            checkpoint_minutes=self.profile.checkpoint_minutes,
        )

    def release(
        self, component: str, network: nn.Module, summaries: dict[str, TrainingSummary], people: int | None = None
    ) -> dict:
        """Write the weights with what it took to train them; returns the latter.

        The checkpoints stay until `tidy`: until then the same call only writes the weights again.
        """
        training = {
            "hardware": hardware(),
            "precision": resolve_precision(self.profile.precision),
            "seed": self.seed,
            "people": len(self.people()) if people is None else people,
            "seconds": round(sum(s.seconds for s in summaries.values()), 3),
            "parts": {name: summary.describe() for name, summary in summaries.items()},
        }
        release(self.weights(component), component, network, self.profile, training)
        return training

    def tidy(self, training: dict) -> None:
        """Remove the checkpoints behind weights that are released and reported."""
        for name in training["parts"]:
            (self.folder / f"{name}.checkpoint.safetensors").unlink(missing_ok=True)
