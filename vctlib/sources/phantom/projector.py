"""Parallel-beam projection of a slice as one sparse matrix, and the ramp that filters its sinogram.

Source: kak1988 chapter 3 (filtered back-projection, sampling).
"""

from collections import OrderedDict
from functools import lru_cache
from math import ceil, hypot, pi

import numpy as np
from scipy import sparse

BINS_PER_PIXEL = 2  # the detector is finer than the image, as in a scanner
KEPT_BYTES = 0.4e9  # of matrices that are kept for the next slices and bodies
_kept: OrderedDict[tuple[tuple[int, int], int], sparse.csc_array] = OrderedDict()


def angles_needed(n_pixels: int) -> int:
    """Views that sample a slice n_pixels wide as finely as its pixels do: pi/2 times as many. Source: kak1988, 5.1."""
    return ceil(pi / 2 * n_pixels)


def n_bins(shape: tuple[int, int]) -> int:
    """Bins of a detector as wide as the slice's diagonal, and a pixel more on both sides."""
    return ceil(hypot(*shape) + 2) * BINS_PER_PIXEL


def _shadow_integral(s: np.ndarray, cos: float, sin: float) -> np.ndarray:
    """Share of a unit pixel's shadow that falls left of s, for beams at an angle. The shadow is a trapezium."""
    wide, narrow = max(abs(cos), abs(sin)), max(min(abs(cos), abs(sin)), 1e-6)
    outer, inner = (wide + narrow) / 2, (wide - narrow) / 2
    ramp_up = np.clip(s + outer, 0, narrow) ** 2 / (2 * narrow)
    flat = np.clip(s + inner, 0, 2 * inner)
    falling = np.clip(s - inner, 0, narrow)
    return (ramp_up + flat + falling - falling**2 / (2 * narrow)) / wide


def projector(shape: tuple[int, int], n_angles: int) -> sparse.csc_array:
    """The matrix of `_build` for slices of a shape (nx, ny), kept as long as there is room."""
    matrix = _kept.pop((shape, n_angles), None)
    if matrix is None:
        matrix = _build(shape, n_angles)
    _kept[shape, n_angles] = matrix
    while len(_kept) > 1 and sum(m.data.nbytes + m.indices.nbytes for m in _kept.values()) > KEPT_BYTES:
        _kept.popitem(last=False)
    return matrix


def _build(shape: tuple[int, int], n_angles: int) -> sparse.csc_array:
    """Matrix from a slice (nx*ny pixels, C order) to a sinogram (n_angles*n_bins), line integrals in pixels.

    A bin averages what lies in its strip, exactly, so that a uniform object projects without moire. The transpose
    averages a back-projection over each pixel: an image so made is not blurred beyond its own pixels. View 0 looks
    along y, the view half-way along x.
    """
    bins, width = n_bins(shape), 1 / BINS_PER_PIXEL
    touched = ceil(2**0.5 * BINS_PER_PIXEL) + 1  # bins that a pixel's shadow can reach
    x, y = np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in shape), indexing="ij")
    x, y = x.ravel(), y.ravel()
    rows = np.empty((x.size, n_angles, touched), np.int32)
    weights = np.empty((x.size, n_angles, touched), np.float32)
    for view in range(n_angles):
        cos, sin = np.cos(pi * view / n_angles), np.sin(pi * view / n_angles)
        centre = x * cos + y * sin + bins * width / 2  # in pixels from the detector's edge
        first = np.floor((centre - (abs(cos) + abs(sin)) / 2) / width).astype(np.int32)
        edges = (first[:, None] + np.arange(touched + 1)) * width - centre[:, None]
        rows[:, view] = view * bins + first[:, None] + np.arange(touched)
        weights[:, view] = np.diff(_shadow_integral(edges, cos, sin), axis=1) / width
    # Starts wider than the rows make scipy widen a copy of the rows: half as much memory again, and the time to copy.
    starts = (np.arange(x.size + 1) * (touched * n_angles)).astype(sparse.get_index_dtype(maxval=rows.size))
    return sparse.csc_array((weights.ravel(), rows.ravel(), starts), shape=(n_angles * bins, x.size))


@lru_cache(maxsize=8)
def ramp(bins: int, n_fft: int) -> np.ndarray:
    """Frequency response (n_fft//2 + 1) of the filter: the ramp, and what the bins' width took away.

    It has no window: averaging over the pixels, which are larger than the bins, is window enough, and what a scanner's
    kernel takes or adds is told by `kernel.Kernel`. Source: kak1988 equation 3.61 (the ramp limited to the detector's
    band).
    """
    distance = np.minimum(np.arange(n_fft), n_fft - np.arange(n_fft))
    odd = (distance % 2 == 1) & (distance < bins)
    response = np.where(odd, -1.0 / (pi * np.maximum(distance, 1)) ** 2, 0.0)
    response[0] = 0.25
    bin_width = np.sinc(np.fft.rfftfreq(n_fft)) ** 2  # averaged once by the detector and once by the back-projection
    return (np.fft.rfft(response).real / bin_width).astype(np.float32)
