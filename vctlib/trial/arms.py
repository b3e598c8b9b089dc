"""The arms of a trial, by name, and the culling step that makes the re-biased one."""

from types import MappingProxyType

import pandas as pd

from vctlib.trial.checks import require_columns
from vctlib.trial.split import ID, OOD, BiasedSplit

REAL = "real"
REAL_WEIGHTED = "real_weighted"
RECONSTRUCTED = "reconstructed"
SYNTHETIC = "synthetic"
SYNTHETIC_REBIASED = "synthetic_rebiased"
SYNTHETIC_CALIBRATED = "synthetic_calibrated"  # not in the paper

ARM_LABELS = MappingProxyType(
    {
        REAL: "Real",
        REAL_WEIGHTED: "Real (Weighted)",
        RECONSTRUCTED: "Reconstructed",
        SYNTHETIC: "Synthetic",
        SYNTHETIC_REBIASED: "Synthetic (re-biased)",
        SYNTHETIC_CALIBRATED: "Synthetic (calibrated)",
    }
)  # in the order of killeen2025 Table 1
ARMS = tuple(ARM_LABELS)
POPULATIONS = (ID, OOD)


def rebias(frame: pd.DataFrame, split: BiasedSplit) -> tuple[pd.DataFrame, float]:
    """Cull bodies that lie on the other side of the boundary than the population they were made for.

    frame: one row a body, with the column `population` ("ID" or "OOD") and the split's two measured columns. Returns
    the rows that stay and the culled share, 0 to 1. Raises InputError for a missing column or measurement.
    Source: killeen2025 section 1.5.1.
    """
    require_columns(frame, ["population"], "the table of synthetic bodies")
    stays = split.assign(frame) == frame["population"].to_numpy()
    return frame[stays], float(1 - stays.mean()) if len(frame) else 0.0
