"""Tables for the book: cells worked out by hand, and the paper's numbers as printed."""

import numpy as np
import pandas as pd
import pytest

from vctlib.errors import InputError
from vctlib.metrics.intervals import Estimate
from vctlib.plots.book_tables import (
    DASH,
    codebooks_beside_paper,
    conditioning_beside_paper,
    diversity_beside_reference,
    frechet_by_plane,
    organ_table,
    published_table,
    realism_by_region,
    reconstruction_beside_paper,
    training_table,
)


def test_reconstruction_stands_above_table_a2():
    found = {name: Estimate(30.0, (29.5, 30.5), 40) for name in ("psnr_db", "psnr_body_db")}
    found |= {name: Estimate(0.9, (np.nan, np.nan), 40) for name in ("ssim", "ssim_body")}
    table = reconstruction_beside_paper(found).set_index("Source")
    assert table.loc["ours, body only"].tolist() == ["40", "30.00 [29.50, 30.50]", "0.900"]
    assert table.loc["paper, 2 stages, multi-window L1", "PSNR [95% CI] (dB)"] == "31.06"
    assert table.loc["paper, one stage, plain L1", "SSIM [95% CI]"] == "0.9337"


def test_each_size_of_codebook_stands_beside_its_own_row_of_table_a3():
    rows = []
    for arm, count, size, psnr in (("continuous", 0, None, 34.8), ("1024 codes", 1, 1024, 27.5), ("2 × 7", 2, 7, 20.0)):
        for measure, value in (("psnr_db", psnr), ("ssim", 0.9), ("body_fat_mae", 0.6), ("muscle_mae", 0.5)):
            about = {"arm": arm, "codebooks": count, "codes": size, "measure": measure, "n": 24}
            rows.append(about | {"value": value, "low": value - 0.1, "high": value + 0.1})
    shown = codebooks_beside_paper(pd.DataFrame(rows)).set_index("Latents")
    assert list(shown["PSNR [95% CI] (dB)"]) == ["34.8 [34.7, 34.9]", "27.5 [27.4, 27.6]", "20.0 [19.9, 20.1]"]
    assert list(shown["PSNR, paper (dB)"]) == ["–", "29.48", "–"] and list(shown["n"]) == ["24"] * 3
    assert shown.at["1024 codes", "SSIM, paper"] == "0.9333"
    assert shown.at["1024 codes", "Body fat, absolute error [95% CI] (pp)"] == "0.60 [0.50, 0.70]"


def test_training_shows_every_loss_and_a_dash_where_a_part_has_none():
    parts = {
        "image_autoencoder_0": {"steps": 5, "seconds": 61.4, "reconstruction": 0.25, "adversarial": 0.5, "zero": 0.0},
        "image_autoencoder_1": {"steps": 7, "seconds": 8.0, "reconstruction": 0.125, "commitment": 0.5},
    }
    table = training_table(parts)
    assert list(table) == ["Network", "Steps", "Time (s)", "Reconstruction", "Adversarial", "Commitment"]
    assert table.iloc[0].tolist() == ["image autoencoder 0", "5", "61", "0.2500", "0.5000", "\N{EN DASH}"]
    assert table.iloc[1].tolist() == ["image autoencoder 1", "7", "8", "0.1250", "\N{EN DASH}", "0.5000"]


def test_conditioning_takes_each_figure_from_its_metric():
    metrics = {}
    for position, attribute in enumerate(("age", "height", "weight")):
        for cohort, extra in (("reconstructed", 0.1), ("synthetic", 0.2)):
            metrics[f"{attribute}_z_score_{cohort}"] = {"value": position + extra, "n": position + 3}
            metrics[f"{attribute}_standardized_difference_{cohort}"] = {"value": position + 10 * extra, "n": 3}
    metrics["weight_z_score_synthetic"] = {"value": None, "n": 0}
    table = conditioning_beside_paper(metrics).set_index("Attribute (measured as)")
    assert table.loc["height (height)", ["Categories", "Z, reconstructed", "Z, synthetic"]].tolist() == [
        "4",
        "1.10",
        "1.20",
    ]
    assert table.loc["height (height)", "SD apart, synthetic"] == "3.00"
    assert table["Paper: Z, synthetic"].tolist() == ["0.608", "0.656", "0.630"]  # killeen2025 section 1.4
    assert table.loc["weight (mass)", ["Categories", "Z, synthetic"]].tolist() == ["0", "–"]


@pytest.fixture
def summary() -> pd.DataFrame:
    columns = "dice_mean dice_sd n volume_r centroid_right_r centroid_anterior_r centroid_superior_r".split()
    rows = {
        "liver": [0.8, 0.1, 18, 0.95, 0.9, 0.8, 0.7],
        "prostate": [np.nan] * 7,
        "average": [0.8, 0.1, *[np.nan] * 5],
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def test_organs_beside_the_papers(summary):
    table = organ_table(summary, beside_paper=True).set_index("Structure")
    assert table.loc["liver"].tolist() == [
        "18", "0.800 (0.100)", "0.950", "0.900", "0.800", "0.700", "0.874 (0.089)", "0.985"
    ]  # fmt: skip
    assert table.loc["prostate", "Dice (SD)"] == "–" and table.loc["average", "Paper: Dice (SD)"] == "0.727 (0.115)"
    assert not any(name.startswith("Paper") for name in organ_table(summary, beside_paper=False))
    beside = organ_table(summary, beside_paper=True, segmenter=pd.Series({"liver": 0.912})).set_index("Structure")
    assert beside["Segmenter's own Dice"].tolist() == ["0.912", "–", "–"]


def test_structure_that_the_paper_has_not(summary):
    with pytest.raises(InputError, match="no tail"):
        organ_table(summary.rename(index={"liver": "tail"}), beside_paper=True)


@pytest.fixture
def realism() -> pd.DataFrame:
    rows = []
    for r, region in enumerate(("full_body", "torso")):
        for p, plane in enumerate(("sagittal", "average")):
            for a, arm in enumerate(("reference", "synthetic_raw")):
                for measure in (
                    "frechet",
                    "frechet_over_floor",
                    "kernel",
                    "precision",
                    "recall",
                    "density",
                    "coverage",
                ):
                    value = 100.0 * r + 10 * p + a + (0.5 if measure == "frechet" else 0)
                    rows.append((region, plane, arm, measure, value, value - 1, value + 1, 9 + a, 18))
    columns = ["region", "plane", "arm", "measure", "value", "low", "high", "n", "n_against"]
    return pd.DataFrame(rows, columns=columns)


def test_frechet_has_a_row_a_region_and_plane_with_the_floor_first(realism):
    table = frechet_by_plane(realism)
    assert list(table) == ["Region", "Plane", "n", "Floor [95% CI]", "Synthetic raw [95% CI]", "Synthetic raw / floor"]
    assert table.iloc[0].tolist() == ["Full body", "sagittal", "9", "0.50 [-0.50, 1.50]", "1.50 [0.50, 2.50]", "1.0"]
    assert table.iloc[3].tolist()[:4] == ["Torso", "average", "9", "110.50 [109.50, 111.50]"]


def test_other_measures_are_means_over_the_planes_of_each_region_and_arm(realism):
    table = realism_by_region(realism)
    assert table[["Region", "People", "n"]].values.tolist() == [
        ["Full body", "Reference", "9"],
        ["Full body", "Synthetic raw", "10"],
        ["Torso", "Reference", "9"],
        ["Torso", "Synthetic raw", "10"],
    ]
    assert table.iloc[1, 3:].tolist() == ["11.000 [10.000, 12.000]", *["11.00 [10.00, 12.00]"] * 4]


def test_diversity_stands_beside_the_references():
    rows = {"reference": [0.5, 0.4, 0.6, 0, 0, 0, 9], "synthetic": [0.6, 0.5, 0.7, 0.1, 0.05, 0.15, 9]}
    columns = ["value", "low", "high", "difference", "difference_low", "difference_high", "n"]
    table = diversity_beside_reference(pd.DataFrame.from_dict(rows, orient="index", columns=columns))
    assert table.values.tolist() == [
        ["Reference", "9", "0.500 [0.400, 0.600]", DASH],
        ["Synthetic", "9", "0.600 [0.500, 0.700]", "0.100 [0.050, 0.150]"],
    ]


def test_published_values_stand_beside_ours_with_their_source():
    ratios = pd.DataFrame(
        [
            {"quantity": "liver_mass_g", "sex": "male", "n": 3, "ours": 1890.0, "published": 1800.0}
            | {
                "published_sd": np.nan,
                "ratio": 1.05,
                "low": 1.0,
                "high": 1.1,
                "source": "icrp89",
                "role": "independent",
                "about": "without blood",
            },
            {"quantity": "muscle_percent", "sex": "female", "n": 0, "ours": np.nan, "published": 30.6}
            | {
                "published_sd": 5.5,
                "ratio": np.nan,
                "low": np.nan,
                "high": np.nan,
                "source": "janssen2000",
                "role": "input",
                "about": "MRI",
            },
        ]
    )
    first, second = published_table(ratios).to_dict("records")
    assert first["Ratio [95% CI]"] == "1.05 [1.00, 1.10]" and first["Published (SD)"] == "1800.0"
    assert first["Source"] == "{cite:t}`icrp89`; without blood"
    assert second["Published (SD)"] == "30.6 (5.5)" and second["Ours"] == DASH
    assert (first["Role"], second["Role"]) == ("independent", "input")
