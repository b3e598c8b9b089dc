"""How the people of a cohort are scanned: which scanners, with how much dose, on a table, in one piece or three."""

from dataclasses import dataclass

import numpy as np

from vctlib.errors import InputError
from vctlib.sources.fuse_scans import fuse
from vctlib.sources.phantom.acquisition import three_scans
from vctlib.sources.phantom.bag import add_bag
from vctlib.sources.phantom.head_rest import add_head_rest
from vctlib.sources.phantom.scanner import ScannerSettings, scan
from vctlib.sources.phantom.scanner_models import draw_model, model_named
from vctlib.sources.phantom.table import add_table
from vctlib.sources.phantom.tube_current import TubeCurrent

TABLE_OFFSET_MM = 20.0  # a body lies at most so far beside the table's middle; a choice


@dataclass(frozen=True)
class ScanProtocol:
    """Views over 180 degrees and photons as in `ScannerSettings`; each person meets one of the `models`, by name.

    `table` and `bag` put these round the body; with `three_scans` a body is scanned in three pieces that are fused, as
    the New Mexico Decedent Image Database is. Raises InputError for an unknown model, or none.
    """

    n_angles: int | None = None
    photons: float = 4e6
    models: tuple[str, ...] = ("standard_120kv",)
    tube_current: TubeCurrent = TubeCurrent()
    table: bool = False
    bag: bool = False
    three_scans: bool = False

    def __post_init__(self) -> None:
        for name in self.models:
            model_named(name)
        if not self.models:
            raise InputError("a protocol needs at least one scanner model")
        ScannerSettings(self.n_angles, self.photons)

    def __str__(self) -> str:
        parts = [f"{self.n_angles or 'enough'} views, {self.photons:g} photons", *self.models]
        current = self.tube_current
        if current != TubeCurrent():
            level = f"at {current.reference_water_cm:g} cm of water" if current.reference_water_cm else "on average"
            parts.append(f"tube current {current.angular:g} and {current.longitudinal:g} {level}")
        return ", ".join(
            parts + [what.replace("_", " ") for what in ("table", "bag", "three_scans") if getattr(self, what)]
        )


def scan_person(
    hu: np.ndarray, body: np.ndarray, affine: np.ndarray, protocol: ScanProtocol, seed: int
) -> tuple[np.ndarray, str]:
    """The image (float32, Hounsfield units) of a person and the name of the scanner, drawn from the seed.

    `hu` and the boolean `body` (x, y, z) lie on one isotropic RAS+ grid, which the image keeps.
    """
    rng = np.random.default_rng([seed, 3])
    offset_x_mm = float(rng.uniform(-TABLE_OFFSET_MM, TABLE_OFFSET_MM))
    spacing, model = float(affine[2, 2]), draw_model(protocol.models, seed)
    around = hu
    if protocol.table:
        around = add_table(around, body, spacing, offset_x_mm)
        around = add_head_rest(around, body, spacing, offset_x_mm)
    if protocol.bag:
        around = add_bag(around, body, spacing, int(rng.integers(2**31)), offset_x_mm)
    settings = ScannerSettings(protocol.n_angles, protocol.photons, model, protocol.tube_current)
    if protocol.three_scans:
        parts = [(part.hu, part.affine) for part in three_scans(around, affine, settings, seed, body=body)]
        return fuse(parts, frame=(hu.shape, affine)).hu, model.name
    return scan(around, spacing, settings, seed), model.name
