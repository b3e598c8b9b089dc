"""Hounsfield units of a body as a histogram, and how far two populations of histograms are apart.

A histogram is of shares of the body's volume, one row a person, so that large people count no more than small ones.
"""

from collections.abc import Iterable

import numpy as np
from scipy import stats

from vctlib.anatomy import HU_RANGE, Window
from vctlib.cohort import Cohort
from vctlib.measure.mask import BODY_THRESHOLD_HU
from vctlib.metrics.partial_scans import DENSITY_BANDS

BIN_HU = 10.0
EDGES = np.append(np.arange(HU_RANGE.low, HU_RANGE.high, BIN_HU), np.inf)  # the last bin takes all that is denser
MIDDLE = EDGES[:-1] + BIN_HU / 2
N_BINS = len(MIDDLE)
VALLEY_HU = Window(-40.0, 0.0)  # between the peaks of fat and of soft tissue; a choice


def hu_histogram(hu: np.ndarray, body: np.ndarray) -> np.ndarray:
    """Shares (`N_BINS`,) of the voxels of `body` (boolean, shape of `hu`) by HU; their sum is 1."""
    counts = np.histogram(np.maximum(hu[body], HU_RANGE.low), EDGES)[0]
    return counts / counts.sum()


def hu_histograms(volumes: Iterable[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Histograms (people, `N_BINS`) of pairs of HU and body mask."""
    rows = [hu_histogram(hu, body) for hu, body in volumes]
    return np.stack(rows) if rows else np.empty((0, N_BINS))


def cohort_histograms(cohort: Cohort) -> np.ndarray:
    """Histograms (people, `N_BINS`) of everything denser than half-way between air and soft tissue."""
    volumes = (cohort.ct(subject_id)[0] for subject_id in cohort.subjects)
    return hu_histograms((hu, hu > BODY_THRESHOLD_HU) for hu in volumes)


def in_band(band: str) -> np.ndarray:
    """Bins (boolean, `N_BINS`) whose middle lies in a band of `partial_scans.DENSITY_BANDS`."""
    window = DENSITY_BANDS[band]
    return (MIDDLE >= window.low) & (MIDDLE < window.high)


def band_percent(histograms: np.ndarray, band: str) -> np.ndarray:
    """Percent of each person's (people, `N_BINS`) body that lies in a band: (people,)."""
    return 100 * histograms[:, in_band(band)].sum(axis=1)


def valley_percent(histograms: np.ndarray) -> np.ndarray:
    """Percent of each person's (people, `N_BINS`) body in `VALLEY_HU`, where fat and soft tissue meet: (people,)."""
    return 100 * histograms[:, (MIDDLE >= VALLEY_HU.low) & (MIDDLE < VALLEY_HU.high)].sum(axis=1)


def peak_hu(histograms: np.ndarray, band: str) -> float:
    """HU of the highest peak of a group's mean histogram (people, `N_BINS`) in a band, between bins by a parabola.

    A peak is no lower than both its neighbours: the rise towards another band's peak is none. NaN where there is none.
    """
    mean = histograms.mean(axis=0)
    peaks = in_band(band) & (mean > 0)
    peaks[1:-1] &= (mean[1:-1] >= mean[:-2]) & (mean[1:-1] >= mean[2:])
    peaks[[0, -1]] = False
    if not peaks.any():
        return float("nan")
    top = int(np.where(peaks, mean, -1).argmax())
    before, here, after = mean[top - 1 : top + 2]
    curved = before - 2 * here + after
    return float(MIDDLE[top] + BIN_HU * np.clip((before - after) / (2 * curved) if curved else 0.0, -0.5, 0.5))


def total_variation(first: np.ndarray, second: np.ndarray) -> float:
    """Total variation, 0 to 1, of the mean histograms of two groups (people, `N_BINS`).

    It is the share of the body's volume that would have to change its HU bin for the two to be alike.
    """
    return float(np.abs(first.mean(axis=0) - second.mean(axis=0)).sum() / 2)


def wasserstein_hu(first: np.ndarray, second: np.ndarray, band: str | None = None) -> float:
    """1-Wasserstein distance in HU of the mean histograms of two groups (people, `N_BINS`), of a band or the whole.

    Within a band each group's histogram is scaled to sum to 1: it compares which HU the tissue has, not how much of
    it there is. NaN where a group has nothing there. Source: ramdas2017.
    """
    bins = np.ones(N_BINS, bool) if band is None else in_band(band)
    means = [group.mean(axis=0)[bins] for group in (first, second)]
    if min(mean.sum() for mean in means) <= 0:
        return float("nan")
    return float(stats.wasserstein_distance(MIDDLE[bins], MIDDLE[bins], *means))
