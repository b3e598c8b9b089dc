"""Ratios to published values by hand, and a source for every value."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pybtex.database import parse_file

from vctlib.anatomy import PAPER16
from vctlib.measure.published import ORGAN_G_PER_ML, classes_without, muscle_bands, quantities, read_published
from vctlib.metrics.published import agreement, beside_published, difference_at_same_ages
from vctlib.sources.phantom.abdominal_organs import KIDNEY_ML, LIVER_ML, SPLEEN_ML
from vctlib.sources.phantom.brain import BRAIN_ML
from vctlib.sources.phantom.composition import CONSTANTS
from vctlib.sources.phantom.thoracic_organs import HEART_ML

ROOT = Path(__file__).parents[2]


@pytest.fixture
def table():
    """Four people whose organs are easy to divide."""
    columns = {f"{name}_volume_ml_true": np.full(4, 100.0) for name in PAPER16.values()}
    columns["spleen_volume_ml_true"] = [200.0, 200.0, 100.0, 300.0]
    columns["urinary_bladder_volume_ml_true"] = [100.0, 200.0, 180.0, 300.0]
    columns |= {"sex": ["male", "male", "female", "female"], "lung_hu": -800.0, "bone_mass_kg_true": 7.8}
    columns |= {"mass_kg_true": [80.0, 100.0, 60.0, 70.0], "muscle_percent_true": [38.4, 38.4, 30.6, 30.6]}
    return pd.DataFrame(columns)


def ratio(rows, quantity, sex, source):
    found = rows[(rows["quantity"] == quantity) & (rows["sex"] == sex) & (rows["source"] == source)]
    assert len(found) == 1
    return found.iloc[0]


def test_ratios_by_hand(table):
    rows = beside_published(table, n_resamples=50)
    assert ratio(rows, "spleen_volume_ml", "both", "prassopoulos1997")["ratio"] == pytest.approx(200 / 214.6)
    assert ratio(rows, "spleen_mass_g", "male", "icrp89")["ratio"] == pytest.approx(200 * ORGAN_G_PER_ML / 150)
    skeleton = ratio(rows, "skeleton_mass_kg", "female", "icrp89")
    assert (skeleton["ratio"], skeleton["n"], skeleton["low"]) == (pytest.approx(1), 2, pytest.approx(1))
    assert ratio(rows, "muscle_mass_kg", "male", "janssen2000")["ours"] == pytest.approx(0.384 * 90)
    assert ratio(rows, "lungs_mass_g", "female", "icrp89")["ours"] == pytest.approx(300 * 0.2)
    assert ratio(rows, "prostate_mass_g", "male", "icrp89")["n"] == 2


def test_agreement_is_counted_for_inputs_and_for_the_others():
    rows = pd.DataFrame({"role": ["input", "input", "independent", "independent"], "ratio": [0.81, 1.3, 1.2, np.nan]})
    assert agreement(rows) == {"input": (1, 2), "independent": (1, 1)}


def test_what_the_phantoms_are_told_is_an_input():
    """The numbers stand in the code that paints the organ; a source beside is independent."""
    told = read_published().query("role == 'input'")
    assert abs(sum(LIVER_ML.values()) / 2 - told.query("source == 'kromrey2018'")["value"].item()) < 1
    assert abs(sum(SPLEEN_ML.values()) / 2 - told.query("source == 'prassopoulos1997'")["value"].item()) < 1
    for sex in ("male", "female"):
        own = told[told["sex"] == sex].set_index("quantity")["value"]
        assert (own["brain_volume_ml"], own["kidney_volume_ml"]) == (BRAIN_ML[sex], sum(KIDNEY_ML[sex]))
        assert HEART_ML[sex] * 1.06 == pytest.approx(own["heart_mass_g"], rel=1e-3)
        assert CONSTANTS[sex].reference_muscle_kg == own["muscle_mass_kg"]


def test_difference_at_the_same_ages_by_hand():
    theirs = np.array([[25, 80.0], [28, 90.0], [55, 100.0]])
    assert difference_at_same_ages(np.array([[21, 86.0], [59, 99.0], [50, 101.0]]), theirs) == pytest.approx(1 / 3)
    assert np.isnan(difference_at_same_ages(np.array([[35, 86.0]]), theirs))


def test_full_bladders_are_counted(table):
    assert list(quantities(table)["urinary_bladder_above_182_ml_percent"]) == [0, 100, 0, 100]


def test_measured_values_stand_in_for_true_ones(table):
    measured = table.rename(columns=lambda name: name.replace("_true", "_measured"))
    pd.testing.assert_frame_equal(quantities(measured), quantities(table))
    bare = beside_published(table[["sex"]], n_resamples=10)
    assert bare["ratio"].isna().all() and (bare["n"] == 0).all()


def test_every_published_value_has_a_source_a_sex_and_a_quantity_we_know(table):
    published, known = read_published(), set(quantities(table).columns)
    assert set(published["source"]) <= set(parse_file(ROOT / "book" / "references.bib").entries)
    assert set(published["sex"]) <= {"male", "female", "both"} and set(published["quantity"]) <= known
    assert (published["value"] > 0).all() and published["about"].notna().all()


def test_classes_without_a_published_value_are_named():
    assert "aorta" in classes_without() and "spleen" not in classes_without()
    assert "prostate" not in classes_without() and "lung_middle_lobe" not in classes_without()


def test_lobes_of_the_published_lungs_are_whole_lungs():
    lobes = read_published().query("source == 'yamada2020'")
    assert lobes["value"].sum() == pytest.approx(100)
    assert [band[3] for band in muscle_bands()] == [38.4, 30.6]
