"""Train each component of a profile from a reference cohort, and release its weights.

Order: image autoencoder, segmentation autoencoder, then latent diffusion and post-processor; the segmenter stands
alone. Only people of the `train` split are ever seen, and those whom a profile adds for the latent diffusion.
"""

import hashlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from vctlib.anatomy import MEASURE, PAPER16, reduce_labels
from vctlib.attributes import Attributes
from vctlib.files import sha256
from vctlib.networks.block_stage import BlockStage
from vctlib.networks.body_frame import Placement
from vctlib.networks.components import build
from vctlib.networks.inference import (
    device,
    encode_body,
    inference,
    one_hot,
    shapes_of,
    to_network,
)
from vctlib.networks.organ_intensities import TOLD, organ_quantiles
from vctlib.training import objectives
from vctlib.training.arrays import BODY_HU, BodyArrays, cached_array, cached_placements, cohort_key
from vctlib.training.blocks import fit_components
from vctlib.training.decoded import decoded_people
from vctlib.training.run import TrainingRun
from vctlib.training.shapes import fit_shapes


def train_image_autoencoder(run: TrainingRun) -> dict:
    """Stage after stage; one vector-quantised stage is the vanilla case of the paper."""
    profile, config = run.profile, run.profile.image_autoencoder
    shapes = fit_shapes(run)
    arrays = run.arrays(framed=True, shapes=shapes)
    torch.manual_seed(run.seed)
    network = build("image_autoencoder", profile).to(device())
    network.shapes = shapes
    summaries, factor = {}, 1
    for level, (stage, stage_config) in enumerate(zip(network.stages, config.stages, strict=True)):
        name = f"image_autoencoder_{level}"
        section = config.model_dump(mode="json") | {"level": level} | _frame(run)
        torch.manual_seed(run.seed + level)  # the discriminator's beginning must not depend on where a run was resumed
        if stage_config.kind == "block_pca":
            fit_components(
                stage,
                lambda i, stage=stage: stage.standardise(to_network(arrays.hu[i]))[0].cpu(),
                lambda i: arrays.hu[i] > BODY_HU,
                len(arrays.hu),
                run.seed,
            )
            objective = objectives.BlockStageObjective(stage, stage_config, arrays)
        elif level == 0:
            objective = objectives.ImageStageObjective(stage, stage_config, config.multi_window, arrays)
        else:
            inputs = _stage_inputs(run, network, level, arrays)
            bodies = objectives.latent_bodies(arrays.hu, factor)
            objective = objectives.LatentStageObjective(stage, stage_config, inputs, bodies)
        summaries[name] = run.fit(name, objective, stage_config.optimization, section)
        for parameter in stage.parameters():
            parameter.requires_grad_(False)
        factor *= stage_config.downsampling
        if level + 1 < len(network.stages):
            _standardise_stage(run, network, level + 1, arrays)
    return run.release("image_autoencoder", network, summaries)


def _standardise_stage(run: TrainingRun, network: nn.Module, level: int, arrays: BodyArrays) -> None:
    """Bring the inputs of a later stage to mean 0 and SD 1 per channel, over some training people."""
    mean, scale = _statistics(run, lambda x: network.stage_input(level, x), arrays)
    network.stages[level].set_input_statistics(mean, scale)


def _latent_scale(run: TrainingRun, image: nn.Module, arrays: BodyArrays) -> Tensor:
    """Standard deviation of each channel of the image's latents (channel)."""
    if isinstance(image.stages[-1], BlockStage):
        return image.stages[-1].latent_scale
    return _statistics(run, image.encode, arrays)[1]


def _statistics(run: TrainingRun, function: Callable[[Tensor], Tensor], arrays: BodyArrays) -> tuple[Tensor, Tensor]:
    """Mean and SD of each channel (channel) of what a function makes of the whole bodies of some training people."""
    chosen = np.linspace(0, len(arrays.hu) - 1, min(16, len(arrays.hu))).astype(int)
    with inference(run.profile.precision):
        made = [function(to_network(arrays.hu[i])).float().cpu() for i in chosen]
    stacked = torch.cat([item.flatten(2) for item in made], dim=2)[0]
    return stacked.mean(1), stacked.std(1).clamp_min(1e-6)


def _stage_inputs(run: TrainingRun, network: nn.Module, level: int, arrays: BodyArrays) -> np.ndarray:
    key = _state_hash(network.stages[:level]) + " ".join(arrays.subjects)

    def make(index: int) -> np.ndarray:
        with inference(run.profile.precision):
            return network.stage_input(level, to_network(arrays.hu[index]))[0].float().cpu().numpy()

    path = run.folder / "cache" / f"stage_{level}_input.npy"
    return cached_array(path, key, make, len(arrays.hu), f"inputs of stage {level}")


def _state_hash(module: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        digest.update(name.encode() + tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _frame(run: TrainingRun) -> dict:
    """The frame in which bodies are seen, for keys of checkpoints; nothing where there is none."""
    config = run.profile.body_frame
    return {} if config is None else {"body_frame": config.model_dump(mode="json", exclude_none=True)}


def _built_on(run: TrainingRun, *names: str) -> dict[str, str]:
    """The weights that a training rests on: with others, its checkpoint is of no use."""
    return {name: _state_hash(run.trained(name)) for name in names}


def train_segmentation_autoencoder(run: TrainingRun) -> dict:
    """Label maps of the paper's 16 classes to latents and back."""
    config = run.profile.segmentation_autoencoder
    deformed = run.profile.body_frame is not None and run.profile.body_frame.deformation is not None
    shapes = shapes_of(run.trained("image_autoencoder")) if deformed else None
    arrays = run.arrays(PAPER16, framed=True, shapes=shapes)
    torch.manual_seed(run.seed)
    network = build("segmentation_autoencoder", run.profile).to(device())
    image, built_on = None, {}
    if network.reads_image or deformed:
        image, built_on = run.trained("image_autoencoder"), _built_on(run, "image_autoencoder")
    if network.reads_image:
        network.stage.context_scale.copy_(_latent_scale(run, image, arrays))
    if config.kind == "block_pca":
        labels = arrays.labels
        fit_components(
            network.stage, lambda i: one_hot(labels[i])[0].cpu(), lambda i: labels[i] > 0, len(labels), run.seed
        )
    read = image if network.reads_image else None
    objective = objectives.SegmentationObjective(network, arrays, len(PAPER16) + 1, config, read)
    section = config.model_dump(mode="json") | built_on | _frame(run)
    summary = run.fit("segmentation_autoencoder", objective, config.optimization, section)
    return run.release("segmentation_autoencoder", network, {"segmentation_autoencoder": summary})


class JointLatents(NamedTuple):
    """What the latent diffusion learns from n people."""

    latents: Tensor  # of image and label map (n, channel, x, y, z)
    placements: Tensor  # (n, 7 + shapes)
    organs: Tensor  # quantiles of the organs' intensities (n, organ, 41)
    attributes: Tensor  # (n, 4)

    def first(self, count: int) -> "JointLatents":
        """Those of the first people."""
        return JointLatents(*(part[:count] for part in self))


def joint_latents(run: TrainingRun) -> JointLatents:
    """Of the training people, and of `run.more` after them."""
    image, segmentation = run.trained("image_autoencoder"), run.trained("segmentation_autoencoder")
    cohorts = [run.people()] if run.more is None else [run.people(), run.more]
    people = [(cohort, subject) for cohort in cohorts for subject in cohort.subjects]

    def body(index: int) -> tuple[np.ndarray, np.ndarray]:
        cohort, subject = people[index]
        return cohort.ct(subject)[0], reduce_labels(cohort.labels(subject), cohort.info.labels, PAPER16)

    cache, shapes = run.folder / "cache", shapes_of(image)
    placed = np.concatenate([cached_placements(cohort, cache, run.profile, shapes) for cohort in cohorts])

    def latents(index: int) -> np.ndarray:
        where = Placement.of(placed[index].tolist())
        return encode_body(image, segmentation, *body(index), run.profile, where=where)[0]

    def organs(index: int) -> np.ndarray:
        return organ_quantiles(*body(index))

    weights = sha256(run.source("image_autoencoder")) + sha256(run.source("segmentation_autoencoder"))
    key = weights + str(_frame(run))
    key += " ".join(map(cohort_key, cohorts))
    encoded = cached_array(cache / "joint_latents.npy", key, latents, len(people), "encoding people")
    seen = cached_array(cache / "organs.npy", key + str(TOLD), organs, len(people), "looking at organs")
    attributes = [Attributes.from_row(row).values() for cohort in cohorts for _, row in cohort.table.iterrows()]
    parts = (torch.from_numpy(np.array(part, np.float32)) for part in (encoded, placed, seen))
    return JointLatents(*parts, torch.tensor(attributes))


def train_latent_diffusion(run: TrainingRun) -> dict:
    """The joint distribution of latents given attributes; that of the image's alone without `joint_labels`."""
    return fit_latent_diffusion(run, joint_latents(run))


def fit_latent_diffusion(run: TrainingRun, people: JointLatents) -> dict:
    """The same from latents that are given."""
    config = run.profile.latent_diffusion
    torch.manual_seed(run.seed)
    network = build("latent_diffusion", run.profile)
    people = people._replace(latents=network.modelled(people.latents))
    network.fit_statistics(*people)
    network.to(device())
    objective = objectives.LatentDiffusionObjective(network, config, people.latents, people.attributes)
    section = config.model_dump(mode="json") | _built_on(run, "image_autoencoder", "segmentation_autoencoder")
    section |= {} if run.more is None else {"more": sha256(run.more.path / "subjects.csv")}
    summary = run.fit("latent_diffusion", objective, config.optimization, section)
    return run.release("latent_diffusion", network, {"latent_diffusion": summary}, people=len(people.latents))


def train_post_processor(run: TrainingRun) -> dict:
    """What the generator makes of training people to their images, to bring back the detail that it loses."""
    config, arrays = run.profile.post_processor, run.arrays(PAPER16)
    decoded = decoded_people(run, arrays)
    arrays.body = arrays.body[: len(decoded.hu)]
    torch.manual_seed(run.seed)
    network = build("post_processor", run.profile).to(device())
    objective = objectives.PostProcessorObjective(network, config, arrays, decoded)
    section = config.model_dump(mode="json") | _built_on(run, *config.behind)
    summary = run.fit("post_processor", objective, config.optimization, section)
    return run.release("post_processor", network, {"post_processor": summary}, people=len(decoded.hu))


def train_segmenter(run: TrainingRun) -> dict:
    """The independent segmenter: reference images and their exact labels, nothing generated."""
    config, arrays = run.profile.segmenter, run.arrays(MEASURE)
    torch.manual_seed(run.seed)
    network = build("segmenter", run.profile).to(device())
    objective = objectives.SegmenterObjective(network, arrays, config)
    summary = run.fit("segmenter", objective, config.optimization, config.model_dump(mode="json"))
    return run.release("segmenter", network, {"segmenter": summary})


TRAINERS = {
    "image_autoencoder": train_image_autoencoder,
    "segmentation_autoencoder": train_segmentation_autoencoder,
    "latent_diffusion": train_latent_diffusion,
    "post_processor": train_post_processor,
    "segmenter": train_segmenter,
}
