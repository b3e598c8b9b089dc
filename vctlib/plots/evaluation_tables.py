"""How the generator's bodies vary and what their anatomy is, as the tables that a page prints: cells are text."""

from collections.abc import Mapping
from math import floor, log10

import pandas as pd

from vctlib.plots.book_tables import estimate_text, words
from vctlib.text import interval_text, number_text

ORGAN_FIGURES = {
    "volume": ("volume_r",),
    "centroid": ("centroid_right_r", "centroid_anterior_r", "centroid_superior_r"),
}


def variation_table(metrics: Mapping[str, Mapping], quantities: Mapping[str, str], people: list[str]) -> pd.DataFrame:
    """Slope on the category's mean and SD within categories, a row for each quantity and kind of people.

    metrics: those of the notebook that evaluates the generator, `<quantity>_category_slope_<people>` and
    `<quantity>_within_sd_ratio_<people>`; `quantities`: name there -> label.
    """
    rows = []
    for quantity, label in quantities.items():
        for kind in people:
            row = {"Quantity": label if kind == people[0] else "", "People": words(kind)}
            for figure, title, of in (("category_slope", "Slope", "slope"), ("within_sd_ratio", "SD ratio", "SD")):
                found = metrics[f"{quantity}_{figure}_{kind}"]
                row[f"{title} [95% CI]"] = _cell(found["value"], *(found["ci95"] or (None, None)), 2)
                row[f"n, {of}"] = str(found["n"])
            rows.append(row)
    return pd.DataFrame(rows)


def conditioning_by_category(table: pd.DataFrame, digits: Mapping[str, int]) -> pd.DataFrame:
    """Measured by category in every cohort, mean (SD), and Z of those that are not the reference: a row a category.

    table: `metrics.conditioning.by_category` of several attributes; `digits`: attribute -> decimals of its means.
    Categories with nobody in them are left out. n counts bodies of each cohort, which are of the same people.
    """
    rows = []
    for (attribute, _), group in table.groupby(["attribute", "category"], sort=False):
        cells = group.set_index("cohort")
        if not (cells["n"] > 0).any():
            continue
        row = {"Category": f"{attribute}: {cells['label'].iloc[0]}", "n": ", ".join(map(str, cells["n"]))}
        for cohort, one in cells.iterrows():
            places = digits[attribute]
            row[words(cohort)] = f"{number_text(one['mean'], places)} ({number_text(one['sd'], places)})"
        for cohort in cells.index[1:]:
            row[f"Z, {cohort}"] = number_text(cells.at[cohort, "z_score"], 2, "+")
        rows.append(row)
    return pd.DataFrame(rows)


def composition_by_category(
    table: pd.DataFrame, columns: Mapping[str, str], attributes=("sex", "weight"), cohort: str = "synthetic"
) -> pd.DataFrame:
    """Difference of means and ratio of SDs to the reference within each category, a row a category.

    table: `metrics.within_category.category_table` of several attributes and columns, with the column `cohort`;
    `columns`: measured column -> label. n counts bodies of the cohort and of the reference.
    """
    rows = []
    own = table[(table["cohort"] == cohort) & table["column"].isin(columns) & table["attribute"].isin(attributes)]
    for (attribute, _), group in own.groupby(["attribute", "category"], sort=False):
        cells = group.set_index("column")
        first = cells.loc[next(iter(columns))]
        row = {"Category": f"{attribute}: {first['label']}", "n": f"{first['n']}, {first['reference_n']}"}
        for column, label in columns.items():
            one = cells.loc[column]
            row[f"{label}: difference [95% CI] (pp)"] = _cell(one["bias"], one["bias_low"], one["bias_high"], 1)
            row[f"{label}: SD ratio [95% CI]"] = _cell(one["sd_ratio"], one["sd_ratio_low"], one["sd_ratio_high"], 2)
        rows.append(row)
    return pd.DataFrame(rows)


def errors_where_people_were_few(table: pd.DataFrame) -> pd.DataFrame:
    """Mean absolute error by flag, from `metrics.extrapolation.error_by_flag`: a row for each quantity and cohort."""
    rows = []
    for (quantity, cohort), group in table.groupby(["quantity", "cohort"], sort=False):
        row = {"Quantity": f"{words(quantity)} ({group['unit'].iloc[0]})", "People": words(cohort)}
        for flag, cells in group.set_index("flag").iterrows():
            row[f"{words(flag)}: MAE [95% CI]"] = _cell(cells["mae"], cells["mae_low"], cells["mae_high"], 1)
            row[f"n, {flag}"] = str(cells["n"])
        rows.append(row)
    return pd.DataFrame(rows)


def organs_of_the_person(table: pd.DataFrame) -> pd.DataFrame:
    """Correlation of each organ with that of the person, from `metrics.matched.matched_organs` of several cohorts.

    A row a structure, two columns a cohort: r of the volume, and the mean r of the centroid's three coordinates.
    n: people with the structure in either body, in the cohort where they are fewest.
    """
    rows = []
    for structure, group in table.groupby("structure", sort=False):
        row = {"Structure": words(structure), "n": number_text(group["n"].min(), 0)}
        for figure, columns in ORGAN_FIGURES.items():
            means = group.set_index("cohort")[list(columns)].astype(float).mean(axis=1)
            row |= {f"r, {figure}: {cohort}": number_text(mean, 2) for cohort, mean in means.items()}
        rows.append(row)
    return pd.DataFrame(rows)


def impossible_anatomy(table: pd.DataFrame) -> pd.DataFrame:
    """Percent of bodies with impossible anatomy [95 % CI]: a row for each source of labels and kind, a column a cohort.

    table: rates of `metrics.impossible.judge` with the column `source` (`image`, `labels`).
    """
    whose = {"image": "segmenter's", "labels": "own"}
    rows = []
    for (source, kind), group in table.groupby(["source", "kind"], sort=False):
        row = {"Labels": whose[source], "Anatomy": words(kind)}
        for cells in group.itertuples():
            row[f"{words(cells.cohort)}, n = {cells.n}"] = _cell(cells.percent, cells.low, cells.high, 1)
        rows.append(row)
    return pd.DataFrame(rows)


def frechet_by_arm(realism: pd.DataFrame) -> pd.DataFrame:
    """Fréchet distances with an arm a row, as the paper's Table A4 has them: for each region the planes and their mean
    across, each [95 % CI], and how many times the floor that mean is.

    realism: from `metrics.realism.realism_table`. Where arms are few, `frechet_by_plane` has them across.
    """
    rows = []
    for (region, arm), group in realism.groupby(["region", "arm"], sort=False):
        cells = group.set_index(["measure", "plane"])
        row = {"Region": words(region), "People": words(arm), "n": str(group["n"].iloc[0])}
        for plane in group["plane"].unique():
            row[f"{words(plane)} [95% CI]"] = estimate_text(cells.loc[("frechet", plane)], 2)
        ratio = cells.at[("frechet_over_floor", "average"), "value"]
        rows.append(row | {"Average / floor": number_text(ratio, 1)})
    return pd.DataFrame(rows)


def measures_by_arm(table: pd.DataFrame, labels: Mapping[str, str]) -> pd.DataFrame:
    """A row for each arm, a column for each measure of `labels` (measure -> title with its unit) [95 % CI].

    table: rows with arm, measure, value, low, high, n. The largest value of a column has three digits, and the others
    as many places; n is that of the arm's first measure.
    """
    places = {}
    for measure in labels:
        largest = table.loc[table["measure"] == measure, "value"].abs().max()
        places[measure] = max(0, 2 - floor(log10(largest))) if largest > 0 else 2
    rows = []
    for arm, group in table.groupby("arm", sort=False):
        cells = group.set_index("measure")
        row = {"Arm": arm, "n": number_text(cells.at[next(iter(labels)), "n"], 0)}
        rows.append(row | {label: estimate_text(cells.loc[name], places[name]) for name, label in labels.items()})
    return pd.DataFrame(rows)


def _cell(value: float | None, low: float | None, high: float | None, digits: int) -> str:
    return interval_text(value, (low, high), digits)


def intensities_apart(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each arm: how much of its mean histogram lies in other bins than that of training people, and how much
    of a body between fat and soft tissue. table: rows arm, measure (`apart`, `valley`), value, low, high in percent."""
    columns = {
        "apart": "Mean histogram in another bin of 10 HU (%)",
        "valley": "Body from \N{MINUS SIGN}40 to 0 HU (%)",
    }
    rows = []
    for arm, own in table.groupby("arm", sort=False):
        cells = {label: estimate_text(own.set_index("measure").loc[name], 1) for name, label in columns.items()}
        rows.append({"People": words(str(arm)), "n": f"{own['n'].iloc[0]:.0f}"} | cells)
    return pd.DataFrame(rows)
