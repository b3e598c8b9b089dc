"""A latent diffusion trained again with other settings or fewer people, on the autoencoders that are there."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from vctlib.config import changed
from vctlib.errors import InputError
from vctlib.files import sha256
from vctlib.networks.body_frame import Placement
from vctlib.networks.organ_intensities import TOLD
from vctlib.training.arrays import cohort_key
from vctlib.training.components import fit_latent_diffusion, joint_latents
from vctlib.training.run import TrainingRun


def retrained_diffusion(
    run: TrainingRun, folder: Path, settings: Mapping, *, people_share: float = 1.0, steps_share: float = 1.0
) -> Path:
    """Weights of a latent diffusion trained with `settings` (of the profile's section) changed; made once, then found.

    run: names the autoencoders, the seed, and the folder where the people's latents are kept between calls.
    folder: receives a folder for each combination of everything that decides the weights. people_share, steps_share:
    of the training people (the first of the list, those of the reference before others) and of the profile's steps.
    Fewer people carry fewer factors: where `settings` do not name `prior_factors`, they fall by the same share.
    Raises InputError for a wrong setting or share.
    """
    if not 0 < people_share <= 1 or not steps_share > 0:
        raise InputError(
            f"people_share {people_share:g} must be above 0 and at most 1, and steps_share {steps_share:g} above 0"
        )
    factors = run.profile.latent_diffusion.prior_factors
    fewer = {"prior_factors": max(1, int(people_share * factors))} if factors and people_share < 1 else {}
    profile = changed(run.profile, {"latent_diffusion": fewer | dict(settings)})
    steps = max(1, round(steps_share * profile.latent_diffusion.optimization.steps))
    profile = changed(profile, {"latent_diffusion": {"optimization": {"steps": steps}}})
    people = joint_latents(run)
    count = max(1, round(people_share * len(people.latents)))
    autoencoders = [run.source(name) for name in ("image_autoencoder", "segmentation_autoencoder")]
    cohorts = [run.people()] if run.more is None else [run.people(), run.more]
    identity = [profile.latent_diffusion.model_dump(mode="json"), count, run.seed]
    identity += [*map(sha256, autoencoders), *map(cohort_key, cohorts)]
    frame = profile.body_frame and profile.body_frame.model_dump(mode="json")
    identity.append((Placement._fields, TOLD, frame))
    own = folder / hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    own_run = replace(run, profile=profile, folder=own, models=own)
    weights = own_run.weights("latent_diffusion")
    if not weights.exists():
        own.mkdir(parents=True, exist_ok=True)
        for path in autoencoders:
            if not (own / path.name).exists():
                (own / path.name).symlink_to(path.resolve())
        training = fit_latent_diffusion(own_run, people.first(count))
        own_run.tidy(training)
    return weights
