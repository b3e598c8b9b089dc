"""MS-SSIM within a category: equal bodies are at 1, a collapsed generator is above the reference."""

import numpy as np
import pandas as pd
import pytest

from vctlib.attributes import Attributes
from vctlib.errors import InputError
from vctlib.metrics.diversity import diversity_table, ms_ssim, pairs_within_category

SHAPE = (32, 30, 48)


def body(seed, noise=60.0):
    """An ellipsoid of tissue of random size and texture in air."""
    rng = np.random.default_rng(seed)
    x, y, z = np.meshgrid(*(np.arange(size) - size / 2 for size in SHAPE), indexing="ij")
    inside = (x / rng.uniform(9, 14)) ** 2 + (y / rng.uniform(8, 12)) ** 2 + (z / rng.uniform(17, 22)) ** 2 < 1
    return np.where(inside, 40 + rng.normal(0, noise, SHAPE), -1000).astype(np.int16)


def test_equal_bodies_are_at_one_and_different_ones_below_in_any_order():
    assert ms_ssim(body(0), body(0)) == pytest.approx(1, abs=1e-5)
    different = ms_ssim(body(0), body(1))
    assert different < 0.95
    assert ms_ssim(body(1), body(0)) == pytest.approx(different, abs=1e-5)


def test_air_around_the_bodies_does_not_count():
    first, second = body(0), body(1)
    wide = [np.pad(hu, 8, constant_values=-1000) for hu in (first, second)]
    assert ms_ssim(*wide) == pytest.approx(ms_ssim(first, second), abs=0.01)


def test_volumes_too_small_for_three_scales():
    with pytest.raises(InputError, match="20 voxels"):
        ms_ssim(np.zeros((16, 40, 40)), np.zeros((16, 40, 40)))


@pytest.fixture
def people() -> pd.DataFrame:
    rng = np.random.default_rng(6)
    rows = {
        f"P{i:03}": {
            "sex": ("female", "male")[i % 2],
            "age_years": rng.uniform(20, 90),
            "height_cm": rng.uniform(155, 185),
            "weight_kg": rng.uniform(55, 95),
        }
        for i in range(120)
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("subject_id")


def test_pairs_share_sex_height_and_weight_and_nobody_is_in_two(people):
    pairs = pairs_within_category(people)
    assert 20 < len(pairs) <= 60
    for a, b in pairs:
        first, second = (Attributes.from_row(people.iloc[i]).categories() for i in (a, b))
        assert (first[0], *first[2:]) == (second[0], *second[2:])
    assert len({i for pair in pairs for i in pair}) == 2 * len(pairs)
    assert len(pairs_within_category(people, most=5)) == 5
    assert pairs_within_category(people, seed=1) == pairs_within_category(people, seed=1) != pairs


def test_a_collapsed_generator_is_too_much_alike():
    pairs = [(i, i + 1) for i in range(0, 16, 2)]
    arms = {
        "reference": body,
        "fair": lambda i: body(100 + i),
        "collapsed": lambda i: body(100) + np.random.default_rng(i).integers(-5, 6, SHAPE),
    }
    table = diversity_table(arms, pairs, n_resamples=200)
    assert table.loc["reference", ["difference", "difference_low", "difference_high"]].tolist() == [0, 0, 0]
    assert table.at["fair", "difference_low"] < 0 < table.at["fair", "difference_high"]
    assert table.at["collapsed", "difference_low"] > 0.05 and table.at["collapsed", "value"] > 0.9
    assert set(table["n"]) == {8}


def test_no_pairs_no_values():
    table = diversity_table({"reference": body}, [])
    assert np.isnan(table.at["reference", "value"]) and table.at["reference", "n"] == 0
