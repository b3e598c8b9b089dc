"""Arms of the sensitivity study: strict settings, and measures whose values are known."""

import numpy as np
import pandas as pd
import pytest

from vctlib.errors import InputError
from vctlib.metrics.sensitivity import PLANES, UNITS, floor_of_arms, measure_arm, read_arms

PEOPLE = [f"P{number}" for number in range(12)]
RNG = np.random.default_rng(0)
FEATURES = {plane: RNG.standard_normal((12, 3)) for plane in PLANES}
FAT = pd.Series(np.linspace(10, 43, 12), PEOPLE)


def measured(fat, dice: float = 1.0) -> pd.DataFrame:
    """Rows as `measure_independently` gives them, of bodies that are as tall and heavy as asked for."""
    columns = {"height_cm_measured": 160.0 + np.arange(12), "mass_kg_measured": 60.0 + np.arange(12)}
    columns |= {"body_fat_percent_measured": np.asarray(fat, float)}
    columns |= {f"consistency/{name}/dice": np.full(12, dice) for name in ("liver", "bone")}
    return pd.DataFrame(columns, pd.Index([f"{person}-s0" for person in PEOPLE], name="subject_id"))


def arm(found: pd.DataFrame, features=FEATURES) -> pd.DataFrame:
    asked = found[["height_cm_measured", "mass_kg_measured"]].set_axis(["height_cm", "weight_kg"], axis=1)
    asked = asked.assign(reference_id=PEOPLE)
    people = pd.DataFrame({"body_fat_percent_measured": FAT}).loc[PEOPLE[::-1]]  # found by name, not by position
    return measure_arm(asked, found, people, {plane: (FEATURES[plane], features[plane]) for plane in PLANES})


def test_a_generator_that_obeys_is_perfect():
    table = arm(measured(FAT))
    assert list(table.index) == list(UNITS) and (table["unit"] == pd.Series(UNITS)).all()
    expected = {"height_r": 1, "height_mae": 0, "mass_r": 1, "mass_mae": 0, "dice": 1}
    expected |= {"body_fat_difference": 0, "body_fat_spread": 1}
    for name, value in expected.items():
        assert table.at[name, "value"] == pytest.approx(value), name
    assert (table.loc[list(expected), "n"] == 12).all()


def test_what_goes_wrong_is_seen_where_it_is():
    table = arm(measured(FAT.mean() + 2 + 0.5 * (FAT - FAT.mean()), dice=0.4))
    assert table.at["body_fat_difference", "value"] == pytest.approx(2)
    assert table.at["body_fat_spread", "value"] == pytest.approx(0.5)
    assert table.at["body_fat_spread", "low"] < 0.5001 and table.at["dice", "value"] == pytest.approx(0.4)
    further = arm(measured(FAT), {plane: own + 3 for plane, own in FEATURES.items()})
    assert further.at["frechet", "value"] > 20 > arm(measured(FAT)).at["frechet", "value"]  # 3 features, each 3 off: 27
    assert further.at["frechet", "n"] == 6


def test_bodies_without_a_label_map_have_no_dice():
    found = measured(FAT)
    table = arm(found[[name for name in found if not name.startswith("consistency/")]])
    assert np.isnan(table.at["dice", "value"]) and table.at["dice", "n"] == 0
    assert table.at["body_fat_spread", "value"] == pytest.approx(1)


def test_too_few_people_have_no_distance():
    few = {plane: own[:3] for plane, own in FEATURES.items()}
    assert np.isnan(floor_of_arms(few).value) and floor_of_arms(FEATURES).n == 6


def test_arms_are_read_strictly():
    arms = read_arms({"a": {}, "b": {"seed": 3}, "c": {"people_share": 0.5}, "d": {"steps_share": 2.0}})
    assert [arm.retrained for arm in arms.values()] == [False, False, True, True] and arms["b"].seed == 3
    plain, raw = read_arms({"plain": {}, "raw": {"post_processing": False, "organs": False}}).values()
    assert plain.post_processing and not raw.post_processing and not raw.retrained
    assert plain.organs and not raw.organs
    for wrong, complaint in (
        ({}, "no arms"),
        ({"a": {"guidance_scale": 2}}, "arm 'a': unknown key 'guidance_scale'"),
        ({"a": {"people_share": 0}}, "people_share"),
        ({"a": {"models": "x", "steps_share": 0.5}}, "one of both"),
    ):
        with pytest.raises(InputError, match=complaint) as error:
            read_arms(wrong)
        assert "\n" not in str(error.value)
