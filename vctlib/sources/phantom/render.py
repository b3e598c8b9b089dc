"""Give every voxel its Hounsfield unit: bones from their depth, soft tissue from its mean and a texture around it.

Textures have no mean over their structure, so that the mean HU of a label, and with it its mass, is the table's.
"""

import numpy as np
import scipy.ndimage as ndi

from vctlib.anatomy import AIR_HU, VERTEBRAE
from vctlib.sources.phantom.canvas import LABEL, Canvas
from vctlib.sources.phantom.landmarks import Landmarks
from vctlib.sources.phantom.tissues import (
    CARTILAGE,
    FAT_IDS,
    HU,
    LUNG_IDS,
    MUSCLE_IDS,
    OWN_HU_IDS,
    cortical_hu,
    mean_hu,
    trabecular_hu,
)

LONG_BONES = ("femur_left", "femur_right", "humerus_left", "humerus_right", "tibia", "fibula", "radius", "ulna")
CORTEX_MM, LONG_CORTEX_MM, SKULL_CORTEX_MM, VERTEBRA_CORTEX_MM = 1.3, 4.2, 1.9, 0.7
HARDEST_HU = 3000.0  # of teeth and fillings
NECK_DENSER = 1.5  # spongy bone of the neck over that of the loin; a choice
BLUR_VOXELS = 0.35  # organs take whole voxels; averaging over a voxel has this standard deviation, about
BOWEL = ("small_bowel", "colon")


def cortex_mm(landmarks: Landmarks) -> np.ndarray:
    """Thickness of the compact bone under the surface of every bone, (256,) by label, mm."""
    cortex = np.full(256, CORTEX_MM)
    cortex[[LABEL[name] for name in LONG_BONES]] = LONG_CORTEX_MM * (1 - 0.004 * max(0, landmarks.age - 50))
    cortex[LABEL["skull"]] = SKULL_CORTEX_MM
    cortex[[LABEL[name] for name in VERTEBRAE]] = VERTEBRA_CORTEX_MM
    cortex[[LABEL[name] for name in CARTILAGE]] = 0
    return cortex * landmarks.scale


def bone_hu(canvas: Canvas, landmarks: Landmarks) -> np.ndarray:
    """HU (k,) of what the voxels of `canvas.bones` hold of bone: cortex and inside by their shares."""
    person, bones = landmarks.person, canvas.bones
    spongy = trabecular_hu(person)
    is_long = np.isin(bones.labels, [LABEL[name] for name in LONG_BONES])
    marrow = np.where(is_long, -20 + 0.35 * spongy, spongy) + 25 * canvas.noise("spongy bone", 5, bones.voxels)
    marrow[np.isin(bones.labels, [LABEL[name] for name in VERTEBRAE[:7]])] *= NECK_DENSER
    for name in CARTILAGE:
        marrow[bones.labels == LABEL[name]] = HU[name]
    filled = bones.cortex + bones.marrow
    hounsfield = (bones.cortex * cortical_hu(person) + bones.marrow * marrow) / filled
    return np.minimum(hounsfield + canvas.bone_contrast_hu[bones.voxels], HARDEST_HU)


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
