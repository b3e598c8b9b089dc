"""The table under a body: a curved couch of carbon fibre round foam.

Shapes and Hounsfield units are choices. njeh2012 modelled such a couch with 0.55 g/cm3 for the fibre and 0.03 g/cm3 for
the foam; here the shell is denser and thinner. The label map knows nothing of it: it stays 0 there.
"""

from math import ceil

import numpy as np

from vctlib.anatomy import AIR_HU

WIDTH_MM = 430.0
THICKNESS_MM = 45.0  # in the middle; it thins towards its sides
CURVATURE_MM = 600.0  # radius of the upper surface
SHELL_MM = 2.0
SHELL_HU, FOAM_HU = -100.0, -950.0
FINE_MM = 0.5  # the cross-section is drawn on pixels at most so wide and averaged


def _sag(x_mm: np.ndarray) -> np.ndarray:
    """How much higher than its middle the table's upper surface is at x from the middle, mm."""
    return np.minimum(np.abs(x_mm), WIDTH_MM / 2) ** 2 / (2 * CURVATURE_MM)


def _middle_mm(body: np.ndarray, spacing_mm: float, offset_x_mm: float) -> tuple[float, float]:
    """Where the upper surface's middle lies, (x, y) in mm from the first voxel's edge, for a body (x, y, z) on it."""
    columns = body.any(axis=2)
    x = (np.arange(body.shape[0]) + 0.5) * spacing_mm
    x_middle = x[columns.any(axis=1)].mean() + offset_x_mm
    above = columns.any(axis=1) & (np.abs(x - x_middle) < (WIDTH_MM + spacing_mm) / 2)
    lowest = np.argmax(columns, axis=1) * spacing_mm  # y runs to the front: the first voxel lies nearest the table
    outer = np.abs(x - x_middle) + spacing_mm / 2  # a voxel's outer side, where the table is highest
    return float(x_middle), float((lowest - _sag(outer))[above].min())


def surface_mm(body: np.ndarray, spacing_mm: float, offset_x_mm: float = 0.0) -> np.ndarray:
    """Height of the surface under a body, (nx,) in mm from the first voxel's edge along y; level beyond the table."""
    x_middle, y_middle = _middle_mm(body, spacing_mm, offset_x_mm)
    return y_middle + _sag((np.arange(body.shape[0]) + 0.5) * spacing_mm - x_middle)


def table_section(body: np.ndarray, spacing_mm: float, offset_x_mm: float = 0.0) -> np.ndarray:
    """The table's cross-section (nx, ny) in Hounsfield units above air, averaged over each voxel."""
    fine = ceil(spacing_mm / FINE_MM)
    x_middle, y_middle = _middle_mm(body, spacing_mm, offset_x_mm)
    x, y = ((np.arange(n * fine) + 0.5) * spacing_mm / fine for n in body.shape[:2])
    x = (x - x_middle)[:, None]
    top = y_middle + _sag(x)
    taper = np.clip(1 - (2 * x / WIDTH_MM) ** 4, 0, None) ** 0.5
    depth = top - y  # below the upper surface
    inside = (depth >= 0) & (depth <= THICKNESS_MM * taper)
    core = (depth >= SHELL_MM) & (depth <= THICKNESS_MM * taper - SHELL_MM) & (np.abs(x) < WIDTH_MM / 2 - SHELL_MM)
    density = np.where(core, FOAM_HU, SHELL_HU) - AIR_HU
    density[~inside] = 0
    return density.reshape(body.shape[0], fine, body.shape[1], fine).mean(axis=(1, 3)).astype(np.float32)


def add_table(hu: np.ndarray, body: np.ndarray, spacing_mm: float, offset_x_mm: float = 0.0) -> np.ndarray:
    """A body (x, y, z in RAS+; Hounsfield units) on a table that runs through all slices; float32.

    The table touches the boolean `body` from below, its middle `offset_x_mm` from the body's; what lies outside the
    volume is cut. Densities add up, so that a voxel shared by skin and table holds both.
    """
    return np.asarray(hu, np.float32) + table_section(body, spacing_mm, offset_x_mm)[:, :, None]
