"""From attributes to latents to people: reconstructed and synthetic cohorts.

Every body is sampled from its own seed (seed, person, draw), so a cohort does not depend on batch size, order, or how
often it was interrupted, but for last digits: sums of a network round otherwise in another batch, and single voxels may
fall on the other side of a threshold.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import numpy as np
import pandas as pd
import torch
from torch import nn
from tqdm.std import tqdm

from vctlib import __version__
from vctlib.anatomy import PAPER16
from vctlib.attributes import Attributes
from vctlib.cohort import Cohort, CohortInfo, CohortWriter
from vctlib.config import Profile, SynthesisConfig
from vctlib.errors import InputError
from vctlib.files import code_sha256, sha256
from vctlib.networks.body_frame import NUMBERS, BodyFrame, Placement
from vctlib.networks.components import restore
from vctlib.networks.inference import (
    decode_image,
    decode_labels,
    device,
    encode_body,
    inference,
    post_process,
    shapes_of,
    with_amounts,
    with_organs,
)
from vctlib.networks.organ_intensities import TOLD, of_no_organ, organ_quantiles
from vctlib.networks.schedule import guided, make_schedule

# What decides a body beside weights and settings: where this code changes, cohorts are drawn anew.
CODE = ("synthesis", "networks", "anatomy", "attributes", "intensity", "measure/mask", "measure/parts")
ATTRIBUTE_COLUMNS = ("sex", "age_years", "height_cm", "weight_kg")


class Sampled(NamedTuple):
    """Bodies before they are decoded."""

    latents: torch.Tensor  # (batch, channel, x, y, z)
    placements: list[Placement]
    organs: np.ndarray  # quantiles of the organs' intensities in HU (batch, organ, 41)


@dataclass(frozen=True)
class Generator:
    """The trained parts of the generator, ready to sample."""

    image: nn.Module
    segmentation: nn.Module
    diffusion: nn.Module
    post_processor: nn.Module | None
    profile: Profile
    fingerprint: str  # SHA-256 over the weights files, shortened

    @classmethod
    def load(cls, weights: Mapping[str, Path]) -> "Generator":
        """Restore the parts from their weights files; without `post_processor` decoded images stay as they are.

        Raises InputError naming the file that is absent or wrong, a latent diffusion of other shapes than the image
        autoencoder's, or a post-processor that reads label maps where the latent diffusion makes none.
        """
        parts = {name: restore(path, name) for name, path in weights.items()}
        networks = {name: part[0].to(device()) for name, part in parts.items()}
        reads_labels = "post_processor" in networks and networks["post_processor"].reads_labels
        if reads_labels and not networks["latent_diffusion"].joint_labels:
            raise InputError(
                f"{weights['post_processor']}: reads label maps, and {weights['latent_diffusion']} makes none; "
                "leave the post-processor out"
            )
        shapes = shapes_of(networks["image_autoencoder"])
        numbers = NUMBERS + (shapes.config.n_shapes if shapes else 0)
        if networks["latent_diffusion"].placements.count != numbers:
            raise InputError(
                f"{weights['latent_diffusion']}: draws bodies of other shapes than those of "
                f"{weights['image_autoencoder']}; both must come from one training"
            )
        return cls(
            networks["image_autoencoder"],
            networks["segmentation_autoencoder"],
            networks["latent_diffusion"],
            networks.get("post_processor"),
            parts["latent_diffusion"][1],
            hashlib.sha256("".join(sha256(weights[name]) for name in sorted(weights)).encode()).hexdigest()[:16],
        )

    def sample_latents(
        self, attributes: Sequence[Sequence[float]], seeds: Sequence[Sequence[int]], config: SynthesisConfig
    ) -> Sampled:
        """Latents, placements and organs for attributes (batch, 4), NaN where unknown, as `Attributes.values` gives
        them; one seed sequence a body.

        DDPM with all its timesteps also draws noise on the way, seeded by the first body: there, sample one at a time.
        """
        shape = self.diffusion.joint_shape  # of what is not modelled, too: one seed is one image and one placement
        streams = [np.random.default_rng(s) for s in seeds]
        noise = torch.stack([torch.from_numpy(rng.standard_normal(shape, np.float32)) for rng in streams])
        noise = self.diffusion.modelled(noise).to(device())
        of_placements, of_organs = (
            torch.from_numpy(np.stack([rng.standard_normal(count) for rng in streams]))
            for count in (self.diffusion.placements.count, len(TOLD))
        )
        condition = torch.tensor(attributes, dtype=torch.float32, device=device())
        predict = guided(self.diffusion.denoiser, condition, config.guidance_scale)
        schedule = make_schedule(self.profile.latent_diffusion)
        generator = torch.Generator(device()).manual_seed(int(np.random.SeedSequence(seeds[0]).generate_state(1)[0]))
        with inference(self.profile.precision):
            clean = schedule.sample(predict, noise, config.steps, generator)
        clean = clean.float()
        scores = self.diffusion.denoiser.prior.scores(clean)
        return Sampled(
            self.diffusion.statistics.restore(clean, condition),
            self.diffusion.placements.draw(condition, scores, of_placements),
            self.diffusion.organs.draw(condition, scores, of_organs),
        )

    def decode(
        self, latents: torch.Tensor, where: Placement, organs: np.ndarray, *, sampled: bool = True
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Latents of one body (1, channel, x, y, z), its placement and the quantiles of its organs (organ, 41) -> CT in
        HU (float32) and label map (uint8), (x, y, z); None where labels are not modelled. Latents are `sampled`, or
        encoded."""
        z_image, z_labels = self.diffusion.split(latents)
        frame = BodyFrame(self.profile, where, shapes_of(self.image))
        hu = decode_image(self.image, z_image, frame, self.profile)
        labels = None
        if z_labels is not None:
            labels = decode_labels(self.segmentation, z_labels, frame, self.profile)
            hu = self._as_told(hu, labels, where, organs)
        if self.post_processor is not None:
            hu = post_process(self.post_processor, hu, labels, self.profile, sampled=sampled)
            if labels is not None:  # it has moved them a little
                hu = self._as_told(hu, labels, where, organs)
        return hu, labels

    def reconstruct(
        self, hu: np.ndarray, labels: np.ndarray, *, more_fat: float = 0.0
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """A body through encoders and decoders: CT in HU and label map of the paper's classes, both (x, y, z), as
        `decode` gives them. Told its own share of fat, or one that is so many points higher."""
        z, where = encode_body(self.image, self.segmentation, hu, labels, self.profile)
        where = where._replace(fat=where.fat + more_fat)
        organs = of_no_organ(organ_quantiles(hu, labels))  # organs themselves are decoded well
        return self.decode(torch.from_numpy(z)[None].to(device()), where, organs, sampled=False)

    def _as_told(self, hu: np.ndarray, labels: np.ndarray, where: Placement, organs: np.ndarray) -> np.ndarray:
        return with_organs(with_amounts(hu, labels, where, self.profile), labels, organs, self.profile)


def _info(generator: Generator, reference: Cohort, kind: str, seed: int, how: str = "") -> CohortInfo:
    """Names the weights, the code and the reference that a cohort comes from: bodies of two origins never mix."""
    return CohortInfo(
        name=kind,
        kind=kind,
        spacing_mm=reference.info.spacing_mm,
        grid=reference.info.grid,
        labels=dict(PAPER16) if generator.diffusion.joint_labels else None,
        source=f"{kind} from {reference.info.name} {reference.info.seed}, weights {generator.fingerprint}{how}",
        code_version=f"{__version__}+{code_sha256(*CODE)}",
        seed=seed,
    )


def _affine(info: CohortInfo) -> np.ndarray:
    affine = np.diag([*info.spacing_mm, 1.0])
    affine[:3, 3] = [-(n - 1) / 2 * s for n, s in zip(info.grid, info.spacing_mm, strict=True)]
    return affine


def reconstruct_cohort(
    generator: Generator,
    reference: Cohort,
    people: Sequence[str],
    out: Path,
    labels_of: Callable[[str], np.ndarray],
) -> Cohort:
    """Every person of the list, encoded and decoded. `labels_of(subject_id)`: a label map of the paper's classes."""
    writer = CohortWriter(out, _info(generator, reference, "reconstructed", 0), restart=True)
    for subject_id in tqdm(people, desc="reconstructing", unit="body"):
        if writer.done(subject_id):
            continue
        hu, affine = reference.ct(subject_id)
        decoded, labels = generator.reconstruct(hu, labels_of(subject_id))
        row = {name: reference.table.at[subject_id, name] for name in (*ATTRIBUTE_COLUMNS, "split")}
        writer.add(subject_id, row | {"reference_id": subject_id}, decoded, labels, affine)
    return writer.finish(people)


def synthesize_cohort(
    generator: Generator,
    reference: Cohort,
    people: pd.DataFrame,
    out: Path,
    config: SynthesisConfig,
    seed: int,
    *,
    restart: bool = True,
) -> Cohort:
    """`config.draws_per_person` synthetic bodies with each person's attributes (rows of `people`, with `split`).

    Subjects are named `<person>-s<draw>`; the column `reference_id` names the person whose attributes they have.
    A cohort in `out` of other people, weights, settings or another seed is replaced; without `restart` that is an
    InputError.
    """
    asked = hashlib.sha256(people[list(ATTRIBUTE_COLUMNS)].to_csv().encode()).hexdigest()[:12]
    how = f", {config.steps} steps, guidance {config.guidance_scale:g}, people {asked}"
    writer = CohortWriter(out, _info(generator, reference, "synthetic", seed, how), restart=restart)
    wanted = [(f"{p}-s{draw}", p, draw) for p in people.index for draw in range(config.draws_per_person)]
    missing = [item for item in wanted if not writer.done(item[0])]
    with tqdm(total=len(wanted), initial=len(wanted) - len(missing), desc="synthesizing", unit="body") as bar:
        for begin in range(0, len(missing), config.batch_size):
            batch = missing[begin : begin + config.batch_size]
            attributes = [Attributes.from_row(people.loc[person]).values() for _, person, _ in batch]
            seeds = [[seed, crc32(person.encode()), draw] for _, person, draw in batch]
            sampled = generator.sample_latents(attributes, seeds, config)
            for (subject_id, person, draw), z, where, organs in zip(batch, *sampled, strict=True):
                hu, labels = generator.decode(z[None], where, organs)
                row = {name: people.at[person, name] for name in (*ATTRIBUTE_COLUMNS, "split")}
                row |= {"reference_id": person, "draw": draw}
                writer.add(subject_id, row, hu, labels, _affine(writer.info))
                bar.update()
    return writer.finish([item[0] for item in wanted])
