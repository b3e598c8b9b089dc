"""The template of bodies in their frame, and the shapes of training people against it."""

import numpy as np
import torch

from vctlib.anatomy import PAPER16, reduce_labels
from vctlib.network_config import DeformationConfig
from vctlib.networks.body_frame import BodyFrame, placement
from vctlib.networks.body_shapes import BodyShapes, halved
from vctlib.networks.registration import register
from vctlib.networks.resampling import at_points, straight
from vctlib.networks.weights import packed, unpacked
from vctlib.training.arrays import cached_array, cohort_key, need_people
from vctlib.training.run import TrainingRun


def fit_shapes(run: TrainingRun) -> BodyShapes | None:
    """Those of the profile, of training people; what takes long is kept in the run's cache. None where the profile
    deforms nobody. Raises InputError for too few people.

    The template begins as the mean of some people in the frame. In each round it becomes the mean of some others,
    deformed to the one before.
    """
    frame = run.profile.body_frame
    if frame is None or frame.deformation is None:
        return None
    config, cohort, cache = frame.deformation, run.people(), run.folder / "cache"
    shapes = BodyShapes(config, run.profile.cohort.grid)
    need_people(cohort)
    shapes.need_people(len(cohort.subjects))
    alike = frame.model_dump_json(exclude={"deformation": {"n_shapes"}})  # how many are kept changes nothing here
    key = f"{cohort_key(cohort)} {alike}"

    def framed(index: int) -> np.ndarray:
        subject = cohort.subjects[index]
        hu = cohort.ct(subject)[0]
        labels = reduce_labels(cohort.labels(subject), cohort.info.labels, PAPER16)
        return BodyFrame(run.profile, placement(run.profile, hu, labels)).into(hu)

    def small(index: int) -> np.ndarray:
        return halved(framed(index)).astype(np.float16)

    images = cached_array(cache / "framed_small.npy", key, small, len(cohort.subjects), "framing people")
    chosen = np.random.default_rng(run.seed).permutation(len(images))
    rounds = [chosen[start :: config.template_rounds] for start in range(min(config.template_rounds, len(chosen)))]

    def template(_: int) -> np.ndarray:
        mean = np.mean([images[i].astype(np.float32) for i in chosen[: 4 * config.template_people]], axis=0)
        for people in rounds:
            own = [images[i].astype(np.float32) for i in people[: config.template_people]]
            mean = np.mean([_deformed(mean, image, config) for image in own], axis=0)
        return mean.astype(np.float32)

    key += f" {run.seed}"
    made = cached_array(cache / "template.npy", key, template, 1, "making the template")
    shapes.template.copy_(torch.from_numpy(np.array(made[0])))

    def displacement(index: int) -> np.ndarray:
        return shapes.displacement(images[index].astype(np.float32))

    shapes.fit(cached_array(cache / "displacements.npy", key, displacement, len(images), "deforming people"))
    # as they are released: who is deformed with more digits would be deformed otherwise by the weights
    shapes.load_state_dict(unpacked(packed(shapes.state_dict(), ("components",))))
    return shapes


def _deformed(fixed: np.ndarray, moving: np.ndarray, config: DeformationConfig) -> np.ndarray:
    """`moving` (x, y, z) as `fixed` would have it."""
    field = register(fixed, moving, config.iterations, config.smoothing)
    points = straight([np.arange(size) for size in fixed.shape]) + field
    return at_points(torch.from_numpy(moving), points, order=1).numpy()
