"""A finished trial as one page of Markdown: the verdict first, then why."""

import pandas as pd

from vctlib.trial.arms import ARM_LABELS, REAL, REAL_WEIGHTED, SYNTHETIC, SYNTHETIC_REBIASED
from vctlib.trial.bias import ErrorDrivers, importance_agreement
from vctlib.trial.protocol import Protocol
from vctlib.trial.split import ID, OOD, Populations, task_named

_ALPHA = 0.05  # of the equivalence tests
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


def _verdict_lines(table: pd.DataFrame, level: float) -> list[str]:
    """What every arm says of each population, and whether it says the same as real images."""
    lines = []
    for population, name in _POPULATION_NAMES.items():
        real = _lookup(table, population, REAL)
        if real is None:
            continue
        lines.append(
            f"- On the {name}, real images say **{real['verdict']}**: MAE {real['mae']:.2f} pp, "
            f"{level:.0%} interval {_interval(real['mae_low'], real['mae_high'])}."
        )
        for arm in (SYNTHETIC_REBIASED, SYNTHETIC, REAL_WEIGHTED):
            row = _lookup(table, population, arm)
            if row is not None:
                relation = "as real images do" if row["verdict"] == real["verdict"] else "**unlike real images**"
                lines.append(
                    f"  - {ARM_LABELS[arm]}: {row['verdict']} ({row['mae']:.2f} "
                    f"{_interval(row['mae_low'], row['mae_high'])}), {relation}."
                )
    return lines


def _arms_section(table: pd.DataFrame) -> str:
    header = ["Population", "Arm", "Images", "Patients", "Missing", "MAE", "Interval", "Z", "Z interval", "p (paper's)",
              "Verdict (paper's)", "Verdict"]  # fmt: skip
    rows = [
        [
            row.population, ARM_LABELS[row.arm], row.n, row.n_patients, row.n_missing, _number(row.mae),
            _interval(row.mae_low, row.mae_high), _number(row.z), _interval(row.z_low, row.z_high),
            _number(row.p, ".3f"), row.verdict_paper, row.verdict,
        ]
        for row in table.itertuples()
    ]  # fmt: skip
    return markdown_table(header, rows)


def _replication_lines(table: pd.DataFrame, margin: float) -> list[str]:
    lines = []
    for row in table.dropna(subset=["difference"]).itertuples():
        found = (
            f"equivalent within +-{margin:g} pp" if row.p_equivalence < _ALPHA
            else f"not shown to be equivalent within +-{margin:g} pp"
        )  # fmt: skip
        lines.append(
            f"- {row.population}, {ARM_LABELS[row.arm]}: {row.difference:+.2f} pp against real "
            f"{_interval(row.difference_low, row.difference_high)}; {found} ({_p_value(row.p_equivalence)})."
        )
    return lines


def _drivers_section(drivers: dict[str, ErrorDrivers]) -> str:
    header = ["Attribute"] + [
        f"{ARM_LABELS[arm]} ({kind})" for arm in drivers for kind in ("impurity", "permutation, pp")
    ]
    names = next(iter(drivers.values())).importances.index
    rows = [
        [name]
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
            f"{found.mae_sd:.2f} pp; the mean error alone to {found.baseline_mae:.2f}."
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
) -> str:
    """The report in Markdown.

    table: from `evaluate_arms`; degradation: from `evaluate.degradation`; populations: from `draw_populations`;
    correlations: from `correlation_table`; drivers: `error_drivers` by arm, with the same features in each. What is
    not given is left out.
    """
    margins = protocol.margins
    parts = [
        f"# Virtual trial: {task_named(protocol.task).label.lower()}",
        f"*{protocol.question}*",
        "## Verdict",
        "\n".join(_verdict_lines(table, protocol.level)),
        f"MAE is the mean absolute error in percentage points (pp). A model passes where the whole interval lies below "
        f"{margins.acceptable:g} pp and fails where it lies above {margins.failure:g} pp; where it crosses a limit "
        "there is not enough evidence. The paper's verdict looks at the mean alone.",
        "## Why: errors by population and arm",
        _arms_section(table),
        f"Intervals: {protocol.level:.0%} percentile bootstrap of {protocol.n_resamples} resamples of patients. Z and "
        "p are the paper's, kept for comparison: the p is a mean over resamples, which hides differences, so that a "
        "large one is no evidence of likeness. The next section gives that evidence, or its lack.",
    ]
    weighted = _lookup(table, OOD, REAL_WEIGHTED)
    if weighted is not None:
        parts.append(
            f"The weighted arm says as much as {weighted['effective_sample_size']:.1f} equally weighted people would."
        )
    replication = _replication_lines(table, margins.equivalence)
    if replication:
        parts += ["## Do the errors repeat those on real images?", "\n".join(replication)]
    if degradation is not None:
        rows = [
            [ARM_LABELS[row.arm], f"{row.degradation:+.2f}", _interval(row.low, row.high)]
            for row in degradation.itertuples()
        ]
        parts += ["## From ID to OOD", markdown_table(["Arm", "Rise of the MAE (pp)", "Interval"], rows)]
    if correlations is not None:
        rows = [
            [row.attribute, _number(row.real, ".3f"), _number(row.other, ".3f"), _number(row.p, ".3f")]
            for row in correlations.itertuples()
        ]
        header = ["Attribute", "Real", "Synthetic", "p (Fisher's Z)"]
        parts += ["## Correlation of the absolute error with the bias attributes", markdown_table(header, rows)]
    if drivers:
        parts += ["## What drives the error", _drivers_section(drivers)]
    parts.append("## Protocol")
    if populations is not None:
        parts.append(
            f"People: {populations.describe()}. Correlation of body volume with the target in training: "
            f"{populations.training_correlation:.3f}."
        )
    parts.append(f"Truth: `{protocol.truth_column}`. Seed: {protocol.seed}. SHA-256: `{protocol.sha256()}`.")
    return "\n\n".join(parts) + "\n"
