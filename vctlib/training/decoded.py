"""What the generator makes of training people: the post-processor learns to bring it back to their images.

A reconstruction has lost less than a sample has. A new person is partly a sum of whole bodies, whose surfaces are
blurred, so a profile may have people blurred before they are encoded: the mean of many shifted bodies. And it may have
their latents noised and denoised again (SDEdit): who they are stays, the detail is the generator's own. Every second
person stays a reconstruction, so that the network learns to leave alone what is sharp; it may be told which is which.

Source: killeen2025 section 4.1.3 (reconstructions); Meng et al. 2022 (SDEdit).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch

from vctlib.attributes import Attributes
from vctlib.errors import InputError
from vctlib.files import sha256
from vctlib.networks.body_frame import BodyFrame, Placement
from vctlib.networks.inference import (
    decode_image,
    decode_labels,
    device,
    encode_body,
    inference,
    reconstruct_volume,
    shapes_of,
    with_amounts,
)
from vctlib.networks.schedule import guided, make_schedule
from vctlib.training.arrays import BodyArrays, cached_array, cached_placements, cohort_key
from vctlib.training.run import TrainingRun


class DecodedPeople(NamedTuple):
    """Training people as the generator decodes them."""

    hu: np.ndarray  # (n, x, y, z), int16
    labels: np.ndarray | None = None  # (n, x, y, z), uint8, where the post-processor reads them
    sampled: np.ndarray | None = None  # (n,), who is like a sample, where the post-processor is told


def decoded_people(run: TrainingRun, arrays: BodyArrays) -> DecodedPeople:
    """The first people of `arrays`, which have the paper's labels.

    Raises InputError where it is to read label maps that the generator does not make.
    """
    config, parts = run.profile.post_processor, run.profile.post_processor.behind
    if config.reads_labels and not run.profile.latent_diffusion.joint_labels:
        raise InputError(
            "post_processor.reads_labels needs latent_diffusion.joint_labels: without it bodies have no label map"
        )
    count = min(len(arrays.hu), config.max_people or len(arrays.hu))
    frame = run.profile.body_frame
    key = " ".join([*(sha256(run.source(part)) for part in parts), cohort_key(run.people())])
    key += f" {frame and frame.model_dump_json()} {config.noise_shares} {config.blur} {run.profile.synthesis.steps}"
    key += f" {run.seed} {Placement._fields}"
    cache = run.folder / "cache"

    def cached(name: str, make, label: str) -> np.ndarray:
        return cached_array(cache / f"{name}.npy", key, make, count, label)

    image = run.trained("image_autoencoder")
    shapes = shapes_of(image)
    placed = cached_placements(run.people(), cache, run.profile, shapes)

    def where(index: int) -> Placement:
        return Placement.of(placed[index].tolist())

    def frame_of(index: int) -> BodyFrame:
        return BodyFrame(run.profile, where(index), shapes)

    if len(parts) == 1:

        def reconstructed(index: int) -> np.ndarray:
            return _rounded(reconstruct_volume(image, arrays.hu[index], where(index), run.profile))

        return DecodedPeople(cached("reconstructed", reconstructed, "reconstructing CT"))
    latents = cached("decoded_latents", _latents_of(run, arrays, where), "encoding people")
    segmentation = run.trained("segmentation_autoencoder")

    def split(index: int) -> tuple[torch.Tensor, torch.Tensor]:
        z = torch.from_numpy(latents[index].copy())[None].to(device())
        of_image, own = z[:, : image.latent_channels], z[:, image.latent_channels :]
        return of_image, torch.cat([own, of_image], dim=1) if segmentation.reads_image else own

    def labels(index: int) -> np.ndarray:
        return decode_labels(segmentation, split(index)[1], frame_of(index), run.profile)

    wanted = run.profile.latent_diffusion.joint_labels and (config.reads_labels or frame is not None)
    maps = cached("decoded_labels", labels, "decoding labels") if wanted else None

    def decoded(index: int) -> np.ndarray:
        hu = decode_image(image, split(index)[0], frame_of(index), run.profile)
        return _rounded(hu if maps is None else with_amounts(hu, maps[index], where(index), run.profile))

    images = cached("decoded", decoded, "decoding CT")
    return DecodedPeople(
        images,
        maps if config.reads_labels else None,
        np.array([_like_sample(index) for index in range(count)]) if config.told_sampled else None,
    )


def _like_sample(index: int) -> bool:
    """Whether this person is blurred and renewed, or stays a reconstruction."""
    return index % 2 == 1


def _latents_of(run: TrainingRun, arrays: BodyArrays, where: Callable[[int], Placement]):
    """A function: number of a person -> joint latents (channel, x, y, z), of every second one blurred and renewed as
    the profile asks."""
    config, steps = run.profile.post_processor, run.profile.synthesis.steps
    networks = [run.trained(part) for part in run.profile.post_processor.behind]

    def encoded(index: int) -> np.ndarray:
        blur = 0.0
        if _like_sample(index):
            blur = config.blur * np.random.default_rng([run.seed, index, 1]).uniform(0.5, 1.5)
        body = arrays.hu[index], arrays.labels[index]
        return encode_body(*networks[:2], *body, run.profile, blur, where(index))[0]

    if config.noise_shares is None:
        return encoded
    diffusion, schedule = networks[2], make_schedule(run.profile.latent_diffusion)
    table = run.people().table

    def renewed(index: int) -> np.ndarray:
        latents = diffusion.modelled(torch.from_numpy(encoded(index))[None].to(device()))
        if not _like_sample(index):
            return latents[0].cpu().numpy()
        rng = np.random.default_rng([run.seed, index])
        attributes = torch.tensor([Attributes.from_row(table.loc[arrays.subjects[index]]).values()]).to(device())
        clean = diffusion.statistics.standardise(latents, attributes)
        noise = torch.from_numpy(rng.standard_normal(clean.shape, np.float32)).to(device())
        with inference(run.profile.precision):
            predict = guided(diffusion.denoiser, attributes, 1.0)
            found = schedule.renew(predict, clean, noise, steps, rng.uniform(*config.noise_shares))
        return diffusion.statistics.restore(found.float(), attributes)[0].cpu().numpy()

    return renewed


def _rounded(hu: np.ndarray) -> np.ndarray:
    return np.rint(hu).astype(np.int16)
