"""How well a reconstructed body matches its original: PSNR, SSIM and absolute error in Hounsfield units.

PSNR and SSIM clip both images to [-1000, 1000] HU and use the data range 2000 HU that follows from it. The paper
names neither, and both change the figures: a window of 4000 HU adds 6 dB. Over the whole grid most voxels are air
that any model gets right, so each figure also stands over the body alone.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from skimage.metrics import structural_similarity

from vctlib.anatomy import Window
from vctlib.errors import InputError
from vctlib.measure.mask import body_mask
from vctlib.metrics.intervals import Estimate, bootstrap

RECONSTRUCTION_WINDOW = Window(-1000.0, 1000.0)  # HU
DATA_RANGE_HU = RECONSTRUCTION_WINDOW.high - RECONSTRUCTION_WINDOW.low
SOFT_TISSUE_WINDOW = Window(-200.0, 200.0)  # HU of the original; fat, muscle and organs
SSIM_SIGMA = 1.5  # voxels; wang2004, with K1 = 0.01 and K2 = 0.03
SSIM_WINDOW = 11  # voxels that a Gaussian of that width is cut to

UNITS = {
    "psnr_db": "dB",
    "psnr_body_db": "dB",
    "ssim": "1",
    "ssim_body": "1",
    "mae_body_hu": "HU",
    "mae_soft_tissue_hu": "HU",
}


def psnr_db(reference: np.ndarray, other: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Peak signal-to-noise ratio in dB, 10 log10(2000^2 / MSE), over `mask` or everything; inf for equal images."""
    difference = _clip(reference) - _clip(other)
    error = np.mean(np.square(difference if mask is None else difference[mask]), dtype=np.float64)
    return float(10 * np.log10(DATA_RANGE_HU**2 / error)) if error > 0 else float("inf")


def ssim_map(reference: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Local structural similarity (x, y, z) in three dimensions. Source: wang2004."""
    if min(reference.shape) < SSIM_WINDOW:
        raise InputError(f"SSIM needs at least {SSIM_WINDOW} voxels along each axis; the volume is {reference.shape}")
    return structural_similarity(
        _clip(reference),
        _clip(other),
        data_range=DATA_RANGE_HU,
        gaussian_weights=True,
        sigma=SSIM_SIGMA,
        use_sample_covariance=False,
        full=True,
    )[1]


def compare(
    reference: np.ndarray, reconstruction: np.ndarray, affine: np.ndarray, body: np.ndarray | None = None
) -> dict[str, float]:
    """All figures of `UNITS` for one body. `reference`, `reconstruction`: HU (x, y, z), same shape and affine (mm).

    `body`: boolean mask, by default everything inside the original's skin. The absolute errors are of the HU as
    they stand, without a window. Raises InputError for shapes that differ or for NaN.
    """
    reference, reconstruction = np.asarray(reference, np.float32), np.asarray(reconstruction, np.float32)
    if reference.shape != reconstruction.shape or reference.ndim != 3:
        raise InputError(f"the original {reference.shape} and the reconstruction {reconstruction.shape} must be alike")
    if not (np.isfinite(reference).all() and np.isfinite(reconstruction).all()):
        raise InputError("the original or the reconstruction holds NaN or infinite voxels")
    body = body_mask(reference, affine) if body is None else body
    similarity = ssim_map(reference, reconstruction)
    margin = tuple(slice(SSIM_WINDOW // 2, size - SSIM_WINDOW // 2) for size in reference.shape)
    error = np.abs(reference - reconstruction)
    soft = body & (reference >= SOFT_TISSUE_WINDOW.low) & (reference < SOFT_TISSUE_WINDOW.high)
    return {
        "psnr_db": psnr_db(reference, reconstruction),
        "psnr_body_db": psnr_db(reference, reconstruction, body),
        "ssim": float(similarity[margin].mean(dtype=np.float64)),  # where the window fits whole, as wang2004
        "ssim_body": float(similarity[body].mean(dtype=np.float64)),
        "mae_body_hu": float(error[body].mean(dtype=np.float64)),
        "mae_soft_tissue_hu": float(error[soft].mean(dtype=np.float64)) if soft.any() else float("nan"),
    }


def compare_all(bodies: Iterable[tuple[str, np.ndarray, np.ndarray, np.ndarray]]) -> pd.DataFrame:
    """One row a body, from (subject_id, original in HU, reconstruction in HU, affine)."""
    rows = {subject_id: compare(reference, other, affine) for subject_id, reference, other, affine in bodies}
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(UNITS)).rename_axis("subject_id")


def summarize(table: pd.DataFrame, n_resamples: int = 2000, seed: int = 0) -> dict[str, Estimate]:
    """Mean over the bodies of each column of `compare_all`, with its bootstrap interval; NaN rows are left out."""
    means = {}
    for name in UNITS:
        values = table[name].dropna().to_numpy(float)
        means[name] = bootstrap(np.mean, values[np.isfinite(values)], n_resamples=n_resamples, seed=seed)
    return means


def _clip(hu: np.ndarray) -> np.ndarray:
    return np.clip(hu, RECONSTRUCTION_WINDOW.low, RECONSTRUCTION_WINDOW.high).astype(np.float32, copy=False)
