"""A finished trial as one page of Markdown: the verdict first, then why."""

from collections.abc import Sequence

import pandas as pd

from vctlib.trial.arms import ARM_LABELS, REAL, REAL_WEIGHTED, SYNTHETIC, SYNTHETIC_CALIBRATED, SYNTHETIC_REBIASED
from vctlib.trial.bias import ErrorDrivers
from vctlib.trial.protocol import AUC, Protocol
from vctlib.trial.report_sections import (
    CULLING_WORDS,
    LIKENESS_WORDS,
    arms_section,
    condition_words,
    coverage_section,
    culling_section,
    drivers_section,
    interval,
    likeness_section,
    lookup,
    markdown_table,
    number,
    plain,
    replication_lines,
    subgroups_section,
    verdict_lines,
)
from vctlib.trial.split import OOD, Populations

_INTERVALS = {"percentile": "percentile", "bca": "bias-corrected and accelerated (BCa)"}


def _endpoint_words(protocol: Protocol) -> str:
    """What the figures are, and when a model passes."""
    acceptable, failure = (
        protocol.with_unit(f"{limit:g}") for limit in (protocol.margins.acceptable, protocol.margins.failure)
    )
    if protocol.endpoint == AUC:
        measure = "AUC is the share of pairs of one with the condition and one without whom the model ranks right"
        passes, fails, value = "above", "below", "AUC"
    else:
        in_words = "percentage points (pp)" if protocol.symbol == "pp" else protocol.symbol
        measure, passes, fails, value = f"MAE is the mean absolute error in {in_words}", "below", "above", "mean"
    return (
        f"{measure}. A model passes where the whole interval lies {passes} {acceptable} and fails where it lies "
        f"{fails} {failure}; where it crosses a limit there is not enough evidence. The paper's verdict looks at the "
        f"{value} alone."
    )


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
    likeness: pd.DataFrame | None = None,
    culling: pd.DataFrame | None = None,
) -> str:
    """The report in Markdown.

    table: from `evaluate_arms`; degradation: from `evaluate.degradation`; populations: from `draw_populations`;
    correlations: from `correlation_table`; drivers: `error_drivers` by arm, with the same features in each; remarks:
    what throws doubt on the answers; left_out: which images are not in, and why; subgroups: `subgroup_table` by arm;
    coverage: population, images, and of these how many are like people whom the generator learned from, of unseen
    combinations, and extrapolation; likeness, culling: from the functions of that name. What is not given is left out.
    """
    unit = protocol.symbol
    parts = [
        f"# Virtual trial: {protocol.words[:1].lower() + protocol.words[1:]}",
        f"*{protocol.question}*",
    ]
    if remarks:
        parts.append("**Read this first:**\n\n" + "\n".join(f"- {remark}" for remark in remarks))
    parts += ["## Verdict", "\n".join(verdict_lines(table, protocol)), _endpoint_words(protocol)]
    if REAL not in protocol.arms:
        parts.append(
            "No real images stand beside the synthetic ones, so what a generated image itself adds to the error is "
            "part of these figures. A small real arm would tell it apart."
        )
    if set(protocol.arms) & {SYNTHETIC, SYNTHETIC_REBIASED}:
        parts.append(
            "Synthetic images stand for people and are not of patients. What is found on them is a warning or a reason "
            "for hope, and no clinical evidence."
        )
    if len(table):
        parts += ["## Why: errors by population and arm", arms_section(table, protocol.measure)]
    resamples = (
        f"Intervals: {protocol.level:.0%} {_INTERVALS[protocol.interval]} bootstrap, {protocol.n_resamples} resamples "
        "of people."
    )
    if table["z"].notna().any():
        resamples += (
            " Z and p are the paper's, kept for comparison: the p is a mean over resamples, which hides differences, "
            "so that a large one is no evidence of likeness. The next section gives that evidence, or its lack."
        )
    parts.append(resamples)
    if (table["arm"] == SYNTHETIC_CALIBRATED).any():
        parts.append(
            f"{ARM_LABELS[SYNTHETIC_CALIBRATED]}: synthetic errors less what the picture itself adds to an error, as "
            f"people of the population *{plain(protocol.calibrated_by)}* tell it by their CTs and reconstructions. "
            "Their own population has no such row."
        )
    weighted = lookup(table, OOD, REAL_WEIGHTED)
    if weighted is not None:
        parts.append(
            f"The weighted arm says as much as {weighted['effective_sample_size']:.1f} equally weighted people would: "
            f"the heaviest tenth of them carry {weighted['heaviest_tenth']:.0%} of the weight. Its forest tells the "
            f"populations apart with an accuracy of {weighted['accuracy']:.2f} on the people it was trained on."
        )
    replication = replication_lines(table, protocol)
    if replication:
        parts += ["## Do the errors repeat those on real images?", "\n".join(replication)]
    if likeness is not None and len(likeness):
        parts += [likeness_section(likeness, unit), LIKENESS_WORDS]
    if culling is not None and len(culling):
        parts += ["## How much the culling does", culling_section(culling, unit), CULLING_WORDS]
    if degradation is not None and len(degradation):
        rows = [
            [ARM_LABELS[row.arm], f"{row.degradation:+.2f}", interval(row.low, row.high)]
            for row in degradation.itertuples()
        ]
        parts += ["## From ID to OOD", markdown_table(["Arm", f"Rise of the MAE ({unit})", "Interval"], rows)]
    for arm, found in (subgroups or {}).items():
        parts += [
            f"## Subgroups, {ARM_LABELS[arm].lower()} images",
            subgroups_section(found, protocol),
            "Both intervals allow for the number of subgroups that are looked at (Bonferroni), so that all hold "
            f"together at {protocol.level:.0%}. Small subgroups have a mean and no verdict.",
        ]
    if correlations is not None:
        rows = [
            [row.attribute, number(row.real, ".3f"), number(row.other, ".3f"), number(row.p, ".3f")]
            for row in correlations.itertuples()
        ]
        header = ["Attribute", "Real", "Synthetic", "p (Fisher's Z)"]
        parts += ["## Correlation of the absolute error with the bias attributes", markdown_table(header, rows)]
    if drivers:
        parts += ["## What drives the error", drivers_section(drivers, unit)]
    if coverage is not None:
        parts += ["## Whom the generator knows", coverage_section(coverage)]
    if left_out:
        parts += ["## Who is not in it, and why", "\n".join(f"- {line}" for line in left_out)]
    parts.append("## Protocol")
    if populations is not None:
        parts.append(
            f"People: {populations.describe()}. Correlation of body volume with the target in training: "
            f"{populations.training_correlation:.3f}."
        )
    for name, conditions in protocol.populations.items():
        told = "; ".join(f"{plain(column)} {condition_words(condition)}" for column, condition in conditions.items())
        parts.append(f"Population *{plain(name)}*: {told or 'everybody'}.")
    if protocol.boundary:
        people = protocol.people
        parts.append(
            f"Populations *ID* and *OOD* lie on both sides of {protocol.boundary}; id_share is {protocol.id_share:g}. "
            f"Asked for: {people.train} people for training, {people.id_test} and {people.ood_test} for the trial."
        )
    arms = ", ".join(ARM_LABELS[arm].lower() for arm in protocol.arms)
    parts.append(
        f"Arms: {arms}. Synthetic images a person: {protocol.oversampling}. Equivalent within "
        f"{protocol.with_unit(f'{protocol.margins.equivalence:g}')}."
    )
    parts.append(
        f"What is estimated: {protocol.estimand}. Truth: `{protocol.truth_column}`. Seed: {protocol.seed}. SHA-256: "
        f"`{protocol.sha256()}`."
    )
    return "\n\n".join(parts) + "\n"
