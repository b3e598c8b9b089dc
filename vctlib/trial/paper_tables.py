"""The paper's own numbers, as printed, so that ours can stand beside them.

Every number is copied from killeen2025 as it stands. What is odd in print stays and is listed in `PRINTED_ODDITIES`.
"""

from importlib import resources
from types import MappingProxyType

import pandas as pd

from vctlib.errors import InputError

_FILES = MappingProxyType(
    {
        "1": "table1_performance.csv",
        "2": "table2_correlations.csv",
        "3": "table3_error_model.csv",
        "4": "table4_importances.csv",
        "organs": "table1_organs.csv",
        "A2": "table_a2_reconstruction.csv",
        "A3": "table_a3_codebook.csv",
        "A4": "table_a4_frechet.csv",
    }
)
TABLE_NAMES = tuple(_FILES)

PRINTED_ODDITIES = MappingProxyType(
    {
        "1": "The p column is printed twice with equal content. The weighted rows are printed as population ID; column "
        "`population` here says OOD, which they forecast, and `printed_population` what stands in print.",
        "2": "The error (signed or absolute) and the numbers of images are not stated.",
        "organs": "A second table numbered 1. Appendicular bones have a Dice deviation of 1.048, impossible for a "
        "score between 0 and 1; the printed average 0.115 of the deviations needs 0.048.",
        "A2": "The text says that PSNR falls with the multi-window loss in the stacked model; the table shows a rise "
        "(30.97 to 31.06) and a fall of SSIM. The two one-stage rows equal Table A3's codebooks 8192 and 2048, so "
        "that they may differ in more than the loss.",
        "A4": "The full-body columns are printed several times over. Column L_post holds 1 or 2; by the text only the "
        "last row is post-processed. In it, lower extremities nearly repeat head and neck.",
    }
)


def paper_table(name: str) -> pd.DataFrame:
    """A table of the paper by name: 1, 2, 3, 4, organs (its other Table 1), A2, A3 or A4.

    Errors in percentage points; `task` is "body_fat" or "muscle", attributes and structures have this package's names.
    A cell that is a dash in print is NaN. Raises InputError for another name. Source: killeen2025.
    """
    if name not in _FILES:
        raise InputError(f"the paper has no table {name!r} here; there are {', '.join(TABLE_NAMES)}")
    with (resources.files("vctlib.trial") / "paper" / _FILES[name]).open(encoding="utf-8") as file:
        return pd.read_csv(file)


def beside_paper(table: pd.DataFrame) -> pd.DataFrame:
    """Our trial's rows beside the paper's Table 1: n, mae, its interval, z and p, each as `_ours` and `_paper`.

    table: from `evaluate_arms`. Another cohort and another model stand behind ours: orders of magnitude and verdicts
    can be compared, digits cannot.
    """
    keys, values = ["task", "population", "arm"], ["n", "mae", "mae_low", "mae_high", "z", "p"]
    return table[keys + values].merge(
        paper_table("1")[keys + values], on=keys, how="left", suffixes=("_ours", "_paper"), validate="one_to_one"
    )
