"""Conditions: who gets them, what is written of them in a cohort, and what is refused."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from vctlib.anatomy import TOTAL, ids_of
from vctlib.config import CohortConfig
from vctlib.errors import InputError
from vctlib.sources.phantom.cohort import make_phantom_cohort
from vctlib.sources.phantom.condition_rates import RATE_NAMES, draw_conditions, published_rates
from vctlib.sources.phantom.conditions import (
    GRADE_LOSS_PERCENT,
    Conditions,
    Fracture,
    LiverLesion,
    LungNodule,
    condition_columns,
)
from vctlib.sources.phantom.person import Person
from vctlib.sources.phantom.phantom import make_phantom
from vctlib.sources.phantom.population import draw_people

PERSON = Person("female", 75, 162, 70, 36, 30)
N = 4000


def has(conditions: Conditions) -> dict[str, bool]:
    """Which of the conditions somebody has."""
    return {
        "amputation": conditions.amputation != "none",
        "hip_implant": conditions.hip_implant != "none",
        "vertebral_fracture": conditions.fracture is not None,
        "liver_lesions": len(conditions.liver_lesions) > 0,
        "lung_nodules": len(conditions.lung_nodules) > 0,
        "ascites": conditions.ascites_ml > 0,
    }


@pytest.fixture(scope="module")
def drawn() -> list[Conditions]:
    """Many of whom everybody has everything."""
    return [draw_conditions(PERSON, seed, dict.fromkeys(RATE_NAMES, 1.0)) for seed in range(N)]


@pytest.mark.parametrize("rates", ["published", dict(zip(RATE_NAMES, (0.02, 0.05, 0.1, 0.2, 0.4, 0.9), strict=True))])
def test_conditions_come_at_their_rates(rates):
    found = pd.DataFrame([has(draw_conditions(PERSON, seed, rates)) for seed in range(N)]).sum()
    stated = published_rates(PERSON) if rates == "published" else rates
    for name in RATE_NAMES:
        low, high = binomtest(int(found[name]), N).proportion_ci(0.9999, method="exact")
        assert low <= stated[name] <= high, name


def test_published_rates_are_those_of_their_sources():
    """cosman2017: 11 % at 70-79 and 18 % from 80, under 5 % before 60; maraditkremers2015: 5.3 % at 80 years."""

    def at(age: float) -> dict[str, float]:
        return published_rates(dataclasses.replace(PERSON, age_years=age))

    assert at(70)["vertebral_fracture"] == at(79.9)["vertebral_fracture"] == 0.11
    assert at(80)["vertebral_fracture"] == 0.18 and at(59.9)["vertebral_fracture"] < 0.05
    assert at(80)["hip_implant"] == pytest.approx(0.0526, abs=0.0005) and at(30)["hip_implant"] == 0
    # Half of 0.62 million people without a leg are 65 and older, of 37 million of that age in 2005.
    assert at(70)["amputation"] == pytest.approx(0.5 * 0.623 / 36.8, rel=0.02)
    for name in RATE_NAMES:
        assert at(90)[name] >= at(20)[name]


def test_one_rate_does_not_change_another_condition(drawn):
    for seed in range(50):
        alone = draw_conditions(PERSON, seed, {"lung_nodules": 1.0})
        assert alone.lung_nodules == drawn[seed].lung_nodules
        assert has(alone) == {name: name == "lung_nodules" for name in RATE_NAMES}
        assert draw_conditions(PERSON, seed, {}) == Conditions()


def test_what_is_drawn_varies_within_its_ranges(drawn):
    assert {c.hip_implant for c in drawn} == {"left", "right"} and len({c.amputation for c in drawn}) == 4
    by_grade = pd.Series([c.fracture.grade for c in drawn]).value_counts(normalize=True)
    assert by_grade[1] == pytest.approx(0.5, abs=0.04) and by_grade[3] == pytest.approx(0.15, abs=0.03)
    assert len({c.fracture.level for c in drawn}) == 10
    sizes = np.array([lesion.diameter_mm for c in drawn for lesion in c.liver_lesions])
    assert sizes.min() >= 5 and sizes.max() <= 60 and np.median(sizes) == pytest.approx(12, rel=0.05)
    nodules = np.array([len(c.lung_nodules) for c in drawn])
    assert nodules.min() == 1 and nodules.mean() == pytest.approx(1 / 0.55, rel=0.05)
    fluid = np.array([c.ascites_hu for c in drawn])
    assert fluid.min() >= 5 and fluid.max() <= 15


@pytest.mark.parametrize(("loss", "grade"), [(20, 1), (24.9, 1), (25, 2), (39.9, 2), (40, 3), (60, 3)])
def test_grade_follows_the_loss_of_height(loss, grade):
    assert Fracture("L1", "wedge", loss).grade == grade
    low, high = GRADE_LOSS_PERCENT[grade]
    assert low <= loss <= high


def test_no_conditions_change_nothing():
    plain, without = make_phantom(PERSON, 16.0, 3), make_phantom(PERSON, 16.0, 3, Conditions())
    np.testing.assert_array_equal(plain.hu, without.hu)
    np.testing.assert_array_equal(plain.labels, without.labels)
    assert plain.truth == without.truth and plain.findings == without.findings == ()
    new = ids_of(TOTAL, "liver_lesion", "lung_nodule", "ascites", "hip_implant")
    assert not np.isin(plain.labels, new).any()


def test_cohort_tells_who_has_what(tmp_path):
    people = draw_people(3, 8)
    arguments = {"spacing_mm": 16.0, "grid": (60, 44, 136), "seed": 1, "scanner": None, "n_workers": 1}
    rates = dict.fromkeys(RATE_NAMES, 1.0)
    cohort = make_phantom_cohort(tmp_path / "ill", people, **arguments, rates=rates)
    table = cohort.table
    assert len(table) == 3 and "amputation" in cohort.info.source
    np.testing.assert_allclose(table["weight_kg"], table["mass_kg_true"])
    np.testing.assert_allclose(table["weight_kg_before_amputation"], people["weight_kg"])
    lost = 1 - table["weight_kg"] / table["weight_kg_before_amputation"]
    assert ((lost > 0.02) & (lost < 0.15)).all()
    for subject, row in table.iterrows():
        findings = json.loads((cohort.path / "findings" / f"{subject}.json").read_text())
        kinds = pd.Series([finding["kind"] for finding in findings]).value_counts()
        assert kinds["liver_lesion"] == row["liver_lesions"] and kinds["lung_nodule"] == row["lung_nodules"]
        labels = cohort.labels(subject)
        number = ids_of(TOTAL, "ascites")[0]
        assert row["ascites_ml"] == pytest.approx((labels == number).sum() * 4.096) and row["ascites_ml"] > 200
        assert row["vertebral_fracture_level"].startswith(("T", "L")) and row["vertebral_fracture_grade"] in (1, 2, 3)
        assert row["hip_implant"] in ("left", "right") and row["amputation"].split("_")[0] in ("below", "above")
    again = make_phantom_cohort(tmp_path / "ill", people, **arguments, rates=rates)  # nobody is taken for somebody else
    pd.testing.assert_frame_equal(again.table, table)
    well = make_phantom_cohort(tmp_path / "well", people[:1], **arguments)
    assert not {"amputation", "weight_kg_before_amputation"} & set(well.table)
    assert not (well.path / "findings").exists()
    some = make_phantom_cohort(tmp_path / "some", people[:1], **arguments, rates={"ascites": 1.0}).table.iloc[0]
    assert some["amputation"] == some["hip_implant"] == some["vertebral_fracture_level"] == "none"
    assert some["liver_lesions"] == 0 and some["ascites_ml"] > 0
    assert some["weight_kg"] == some["weight_kg_before_amputation"] == people.loc[0, "weight_kg"]


def test_columns_of_somebody_well():
    columns = condition_columns(Conditions(), {"mass_kg_true": 70.0}, ())
    assert set(columns.values()) == {"none", 0} and "weight_kg" not in columns


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Conditions(amputation="left"), "amputation is one of none, below_knee_left"),
        (lambda: Conditions(hip_implant="both"), "hip_implant is none, left or right"),
        (lambda: Conditions(ascites_ml=-1), "ascites_ml"),
        (lambda: Conditions(ascites_ml=float("nan")), "ascites_ml"),
        (lambda: Conditions(ascites_hu=40), "ascites_hu"),
        (lambda: Fracture("C3", "wedge", 30), "T7 to L4"),
        (lambda: Fracture("L1", "burst", 30), "wedge, biconcave or crush"),
        (lambda: Fracture("L1", "crush", 90), "20 to 60 %"),
        (lambda: LiverLesion(0, -40), "2 to 80 mm"),
        (lambda: LiverLesion(10, 900), "HU"),
        (lambda: LungNodule(10, "lung"), "lung_upper_lobe_right"),
        (lambda: draw_conditions(PERSON, 0, "all"), "published"),
        (lambda: draw_conditions(PERSON, 0, {"cold": 0.5}), "'cold'"),
        (lambda: draw_conditions(PERSON, 0, {"ascites": 1.5}), "rate of ascites"),
    ],
)
def test_bad_input(make, words):
    with pytest.raises(InputError, match=words):
        make()


def test_profiles_name_conditions():
    cohort = {"source": "phantom", "n_people": 1, "test_fraction": 0.5, "spacing_mm": [16, 16, 16], "grid": [8, 8, 8]}
    cohort |= {"scanner": None}
    assert CohortConfig(**cohort).conditions == "none"
    assert CohortConfig(**cohort, conditions={"ascites": 0.2}).conditions == {"ascites": 0.2}
    for wrong in ("some", {"cold": 0.1}, {"ascites": 2}):
        with pytest.raises(ValueError, match="conditions"):
            CohortConfig(**cohort, conditions=wrong)
