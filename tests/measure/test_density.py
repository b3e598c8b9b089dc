"""Bone density and the trabecular attenuation of L1 on vertebrae with a known inside."""

import numpy as np
import pytest

from vctlib.anatomy import MEASURE, TOTAL, reduce_labels
from vctlib.measure import Scan
from vctlib.measure.density import bone_density_g_per_cm3, l1_trabecular_hu
from vctlib.measure.mass import HU_RHO

NUMBER = {name: number for number, name in TOTAL.items()}


def vertebra(spacing, cortex_mm=4.0, arch_mm=4.0, inner_hu=150, cortex_hu=900):
    """A block of 48 x 40 x 32 mm with a cortex, a thin arch behind it, in soft tissue."""
    shape = tuple(int(120 // step) for step in spacing)
    centres = np.ix_(*(np.arange(n) * step + step / 2 - 60 for n, step in zip(shape, spacing, strict=True)))
    depth = np.minimum.reduce(
        np.broadcast_arrays(*(half - np.abs(c) for c, half in zip(centres, (24, 20, 16), strict=True)))
    )
    arch = (np.abs(centres[0]) < arch_mm) & (centres[1] > 16) & (centres[1] < 44) & (np.abs(centres[2]) < 8)
    hu, labels = np.full(shape, 40, np.int16), np.full(shape, NUMBER["skeletal_muscle"], np.uint8)
    labels[(depth > 0) | arch] = NUMBER["vertebrae_L1"]
    hu[arch | (depth > 0)] = cortex_hu
    hu[depth > cortex_mm] = inner_hu
    return Scan.of(hu, labels, TOTAL, np.diag([*spacing, 1.0]))


@pytest.mark.parametrize("spacing", [(2, 2, 2), (4, 4, 4), (1, 4, 2), (4, 2, 8)])
def test_cortex_and_arch_stay_out(spacing):
    assert l1_trabecular_hu(vertebra(spacing)) == pytest.approx(150.0)


def test_coarse_voxels_take_what_lies_deepest():
    """8 mm voxels, all of whose outer layer is cortex: still only the inside counts."""
    assert l1_trabecular_hu(vertebra((8, 8, 8), cortex_mm=8.0, arch_mm=0.0)) == pytest.approx(150.0)


def test_too_few_voxels_to_erode():
    """Two layers of voxels have no inside: the deepest quarter is all there is, and a number comes out."""
    scan = vertebra((16, 16, 16), cortex_mm=0.0)
    assert l1_trabecular_hu(scan) == pytest.approx(150.0, abs=250)
    assert np.isfinite(l1_trabecular_hu(scan))


def test_absent_vertebra_and_bone_are_not_numbers():
    scan = vertebra((4, 4, 4))
    bare = Scan.of(scan.hu, np.full_like(scan.labels, NUMBER["liver"]), TOTAL, scan.affine)
    assert np.isnan(l1_trabecular_hu(bare))
    assert np.isnan(bone_density_g_per_cm3(bare))


def test_mean_bone_density_leaves_limbs_out():
    """100 HU in a rib, 700 in the pelvis, 2000 in a femur: the femur is appendicular and does not count."""
    hu, labels = np.full((9, 9, 9), 0, np.int16), np.zeros((9, 9, 9), np.uint8)
    for z, (name, value) in enumerate((("rib_left_3", 100), ("hip_right", 700), ("femur_left", 2000))):
        hu[:, :, 2 * z], labels[:, :, 2 * z] = value, NUMBER[name]
    expected = (1100 + 1700) / 2 / (1000 + HU_RHO["bone"])
    total = Scan.of(hu, labels, TOTAL, np.eye(4))
    assert bone_density_g_per_cm3(total) == pytest.approx(expected, rel=1e-6)
    coarse = Scan.of(hu, reduce_labels(labels, TOTAL, MEASURE), MEASURE, np.eye(4))
    assert bone_density_g_per_cm3(coarse) == pytest.approx(expected, rel=1e-6)
