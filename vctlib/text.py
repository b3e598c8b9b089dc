"""Numbers as the tables of a page print them."""

from collections.abc import Sequence

import pandas as pd

DASH = "\N{EN DASH}"


def number_text(value: float | None, digits: int = 2, sign: str = "") -> str:
    """A number, or a dash where there is none; with `sign` "+", a plus before what is above zero."""
    return DASH if pd.isna(value) else f"{value:{sign}.{digits}f}"


def bounds_text(low: float, high: float, digits: int = 2, sign: str = "") -> str:
    """` [0.88, 0.93]`, to stand behind a number, or nothing where there are none."""
    return "" if pd.isna(low) else f" [{low:{sign}.{digits}f}, {high:{sign}.{digits}f}]"


def interval_text(value: float, bounds: Sequence[float], digits: int = 2, sign: str = "") -> str:
    """`0.91 [0.88, 0.93]`; without an interval the number, without a number a dash."""
    return DASH if pd.isna(value) else number_text(value, digits, sign) + bounds_text(*bounds, digits, sign)


def p_text(p: float) -> str:
    """`0.031`, `< 0.001`; a dash where there is none."""
    return DASH if pd.isna(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"
