"""Bone density: of the skeleton's axial part, and inside the first lumbar vertebra."""

import numpy as np
from scipy import ndimage

from vctlib.anatomy import ids_where
from vctlib.measure.mass import density_g_per_ml
from vctlib.measure.scan import Scan

L1_MARGIN_MM = 5.0  # keeps the cortex and its partial volume out
L1_FEWEST_VOXELS = 4
L1_DEEPEST_SHARE = 0.25


def bone_density_g_per_cm3(scan: Scan) -> float:
    """Mean mass density of all non-appendicular bone (class "bone" of Table 1) in g/cm3; NaN without bone.

    Source: killeen2025, 1.3 (the check of conditioning on age: "the average bone density of the images").
    """
    bone = np.isin(scan.labels, ids_where(scan.table, paper="bone"))
    if not bone.any():
        return float("nan")
    density = density_g_per_ml(scan.hu[bone], scan.labels[bone], scan.table)
    return float(density.mean(dtype=np.float64))


def l1_trabecular_hu(scan: Scan) -> float:
    """Mean HU inside the first lumbar vertebra, its cortex eroded away; NaN where the vertebra is absent.

    Voxels deeper than 5 mm under its surface count, which also drops the thin arch and processes. Where coarse voxels
    leave fewer than four of them, the deepest quarter of the vertebra counts instead. Source: jang2019 (L1 trabecular
    attenuation; there a hand-drawn ellipse in one slice).
    """
    numbers = scan.numbers("vertebrae_L1")
    box = scan.boxes[numbers[0] - 1] if numbers and numbers[0] <= len(scan.boxes) else None
    if box is None:
        return float("nan")
    vertebra = np.pad(scan.labels[box] == numbers[0], 1)
    # The distance runs to the centre of the nearest voxel outside; the surface lies half a voxel before it.
    depth = ndimage.distance_transform_edt(vertebra, sampling=scan.spacing_mm)[1:-1, 1:-1, 1:-1]
    inner = depth > L1_MARGIN_MM + scan.spacing_mm.mean() / 2.0
    if np.count_nonzero(inner) < L1_FEWEST_VOXELS:
        inner = depth >= np.quantile(depth[depth > 0], 1.0 - L1_DEEPEST_SHARE)
    return float(scan.hu[box][inner].mean(dtype=np.float64))
