"""Image autoencoders of several kinds, each trained for the same time on the same people.

A limit in minutes would stop a training with its learning rate still high, and each kind at another point of its
schedule. So a few steps tell what a step costs, and the training then gets as many as fit: the whole schedule, with all
that is counted in steps in proportion.
"""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from vctlib.config import Profile, changed
from vctlib.files import write_text
from vctlib.network_config import MultiWindow
from vctlib.training.components import train_image_autoencoder
from vctlib.training.run import TrainingRun
from vctlib.training.shapes import fit_shapes

PROBE_STEPS = 12  # of the longest stage, to learn what a step costs
_COUNTED = ("codebook_warmup", "adversarial_start")  # beside the optimizer's own, what a stage counts in steps
_CODES = 2048


@dataclass(frozen=True)
class TimedTraining:
    """How the time was spent, and where the weights lie."""

    weights: Path
    seconds: float  # of the whole training, components and inputs of later stages included
    steps: tuple[int, ...]  # of each stage


def with_steps(profile: Profile, factor: float) -> Profile:
    """The profile with `factor` times as many steps in each stage of the image autoencoder, at least one."""
    stages = []
    for stage in profile.image_autoencoder.model_dump(mode="json")["stages"]:
        stage |= {name: round(factor * stage[name]) for name in _COUNTED if name in stage}
        own = stage["optimization"]
        own |= {"steps": max(1, round(factor * own["steps"])), "warmup_steps": round(factor * own["warmup_steps"])}
        stages.append(stage)
    return changed(profile, {"image_autoencoder": {"stages": stages}})


def train_for(run: TrainingRun, seconds: float, folder: Path) -> TimedTraining:
    """Train the image autoencoder of `run.profile` for about `seconds`.

    The profile's steps say only how stages share the time. run: names people, seed, and the folder whose cache of
    volumes is used. `folder` receives a folder for each combination of everything that decides the weights, so that a
    call after an interruption goes on with the same number of steps, and a call after the end does nothing.
    """
    section = run.profile.image_autoencoder.model_dump(mode="json")
    identity = json.dumps([section, seconds, run.seed, run.people().subjects], sort_keys=True)
    if run.profile.body_frame is not None and run.profile.body_frame.deformation is not None:
        identity += run.profile.body_frame.model_dump_json()  # bodies of other shapes are other images
    own = folder / hashlib.sha256(identity.encode()).hexdigest()[:16]
    run.arrays(framed=True, shapes=fit_shapes(run))  # to read the people from their files is no kind's cost
    timed = _beside(run, own, run.profile)
    note, plan, weights = own / "timed.json", own / "plan.json", timed.weights("image_autoencoder")
    if not (note.exists() and weights.exists()):
        if not plan.exists():
            write_text(plan, json.dumps(_fitting_factor(run, seconds, own / "probe")))
        timed = _beside(run, own, with_steps(run.profile, json.loads(plan.read_text())))
        begun = time.monotonic()
        training = train_image_autoencoder(timed)
        steps = [part["steps"] for part in training["parts"].values()]
        write_text(note, json.dumps({"seconds": time.monotonic() - begun, "steps": steps}))
        timed.tidy(training)
    told = json.loads(note.read_text())
    return TimedTraining(weights, told["seconds"], tuple(told["steps"]))


def _fitting_factor(run: TrainingRun, seconds: float, folder: Path) -> float:
    """On the steps of the profile, so that all of the training takes `seconds`; from a few steps of each stage."""
    steps = [stage.optimization.steps for stage in run.profile.image_autoencoder.stages]
    probe = _beside(run, folder, with_steps(run.profile, PROBE_STEPS / max(steps)))
    begun = time.monotonic()
    parts = train_image_autoencoder(probe)["parts"].values()
    once = time.monotonic() - begun - sum(part["seconds"] for part in parts)  # components, inputs of later stages
    whole = sum(part["seconds"] / part["steps"] * count for part, count in zip(parts, steps, strict=True))
    return max(seconds - once, 0.0) / max(whole, 1e-3)


def _beside(run: TrainingRun, folder: Path, profile: Profile) -> TrainingRun:
    """The run with another profile and a folder of its own, in which the cache is that of the run."""
    cache = run.folder / "cache"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "cache").exists():
        (folder / "cache").symlink_to(cache.resolve(), target_is_directory=True)
    return replace(run, profile=profile, folder=folder, models=folder)


def standard_configurations(profile: Profile) -> dict[str, Mapping]:
    """Settings of the section `image_autoencoder` for each kind, at the profile's compression, by name.

    The stacked VQ-VAE of killeen2025 section 4.1.1 at a quarter of its channels, with its own loss; the same without
    its codebooks; principal components of blocks with a residual decoder, at three widths.
    """
    compression, grid = profile.compression, profile.cohort.grid
    halvings = compression.bit_length() - 1
    first = (halvings + 1) // 2
    patch = [min(8 * compression, size) for size in grid]
    within = [min(16, size // 2**first) for size in grid]  # of a later stage, on the latents of the first
    about = {"residual_layers": 2, "latent_channels": 8}
    adversarial = {"adversarial_weight": 0.01, "adversarial_start": 500}
    sees = {"kind": "vq", "channels": [32, 64, 64][:first], "perceptual_weight": 0.02, **about, **adversarial}
    sees["optimization"] = {"steps": 1000, "batch_size": 2, "learning_rate": 1e-3, "patch": patch}
    later = {"kind": "vq", "channels": [64, 128, 128][: halvings - first], "perceptual_weight": 0.0}
    later |= about | adversarial
    later["optimization"] = {"steps": 1000, "batch_size": 4, "learning_rate": 1e-3, "patch": within}
    stages = [sees, later] if halvings > first else [sees]
    kinds = {}
    for name, codes in (("stacked VQ-VAE, 8 channels", _CODES), ("the same, continuous", 0)):
        own = [stage | {"codebook_size": codes} for stage in stages]
        kinds[name] = {"stages": own, "multi_window": MultiWindow().model_dump(mode="json")}
    whole = [min(12 * compression, size) for size in grid]
    for width in (8, 16, 32):
        block = {"kind": "block_pca", "block": compression, "latent_channels": width, "channels": [192, 96]}
        block |= {"residual_layers": 2, "squared_weight": 8.0}
        block["optimization"] = {"steps": 1000, "batch_size": 1, "learning_rate": 1e-3, "patch": whole}
        kinds[f"block PCA, {width} channels"] = {"stages": [block], "multi_window": None}
    return kinds
