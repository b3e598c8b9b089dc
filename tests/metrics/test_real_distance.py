"""Two groups of one population are at the floor and cannot be told apart; a group that differs is found."""

import numpy as np
import pytest

from vctlib.metrics.real_distance import distance_table, floor_of, forest, held_out_accuracy, logistic_on_components
from vctlib.sources.neck import NeckCut

MEASURES = ("frechet_sagittal", "total_variation", "wasserstein_lean_hu")


def people(n, seed, *, radius=14.0, hu=40.0, noise=25.0):
    """Cylinders of soft tissue of random width and mean HU around an airway, in air; voxels of 5 mm."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(40) - 19.5, np.arange(30) - 14.5, indexing="ij")
    cuts = []
    for _ in range(n):
        distance = np.hypot(x, y + rng.normal(0, 0.5))[..., None] * np.ones(32)
        own = radius + rng.normal(0, 0.6)
        body = distance < own
        tissue = hu + rng.normal(0, 8) + rng.normal(0, noise, body.shape) - 140 * (distance > own - 2)
        values = np.where(body, np.where(distance < 1.5, -980, tissue), -1000)
        cuts.append(NeckCut(np.rint(values).astype(np.int16), body, 5.0, 12))
    return cuts


@pytest.fixture(scope="module")
def alike():
    return distance_table(people(24, 0), people(24, 1), draws=10, n_resamples=200)


@pytest.mark.parametrize("name", ["accuracy_features", "accuracy_histograms"])
def test_the_same_population_cannot_be_told_apart(alike, name):
    row = alike.loc[name]
    assert row["low"] <= 0.5 <= row["high"] and row["n"] == 48


@pytest.mark.parametrize("measure", MEASURES)
def test_the_same_population_is_near_its_floor(alike, measure):
    assert alike.at[measure, "value"] < 2 * alike.at[f"{measure}_floor", "value"]


def test_sizes_of_the_same_population_do_not_differ(alike):
    row = alike.loc["neck_breadth_mm_difference"]
    assert row["low"] <= 0 <= row["high"] and row["unit"] == "mm"
    assert alike.at["neck_breadth_mm_mean_real", "value"] == pytest.approx(140, abs=5)


def test_a_denser_population_is_found_by_intensities_and_not_by_outline():
    table = distance_table(people(24, 0), people(24, 1, hu=80.0), draws=10, n_resamples=200)
    assert table.at["accuracy_outline", "low"] <= 0.5 <= table.at["accuracy_outline", "high"]
    assert table.at["accuracy_histograms", "low"] > 0.7
    assert table.at["wasserstein_lean_hu", "value"] > 3 * table.at["wasserstein_lean_hu_floor", "value"]
    assert table.at["neck_breadth_mm_difference", "low"] <= 0 <= table.at["neck_breadth_mm_difference", "high"]


def test_a_smoother_and_larger_population_is_found():
    table = distance_table(people(24, 0), people(24, 1, noise=2.0, radius=16.0), draws=10, n_resamples=200)
    assert table.at["accuracy_features", "low"] > 0.7
    assert table.at["accuracy_outline", "low"] > 0.7
    assert table.at["frechet_axial", "value"] > table.at["frechet_axial_floor", "high"]
    row = table.loc["neck_breadth_mm_difference"]
    assert row["low"] < 20 < row["high"] or row["value"] == pytest.approx(20, abs=5)  # twice 2 voxels of 5 mm


def test_too_few_people_give_every_row_and_no_value(alike):
    table = distance_table([], people(5, 2), draws=2, n_resamples=10)
    assert list(table.index) == list(alike.index) and (table["unit"] == alike["unit"]).all()
    assert table["value"].isna().all() and (table["n"] == 0).all()


def test_exact_interval_of_a_perfect_answer():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(20, 3)), rng.normal(size=(20, 3)) + 50
    for classifier in (logistic_on_components(), forest()):
        found = held_out_accuracy(first, second, classifier)
        assert found.value == 1 and found.ci95 == pytest.approx((0.025 ** (1 / 40), 1))  # clopper1934 for n of n


def test_floor_compares_disjoint_halves():
    values = np.arange(10.0)[:, None]
    found = floor_of(lambda a, b: float(len(np.intersect1d(a, b)) + len(a)), values, draws=5, seed=0)
    assert found.value == 5 and found.n == 5
