"""Tables of the evaluation for the book: cells worked out by hand."""

import numpy as np
import pandas as pd

from vctlib.metrics.conditioning import by_category
from vctlib.metrics.impossible import KINDS, fit_limits, rates
from vctlib.plots.evaluation_tables import (
    ORGAN_FIGURES,
    composition_by_category,
    conditioning_by_category,
    errors_where_people_were_few,
    frechet_by_arm,
    impossible_anatomy,
    intensities_apart,
    measures_by_arm,
    organs_of_the_person,
    variation_table,
)


def test_variation_takes_each_figure_from_its_metric():
    metrics = {
        "mass_category_slope_reference": {"value": 1.004, "n": 150, "ci95": (0.956, 1.052)},
        "mass_within_sd_ratio_reference": {"value": 0.98, "n": 140, "ci95": (0.9, 1.07)},
        "mass_category_slope_synthetic": {"value": 0.5, "n": 149, "ci95": None},
        "mass_within_sd_ratio_synthetic": {"value": None, "n": 0, "ci95": None},
    }
    table = variation_table(metrics, {"mass": "Mass (kg)"}, ["reference", "synthetic"])
    assert table.iloc[0].tolist() == ["Mass (kg)", "Reference", "1.00 [0.96, 1.05]", "150", "0.98 [0.90, 1.07]", "140"]
    assert table.iloc[1].tolist() == ["", "Synthetic", "0.50", "149", "–", "0"]


def test_conditioning_by_category_shows_every_cohort_and_leaves_out_who_is_not_there():
    def bodies(sex: str, heights: list[float]) -> pd.DataFrame:
        asked = {"sex": sex, "age_years": 50.0, "height_cm": 165.0, "weight_kg": 70.0}
        return pd.DataFrame({"measured": heights}).assign(**asked)

    cohorts = {"reference": bodies("female", [163.0, 167.0]), "synthetic": bodies("female", [166.0, 170.0, 171.0])}
    table = conditioning_by_category(by_category(cohorts, "height", "measured"), {"height": 1})
    assert table["Category"].tolist() == ["height: 160-170 cm"] and table.at[0, "n"] == "2, 3"
    assert table.at[0, "Reference"] == "165.0 (2.8)" and table.at[0, "Synthetic"] == "169.0 (2.6)"
    assert table.at[0, "Z, synthetic"] == "+1.59"  # 4 / sqrt(8 / 2 + 7 / 3)
    assert "Z, reference" not in table


def test_composition_shows_the_wanted_cohort_attributes_and_columns_alone():
    figures = {"bias": 1.26, "bias_low": -0.5, "bias_high": 3.0, "sd_ratio": 0.8}
    figures |= {"sd_ratio_low": 0.5, "sd_ratio_high": 1.25}
    one = {
        "attribute": "sex",
        "category": 2,
        "label": "male",
        "n": 9,
        "reference_n": 12,
        "sd_ratio_high": 1.25,
    } | figures
    rows = [
        one | {"column": "fat", "cohort": "synthetic"},
        one | {"column": "muscle", "cohort": "synthetic", "bias": -2.0, "bias_low": np.nan},
        one | {"column": "fat", "cohort": "reconstructed"},
        one | {"column": "fat", "cohort": "synthetic", "attribute": "age"},
        one | {"column": "height", "cohort": "synthetic"},
    ]
    table = composition_by_category(pd.DataFrame(rows), {"fat": "Body fat", "muscle": "Muscle"})
    assert table.values.tolist() == [
        ["sex: male", "9, 12", "1.3 [-0.5, 3.0]", "0.80 [0.50, 1.25]", "-2.0", "0.80 [0.50, 1.25]"]
    ]


def test_errors_stand_by_flag_with_the_unit():
    rows = [
        {"cohort": "synthetic", "quantity": "body_fat", "unit": "pp", "flag": flag, "n": n, "mae": mae}
        | {"mae_low": mae - 1, "mae_high": mae + 1}
        for flag, n, mae in (("known", 80, 3.0), ("unseen", 9, 4.04), ("extrapolation", 0, np.nan))
    ]
    (row,) = errors_where_people_were_few(pd.DataFrame(rows)).values.tolist()
    assert row == ["Body fat (pp)", "Synthetic", "3.0 [2.0, 4.0]", "80", "4.0 [3.0, 5.0]", "9", "–", "0"]


def test_organs_average_the_three_axes():
    figures = {"volume_r": 0.5, "centroid_right_r": 0.2, "centroid_anterior_r": 0.4, "centroid_superior_r": 0.9}
    rows = [
        {"structure": "liver", "cohort": "synthetic", "n": 150} | figures,
        {"structure": "liver", "cohort": "alike", "n": 148} | figures | {"volume_r": np.nan},
    ]
    table = organs_of_the_person(pd.DataFrame(rows)).set_index("Structure")
    assert table.loc["Liver"].to_dict() == {
        "n": "148",
        "r, volume: synthetic": "0.50",
        "r, volume: alike": "–",
        "r, centroid: synthetic": "0.50",
        "r, centroid: alike": "0.50",
    }


def test_an_organ_that_nobody_has_shows_dashes():
    figures = dict.fromkeys(("n", "volume_r", *ORGAN_FIGURES["centroid"]), np.nan)
    table = organs_of_the_person(pd.DataFrame([{"structure": "prostate", "cohort": "synthetic"} | figures]))
    assert set(table.iloc[0][1:]) == {"–"}


def test_impossible_anatomy_names_whose_labels_and_how_many_people():
    values = pd.DataFrame({"liver/volume_percent": [100.0] * 20, "body/detached_percent": [0.0] * 20})
    limits = fit_limits(values)
    failed = pd.DataFrame({"liver/volume_percent": [True] + [False] * 19, "body/detached_percent": False})
    found = rates(failed, limits).assign(cohort="synthetic", source="image")
    table = impossible_anatomy(found)
    assert table["Anatomy"].tolist() == [kind.replace("_", " ").capitalize() for kind in (*KINDS, "any")]
    assert set(table["Labels"]) == {"segmenter's"}
    missing = table.set_index("Anatomy").loc["Missing", "Synthetic, n = 20"]
    assert missing == "5.0 [0.1, 24.9]"  # Clopper and Pearson: 1 - 0.975^(1/20) = 0.13 %


def test_measures_of_an_arm_share_a_row_and_those_of_a_measure_their_places():
    rows = [
        ("as it is", "mass_r", 0.98765, 0.97, 0.99, 24),
        ("as it is", "mass_mae", 12.345, 11.0, 13.0, 24),
        ("as it is", "unasked", 1.0, 1.0, 1.0, 24),
        ("3 steps", "mass_r", -0.5, -0.6, -0.4, 23),
        ("3 steps", "mass_mae", 2.0, np.nan, np.nan, 23),
    ]
    long = pd.DataFrame(rows, columns=["arm", "measure", "value", "low", "high", "n"])
    table = measures_by_arm(long, {"mass_mae": "mass, error (kg)", "mass_r": "mass, r"})
    assert list(table) == ["Arm", "n", "mass, error (kg)", "mass, r"]
    assert table.to_numpy().tolist() == [
        ["as it is", "24", "12.3 [11.0, 13.0]", "0.988 [0.970, 0.990]"],
        ["3 steps", "23", "2.0", "-0.500 [-0.600, -0.400]"],
    ]


def test_arms_stand_below_each_other_with_the_planes_across():
    rows = []
    for r, region in enumerate(("full_body", "torso")):
        for p, plane in enumerate(("sagittal", "average")):
            for a, arm in enumerate(("reference", "synthetic, as decoded")):
                distance = 1.0 + 100 * r + 10 * p + a
                for measure, value in (("frechet", distance), ("frechet_over_floor", distance / (distance - a))):
                    rows.append((region, plane, arm, measure, value, value - 0.25, value + 0.25, 9))
    columns = ["region", "plane", "arm", "measure", "value", "low", "high", "n"]
    table = frechet_by_arm(pd.DataFrame(rows, columns=columns))
    assert table["Region"].tolist() == ["Full body", "Full body", "Torso", "Torso"]
    assert table.iloc[1].tolist() == [
        "Full body", "Synthetic, as decoded", "9", "2.00 [1.75, 2.25]", "12.00 [11.75, 12.25]", "1.1"
    ]  # fmt: skip
    assert table["Average / floor"].tolist()[::2] == ["1.0", "1.0"]


def test_intensities_have_a_row_an_arm():
    rows = [
        {"arm": arm, "measure": measure, "value": value, "low": value - 1, "high": value + 1, "n": 9}
        for arm, values in (("reference", (2.04, 3.0)), ("synthetic", (32.0, 12.0)))
        for measure, value in zip(("apart", "valley"), values, strict=True)
    ]
    table = intensities_apart(pd.DataFrame(rows))
    assert table.to_numpy().tolist() == [
        ["Reference", "9", "2.0 [1.0, 3.0]", "3.0 [2.0, 4.0]"],
        ["Synthetic", "9", "32.0 [31.0, 33.0]", "12.0 [11.0, 13.0]"],
    ]
