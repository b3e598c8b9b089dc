"""Organs and tissues of a cohort beside what others have published, sex by sex.

`vctlib/data/published_values.csv` has one row a value: quantity, sex (male, female, both), statistic (mean, median),
value, sd, n, source (a key of book/references.bib), role, about. Role `input`: the phantoms are told this very number,
so that agreement shows no more than that they are painted as told; `independent`: they are not. Reference adults of
icrp89 are single people of 176 and 163 cm, and their organs are weighed without blood unless `about` says otherwise: a
living organ in CT is larger.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from vctlib.anatomy import AIR_HU, PAPER16

ROLES = ("input", "independent")
TABLE = Path(__file__).parents[1] / "data" / "published_values.csv"
ORGAN_G_PER_ML = 1.05  # liver, spleen, kidney, heart, brain: 1.04 to 1.06 in icru44
LOBES = ("lung_upper_lobes", "lung_middle_lobe", "lung_lower_lobes")
WEIGHED = ("spleen", "kidney", "liver", "prostate", "heart", "brain")
FULL_BLADDER_ML = 182.0  # rohner2013


def read_published() -> pd.DataFrame:
    """The published values, one a row."""
    return pd.read_csv(TABLE)


def classes_without() -> list[str]:
    """Classes of the paper's Table 1 for which no published volume or mass was found."""
    found = set(read_published()["quantity"])
    return [name for name in PAPER16.values() if not any(quantity.startswith(name) for quantity in found)]


def quantities(table: pd.DataFrame) -> pd.DataFrame:
    """What published values are of, one row a person: the quantities' names, with their units; NaN where unknown.

    `table`: a cohort's table, joined with its measurements. True values count where there are any, else measured ones.
    """

    def column(name: str) -> pd.Series:
        known = [f"{name}_{kind}" for kind in ("true", "measured") if f"{name}_{kind}" in table]
        return table[known[0]] if known else pd.Series(np.nan, table.index)

    found = {f"{name}_volume_ml": column(f"{name}_volume_ml") for name in PAPER16.values()}
    if "sex" in table:  # an absent prostate is no small one
        found["prostate_volume_ml"] = found["prostate_volume_ml"].where(table["sex"] == "male")
    lungs = sum(found[f"{name}_volume_ml"] for name in LOBES)
    found |= {f"{name}_percent_of_lungs": 100 * found[f"{name}_volume_ml"] / lungs for name in LOBES}
    found |= {f"{name}_mass_g": found[f"{name}_volume_ml"] * ORGAN_G_PER_ML for name in WEIGHED}
    if "lung_hu" in table:
        found["lungs_mass_g"] = lungs * (table["lung_hu"] - AIR_HU) / 1000
    full = (found["urinary_bladder_volume_ml"] > FULL_BLADDER_ML).where(found["urinary_bladder_volume_ml"].notna())
    found["urinary_bladder_above_182_ml_percent"] = 100 * full.astype(float)
    found["skeleton_mass_kg"] = column("bone_mass_kg")
    found["muscle_percent"] = column("muscle_percent")
    found["muscle_mass_kg"] = found["muscle_percent"] * column("mass_kg") / 100
    return pd.DataFrame(found)


def l1_bands() -> list[tuple[str, float, float, float, float]]:
    """Published L1 trabecular attenuation: (name, first and last age in years, mean HU, SD HU). Source: jang2019."""
    return [("published, under 30 years", 18, 30, 226, 44), ("published, 90 years and over", 90, 95, 89, 38)]


def l1_line() -> tuple[np.ndarray, np.ndarray]:
    """Ages (years) and HU of jang2019's loss of 2.5 HU a year, drawn from 226 HU at 25 years; valid in mid-life."""
    ages = np.array([25.0, 80.0])
    return ages, 226 - 2.5 * (ages - 25)


def muscle_bands() -> list[tuple[str, float, float, float, float]]:
    """Published share of body mass that is muscle: (name, first and last age, mean %, SD %). Source: janssen2000."""
    rows = read_published().query("quantity == 'muscle_percent'")
    return [(f"published, {row.sex}", 18, 88, row.value, row.sd) for row in rows.itertuples()]
