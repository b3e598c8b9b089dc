"""Reconstruction quality of scans that show only part of a body, and of the same part of whole bodies.

Figures over the whole grid say little of such a scan, since most of its grid was never scanned: here each figure is of
a region, given as a mask. PSNR and SSIM are those of `metrics.reconstruction`, on [-1000, 1000] HU.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd

from vctlib.anatomy import FAT_WINDOW, HU_RANGE, MUSCLE_WINDOW, Window
from vctlib.errors import InputError
from vctlib.metrics.reconstruction import psnr_db, ssim_map

UNITS = MappingProxyType({"psnr_db": "dB", "ssim": "1", "mae_hu": "HU"})

# HU of the original. Lungs and gas reach up to where fat begins; 700 HU is dense cortical bone, teeth and metal.
DENSITY_BANDS: Mapping[str, Window] = MappingProxyType(
    {
        "gas_and_lung": Window(HU_RANGE.low, FAT_WINDOW.low),
        "fat": Window(FAT_WINDOW.low, MUSCLE_WINDOW.low),
        "lean": MUSCLE_WINDOW,
        "bone": Window(MUSCLE_WINDOW.high, 700.0),
        "dense": Window(700.0, HU_RANGE.high + 1),
    }
)


def between_heights(body: np.ndarray, low: float, high: float) -> np.ndarray:
    """The slices of a whole body (boolean, x, y, z; z to the head) from `low` to `high`, shares below the crown.

    Raises InputError where there is no body.
    """
    occupied = np.flatnonzero(body.any(axis=(0, 1)))
    if not len(occupied):
        raise InputError("no body to take a part of: the mask is empty")
    crown, length = occupied[-1] + 1, occupied[-1] + 1 - occupied[0]
    kept = np.zeros_like(body)
    slices = slice(crown - round(high * length), crown - round(low * length))
    kept[:, :, slices] = body[:, :, slices]
    return kept


def compare_regions(original: np.ndarray, decoded: np.ndarray, regions: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """One row a region (boolean mask, x, y, z) with the figures of `UNITS`, from two volumes in HU of one shape."""
    similarity = ssim_map(original, decoded)
    error = np.abs(original.astype(np.float32) - decoded)
    rows = {
        name: {
            "psnr_db": psnr_db(original, decoded, where),
            "ssim": float(similarity[where].mean(dtype=np.float64)),
            "mae_hu": float(error[where].mean(dtype=np.float64)),
        }
        for name, where in regions.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(UNITS)).rename_axis("region")


def error_by_density(original: np.ndarray, decoded: np.ndarray) -> pd.DataFrame:
    """Error of voxels (n,) in HU by the density of the original: number, mean absolute error and bias of each band.

    Bias is the mean of decoded less original: positive where a dark voxel comes back too bright.
    """
    error = decoded.astype(np.float64) - original
    rows = {}
    for name, (low, high) in DENSITY_BANDS.items():
        own = error[(original >= low) & (original < high)]
        mae, bias = (np.abs(own).mean(), own.mean()) if len(own) else (np.nan, np.nan)
        rows[name] = {"voxels": len(own), "mae_hu": mae, "bias_hu": bias}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("density")
