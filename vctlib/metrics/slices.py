"""Slices of a body by plane and region, as the Fréchet distances compare them.

Source: killeen2025, Table A4: sagittal, coronal and axial slices of the full body, of head and neck, of the torso
and of the lower extremities. Which slices, window and borders, the paper does not say; those below are ours.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np

from vctlib.errors import InputError
from vctlib.measure.mask import BODY_THRESHOLD_HU

Plane = Literal["sagittal", "coronal", "axial"]
Region = Literal["full_body", "head_and_neck", "torso", "lower_extremities"]
AXIS: Mapping[Plane, int] = MappingProxyType({"sagittal": 0, "coronal": 1, "axial": 2})
PLANES: tuple[Plane, ...] = tuple(AXIS)

# Share of the body's length below the crown: C7 lies at 86 % of stature, the crotch at 47 % (gordon2014, ANSUR II).
REGIONS: Mapping[Region, tuple[float, float]] = MappingProxyType(
    {
        "full_body": (0.0, 1.0),
        "head_and_neck": (0.0, 0.14),
        "torso": (0.14, 0.53),
        "lower_extremities": (0.53, 1.0),
    }
)


def crop_region(hu: np.ndarray, region: Region) -> np.ndarray:
    """The part of a body (x, y, z; z towards the head; HU) between the heights that `REGIONS` gives."""
    occupied = np.flatnonzero((hu > BODY_THRESHOLD_HU).any(axis=(0, 1)))
    if len(occupied) == 0:
        raise InputError(f"the volume holds no body: no voxel is above {BODY_THRESHOLD_HU:g} HU")
    feet, length = occupied[0], occupied[-1] + 1 - occupied[0]
    low, high = REGIONS[region]
    return hu[:, :, feet + round((1 - high) * length) : feet + round((1 - low) * length)]


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
