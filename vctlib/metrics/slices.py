"""Slices of a body by plane and region, as the Fréchet distances compare them.

Source: killeen2025, Table A4: sagittal, coronal and axial slices of the full body, of head and neck, of the torso
and of the lower extremities. Which slices and window, the paper does not say; those below are ours.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np

from vctlib.errors import InputError
from vctlib.metrics.regions import Region, region_bounds

Plane = Literal["sagittal", "coronal", "axial"]
AXIS: Mapping[Plane, int] = MappingProxyType({"sagittal": 0, "coronal": 1, "axial": 2})
PLANES: tuple[Plane, ...] = tuple(AXIS)


def crop_region(hu: np.ndarray, region: Region, labels: np.ndarray | None = None) -> np.ndarray:
    """The part of a body (x, y, z; z towards the head; HU) that `region_bounds` gives."""
    first, end = region_bounds(hu, labels)[region]
    return hu[:, :, first:end]


def take_slice(volume: np.ndarray, plane: Plane, position: int) -> np.ndarray:
    """One slice (height, width) of a volume (x, y, z; RAS+), upright and in radiological convention.

    Rows run from head to feet, or from front to back in an axial slice; columns run towards the person's left, or
    from front to back in a sagittal slice.
    """
    return volume.take(position, axis=AXIS[plane]).T[::-1, ::-1]


def central_slices(hu: np.ndarray, plane: Plane, n_slices: int = 1) -> np.ndarray:
    """`n_slices` (n, height, width) spread over the middle third of a volume (x, y, z); one slice is the middle one."""
    size = hu.shape[AXIS[plane]]
    positions = np.linspace(size / 3, 2 * size / 3, 2 * n_slices + 1)[1::2].astype(int)
    return np.stack([take_slice(hu, plane, position) for position in positions])


def slice_features(
    volumes: Iterable[np.ndarray],
    extractor: Callable[[np.ndarray], np.ndarray],
    plane: Plane,
    region: Region = "full_body",
    n_slices: int = 1,
) -> np.ndarray:
    """Features (people, slices, features) in float64 of volumes in HU (x, y, z), one volume in memory at a time.

    `extractor` takes slices in HU (n, height, width) and returns (n, features); see `backbone_extractor`.
    """
    features = [
        np.asarray(extractor(central_slices(crop_region(hu, region), plane, n_slices)), np.float64) for hu in volumes
    ]
    if not features:
        raise InputError("there are no volumes to take features from")
    return np.stack(features)


def backbone_extractor(network, size: tuple[int, int] | None = None) -> Callable[[np.ndarray], np.ndarray]:
    """An extractor from a torch network that takes what `vctlib.networks.backbone.prepare_slices` returns.

    `size` (height, width): resize slices to it (bilinear), as Inception's users do; None keeps the voxels.
    """
    import torch  # only here: cropping and slicing run without it

    from vctlib.networks.backbone import prepare_slices

    network = network.eval()
    device = next(network.parameters()).device

    @torch.no_grad()
    def extract(slices: np.ndarray) -> np.ndarray:
        pictures = prepare_slices(torch.from_numpy(np.ascontiguousarray(slices, np.float32)).to(device))
        if size is not None:
            pictures = torch.nn.functional.interpolate(pictures, size, mode="bilinear", antialias=True)
        return network(pictures).double().cpu().numpy()

    return extract
