"""What a table does to a body that lies on it: the back is flattened, fat of the front sinks to the sides.

Depths and shares in this file are choices, made so that transverse sections look like those of people lying down.
"""

from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi

CELL = 12.0  # mm, grain of the map of the back
YIELD_MM = 12.0  # how far the back and the buttocks sink in before the table carries them
DEEPEST_MM = 70.0  # tissue within this distance of the table shares the compression
SAG_BACK, SAG_SIDE = 0.22, 0.20  # share of the thickness of fat in front that is lost, and gained at the side


@dataclass(frozen=True)
class Table:
    """A plane at `y` mm under the body, and by how many mm the body reaches beyond it: `beyond` on cells whose first
    centre lies at `corner` (x, z), mm."""

    y: float
    beyond: np.ndarray
    corner: np.ndarray

    def press(self, points: np.ndarray) -> np.ndarray:
        """Points (n, 3) moved forwards so that none is beyond the table and none passes another."""
        cells = (points[:, [0, 2]] - self.corner) / CELL
        beyond = ndi.map_coordinates(self.beyond, cells.T, order=1, mode="nearest")
        top = self.y - DEEPEST_MM
        deep = np.maximum(points[:, 1] - top, 0)
        pressed = points.copy()
        pressed[:, 1] -= deep * beyond / (DEEPEST_MM + beyond)
        pressed[:, 1] = np.minimum(pressed[:, 1], self.y)
        return pressed


def table_height(chest: np.ndarray, seat: np.ndarray) -> float:
    """y (mm) of a table that carries the chest and the seat, given by vertices (n, 3): both sink in alike."""
    backs = np.array([np.quantile(part[:, 1], 0.98) for part in (chest, seat)])
    return float(backs.mean() - YIELD_MM)


def lay_on_table(vertices: np.ndarray, y: float) -> Table:
    """The table at height `y` under vertices (n, 3) of the skin."""
    corner = vertices[:, [0, 2]].min(0) - 3 * CELL
    cells = np.rint((vertices[:, [0, 2]] - corner) / CELL).astype(int)
    back = np.full(cells.max(0) + 4, -np.inf)
    np.maximum.at(back, tuple(cells.T), vertices[:, 1])
    back = ndi.grey_closing(np.where(np.isfinite(back), back, y - 500), size=3)
    return Table(y, ndi.gaussian_filter(ndi.grey_dilation(np.maximum(back - y, 0), size=3), 1.0), corner)


def sag(lean: np.ndarray, outer: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Outer vertices (n, 3) of a body on its back: fat in front of the lean body sinks and spreads to the sides.

    `weight` (n,) from 0 to 1, how far a vertex may follow.
    """
    fat = outer - lean
    in_front = weight * np.clip(-fat[:, 1] / np.maximum(np.linalg.norm(fat, axis=1), 1e-6), 0, 1)
    sunk = outer.copy()
    sunk[:, 1] -= SAG_BACK * in_front * fat[:, 1]
    sideways = np.clip(outer[:, 0] / 90, -1, 1)  # nothing in the midline, all of it 9 cm beside it
    sunk[:, 0] -= SAG_SIDE * in_front * fat[:, 1] * sideways
    return sunk
