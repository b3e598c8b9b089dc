"""What drives the error, as the tables that a page prints: the paper's Tables 2 to 4, ours beside the paper's.

Every function returns strings only, as those of `book_tables` do.
"""

from collections.abc import Mapping

import pandas as pd

from vctlib.text import DASH, bounds_text, number_text, p_text
from vctlib.trial.arms import ARM_LABELS, REAL
from vctlib.trial.bias import ErrorDrivers, importance_agreement
from vctlib.trial.importance_intervals import Resampled, agreement_interval, importance_intervals
from vctlib.trial.paper_tables import paper_table


def error_drivers_by_arm(
    drivers: Mapping[str, ErrorDrivers], task: str, resampled: Mapping[str, Resampled]
) -> pd.DataFrame:
    """One task's impurity importances by arm as the paper's Table 4 lists them, the paper's after a slash.

    drivers: arm -> `error_drivers` of one list of features, real among them; resampled: the same arms'
    `resampled_importances`, for intervals of 95 %. Below the features stand the agreement with real (Pearson, the
    paper's; and Spearman) and the forest's held-out error, the paper's Table 3.
    """
    paper = paper_table("4").query("task == @task").set_index("attribute")
    errors = paper_table("3").set_index("task").loc[task]
    table = _importances(drivers, resampled, "impurity")
    forest = {"Attribute": "MAE of the forest (pp)"}
    for arm, found in drivers.items():
        label, known = ARM_LABELS[arm], paper[arm]
        listed = [known.at[_attribute(feature)] for feature in found.importances.index]
        ours = list(table[label])
        beside = [f"{cell} / {number_text(value, 3)}" for cell, value in zip(ours[:-2], listed, strict=True)]
        last = ours[-2] if arm == REAL else f"{ours[-2]} / {number_text(known.at['correlation'], 3)}"
        table[label] = [*beside, last, ours[-1]]
        forest[label] = f"{found.mae:.2f} / {errors[arm]:.2f}"
    return pd.concat([table, pd.DataFrame([forest])], ignore_index=True)


def permutation_by_arm(drivers: Mapping[str, ErrorDrivers], resampled: Mapping[str, Resampled]) -> pd.DataFrame:
    """One task's permutation importances by arm [95 % interval], points by which the forest's error rises on patients
    whom it has not seen, and their agreement with real; arguments as in `error_drivers_by_arm`."""
    return _importances(drivers, resampled, "permutation")


def _importances(drivers: Mapping[str, ErrorDrivers], resampled: Mapping[str, Resampled], kind: str) -> pd.DataFrame:
    """A row for each feature, and two for the agreement with real."""
    real = drivers[REAL].importances[kind]
    intervals = {arm: importance_intervals(getattr(resampled[arm], kind)) for arm in drivers}
    rows = []
    for place, feature in enumerate(real.index):
        row = {"Attribute": _attribute(feature).replace("_", " ")}
        for arm, found in drivers.items():
            value = found.importances.at[feature, kind]
            row[ARM_LABELS[arm]] = f"{value:.3f}{bounds_text(*intervals[arm][place], 3)}"
        rows.append(row)
    pearson, spearman = {"Attribute": "r with real"}, {"Attribute": "rank r with real"}
    for arm, found in drivers.items():
        agreement = importance_agreement(found.importances[kind], real)
        sure = agreement_interval(getattr(resampled[arm], kind), getattr(resampled[REAL], kind))
        pearson[ARM_LABELS[arm]] = f"{agreement.pearson:.3f}{bounds_text(*sure.pearson, 3)}"
        spearman[ARM_LABELS[arm]] = f"{agreement.spearman:.3f}{bounds_text(*sure.spearman, 3)}"
    pearson[ARM_LABELS[REAL]] = spearman[ARM_LABELS[REAL]] = DASH
    return pd.DataFrame([*rows, pearson, spearman])


def correlations_beside_paper(correlations: pd.DataFrame, task: str) -> pd.DataFrame:
    """One task's correlations of the error with the biased attributes, from `correlation_table`, as in Table 2."""
    paper = paper_table("2").query("task == @task").set_index("attribute")
    rows = []
    for row in correlations.itertuples():
        name = _attribute(row.attribute)
        rows.append(
            {
                "Attribute": name.replace("_", " "),
                "r, real (n)": f"{row.real:.3f} ({row.n_real})",
                "r, synthetic (n)": f"{row.other:.3f} ({row.n_other})",
                "p": p_text(row.p),
                "Paper: r, real": number_text(paper.at[name, "real"], 3),
                "Paper: r, synthetic": number_text(paper.at[name, "synthetic"], 3),
                "Paper: p": p_text(paper.at[name, "p"]),
            }
        )
    return pd.DataFrame(rows)


def _attribute(column: str) -> str:
    """The paper's name of a measured column: `age_years` -> `age`, `body_volume_l_measured` -> `body_volume`."""
    name = column.removesuffix("_measured")
    for unit in ("_years", "_cm", "_kg", "_g_per_cm3", "_l"):
        name = name.removesuffix(unit)
    return name
