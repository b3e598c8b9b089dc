"""The page of `vct trial`: the report with its figures in one HTML file, its verdicts in the terminal."""

from datetime import date
from pathlib import Path

import pandas as pd

from vctlib import __version__
from vctlib.files import write_text
from vctlib.metrics.extrapolation import FLAGS
from vctlib.plots.style import set_style
from vctlib.plots.trial_report import errors_over_attributes, intervals_on_limits, svg_of
from vctlib.results import hardware
from vctlib.trial.arms import ARM_LABELS, REAL, SYNTHETIC
from vctlib.trial.bias import FEATURES, ErrorDrivers, error_drivers
from vctlib.trial.culling import culling_curve
from vctlib.trial.evaluate import attribute_frame, degradation
from vctlib.trial.html import report_page
from vctlib.trial.likeness import likeness
from vctlib.trial.populations import Members
from vctlib.trial.protocol import MAE, Protocol
from vctlib.trial.report import trial_report
from vctlib.trial.report_sections import verdict_lines
from vctlib.trial.subgroups import COLUMNS, subgroup_table

_FEWEST_FOR_DRIVERS = 30  # people, below which a forest of eight attributes finds nothing
_NO_SUBGROUPS = pd.DataFrame(columns=[*COLUMNS, "arm"])


def write_page(place: Path, judged, protocol: Protocol, who: Members, model: str) -> Path:
    """Write `report.html`, its text as `report.md`, and the tables of arms and subgroups; print the verdicts; return
    the path of the page."""
    set_style()
    arms = [arm for arm in (REAL, SYNTHETIC) if any(of_arm == arm for _, of_arm in judged.tables)]
    frames = {arm: _every_image_once(attribute_frame(judged.tables, arm)) for arm in arms}
    subgroups = {arm: subgroup_table(frame, protocol) for arm, frame in frames.items()}
    has_errors = protocol.endpoint == MAE  # scores of a detection have no errors to explain
    drivers = _drivers(frames, protocol.seed) if has_errors else {}
    markdown = trial_report(
        judged.table,
        protocol,
        degradation=degradation(judged.tables, protocol),
        drivers=drivers or None,
        remarks=judged.remarks,
        left_out=judged.left_out,
        subgroups=subgroups,
        coverage=_coverage(judged.images, who),
        likeness=likeness(judged.tables) if has_errors else None,
        culling=None if who.split is None else culling_curve(judged.tables, who.split, protocol),
    )
    limits = {"acceptable": protocol.margins.acceptable, "failure": protocol.margins.failure}
    limits["label"] = protocol.measure if protocol.endpoint != MAE else f"mean absolute error ({protocol.symbol})"
    figures = {}
    if len(judged.table):
        words = judged.table.assign(
            line=[f"{r.population.replace('_', ' ')}, {ARM_LABELS[r.arm].lower()}" for r in judged.table.itertuples()]
        )
        caption = f"{protocol.measure} and its {protocol.level:.0%} interval over people, on the protocol's limits."
        figure = intervals_on_limits(words, "line", **limits, colour_by="arm")
        figures["Why: errors by population and arm"] = svg_of(figure), caption
    for arm, table in subgroups.items():
        section = f"Subgroups, {ARM_LABELS[arm].lower()} images"
        figure = intervals_on_limits(table.assign(arm=arm), "subgroup", **limits, colour_by="arm")
        figures[section] = (
            svg_of(figure),
            "The same by subgroup, intervals widened for their number; open: too few people.",
        )
    if drivers:
        arm = next(iter(drivers))
        caption = (
            f"Signed errors on {ARM_LABELS[arm].lower()} images; the line is a running mean over a quarter of them."
        )
        figures["What drives the error"] = svg_of(errors_over_attributes(frames[arm], protocol.symbol, arm)), caption
    footer = (
        f"Model {model}. vctlib {__version__}, {hardware()}, {date.today().isoformat()}. All figures are those of "
        "result.json beside this page."
    )
    write_text(place / "report.md", markdown)
    write_text(place / "report.html", report_page(markdown, figures, footer))
    write_text(place / "arms.csv", _named(judged.table, protocol).to_csv(index=False))
    parts = [table.assign(arm=arm) for arm, table in subgroups.items()]
    write_text(
        place / "subgroups.csv", _named(pd.concat(parts) if parts else _NO_SUBGROUPS, protocol).to_csv(index=False)
    )
    for line in [*(f"Read this first: {remark}" for remark in judged.remarks), *verdict_lines(judged.table, protocol)]:
        print(line.replace("*", ""))
    return place / "report.html"


def _named(table: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    """With the columns that hold the endpoint named after it."""
    return table.rename(columns=lambda name: name.replace("mae", protocol.endpoint))


def _every_image_once(frame: pd.DataFrame) -> pd.DataFrame:
    """Populations of a protocol may overlap; here each image counts once."""
    return frame.drop_duplicates(["arm", "image_id"], ignore_index=True)


def _drivers(frames: dict[str, pd.DataFrame], seed: int) -> dict[str, ErrorDrivers]:
    if not frames or min(frame["subject_id"].nunique() for frame in frames.values()) < _FEWEST_FOR_DRIVERS:
        return {}
    known = [
        name
        for name in FEATURES
        if all(name in frame and frame[name].notna().mean() > 0.9 for frame in frames.values())
    ]
    if not known:
        return {}
    whole = {arm: frame.dropna(subset=known) for arm, frame in frames.items()}
    return {arm: error_drivers(frame, known, seed=seed) for arm, frame in whole.items()}


def _coverage(images: pd.DataFrame, who: Members) -> pd.DataFrame | None:
    """How many synthetic bodies of each population are like people whom the generator learned from; None where the
    cohort does not tell."""
    if "flag" not in images or not (images["arm"] == SYNTHETIC).any():
        return None
    synthetic = images[images["arm"] == SYNTHETIC]
    rows = []
    for name, ids in who.of.items():
        own = synthetic.loc[synthetic["subject_id"].isin(ids), "flag"]
        rows.append((name, len(own), *((own == flag).sum() for flag in FLAGS)))
    return pd.DataFrame(rows, columns=["population", "images", *FLAGS])
