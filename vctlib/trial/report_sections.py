"""The sections of a trial's report, in Markdown."""

import pandas as pd

from vctlib.trial.arms import ARM_LABELS, REAL, REAL_WEIGHTED, SYNTHETIC, SYNTHETIC_CALIBRATED, SYNTHETIC_REBIASED
from vctlib.trial.bias import ErrorDrivers, importance_agreement
from vctlib.trial.protocol import Protocol
from vctlib.trial.split import ID, OOD
from vctlib.trial.verdict import NOT_ENOUGH_EVIDENCE

_ALPHA = 0.05  # of the equivalence tests
LIKENESS_WORDS = (
    "KS is the Kolmogorov-Smirnov distance of the signed errors; its p takes images as independent. Mean difference "
    "and limits are Bland and Altman's, over people with one image in both arms."
)
CULLING_WORDS = (
    "A synthetic body stays where it lies at least so deep on its population's side of the boundary, in points of the "
    "boundary's tissue; 0 is the paper's re-biased arm. Culling needs the composition of the population that the trial "
    "asks about: the more it changes the error, the more of the answer was put in."
)
_MANY = 10_000  # people, beyond which nobody is told how many a verdict would take
_POPULATION_NAMES = {ID: "in-distribution (ID) population", OOD: "out-of-distribution (OOD) population"}


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; cells are strings, and a bar in one is escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def number(value: float, form: str = ".2f") -> str:
    return "-" if pd.isna(value) else format(value, form)


def _p_value(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def interval(low: float, high: float) -> str:
    return "-" if pd.isna(low) else f"[{low:.2f}, {high:.2f}]"


def lookup(table: pd.DataFrame, population: str, arm: str) -> pd.Series | None:
    rows = table[(table["population"] == population) & (table["arm"] == arm)]
    return None if rows.empty else rows.iloc[0]


def verdict_lines(table: pd.DataFrame, protocol: Protocol) -> list[str]:
    """What every arm says of each population, and, where there are real images, whether it says the same."""
    lines = []
    for population in protocol.population_names:
        name = _POPULATION_NAMES.get(population, f"population *{plain(population)}*")
        real = lookup(table, population, REAL)
        arms = (SYNTHETIC_CALIBRATED, SYNTHETIC_REBIASED, SYNTHETIC, REAL_WEIGHTED)
        others = [lookup(table, population, arm) for arm in arms]
        others = [row for row in others if row is not None and pd.notna(row["mae"])]
        first = others.pop(0) if real is None and others else real
        if first is None:
            lines.append(f"- On the {name}: **not enough evidence**, for there is no answer to judge.")
            continue
        few = ", too few people for an interval" if pd.isna(first["mae_low"]) else _people_wanted(first, protocol)
        lines.append(
            f"- On the {name}, {ARM_LABELS[first['arm']].lower()} images say **{first['verdict']}**: "
            f"{protocol.measure} {protocol.with_unit(number(first['mae']))}, {protocol.level:.0%} interval "
            f"{interval(first['mae_low'], first['mae_high'])}, {first['n_patients']} people{few}."
        )
        for row in others:
            relation = ""
            if real is not None:
                alike = row["verdict"] == real["verdict"]
                relation = ", as real images do" if alike else ", **unlike real images**"
            lines.append(
                f"  - {ARM_LABELS[row['arm']]}: {row['verdict']} ({row['mae']:.2f} "
                f"{interval(row['mae_low'], row['mae_high'])}){relation}."
            )
    return lines


def _people_wanted(row: pd.Series, protocol: Protocol) -> str:
    """How many people would settle an open verdict if the mean stayed: an interval narrows with the root of n."""
    acceptable, failure = protocol.margins.acceptable, protocol.margins.failure
    if row["verdict"] != NOT_ENOUGH_EVIDENCE:
        return ""
    if row.get("withheld", False):
        return "; too many images have no answer"
    away = min(abs(row["mae"] - acceptable), abs(row["mae"] - failure))
    half = (row["mae_high"] - row["mae_low"]) / 2
    if half <= away:
        return ""  # open for another reason, such as a lopsided interval
    wanted = row["n_patients"] * (half / max(away, 1e-9)) ** 2
    return f"; some {_rounded_up(wanted)} people would settle it if the mean stays" if wanted < _MANY else ""


def _rounded_up(value: float) -> int:
    """To one digit: a count that is estimated so roughly has no more."""
    step = 10 ** (len(str(int(value))) - 1)
    return int(-(-value // step) * step)


def arms_section(table: pd.DataFrame, measure: str = "MAE") -> str:
    """The paper's Table 1; its columns on the likeness to real images only where there are any."""
    compared = table["z"].notna().any()
    header = ["Population", "Arm", "Images", "People", measure, "Interval", "Verdict (paper's)", "Verdict"]
    if compared:
        header[4:4], header[-2:-2] = ["Missing"], ["Z", "Z interval", "p (paper's)"]
    rows = []
    for row in table.itertuples():
        cells = [plain(row.population), ARM_LABELS[row.arm], row.n, row.n_patients, number(row.mae),
                 interval(row.mae_low, row.mae_high), row.verdict_paper, row.verdict]  # fmt: skip
        if compared:
            likeness = [number(row.z), interval(row.z_low, row.z_high), number(row.p, ".3f")]
            cells[4:4], cells[-2:-2] = [row.n_missing], likeness
        rows.append(cells)
    return markdown_table(header, rows)


def plain(name: str) -> str:
    """A name of a protocol or a column as words: `usual_weight` -> `usual weight`."""
    return name.removesuffix("_measured").replace("_per_", "/").replace("_", " ")


def replication_lines(table: pd.DataFrame, protocol: Protocol) -> list[str]:
    lines, margin = [], protocol.with_unit(f"{protocol.margins.equivalence:g}")
    for row in table.dropna(subset=["difference"]).itertuples():
        found = (
            f"equivalent within +-{margin}" if row.p_equivalence < _ALPHA
            else f"not shown to be equivalent within +-{margin}"
        )  # fmt: skip
        lines.append(
            f"- {plain(row.population)}, {ARM_LABELS[row.arm]}: {protocol.with_unit(f'{row.difference:+.2f}')} against "
            f"real {interval(row.difference_low, row.difference_high)}; {found} ({_p_value(row.p_equivalence)})."
        )
    return lines


def likeness_section(likeness: pd.DataFrame, unit: str) -> str:
    header = [
        "Population",
        "Arm",
        "KS",
        "p",
        f"Wasserstein ({unit})",
        "Pairs",
        f"Mean difference ({unit})",
        "95% limits",
    ]
    rows = [
        [plain(row.population), ARM_LABELS[row.arm], number(row.ks, ".3f"), number(row.ks_p, ".3f"),
         number(row.wasserstein), row.n_pairs or "-", number(row.bias, "+.2f"),
         interval(row.limit_low, row.limit_high)]
        for row in likeness.itertuples()
    ]  # fmt: skip
    return markdown_table(header, rows)


def culling_section(culling: pd.DataFrame, unit: str) -> str:
    header = ["Population", "Stays from (points)", "Culled", "Images", f"MAE ({unit})", "Interval", f"Real ({unit})",
              "Verdict"]  # fmt: skip
    rows = [
        [plain(row.population), "all" if row.threshold == -float("inf") else f"{row.threshold:+g}",
         f"{row.culled:.0%}", row.n, number(row.mae), interval(row.mae_low, row.mae_high), number(row.mae_real),
         row.verdict]
        for row in culling.itertuples()
    ]  # fmt: skip
    return markdown_table(header, rows)


def subgroups_section(subgroups: pd.DataFrame, protocol: Protocol) -> str:
    header = ["Subgroup", "Images", "People", protocol.measure_with_unit, "Interval", "More than the others",
              "Interval ", "Verdict"]  # fmt: skip
    rows = [
        [row.subgroup, row.n, row.n_patients, number(row.mae), interval(row.mae_low, row.mae_high),
         number(row.difference, "+.2f"), interval(row.difference_low, row.difference_high), row.verdict]
        for row in subgroups.itertuples()
    ]  # fmt: skip
    return markdown_table(header, rows)


def coverage_section(coverage: pd.DataFrame) -> str:
    header = ["Population", "Images", "Like people it learned from", "Of a combination it never saw", "Extrapolation"]
    rows = [[plain(population), *counts] for population, *counts in coverage.itertuples(index=False)]
    return markdown_table(header, rows)


def drivers_section(drivers: dict[str, ErrorDrivers], unit: str) -> str:
    header = ["Attribute"] + [
        f"{ARM_LABELS[arm]} ({kind})" for arm in drivers for kind in ("impurity", f"permutation, {unit}")
    ]
    names = next(iter(drivers.values())).importances.index
    rows = [
        [plain(name)]
        + [
            cell
            for found in drivers.values()
            for cell in (
                number(found.importances.loc[name, "impurity"], ".3f"),
                number(found.importances.loc[name, "permutation"], ".3f"),
            )
        ]
        for name in names
    ]
    lines = [markdown_table(header, rows), ""]
    for arm, found in drivers.items():
        nothing = "" if found.mae < found.baseline_mae else " They explain nothing, and their order means nothing."
        lines.append(
            f"- {ARM_LABELS[arm]}: the attributes predict the error of a new person to {found.mae:.2f} +- "
            f"{found.mae_sd:.2f} {unit}; the mean error alone to {found.baseline_mae:.2f}.{nothing}"
        )
        if arm != REAL and REAL in drivers:
            first, second = drivers[REAL].importances, found.importances
            for kind in ("impurity", "permutation"):
                alike = importance_agreement(first[kind], second[kind])
                lines.append(
                    f"  - {kind} importances against real: Pearson {alike.pearson:.3f}, Spearman {alike.spearman:.3f}."
                )
    return "\n".join(lines)


def condition_words(condition: list) -> str:
    return (
        " or ".join(condition) if isinstance(condition[0], str) else f"from {condition[0]:g} to under {condition[1]:g}"
    )
