"""Give every voxel its Hounsfield unit: bones from their depth, soft tissue from its mean and a texture around it.

Textures have no mean over their structure, so that the mean HU of a label, and with it its mass, is the table's.
"""

import numpy as np
import scipy.ndimage as ndi

from vctlib.anatomy import AIR_HU, TOTAL, VERTEBRAE, ids_where
from vctlib.sources.phantom.canvas import LABEL, Canvas
from vctlib.sources.phantom.landmarks import Landmarks
from vctlib.sources.phantom.tissues import (
    CARTILAGE,
    CARTILAGE_G_PER_ML,
    CORTEX_G_PER_ML,
    FAT_IDS,
    HU,
    LUNG_IDS,
    MUSCLE_IDS,
    OWN_HU_IDS,
    YOUNG_CORTICAL_HU,
    bone_density_g_per_ml,
    cortical_hu,
    mean_hu,
    trabecular_hu,
)

LIMB_IDS = ids_where(TOTAL, paper="appendicular_bones")
CORTEX_MM, LIMB_CORTEX_MM, SKULL_CORTEX_MM, VERTEBRA_CORTEX_MM = 1.3, 1.2, 1.9, 0.7  # shafts have cortices of their own
YELLOW_MARROW_HU = -70.0  # a choice, between fat and red marrow
SPONGY_UNDER_MM, HOLLOW_FROM_MM = 1.6, 4.0  # cortex (of a person of 175 cm) of ends with spongy bone and of hollow shafts
HARDEST_HU = 3000.0  # of teeth and fillings
NECK_DENSER = 1.5  # spongy bone of the neck over that of the loin; a choice
BLUR_VOXELS = 0.35  # organs take whole voxels; averaging over a voxel has this standard deviation, about
BOWEL = ("small_bowel", "colon")


def cortex_mm(landmarks: Landmarks) -> np.ndarray:
    """Thickness of the compact bone under the surface of every bone, (256,) by label, mm."""
    cortex = np.full(256, CORTEX_MM)
    cortex[LIMB_IDS] = LIMB_CORTEX_MM
    cortex[LABEL["skull"]] = SKULL_CORTEX_MM
    cortex[[LABEL[name] for name in VERTEBRAE]] = VERTEBRA_CORTEX_MM
    cortex[[LABEL[name] for name in CARTILAGE]] = 0
    return cortex * landmarks.scale * landmarks.cortex_left


def bone_hu(canvas: Canvas, landmarks: Landmarks) -> np.ndarray:
    """HU (k,) of what the voxels of `canvas.bones` hold of bone: cortex and inside by their shares."""
    bones = canvas.bones
    mixed = bones.cortex * cortical_hu(landmarks.person) + bones.marrow * _inside_hu(canvas, landmarks)
    hounsfield = mixed / (bones.cortex + bones.marrow) + canvas.bone_contrast_hu[bones.voxels]
    return np.minimum(hounsfield, HARDEST_HU)


def _inside_hu(canvas: Canvas, landmarks: Landmarks) -> np.ndarray:
    """HU (k,) of what lies under the cortex: spongy bone, yellow marrow where a shaft is hollow, or cartilage."""
    bones, spongy = canvas.bones, trabecular_hu(landmarks.person)
    hollow = np.clip((bones.cortex_mm / landmarks.scale - SPONGY_UNDER_MM) / (HOLLOW_FROM_MM - SPONGY_UNDER_MM), 0, 1)
    hollow *= np.isin(bones.labels, LIMB_IDS)
    inside = spongy + (YELLOW_MARROW_HU - spongy) * hollow
    inside += (25 - 15 * hollow) * canvas.noise("spongy bone", 5, bones.voxels)
    inside[np.isin(bones.labels, [LABEL[name] for name in VERTEBRAE[:7]])] *= NECK_DENSER
    for name in CARTILAGE:
        inside[bones.labels == LABEL[name]] = HU[name]
    return inside


def skeleton_mass_kg(canvas: Canvas, landmarks: Landmarks) -> float:
    """What the bones weigh with their marrow, costal cartilages and discs; no cartilage of joints, no teeth.

    Compact bone counts 1.92 g/ml (less as it becomes porous), the inside what its HU stands for, cartilage 1.10 g/ml.
    Source: icru44 (densities), schneider2000 (spongy bone and marrow from HU).
    """
    bones = canvas.bones
    compact = CORTEX_G_PER_ML * cortical_hu(landmarks.person) / YOUNG_CORTICAL_HU
    inside = bone_density_g_per_ml(_inside_hu(canvas, landmarks))
    inside[np.isin(bones.labels, [LABEL[name] for name in CARTILAGE])] = CARTILAGE_G_PER_ML
    discs = canvas.room[canvas.labels == LABEL["intervertebral_discs"]].sum(dtype=np.float64) * CARTILAGE_G_PER_ML
    return float((bones.cortex.sum(dtype=np.float64) * compact + bones.marrow @ inside + discs) * canvas.voxel_ml / 1000)


def soft_tissue_hu(canvas: Canvas, landmarks: Landmarks) -> np.ndarray:
    """HU (n,) of what every voxel holds besides skin and bone."""
    hounsfield, room = mean_hu(landmarks.person, canvas.seed)[canvas.labels], canvas.room

    def add(voxels: np.ndarray, texture: np.ndarray) -> None:
        if len(voxels):
            hounsfield[voxels] += texture - np.average(texture, weights=room[voxels] + 1e-6)

    def where(ids) -> np.ndarray:
        return np.flatnonzero(np.isin(canvas.labels, ids))

    muscle = where(MUSCLE_IDS)
    fascia = np.clip(1 - np.abs(canvas.noise("fascia", 11, muscle, z_stretch=3.0)) / 0.10, 0, 1)
    fine, coarse = canvas.noise("fine texture", 3.2), canvas.noise("coarse texture", 6)
    add(muscle, 5 * fine[muscle] + 4 * coarse[muscle] - 26 * fascia)
    fat = where(FAT_IDS)
    add(fat, 6 * fine[fat] + 14 * np.clip(coarse[fat] - 1.7, 0, 2))  # septa
    lung = where(LUNG_IDS)
    add(lung, 25 * coarse[lung] + 0.75 * canvas.positions[lung, 1])  # blood settles to the back of a body lying on it
    bowel = where([LABEL[name] for name in BOWEL])
    add(bowel, 6 * fine[bowel] + 8 * canvas.noise("bowel content", 11, bowel))
    _add_contrast(canvas, hounsfield, room)
    return hounsfield


def _add_contrast(canvas: Canvas, hounsfield: np.ndarray, room: np.ndarray) -> None:
    """Add what painters drew inside structures, less its mean over each structure."""
    weight = np.bincount(canvas.labels, room, 256)
    mean = np.bincount(canvas.labels, room * canvas.contrast_hu, 256) / np.maximum(weight, 1e-9)
    mean[OWN_HU_IDS] = 0
    hounsfield += canvas.contrast_hu - mean[canvas.labels].astype(np.float32)


def mixed_hu(canvas: Canvas, soft_hounsfield: np.ndarray, bone_hounsfield: np.ndarray) -> np.ndarray:
    """HU (n,) of every voxel: soft tissue, skin, bone and air by their shares."""
    mixed = AIR_HU + canvas.room * (soft_hounsfield - AIR_HU) + canvas.skin * (HU["skin"] - AIR_HU)
    bones = canvas.bones
    mixed[bones.voxels] += (bones.cortex + bones.marrow) * (bone_hounsfield - AIR_HU)
    return mixed


def to_volume(canvas: Canvas, hounsfield: np.ndarray) -> np.ndarray:
    """The (x, y, z) image of the voxels in air, blurred as neighbouring tissues share voxels in a real scan."""
    volume = np.full(canvas.grid.shape, AIR_HU, np.float32)
    volume[tuple(canvas.index.T)] = hounsfield
    return ndi.gaussian_filter(volume, BLUR_VOXELS)
