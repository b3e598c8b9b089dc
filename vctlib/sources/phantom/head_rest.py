"""The rest between a head and the table: a cradle of soft foam, as scanners have it, as high as the head lies.

Trunks are thicker than heads, so that a head lies above the table, of heavy people far above. Sizes are choices; the
foam is the table's. The label map stays 0 there.
"""

import numpy as np

from vctlib.anatomy import AIR_HU
from vctlib.sources.phantom.table import FOAM_HU, surface_mm

HALF_WIDTH_MM = 100.0
FROM_CROWN_MM = (15.0, 160.0)  # it carries the head from here to there
RIM_MM = 40.0  # how much higher it is at its sides than under the head
WIDEST_HEAD_MM = 280.0  # with ears; what is wider where a head should be is none


def add_head_rest(hu: np.ndarray, body: np.ndarray, spacing_mm: float, offset_x_mm: float = 0.0) -> np.ndarray:
    """An image (x, y, z in RAS+; Hounsfield units) with a rest under the head of the boolean `body`; float32.

    It stands on the table as `add_table` draws it with the same `offset_x_mm`. A body whose crown is not in the volume,
    or whose uppermost part is no head, gets none.
    """
    image = np.array(hu, np.float32)
    slices = np.flatnonzero(body.any(axis=(0, 1)))
    if not slices.size or slices[-1] == body.shape[2] - 1:
        return image
    first, last = (slices[-1] + 1 - round(mm / spacing_mm) for mm in FROM_CROWN_MM[::-1])
    head = body[:, :, max(first, 0) : last]
    columns = head.any(axis=2)
    across = np.flatnonzero(columns.any(axis=1))
    if first < slices[0] or not across.size or np.ptp(across) * spacing_mm > WIDEST_HEAD_MM:
        return image
    x = (np.arange(body.shape[0]) + 0.5) * spacing_mm - (across.mean() + 0.5) * spacing_mm
    lowest_mm = np.flatnonzero(columns.any(axis=0))[0] * spacing_mm
    top = np.where(np.abs(x) < HALF_WIDTH_MM, lowest_mm + RIM_MM * (x / HALF_WIDTH_MM) ** 2, -np.inf)
    edges = np.arange(body.shape[1] + 1) * spacing_mm
    filled = np.minimum(edges[1:], top[:, None]) - np.maximum(
        edges[:-1], surface_mm(body, spacing_mm, offset_x_mm)[:, None]
    )
    share = np.clip(filled / spacing_mm, 0, 1)[:, :, None]
    under = ~np.logical_or.accumulate(head, axis=1)  # the head presses it down
    image[:, :, first:last] += (FOAM_HU - AIR_HU) * share * under
    return image
