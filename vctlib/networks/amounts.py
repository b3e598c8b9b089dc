"""How much of a body is fat and how dense its bones are: told of a body beside its latents, and kept by its image.

Synthetic bodies are sums of whole bodies. Where the border between fat and muscle lies is averaged away in them, so
that their shares of fat differ by little more than half of what people's do, and their skeletons' intensities by half.
Both are one number of a body, as its height is, and no network need learn to keep them.
"""

import numpy as np

from vctlib.anatomy import FAT_WINDOW, MUSCLE_WINDOW, PAPER16, ids_of

BONES = ids_of(PAPER16, "bone", "appendicular_bones")
_LEAST, _MOST = 1.0, 97.0  # percent: what a Gaussian draws beyond is nobody's
_BORDER_HU = (FAT_WINDOW.low + 40.0, MUSCLE_WINDOW.high - 60.0)  # between which the image's border is looked for
_MARROW_HU = 100.0  # bone that is darker stays as it is
_GAINS = (0.5, 2.0)


def fat_share(hu: np.ndarray, labels: np.ndarray) -> float:
    """Percentage of the unlabelled soft tissue that is fat, by intensity: of a CT in HU and its label map in numbers of
    `PAPER16`, both (x, y, z). NaN without such tissue."""
    found = hu[soft_tissue(hu, labels)]
    return float(100.0 * (found < FAT_WINDOW.high).mean()) if found.size else float("nan")


def with_fat_share(hu: np.ndarray, labels: np.ndarray, percent: float) -> np.ndarray:
    """The same CT, with as large a share of fat: the intensity that divides its soft tissue so becomes fat's border,
    and what lies about it follows in proportion, down to the least of fat and up to the most of muscle."""
    soft = soft_tissue(hu, labels)
    if not soft.any():
        return hu
    found = hu[soft]
    border = np.clip(np.quantile(found, np.clip(percent, _LEAST, _MOST) / 100.0), *_BORDER_HU)
    moved = hu.copy()
    ends = FAT_WINDOW.low, MUSCLE_WINDOW.high
    moved[soft] = np.interp(found, (ends[0], border, ends[1]), (ends[0], FAT_WINDOW.high, ends[1]))
    return moved


def bone_hu(hu: np.ndarray, labels: np.ndarray) -> float:
    """Mean intensity of the labelled bones in HU; NaN without bones."""
    bone = np.isin(labels, BONES)
    return float(hu[bone].mean(dtype=np.float64)) if bone.any() else float("nan")


def with_bone_hu(hu: np.ndarray, labels: np.ndarray, mean: float) -> np.ndarray:
    """The same CT, its bones of such a mean: what exceeds marrow is scaled, to half or to twice at most."""
    bone = np.isin(labels, BONES)
    found = hu[bone]
    dense = (found - _MARROW_HU).clip(0.0)
    if not dense.any():
        return hu
    rest = found - dense
    gain = np.clip((mean - rest.mean(dtype=np.float64)) / dense.mean(dtype=np.float64), *_GAINS)
    scaled = hu.copy()
    scaled[bone] = rest + np.float32(gain) * dense
    return scaled


def soft_tissue(hu: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Where there is fat or muscle that belongs to none of the paper's classes."""
    return (labels == 0) & (hu >= FAT_WINDOW.low) & (hu < MUSCLE_WINDOW.high)
