"""What the generator can do, as the tables that a page prints: text cells, ours beside the paper's where it has any."""

from collections.abc import Mapping

import pandas as pd

from vctlib.errors import InputError
from vctlib.metrics.intervals import Estimate
from vctlib.text import DASH, interval_text, number_text
from vctlib.trial.paper_tables import paper_table

REGIONS = {"whole grid": ("psnr_db", "ssim"), "body only": ("psnr_body_db", "ssim_body")}
# Section 1.4 of killeen2025: mean Z over the categories, synthetic against real
PAPER_Z = {"age": 0.608, "height": 0.656, "weight": 0.630}
# of codebooks: measure, title, digits
_KEPT = (
    ("psnr_db", "PSNR [95% CI] (dB)", 1),
    ("ssim", "SSIM [95% CI]", 3),
    ("body_fat_mae", "Body fat, absolute error [95% CI] (pp)", 2),
    ("muscle_mae", "Muscle, absolute error [95% CI] (pp)", 2),
)
MEASURED_AS = {"age": "bone density", "height": "height", "weight": "mass"}


def reconstruction_beside_paper(found: Mapping[str, Estimate]) -> pd.DataFrame:
    """PSNR (dB) and SSIM of reconstructions, over the grid and the body, above the rows of the paper's Table A2."""
    rows = []
    for region, (psnr, ssim) in REGIONS.items():
        rows.append(
            {
                "Source": f"ours, {region}",
                "n": str(found[psnr].n),
                "PSNR [95% CI] (dB)": interval_text(found[psnr].value, found[psnr].ci95),
                "SSIM [95% CI]": interval_text(found[ssim].value, found[ssim].ci95, 3),
            }
        )
    for row in paper_table("A2").itertuples():
        stages = "one stage" if row.stack_levels == 1 else f"{row.stack_levels} stages"
        loss = "multi-window L1" if row.multi_window_loss else "plain L1"
        rows.append(
            {
                "Source": f"paper, {stages}, {loss}",
                "n": DASH,
                "PSNR [95% CI] (dB)": f"{row.psnr:.2f}",
                "SSIM [95% CI]": f"{row.ssim:.4f}",
            }
        )
    return pd.DataFrame(rows)


def codebooks_beside_paper(table: pd.DataFrame) -> pd.DataFrame:
    """What an autoencoder keeps with codebooks of each size, beside the paper's Table A3.

    table: rows with arm, codebooks, codes, measure (psnr_db, ssim, body_fat_mae, muscle_mae), value, low, high and n;
    codes are NaN for the arm without codebooks.
    """
    paper = paper_table("A3").set_index(["stack_levels", "codebook_size"])
    rows = []
    for arm, group in table.groupby("arm", sort=False):
        own = group.set_index("measure")
        count, size = own.iloc[0][["codebooks", "codes"]]
        printed = paper.loc[(count, size)] if (count, size) in paper.index else None
        row = {"Latents": arm, "n": str(int(own.iloc[0]["n"]))}
        for measure, label, digits in _KEPT:
            e = own.loc[measure]
            row[label] = interval_text(e["value"], (e["low"], e["high"]), digits)
        row["PSNR, paper (dB)"] = DASH if printed is None else f"{printed['psnr']:.2f}"
        row["SSIM, paper"] = DASH if printed is None else f"{printed['ssim']:.4f}"
        rows.append(row)
    return pd.DataFrame(rows)


def training_table(parts: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """What each part of a training took and where its losses ended; a part without a loss shows a dash.

    parts: name -> `steps`, `seconds` and the last value of every loss. A loss that is 0 in all parts is left out.
    """
    names = dict.fromkeys(loss for part in parts.values() for loss in part if loss not in ("steps", "seconds"))
    losses = [loss for loss in names if any(part.get(loss) for part in parts.values())]
    rows = []
    for name, part in parts.items():
        row = {"Network": name.replace("_", " "), "Steps": f"{part['steps']}", "Time (s)": f"{part['seconds']:.0f}"}
        rows.append(row | {loss.capitalize(): f"{part[loss]:.4f}" if loss in part else DASH for loss in losses})
    return pd.DataFrame(rows)


def conditioning_beside_paper(metrics: Mapping[str, Mapping]) -> pd.DataFrame:
    """Mean absolute Z and standardised difference over the categories of age, height and weight.

    metrics: those of the notebook that evaluates the generator, `<attribute>_z_score_<cohort>` and
    `<attribute>_standardized_difference_<cohort>`. n counts the categories that have enough bodies.
    """
    rows = []
    for attribute, paper_z in PAPER_Z.items():
        row = {"Attribute (measured as)": f"{attribute} ({MEASURED_AS[attribute]})"}
        row["Categories"] = f"{metrics[f'{attribute}_z_score_synthetic']['n']}"
        for cohort in ("reconstructed", "synthetic"):
            row[f"Z, {cohort}"] = number_text(metrics[f"{attribute}_z_score_{cohort}"]["value"], 2)
        row["Paper: Z, synthetic"] = f"{paper_z:.3f}"
        for cohort in ("reconstructed", "synthetic"):
            name = f"{attribute}_standardized_difference_{cohort}"
            row[f"SD apart, {cohort}"] = number_text(metrics[name]["value"], 2)
        rows.append(row)
    return pd.DataFrame(rows)


def organ_table(summary: pd.DataFrame, *, beside_paper: bool, segmenter: pd.Series | None = None) -> pd.DataFrame:
    """Dice, volume and centroid correlations by structure, from `metrics.consistency.summarize`.

    `beside_paper`: with the paper's Dice and volume correlation, which compare generated labels with an independent
    segmentation; leave it off for any other pair of label maps. `segmenter`: Dice of that segmentation on reference
    people by structure, which no other Dice can be expected to pass, as a further column.
    """
    paper = paper_table("organs").set_index("structure")
    if beside_paper and (unknown := [name for name in summary.index if name not in paper.index]):
        raise InputError(f"the paper's table of organs has no {', '.join(map(str, unknown))}")
    rows = []
    for name, row in summary.iterrows():
        cells = {
            "Structure": str(name).replace("_", " "),
            "n": number_text(row["n"], 0),
            "Dice (SD)": _with_sd(row["dice_mean"], row["dice_sd"]),
            "r, volume": number_text(row["volume_r"], 3),
        }
        for letter, axis in (("R", "right"), ("A", "anterior"), ("S", "superior")):
            cells[f"r, {letter}"] = number_text(row[f"centroid_{axis}_r"], 3)
        if segmenter is not None:
            cells["Segmenter's own Dice"] = number_text(segmenter.get(name), 3)
        if beside_paper:
            cells["Paper: Dice (SD)"] = _with_sd(paper.at[name, "dice"], paper.at[name, "dice_sd"])
            cells["Paper: r, volume"] = number_text(paper.at[name, "volume_correlation"], 3)
        rows.append(cells)
    return pd.DataFrame(rows)


def frechet_by_plane(realism: pd.DataFrame, floor: str = "reference") -> pd.DataFrame:
    """Fréchet distances as Table A4 lays them out: a row for each region and plane, an arm's distance [95% CI] beside
    how many times the floor that is. The floor, an arm of other reference people, comes first.

    realism: from `metrics.realism.realism_table`.
    """
    rows = []
    for (region, plane), group in realism.groupby(["region", "plane"], sort=False):
        cells = group.set_index(["measure", "arm"]).sort_index()
        row = {"Region": words(region), "Plane": plane, "n": str(group["n"].min())}
        row["Floor [95% CI]"] = estimate_text(cells.loc[("frechet", floor)], 2)
        for arm in group["arm"].unique():
            if arm != floor:
                row[f"{words(arm)} [95% CI]"] = estimate_text(cells.loc[("frechet", arm)], 2)
                row[f"{words(arm)} / floor"] = number_text(cells.loc[("frechet_over_floor", arm)]["value"], 1)
        rows.append(row)
    return pd.DataFrame(rows)


def realism_by_region(realism: pd.DataFrame) -> pd.DataFrame:
    """The other measures of `metrics.realism.realism_table`, means over the planes: a row for each region and arm."""
    digits = {"kernel": 3, "precision": 2, "recall": 2, "density": 2, "coverage": 2}
    rows = []
    means = realism[realism["plane"] == "average"]
    for (region, arm), group in means.groupby(["region", "arm"], sort=False):
        cells = group.set_index("measure")
        row = {"Region": words(region), "People": words(arm), "n": str(group["n"].iloc[0])}
        names = {name: "Kernel distance" if name == "kernel" else name.capitalize() for name in digits}
        rows.append(row | {names[name]: estimate_text(cells.loc[name], places) for name, places in digits.items()})
    return pd.DataFrame(rows)


def diversity_beside_reference(diversity: pd.DataFrame) -> pd.DataFrame:
    """MS-SSIM among people of one category, from `metrics.diversity.diversity_table`: a row an arm."""
    rows = []
    for arm, row in diversity.iterrows():
        less = row[["difference", "difference_low", "difference_high"]].set_axis(["value", "low", "high"])
        cells = {
            "People": words(str(arm)),
            "Pairs": number_text(row["n"], 0),
            "MS-SSIM [95% CI]": estimate_text(row, 3),
        }
        rows.append(
            cells | {"Difference to reference [95% CI]": DASH if arm == "reference" else estimate_text(less, 3)}
        )
    return pd.DataFrame(rows)


def words(name: str) -> str:
    """`head_and_neck` -> `Head and neck`."""
    return name.replace("_", " ").capitalize()


def estimate_text(row: Mapping, digits: int) -> str:
    """`0.91 [0.88, 0.93]` from a row with value, low and high."""
    return interval_text(row["value"], (row["low"], row["high"]), digits)


def _with_sd(mean: float, sd: float) -> str:
    return DASH if pd.isna(mean) else f"{mean:.3f}" + ("" if pd.isna(sd) else f" ({sd:.3f})")


def published_table(ratios: pd.DataFrame) -> pd.DataFrame:
    """Phantoms beside published values as text for a page of the book, from `metrics.published.beside_published`."""
    rows = []
    for row in ratios.to_dict("records"):
        interval = f"{number_text(row['ratio'], 2)} [{number_text(row['low'], 2)}, {number_text(row['high'], 2)}]"
        rows.append(
            {
                "Quantity": row["quantity"].replace("_", " "),
                "Sex": row["sex"],
                "n": number_text(row["n"], 0),
                "Ours": number_text(row["ours"], 1),
                "Published (SD)": number_text(row["published"], 1)
                + ("" if pd.isna(row["published_sd"]) else f" ({number_text(row['published_sd'], 1)})"),
                "Ratio [95% CI]": interval,
                "Role": row["role"],
                "Source": f"{{cite:t}}`{row['source']}`; {row['about']}",
            }
        )
    return pd.DataFrame(rows)
