import tomllib
from pathlib import Path

import numpy as np
import pytest

from vctlib.anatomy import PAPER16
from vctlib.errors import InputError
from vctlib.trial.arms import ARMS, SYNTHETIC_CALIBRATED
from vctlib.trial.evaluate import evaluate_arms
from vctlib.trial.paper_tables import TABLE_NAMES, beside_paper, paper_table


def test_headline_numbers_as_the_text_repeats_them():
    """Section 1.5.1 states these in prose, apart from the table."""
    table = paper_table("1").set_index(["task", "population", "arm"])
    prose = {
        ("body_fat", "ID", "real"): (1.20, 1.04, 1.40),
        ("muscle", "ID", "real"): (1.43, 1.18, 1.73),
        ("body_fat", "OOD", "real"): (3.66, 3.10, 4.31),
        ("muscle", "OOD", "real"): (5.54, 5.02, 6.16),
        ("body_fat", "OOD", "real_weighted"): (1.31, 1.04, 1.54),
        ("muscle", "OOD", "real_weighted"): (1.65, 1.25, 2.40),
    }
    for key, numbers in prose.items():
        assert tuple(table.loc[key, ["mae", "mae_low", "mae_high"]]) == numbers


def test_table_1_is_whole_and_consistent():
    table = paper_table("1")
    assert len(table) == 18
    assert set(table["arm"]) == set(ARMS) - {SYNTHETIC_CALIBRATED}
    assert ((table["mae_low"] < table["mae"]) & (table["mae"] < table["mae_high"])).all()
    scored = table.dropna(subset=["z"])
    assert len(scored) == 12
    assert ((scored["z_low"] < scored["z"]) & (scored["z"] < scored["z_high"])).all()
    real = table[table["arm"] == "real"].set_index(["task", "population"])["mae"]
    signs = [np.sign(row.mae - real[row.task, row.population]) for row in scored.itertuples()]
    assert signs == np.sign(scored["z"]).tolist()


def test_rebiased_arms_all_have_p_above_0_3_as_the_text_says():
    table = paper_table("1")
    assert (table.loc[table["arm"] == "synthetic_rebiased", "p"] > 0.3).all()
    assert (paper_table("2")["p"] > 0.3).all()


def test_error_model_averages_to_what_the_text_says():
    assert paper_table("3")[["real", "reconstructed", "synthetic"]].to_numpy().mean() == pytest.approx(0.69, abs=0.005)


def test_importances_sum_to_one():
    table = paper_table("4")
    sums = table[table["attribute"] != "correlation"].groupby("task")[["real", "reconstructed", "synthetic"]].sum()
    assert sums.to_numpy() == pytest.approx(1.0, abs=0.003)


def test_organ_averages_are_those_of_the_rows():
    table = paper_table("organs").set_index("structure")
    organs, average = table.drop(index="average"), table.loc["average"]
    assert tuple(organs.index) == tuple(PAPER16.values())
    for column in ("dice", "volume_correlation", "centroid_r", "centroid_a", "centroid_s"):
        assert organs[column].mean() == pytest.approx(average[column], abs=0.0006)
    deviations = organs["dice_sd"].replace(1.048, 0.048)  # the misprint that PRINTED_ODDITIES names
    assert deviations.mean() == pytest.approx(average["dice_sd"], abs=0.0006)


def test_frechet_averages_are_those_of_the_views():
    table = paper_table("A4")
    for region in ("head_and_neck", "torso", "lower_extremities", "full_body"):
        views = table[[f"{region}_{view}" for view in ("sagittal", "coronal", "axial")]]
        assert views.mean(axis=1).to_numpy() == pytest.approx(table[f"{region}_average"].to_numpy(), abs=0.0101)
    assert table["full_body_average"].tolist() == [34.04, 10.07, 10.26, 5.97]


def test_ablations_say_what_the_oddities_say():
    ablation, search = paper_table("A2"), paper_table("A3")
    stacked = ablation[ablation["stack_levels"] == 2].set_index("multi_window_loss")
    assert stacked.loc[True, "psnr"] > stacked.loc[False, "psnr"]
    assert stacked.loc[True, "ssim"] < stacked.loc[False, "ssim"]
    pairs = set(zip(search["psnr"], search["ssim"], strict=True))
    shared = [pair in pairs for pair in zip(ablation["psnr"], ablation["ssim"], strict=True)]
    assert shared == [True, True, False, True]
    best = search.loc[search.groupby("stack_levels")["ssim"].idxmax(), "codebook_size"]
    assert best.tolist() == [4096, 4096]


def test_the_tables_are_shipped_with_the_package():
    settings = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    assert "paper/*.csv" in settings["tool"]["setuptools"]["package-data"]["vctlib.trial"]


def test_every_table_opens_and_others_are_refused():
    for name in TABLE_NAMES:
        assert len(paper_table(name)) > 1
    with pytest.raises(InputError, match="no table '9'"):
        paper_table("9")


def test_our_rows_stand_beside_the_papers(predictions, protocol, split):
    table = evaluate_arms(predictions, protocol, split)
    joined = beside_paper(table)
    assert len(joined) == len(table)
    row = joined[(joined["population"] == "OOD") & (joined["arm"] == "synthetic")].iloc[0]
    assert row["mae_paper"] == 3.69
    assert row["mae_ours"] == table.query("population == 'OOD' and arm == 'synthetic'")["mae"].item()
