"""A trial's results as the tables that a page prints: text cells, ours beside the paper's.

Every function returns strings only, with the intervals in the cells, so that a CSV of it can be shown as it stands.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from vctlib.errors import InputError
from vctlib.text import DASH, bounds_text, interval_text, number_text, p_text
from vctlib.trial.arms import ARM_LABELS, POPULATIONS, REAL, RECONSTRUCTED, SYNTHETIC, SYNTHETIC_CALIBRATED
from vctlib.trial.paper_tables import paper_table
from vctlib.trial.protocol import Protocol
from vctlib.trial.split import ID, OOD, task_named
from vctlib.trial.verdict import NOT_ENOUGH_EVIDENCE, interval_verdict

KEYS = ["task", "population", "arm"]


def populations_by_task(people: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Who taught a model and who is asked: a row for each task and population; means with standard deviations.

    people: task -> one row a person with population ("train", "ID", "OOD"), sex, age_years, height_cm, weight_kg,
    body_fat_percent_measured, muscle_percent_measured.
    """
    sides = {"train": "training", ID: "in distribution (ID)", OOD: "out of it (OOD)"}
    rows = []
    for task, table in people.items():
        table = table.assign(bmi=table["weight_kg"] / (table["height_cm"] / 100) ** 2)
        for side, label in sides.items():
            own = table[table["population"] == side]
            women = int((own["sex"] == "female").sum())
            row = {"Task": task_named(task).label, "Population": label, "People": f"{len(own)}"}
            row |= {"Women": f"{women}", "Men": f"{len(own) - women}"}
            for name, column in (
                ("Age (years)", "age_years"),
                ("BMI (kg/m\N{SUPERSCRIPT TWO})", "bmi"),
                ("Body fat (%)", "body_fat_percent_measured"),
                ("Muscle (%)", "muscle_percent_measured"),
            ):
                row[name] = f"{number_text(own[column].mean(), 1)} ({number_text(own[column].std(), 1)})"
            rows.append(row)
    return pd.DataFrame(rows)


def protocols_by_task(protocols: Mapping[str, Protocol]) -> pd.DataFrame:
    """What each protocol fixes before an error is looked at, with the first digits of its hash: a row for each task."""
    rows = []
    for protocol in protocols.values():
        margins, people = protocol.margins, protocol.people
        row = {"Task": protocol.words, "Passes below": protocol.with_unit(f"{margins.acceptable:g}")}
        row |= {"Fails above": protocol.with_unit(f"{margins.failure:g}")}
        row |= {"Equivalent within": protocol.with_unit(f"\N{PLUS-MINUS SIGN}{margins.equivalence:g}")}
        row |= {"In distribution": f"{protocol.id_share:.0%} of those who develop"}
        row |= {"People: training, ID, OOD, at most": f"{people.train}, {people.id_test}, {people.ood_test}"}
        row |= {"Arms": ", ".join(ARM_LABELS[arm].lower() for arm in protocol.arms)}
        row |= {"Synthetic images a person": f"{protocol.oversampling}", "Resamples": f"{protocol.n_resamples}"}
        rows.append(row | {"Seed": f"{protocol.seed}", "SHA-256": protocol.sha256()[:12]})
    return pd.DataFrame(rows)


def trial_overview(results: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Verdicts of all tasks in one table: a row for each task, population and author ("ours", "paper").

    results: task -> table of `table_of_arms`. The paper's intervals are judged by the same rule as ours
    (`interval_verdict` with the standard limits). Cells are MAE [95 % interval] in percentage points and the verdict; a
    task and a population are named in their first row alone, and only out of distribution there may be a calibrated
    arm. Raises InputError where a task has no real, reconstructed or synthetic row.
    """
    rows = []
    for task, ours in results.items():
        label = task_named(task).label.removesuffix(" percentage").removesuffix(" mass")
        for population in POPULATIONS:
            for whose, table in (("ours", ours), ("paper", paper_table("1").query("task == @task"))):
                found = {arm: _only(table, population, arm) for arm in (REAL, RECONSTRUCTED, SYNTHETIC)}
                calibrated = table[(table["population"] == population) & (table["arm"] == SYNTHETIC_CALIBRATED)]
                first = whose == "ours"
                row = {"Task": label if first and population == ID else "", "": population if first else ""}
                row |= {"By": whose} | {ARM_LABELS[arm]: _judged(found[arm]) for arm in found}
                row["Calibrated"] = _judged(calibrated.iloc[0]) if len(calibrated) else DASH
                rows.append(row)
    return pd.DataFrame(rows)


def errors_by_arm(table: pd.DataFrame) -> pd.DataFrame:
    """One task's arms as the paper's Table 1 lists them: n, MAE [95 % interval] and verdict, and the paper's n and MAE.

    table: from `table_of_arms`. n counts images.
    """
    rows = []
    for row, paper in _with_paper(table):
        rows.append(
            {
                "Population": row["population"],
                "Arm": ARM_LABELS[row["arm"]],
                "n": f"{row['n']:.0f}",
                "MAE [95% CI] (pp)": _interval(row, "mae"),
                "Verdict": row["verdict"],
                "Paper: n": number_text(paper["n"], 0),
                "Paper: MAE [95% CI]": _interval(paper, "mae"),
            }
        )
    return pd.DataFrame(rows)


def differences_from_real(table: pd.DataFrame) -> pd.DataFrame:
    """One task's arms against real images: difference of MAE, equivalence, and Z and p beside the paper's.

    table: from `table_of_arms`; rows without a difference (real, weighted) are left out.
    """
    rows = []
    for row, paper in _with_paper(table.dropna(subset=["difference"])):
        rows.append(
            {
                "Population": row["population"],
                "Arm": ARM_LABELS[row["arm"]],
                "Difference [95% CI] (pp)": _interval(row, "difference"),
                "p, equivalence": p_text(row["p_equivalence"]),
                "Equivalent from (pp)": f"±{row['equivalent_from']:.2f}",
                "Z [95% CI]": _interval(row, "z"),
                "p": p_text(row["p"]),
                "Paper: Z": number_text(paper["z"]),
                "Paper: p": p_text(paper["p"]),
            }
        )
    return pd.DataFrame(rows)


def rise_to_ood(gaps: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The rise of the MAE from ID to OOD: a row an arm, for each task ours with interval and the paper's means.

    gaps: task -> table of `degradation`. The paper prints no interval of the rise; its is the difference of its means.
    """
    arms = [arm for arm in ARM_LABELS if any(arm in set(table["arm"]) for table in gaps.values())]
    rows = []
    for arm in arms:
        row = {"Arm": ARM_LABELS[arm]}
        for task, table in gaps.items():
            label = task_named(task).label
            ours = table[table["arm"] == arm]
            paper = paper_table("1").query("task == @task and arm == @arm").set_index("population")["mae"]
            row[f"{label} [95% CI] (pp)"] = (
                DASH if ours.empty else _interval(ours.iloc[0], "degradation", "low", "high")
            )
            row[f"Paper: {label.lower()}"] = number_text(paper.get(OOD, float("nan")) - paper.get(ID, float("nan")))
        rows.append(row)
    return pd.DataFrame(rows)


def composition_and_image(table: pd.DataFrame) -> pd.DataFrame:
    """One task's differences from real images in two parts, from `decomposition.decomposition`."""
    rows = []
    for row in table.itertuples():
        composition, image = (row.composition_low, row.composition_high), (row.image_low, row.image_high)
        rows.append(
            {
                "Population": row.population,
                "Arm": ARM_LABELS[row.arm],
                "n": f"{row.n}",
                "Difference (pp)": f"{row.difference:+.2f}",
                "Other bodies (pp)": f"{row.composition:+.2f}{bounds_text(*composition)}",
                "Other pictures (pp)": f"{row.image:+.2f}{bounds_text(*image)}",
            }
        )
    return pd.DataFrame(rows)


def likeness_by_arm(table: pd.DataFrame) -> pd.DataFrame:
    """One task's arms against real images, as distributions and pair by pair, from `likeness.likeness`."""
    rows = []
    for row in table.itertuples():
        rows.append(
            {
                "Population": row.population,
                "Arm": ARM_LABELS[row.arm],
                "n": f"{row.n}",
                "KS distance": f"{row.ks:.3f}",
                "p, KS": p_text(row.ks_p),
                "Wasserstein (pp)": f"{row.wasserstein:.2f}",
                "Mean difference of pairs (pp)": number_text(row.bias),
                "Limits of agreement": bounds_text(row.limit_low, row.limit_high).strip() or DASH,
            }
        )
    return pd.DataFrame(rows)


def culling_by_threshold(table: pd.DataFrame) -> pd.DataFrame:
    """One task's synthetic arm under culling of every strength, from `culling.culling_curve`."""
    rows = []
    for row in table.itertuples():
        rows.append(
            {
                "Population": row.population,
                "Stays from (pp)": "all" if np.isneginf(row.threshold) else f"{row.threshold:+g}",
                "Culled": f"{100 * row.culled:.0f}%",
                "n": f"{row.n}",
                "MAE [95% CI] (pp)": interval_text(row.mae, (row.mae_low, row.mae_high)),
                "Verdict": row.verdict,
                "MAE, real (pp)": number_text(row.mae_real),
            }
        )
    return pd.DataFrame(rows)


def _with_paper(table: pd.DataFrame) -> list[tuple[pd.Series, pd.Series]]:
    paper = table[KEYS].merge(paper_table("1"), on=KEYS, how="left", validate="one_to_one")
    return [(table.iloc[i], paper.iloc[i]) for i in range(len(table))]


def _only(table: pd.DataFrame, population: str, arm: str) -> pd.Series:
    rows = table[(table["population"] == population) & (table["arm"] == arm)]
    if len(rows) != 1:
        raise InputError(f"the table of arms has {len(rows)} rows of the arm {arm} for {population}; it needs one")
    return rows.iloc[0]


def _interval(row: pd.Series, name: str, low: str | None = None, high: str | None = None) -> str:
    value, low, high = (row[column] for column in (name, low or f"{name}_low", high or f"{name}_high"))
    return interval_text(value, (low, high))


def _judged(row: pd.Series) -> str:
    """A row's MAE with its interval, and the verdict by that; where too few people could be measured for an interval,
    there is not enough evidence."""
    low, high = row["mae_low"], row["mae_high"]
    verdict = NOT_ENOUGH_EVIDENCE if pd.isna(low) or pd.isna(high) else interval_verdict(low, high)
    return f"{_interval(row, 'mae')} **{verdict}**"
