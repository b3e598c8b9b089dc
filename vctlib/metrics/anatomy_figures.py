"""What a label map says about a body's plan: how much of each structure there is, in how many parts, on which side.

These are figures, not verdicts: `metrics.impossible` holds them against limits. They are taken from any label map of
`anatomy.MEASURE` or `anatomy.PAPER16`, so the labels that came with a body and those that the independent segmenter
finds in its image go through the same code.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from scipy import ndimage

from vctlib.anatomy import LabelTable, ids_where
from vctlib.measure.mask import BODY_THRESHOLD_HU
from vctlib.measure.parts import TOUCHING, separate_parts
from vctlib.measure.scan import to_canonical

# Structures that are one piece, or two: one on each side. Bones that are many pieces are not among them.
EXPECTED_PARTS: Mapping[str, int] = MappingProxyType(
    dict.fromkeys(
        "spleen kidney_left kidney_right liver lung_middle_lobe urinary_bladder prostate heart aorta brain hip_left "
        "hip_right femur_left femur_right".split(),
        1,
    )
    | dict.fromkeys(
        "kidney lung_upper_lobes lung_lower_lobes gluteus_muscles autochthonous_muscles iliopsoas".split(), 2
    )
)
# The side of the midline on which a structure's centroid lies: +1 the person's right, -1 the left
SIDE: Mapping[str, int] = MappingProxyType(
    dict.fromkeys("liver lung_middle_lobe kidney_right hip_right femur_right".split(), 1)
    | dict.fromkeys("spleen heart aorta kidney_left hip_left femur_left".split(), -1)
)


def anatomy_figures(labels: np.ndarray, table: LabelTable, affine: np.ndarray) -> dict[str, float]:
    """Figures of every structure of `EXPECTED_PARTS` that the table knows, as `<structure>/<figure>`.

    `labels`: integers of `table` (x, y, z); `affine`: 4x4, mm, of any orientation.

    - `volume_ml`: 0 where the structure is absent.
    - `extra_part_percent`: the largest part beyond those expected, in percent of the structure; gaps of up to two
      voxels do not part it.
    - `own_side_mm`: how far the centroid lies on its own side of the midline; negative is the wrong side.
    - `weaker_side_percent`: of a structure that both sides have, the percent on the side that has less.

    All but the volume are NaN where the structure is absent. The midline is where the axial skeleton's centroid lies
    in the slices that the structure occupies (in all slices, where it has no bone beside it).
    """
    labels, affine = to_canonical(labels, affine)
    voxel_ml = abs(np.linalg.det(affine[:3, :3])) / 1000
    right_mm = affine[0, 0] * np.arange(labels.shape[0])
    bone = np.isin(labels, ids_where(table, paper="bone")).sum(axis=1)  # (x, z)
    boxes = ndimage.find_objects(labels, max_label=max(table))
    figures = {}
    for number, name in table.items():
        if name not in EXPECTED_PARTS:
            continue
        box = boxes[number - 1]
        found = {"volume_ml": 0.0, "extra_part_percent": np.nan}
        across = None
        if box is not None:
            mask = labels[box] == number
            found["volume_ml"] = float(mask.sum() * voxel_ml)
            found["extra_part_percent"] = _extra_part_percent(mask, EXPECTED_PARTS[name])
            across = right_mm[box[0]] - _midline(bone, right_mm, box[2])
            shares = mask.sum(axis=(1, 2)) / mask.sum()
        if name in SIDE:
            found["own_side_mm"] = np.nan if across is None else float(SIDE[name] * (shares @ across))
        elif EXPECTED_PARTS[name] == 2:
            found["weaker_side_percent"] = np.nan if across is None else _weaker_side_percent(shares, across)
        figures |= {f"{name}/{figure}": value for figure, value in found.items()}
    return figures


def detached_percent(hu: np.ndarray) -> float:
    """The second largest part of what is denser than -500 HU, in percent of the largest; 0 where there is but one.

    hu: (x, y, z). A table counts as a part: people must be free of it. NaN where there is no body.
    """
    parts, count = ndimage.label(hu > BODY_THRESHOLD_HU, structure=TOUCHING)
    if count == 0:
        return float("nan")
    sizes = np.sort(np.bincount(parts.ravel())[1:])[::-1]
    return float(100 * sizes[1] / sizes[0]) if count > 1 else 0.0


def _extra_part_percent(mask: np.ndarray, expected: int) -> float:
    parts, count = separate_parts(mask)
    if count <= expected:
        return 0.0
    sizes = np.sort(np.bincount(parts[mask], minlength=count + 1)[1:])[::-1]
    return float(100 * sizes[expected] / sizes.sum())


def _midline(bone: np.ndarray, right_mm: np.ndarray, slices: slice) -> float:
    """Where the axial skeleton (voxels per (x, z)) has its centroid in some slices, mm to the right."""
    beside = bone[:, slices].sum(axis=1)
    weights = beside if beside.any() else bone.sum(axis=1)
    return float(weights @ right_mm / weights.sum()) if weights.any() else float(right_mm.mean())


def _weaker_side_percent(shares: np.ndarray, across: np.ndarray) -> float:
    """`shares` (x,) of the structure lie `across` (x,) mm to the right of the midline; the midline's own count half."""
    right = float(shares[across > 0].sum() + shares[across == 0].sum() / 2)
    return 100 * min(right, 1 - right)
