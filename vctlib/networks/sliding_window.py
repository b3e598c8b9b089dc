"""Encode and decode whole volumes with patch networks, by overlapping windows that are blended.

Source: killeen2025 section 4.1.1 (patch-based autoencoders with sliding windows), through MONAI's inferer.
"""

from collections.abc import Callable, Sequence

import torch
from monai.inferers import SlidingWindowInferer

from vctlib.errors import InputError


def encode_volume(network, x: torch.Tensor, patch: Sequence[int], overlap: float) -> torch.Tensor:
    """Volume (batch, channel, x, y, z) -> its latents, in windows of `patch` voxels.

    `network` has `encode` and `compression`; `overlap` is a fraction of the patch and is rounded down so that windows
    start on latents. Windows are weighted by a Gaussian where they overlap. Runs without gradients.
    Raises InputError if the volume or the patch is not divisible by the compression.
    """
    for name, sizes in (("volume", x.shape[2:]), ("patch", patch)):
        if any(size % network.compression for size in sizes):
            raise InputError(f"the {name} {tuple(sizes)} must be divisible by the compression of {network.compression}")
    return slide(network.encode, x, patch, overlap, network.compression)


def decode_volume(network, z: torch.Tensor, patch: Sequence[int], overlap: float) -> torch.Tensor:
    """Latents -> volume, through the same windows; `patch` counts voxels of the volume, as in `encode_volume`."""
    if any(size % network.compression for size in patch):
        raise InputError(f"the patch {tuple(patch)} must be divisible by the compression of {network.compression}")
    return slide(network.decode, z, [size // network.compression for size in patch], overlap)


@torch.no_grad()
def slide(function: Callable, x: torch.Tensor, patch: Sequence[int], overlap: float, multiple: int = 1) -> torch.Tensor:
    """Apply `function` in windows whose distance is a multiple of `multiple` voxels; one window takes a short cut."""
    patch = [min(size, whole) for size, whole in zip(patch, x.shape[2:], strict=True)]
    if patch == list(x.shape[2:]):
        return function(x)
    steps = [max(int(size * (1 - overlap) + 1e-6) // multiple, 1) * multiple for size in patch]
    # MONAI recovers the step as int(size * (1 - overlap)); the margin keeps rounding from making it one too small
    overlaps = [max(1 - step / size - 1e-6, 0.0) for step, size in zip(steps, patch, strict=True)]
    inferer = SlidingWindowInferer(roi_size=patch, sw_batch_size=1, overlap=overlaps, mode="gaussian")
    return inferer(x, function)
