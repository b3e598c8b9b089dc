"""Whole volumes through trained networks: arrays in HU in, arrays in HU out, by sliding window."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from monai.networks.layers import GaussianFilter
from monai.transforms.utils import generate_spatial_bounding_box
from torch import Tensor, nn

from vctlib.anatomy import PAPER16
from vctlib.config import Profile
from vctlib.intensity import NETWORK_HU, compand, denormalise_hu, expand, normalise_hu
from vctlib.networks.amounts import with_bone_hu, with_fat_share
from vctlib.networks.body_frame import BodyFrame, Placement, placement
from vctlib.networks.body_shapes import BodyShapes
from vctlib.networks.organ_intensities import with_organ_quantiles
from vctlib.networks.precision import resolve_precision
from vctlib.networks.sliding_window import decode_volume, encode_volume, slide
from vctlib.networks.stray_parts import without_stray_parts

_AIR_HU, _MARGIN = -900.0, 4  # beyond which, by how many voxels, the post-processor has nothing to mend


def device() -> torch.device:
    """The GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def inference(precision: str) -> Iterator[None]:
    """No gradients, and bfloat16 where `precision` (a profile's setting) and the processor allow it."""
    enabled = resolve_precision(precision) == "bf16"
    with torch.no_grad(), torch.autocast(device().type, torch.bfloat16, enabled=enabled):
        yield


def to_network(hu: np.ndarray) -> Tensor:
    """A CT (x, y, z) in HU -> network input (1, 1, x, y, z)."""
    return normalise_hu(torch.from_numpy(np.asarray(hu, np.float32)))[None, None].to(device())


def one_hot(labels: np.ndarray | Tensor) -> Tensor:
    """Label maps of the paper's classes (x, y, z) or (batch, x, y, z) -> (batch, 17, x, y, z); one map is a batch."""
    maps = torch.as_tensor(labels).to(device(), torch.int64)
    maps = (maps[None] if maps.ndim == 3 else maps)[:, None]
    shape = (len(maps), len(PAPER16) + 1, *maps.shape[2:])
    return maps.new_zeros(shape, dtype=torch.float32).scatter_(1, maps, 1.0)


def encode_body(
    image: nn.Module,
    segmentation: nn.Module,
    hu: np.ndarray,
    labels: np.ndarray,
    profile: Profile,
    blur: float = 0.0,
    where: Placement | None = None,
) -> tuple[np.ndarray, Placement]:
    """CT and label map (x, y, z) -> joint latents (channel, x, y, z), float32, the image's channels first; and the
    placement of the body whose frame they are of, `where` if it is known.

    With `blur`, of the mean of many such bodies that are shifted in the frame by a Gaussian of so many voxels, as
    companded intensities and shares of classes.
    """
    window, shapes = profile.sliding_window, shapes_of(image)
    where = placement(profile, hu, labels, shapes) if where is None else where
    frame = BodyFrame(profile, where, shapes)
    x, y = to_network(frame.into(hu)), one_hot(frame.labels_into(labels))
    if blur:
        shifted = GaussianFilter(3, blur).to(x.device)
        air = compand(torch.tensor(-1.0)).item()  # what the filter finds beyond the grid is 0
        x, y = expand(shifted(compand(x) - air) + air), shifted(y)
    with inference(profile.precision):
        z_image = encode_volume(image, x, window.image_patch, window.overlap)
        z_labels = encode_volume(segmentation, y, window.image_patch, window.overlap)
    return torch.cat([z_image.float(), z_labels.float()], dim=1)[0].cpu().numpy(), where


def shapes_of(image: nn.Module) -> BodyShapes | None:
    """The shapes to whose template an image autoencoder's bodies are deformed, if they are."""
    return getattr(image, "shapes", None)


def decode_image(image: nn.Module, z: Tensor, frame: BodyFrame, profile: Profile) -> np.ndarray:
    """Latents of one image (1, channel, x, y, z) and its frame -> CT (x, y, z) in HU, float32."""
    window = profile.sliding_window
    with inference(profile.precision):
        decoded = decode_volume(image, z, window.image_patch, window.overlap)
    framed = denormalise_hu(decoded[0, 0].float())
    return frame.out_of(framed).clamp(framed.min(), framed.max()).cpu().numpy()


def decode_labels(segmentation: nn.Module, z: Tensor, frame: BodyFrame, profile: Profile) -> np.ndarray:
    """What the decoder of label maps wants, and the frame -> numbers of the paper's classes (x, y, z), uint8,
    `without_stray_parts`."""
    window = profile.sliding_window
    with inference(profile.precision):
        logits = decode_volume(segmentation, z, window.image_patch, window.overlap)
    logits = frame.out_of(logits.float(), order=1)
    return without_stray_parts(_likeliest(logits), logits[0])


def with_amounts(hu: np.ndarray, labels: np.ndarray, where: Placement, profile: Profile) -> np.ndarray:
    """A decoded CT (x, y, z) in HU and its decoded label map -> the same CT, as fat and as dense of bone as its
    placement says. Where the profile has no frame, nothing is said."""
    if profile.body_frame is None:
        return hu
    return with_bone_hu(with_fat_share(hu, labels, where.fat), labels, where.bone)


def with_organs(hu: np.ndarray, labels: np.ndarray, organs: np.ndarray, profile: Profile) -> np.ndarray:
    """A decoded CT (x, y, z) in HU and its decoded label map -> the same CT, its organs as these quantiles
    (organ, 41) say. Where the profile has no frame, nothing is said."""
    return hu if profile.body_frame is None else with_organ_quantiles(hu, labels, organs)


def encode_image(image: nn.Module, hu: np.ndarray, where: Placement | None, profile: Profile) -> Tensor:
    """One CT (x, y, z) in HU -> its latents (1, channel, x, y, z), in the frame of this placement; without one, as the
    body lies."""
    window = profile.sliding_window
    with inference(profile.precision):
        framed = to_network(BodyFrame(profile, where, shapes_of(image)).into(hu))
        return encode_volume(image, framed, window.image_patch, window.overlap)


def reconstruct_volume(image: nn.Module, hu: np.ndarray, where: Placement | None, profile: Profile) -> np.ndarray:
    """Encode and decode one CT (x, y, z) in HU, as `encode_image` and `decode_image` do."""
    frame = BodyFrame(profile, where, shapes_of(image))
    return decode_image(image, encode_image(image, hu, where, profile), frame, profile)


def _likeliest(logits: Tensor) -> np.ndarray:
    """Logits of one body (1, class, x, y, z) -> the number of the largest (x, y, z), uint8."""
    return logits[0].max(0).indices.to(torch.uint8).cpu().numpy()  # on a CPU four times as fast as argmax


def _slide(network: nn.Module, x: Tensor, profile: Profile) -> Tensor:
    window = profile.sliding_window
    with inference(profile.precision):
        return slide(network, x, window.image_patch, window.overlap)


def _box_about_body(hu: np.ndarray, multiple: int) -> tuple[slice, ...]:
    """Where there is more than air, and `_MARGIN` voxels about it; borders on multiples of `multiple` voxels."""
    start, stop = generate_spatial_bounding_box(hu[None], lambda x: x > _AIR_HU, margin=_MARGIN, allow_smaller=True)
    if not any(stop):
        return tuple(slice(size) for size in hu.shape)
    edges = zip(start, stop, strict=True)
    return tuple(slice(low // multiple * multiple, -(-high // multiple) * multiple) for low, high in edges)


def post_process(
    network: nn.Module, hu: np.ndarray, labels: np.ndarray | None, profile: Profile, *, sampled: bool
) -> np.ndarray:
    """A decoded CT (x, y, z) in HU and its decoded label map -> the same CT with its detail restored. A network that
    reads no label map does without (None). `sampled`: a sample, not a reconstruction. What lies beyond a box about the
    body becomes air."""
    box = _box_about_body(hu, network.multiple)
    x = to_network(hu[box])
    if network.reads_labels:
        x = torch.cat([x, one_hot(labels[box])], dim=1)
    if network.told_sampled:
        x = torch.cat([x, torch.full_like(x[:, :1], sampled)], dim=1)
    improved = np.full(hu.shape, NETWORK_HU.low, np.float32)
    improved[box] = denormalise_hu(_slide(network, x, profile)[0, 0].float()).cpu().numpy()
    return improved


def segment(network: nn.Module, hu: np.ndarray, profile: Profile) -> np.ndarray:
    """A CT (x, y, z) in HU -> label map in numbers of `MEASURE`, uint8."""
    return _likeliest(_slide(network, to_network(hu), profile))
