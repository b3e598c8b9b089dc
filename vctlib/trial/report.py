"""A finished trial as one page of Markdown: the verdict first, then why."""

from collections.abc import Sequence

import pandas as pd

from vctlib.trial.arms import ARM_LABELS, REAL, REAL_WEIGHTED, SYNTHETIC, SYNTHETIC_REBIASED
from vctlib.trial.bias import ErrorDrivers, importance_agreement
from vctlib.trial.protocol import Protocol
from vctlib.trial.split import ID, OOD, Populations
from vctlib.trial.verdict import NOT_ENOUGH_EVIDENCE

_ALPHA = 0.05  # of the equivalence tests
_MANY = 10_000  # people, beyond which nobody is told how many a verdict would take
_POPULATION_NAMES = {ID: "in-distribution (ID) population", OOD: "out-of-distribution (OOD) population"}


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; cells are strings, and a bar in one is escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def _number(value: float, form: str = ".2f") -> str:
    return "-" if pd.isna(value) else format(value, form)


def _p_value(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _interval(low: float, high: float) -> str:
    return "-" if pd.isna(low) else f"[{low:.2f}, {high:.2f}]"


def _lookup(table: pd.DataFrame, population: str, arm: str) -> pd.Series | None:
    rows = table[(table["population"] == population) & (table["arm"] == arm)]
    return None if rows.empty else rows.iloc[0]


def _verdict_lines(table: pd.DataFrame, protocol: Protocol) -> list[str]:
    """What every arm says of each population, and, where there are real images, whether it says the same."""
    lines = []
    for population in protocol.population_names:
        name = _POPULATION_NAMES.get(population, f"population *{_plain(population)}*")
        real = _lookup(table, population, REAL)
        others = [_lookup(table, population, arm) for arm in (SYNTHETIC_REBIASED, SYNTHETIC, REAL_WEIGHTED)]
        others = [row for row in others if row is not None]
        first = others.pop(0) if real is None and others else real
        if first is None:
            lines.append(f"- On the {name}: **not enough evidence**, for there is nobody.")
            continue
        few = ", too few people for an interval" if pd.isna(first["mae_low"]) else _people_wanted(first, protocol)
        lines.append(
            f"- On the {name}, {ARM_LABELS[first['arm']].lower()} images say **{first['verdict']}**: MAE "
            f"{first['mae']:.2f} {protocol.symbol}, {protocol.level:.0%} interval "
            f"{_interval(first['mae_low'], first['mae_high'])}, {first['n_patients']} people{few}."
        )
        for row in others:
            relation = ""
            if real is not None:
                alike = row["verdict"] == real["verdict"]
                relation = ", as real images do" if alike else ", **unlike real images**"
            lines.append(
                f"  - {ARM_LABELS[row['arm']]}: {row['verdict']} ({row['mae']:.2f} "
                f"{_interval(row['mae_low'], row['mae_high'])}){relation}."
            )
    return lines


def _people_wanted(row: pd.Series, protocol: Protocol) -> str:
    """How many people would settle an open verdict if the mean stayed: an interval narrows with the root of n."""
    acceptable, failure = protocol.margins.acceptable, protocol.margins.failure
    if row["verdict"] != NOT_ENOUGH_EVIDENCE:
        return ""
    away = min(abs(row["mae"] - acceptable), abs(row["mae"] - failure))
    half = (row["mae_high"] - row["mae_low"]) / 2
    if half <= away:
        return ""  # open for another reason, such as a lopsided interval
    wanted = row["n_patients"] * (half / max(away, 1e-9)) ** 2
    return f"; about {_rounded_up(wanted)} people would settle it if the mean stays" if wanted < _MANY else ""


def _rounded_up(value: float) -> int:
    """To two digits: a count that is estimated so roughly has no more."""
    step = 10 ** max(len(str(int(value))) - 2, 0)
    return int(-(-value // step) * step)


def _arms_section(table: pd.DataFrame) -> str:
    """The paper's Table 1; its columns on the likeness to real images only where there are any."""
    compared = table["z"].notna().any()
    header = ["Population", "Arm", "Images", "People", "MAE", "Interval", "Verdict (paper's)", "Verdict"]
    if compared:
        header[4:4], header[-2:-2] = ["Missing"], ["Z", "Z interval", "p (paper's)"]
    rows = []
    for row in table.itertuples():
        cells = [_plain(row.population), ARM_LABELS[row.arm], row.n, row.n_patients, _number(row.mae),
                 _interval(row.mae_low, row.mae_high), row.verdict_paper, row.verdict]  # fmt: skip
        if compared:
            likeness = [_number(row.z), _interval(row.z_low, row.z_high), _number(row.p, ".3f")]
            cells[4:4], cells[-2:-2] = [row.n_missing], likeness
        rows.append(cells)
    return markdown_table(header, rows)


def _plain(name: str) -> str:
    """A name of a protocol or a column as words: `usual_weight` -> `usual weight`."""
    return name.removesuffix("_measured").replace("_per_", "/").replace("_", " ")


def _replication_lines(table: pd.DataFrame, protocol: Protocol) -> list[str]:
    lines, margin = [], f"{protocol.margins.equivalence:g} {protocol.symbol}"
    for row in table.dropna(subset=["difference"]).itertuples():
        found = (
            f"equivalent within +-{margin}" if row.p_equivalence < _ALPHA
            else f"not shown to be equivalent within +-{margin}"
        )  # fmt: skip
        lines.append(
            f"- {_plain(row.population)}, {ARM_LABELS[row.arm]}: {row.difference:+.2f} {protocol.symbol} against real "
            f"{_interval(row.difference_low, row.difference_high)}; {found} ({_p_value(row.p_equivalence)})."
        )
    return lines


def _subgroups_section(subgroups: pd.DataFrame, protocol: Protocol) -> str:
    header = ["Subgroup", "Images", "People", f"MAE ({protocol.symbol})", "Interval", "More than the others",
              "Interval ", "Verdict"]  # fmt: skip
    rows = [
        [row.subgroup, row.n, row.n_patients, _number(row.mae), _interval(row.mae_low, row.mae_high),
         _number(row.difference, "+.2f"), _interval(row.difference_low, row.difference_high), row.verdict]
        for row in subgroups.itertuples()
    ]  # fmt: skip
    return markdown_table(header, rows)


def _coverage_section(coverage: pd.DataFrame) -> str:
    header = ["Population", "Images", "Like people it learned from", "Of a combination it never saw", "Extrapolation"]
    rows = [[_plain(population), *counts] for population, *counts in coverage.itertuples(index=False)]
    return markdown_table(header, rows)


def _drivers_section(drivers: dict[str, ErrorDrivers], unit: str) -> str:
    header = ["Attribute"] + [
        f"{ARM_LABELS[arm]} ({kind})" for arm in drivers for kind in ("impurity", f"permutation, {unit}")
    ]
    names = next(iter(drivers.values())).importances.index
    rows = [
        [_plain(name)]
        + [
            cell
            for found in drivers.values()
            for cell in (
                _number(found.importances.loc[name, "impurity"], ".3f"),
                _number(found.importances.loc[name, "permutation"], ".3f"),
            )
        ]
        for name in names
    ]
    lines = [markdown_table(header, rows), ""]
    for arm, found in drivers.items():
        lines.append(
            f"- {ARM_LABELS[arm]}: the attributes foretell the error of a new patient to {found.mae:.2f} +- "
            f"{found.mae_sd:.2f} {unit}; the mean error alone to {found.baseline_mae:.2f}."
        )
        if arm != REAL and REAL in drivers:
            first, second = drivers[REAL].importances, found.importances
            for kind in ("impurity", "permutation"):
                alike = importance_agreement(first[kind], second[kind])
                lines.append(
                    f"  - {kind} importances against real: Pearson {alike.pearson:.3f}, Spearman {alike.spearman:.3f}."
                )
    return "\n".join(lines)


def trial_report(
    table: pd.DataFrame,
    protocol: Protocol,
    *,
    degradation: pd.DataFrame | None = None,
    populations: Populations | None = None,
    correlations: pd.DataFrame | None = None,
    drivers: dict[str, ErrorDrivers] | None = None,
    remarks: Sequence[str] = (),
    left_out: Sequence[str] = (),
    subgroups: dict[str, pd.DataFrame] | None = None,
    coverage: pd.DataFrame | None = None,
) -> str:
    """The report in Markdown.

    table: from `evaluate_arms`; degradation: from `evaluate.degradation`; populations: from `draw_populations`;
    correlations: from `correlation_table`; drivers: `error_drivers` by arm, with the same features in each; remarks:
    what throws doubt on the answers; left_out: which images are not in, and why; subgroups: `subgroup_table` by arm;
    coverage: population, images, and of these how many are like people whom the generator learned from, of unseen
    combinations, and extrapolation. What is not given is left out.
    """
    margins, unit = protocol.margins, protocol.symbol
    parts = [
        f"# Virtual trial: {protocol.words[:1].lower() + protocol.words[1:]}",
        f"*{protocol.question}*",
        "## Verdict",
        "\n".join(_verdict_lines(table, protocol)),
    ]
    if remarks:
        parts.append("**Read this first:**\n\n" + "\n".join(f"- {remark}" for remark in remarks))
    in_words = "percentage points (pp)" if unit == "pp" else unit
    parts += [
        f"MAE is the mean absolute error in {in_words}. A model passes where the whole interval lies below "
        f"{margins.acceptable:g} {unit} and fails where it lies above {margins.failure:g} {unit}; where it crosses a "
        "limit there is not enough evidence. The paper's verdict looks at the mean alone.",
    ]
    if REAL not in protocol.arms:
        parts.append(
            "No real images stand beside the synthetic ones, so what a generated image itself adds to the error is "
            "part of these figures. A small real arm would tell it apart."
        )
    parts += ["## Why: errors by population and arm", _arms_section(table)]
    resamples = f"Intervals: {protocol.level:.0%} percentile bootstrap of {protocol.n_resamples} resamples of patients."
    if table["z"].notna().any():
        resamples += (
            " Z and p are the paper's, kept for comparison: the p is a mean over resamples, which hides differences, "
            "so that a large one is no evidence of likeness. The next section gives that evidence, or its lack."
        )
    parts.append(resamples)
    weighted = _lookup(table, OOD, REAL_WEIGHTED)
    if weighted is not None:
        parts.append(
            f"The weighted arm says as much as {weighted['effective_sample_size']:.1f} equally weighted people would."
        )
    replication = _replication_lines(table, protocol)
    if replication:
        parts += ["## Do the errors repeat those on real images?", "\n".join(replication)]
    if degradation is not None and len(degradation):
        rows = [
            [ARM_LABELS[row.arm], f"{row.degradation:+.2f}", _interval(row.low, row.high)]
            for row in degradation.itertuples()
        ]
        parts += ["## From ID to OOD", markdown_table(["Arm", f"Rise of the MAE ({unit})", "Interval"], rows)]
    for arm, found in (subgroups or {}).items():
        parts += [
            f"## Subgroups, {ARM_LABELS[arm].lower()} images",
            _subgroups_section(found, protocol),
            "Both intervals allow for the number of subgroups that are looked at (Bonferroni), so that all hold "
            f"together at {protocol.level:.0%}. Small subgroups have a mean and no verdict.",
        ]
    if correlations is not None:
        rows = [
            [row.attribute, _number(row.real, ".3f"), _number(row.other, ".3f"), _number(row.p, ".3f")]
            for row in correlations.itertuples()
        ]
        header = ["Attribute", "Real", "Synthetic", "p (Fisher's Z)"]
        parts += ["## Correlation of the absolute error with the bias attributes", markdown_table(header, rows)]
    if drivers:
        parts += ["## What drives the error", _drivers_section(drivers, unit)]
    if coverage is not None:
        parts += ["## Whom the generator knows", _coverage_section(coverage)]
    if left_out:
        parts += ["## Who is not in it, and why", "\n".join(f"- {line}" for line in left_out)]
    parts.append("## Protocol")
    if populations is not None:
        parts.append(
            f"People: {populations.describe()}. Correlation of body volume with the target in training: "
            f"{populations.training_correlation:.3f}."
        )
    for name, conditions in protocol.populations.items():
        told = "; ".join(f"{_plain(column)} {_condition_words(condition)}" for column, condition in conditions.items())
        parts.append(f"Population *{_plain(name)}*: {told or 'everybody'}.")
    parts.append(
        f"What is estimated: {protocol.estimand}. Truth: `{protocol.truth_column}`. Seed: {protocol.seed}. SHA-256: "
        f"`{protocol.sha256()}`."
    )
    return "\n\n".join(parts) + "\n"


def _condition_words(condition: list) -> str:
    return (
        " or ".join(condition) if isinstance(condition[0], str) else f"from {condition[0]:g} to under {condition[1]:g}"
    )
