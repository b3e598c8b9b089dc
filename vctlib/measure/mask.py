"""The body in an image: everything inside the skin, without the table it lies on."""

import numpy as np
from nibabel.orientations import io_orientation
from scipy import ndimage

from vctlib.errors import InputError

BODY_THRESHOLD_HU = -500.0  # half-way between air and soft tissue
SHEET_MM = 8.0  # table covers and shells are thinner, wrists and ankles are not


def check_affine(affine: np.ndarray) -> np.ndarray:
    """The affine as float64 (4x4, mm). Raises InputError where it maps no volume."""
    affine = np.asarray(affine, np.float64)
    if affine.shape != (4, 4) or not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise InputError(f"the affine {affine.tolist()} is singular: voxels have no size; check the file's header")
    return affine


def body_mask(hu: np.ndarray, affine: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
    """Everything inside the skin, lungs and bowel gas included; boolean, shape of `hu` (x, y, z).

    The largest connected part of (HU > -500, or labelled), with the holes of each axial slice filled. Without `labels`
    it rests on the image alone. `affine`: 4x4, mm. Sheets under the body that are thinner than 8 mm are cut off where
    voxels are fine enough to show them (4 mm or less). Raises InputError where there is no body.
    """
    affine = check_affine(affine)
    solid = hu > BODY_THRESHOLD_HU
    if labels is not None:
        solid |= labels > 0
    if not solid.any():
        raise InputError(f"the volume holds no body: no voxel is above {BODY_THRESHOLD_HU:g} HU; are the units HU?")
    axial = int(np.flatnonzero(io_orientation(affine)[:, 0] == 2)[0])
    in_plane = ndimage.generate_binary_structure(3, 1)
    in_plane[tuple(slice(None, None, 2) if axis == axial else 1 for axis in range(3))] = False
    spacing = np.delete(np.linalg.norm(affine[:3, :3], axis=0), axial)
    return _fill_slices(_largest(solid, in_plane, steps=int(SHEET_MM / 2.0 // spacing.max())), in_plane, axial)


def _largest(solid: np.ndarray, in_plane: np.ndarray, steps: int) -> np.ndarray:
    """The largest connected part; with `steps` > 0, of what is thicker than two steps in the axial plane."""
    core = solid
    if steps > 0:
        core = ndimage.binary_erosion(solid, in_plane, steps, border_value=1)
        core = core if core.any() else solid
    parts, _ = ndimage.label(core)
    largest = parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    if core is solid:
        return largest
    return ndimage.binary_dilation(largest, in_plane, steps + 1, mask=solid)


def _fill_slices(mask: np.ndarray, in_plane: np.ndarray, axial: int) -> np.ndarray:
    """Fill the holes of every slice at once: background, connected in the plane, that misses the image's sides."""
    background, count = ndimage.label(~mask, structure=in_plane)
    is_hole = np.ones(count + 1, bool)
    is_hole[0] = False  # number 0 is the body itself
    for axis in {0, 1, 2} - {axial}:
        for side in (0, -1):
            is_hole[np.unique(background.take(side, axis=axis))] = False
    return mask | is_hole[background]
