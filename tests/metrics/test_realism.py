"""Arms of one population are at the floor; rougher bodies and copies of one body are found, each by its measure."""

import numpy as np
import pytest

from vctlib.anatomy import PAPER16, ids_of
from vctlib.errors import InputError
from vctlib.metrics.frechet import frechet_distance
from vctlib.metrics.realism import AVERAGE, bodies, realism_table, region_features
from vctlib.metrics.regions import REGIONS
from vctlib.metrics.slices import PLANES

PLACE = ("full_body", "axial")


def cylinders(n, seed, noise=10.0):
    """Cylinders of soft tissue of random width and height in air; no labels."""
    rng = np.random.default_rng(seed)
    x, y, z = np.meshgrid(np.arange(32), np.arange(32), np.arange(64), indexing="ij")
    for _ in range(n):
        inside = ((x - 16) ** 2 + (y - 16) ** 2 < rng.uniform(9, 11) ** 2) & (abs(z - 32) < rng.uniform(24, 26))
        yield np.where(inside, 40 + rng.normal(0, noise, x.shape), -1000).astype(np.int16), None


def gaussian(n, seed, shift=0.0, scale=1.0):
    """Features of n people drawn from one Gaussian, in one region and two planes."""
    rng = np.random.default_rng(seed)
    return {("full_body", plane): shift + scale * rng.normal(size=(n, 2, 2)) for plane in ("axial", "coronal")}


def test_slices_of_rough_bodies_are_far_from_those_of_the_reference_in_every_region():
    arms = {"training": cylinders(12, 0), "reference": cylinders(8, 1), "rough": cylinders(8, 2, 300)}
    features = {name: region_features(people, n_slices=1) for name, people in arms.items()}
    assert set(features["rough"]) == {(region, plane) for region in REGIONS for plane in PLANES}
    assert features["rough"]["torso", "axial"].shape == (8, 1, 320)
    table = realism_table(features, draws=2).query("measure == 'frechet_over_floor'")
    assert (table.query("arm == 'reference'")["value"] == 1).all()
    rough = table.query("arm == 'rough' and plane == 'average'").set_index("region")["value"]
    assert set(rough.index) == set(REGIONS) and (rough > 3).all()


def test_features_of_a_region_are_those_of_its_slices():
    """Where labels move the border, features of the regions change and those of the full body do not."""
    (hu, _), *_ = cylinders(1, 0)
    labels = np.zeros(hu.shape, np.uint8)
    labels[14:18, 14:18, 20:40], labels[10:12, 14:18, 12:50] = 5, 1  # lungs and bone of PAPER16
    plain, labelled = (region_features([(hu, own)], n_slices=1) for own in (None, labels))
    for (region, plane), features in plain.items():
        same = np.allclose(features, labelled[region, plane], atol=1e-5)
        assert same == (region == "full_body"), (region, plane)
    with pytest.raises(InputError, match="no bodies"):
        region_features([])


@pytest.fixture(scope="module")
def table():
    arms = {
        "training": gaussian(160, 0),
        "reference": gaussian(80, 1),
        "alike": gaussian(80, 2),
        "shifted": gaussian(80, 3, shift=1.0),
        "collapsed": gaussian(80, 4, scale=0.2),
    }
    return realism_table(arms, draws=20).set_index(["measure", "arm", "plane"])


def test_people_of_one_population_are_at_the_floor(table):
    row = table.loc["frechet_over_floor", "alike", AVERAGE]
    assert row["low"] < 1 < row["high"]
    for arm in ("reference", "alike"):
        kernel = table.loc["kernel", arm, AVERAGE]
        assert kernel["low"] < 0 < kernel["high"]
        assert table.loc["density", arm, AVERAGE]["value"] == pytest.approx(1, abs=0.2)


def test_a_shift_is_found_by_the_distances(table):
    for measure in ("frechet", "kernel"):
        assert table.loc[measure, "shifted", AVERAGE]["low"] > 3 * abs(table.loc[measure, "reference", AVERAGE]["high"])
    # Two features, each shifted by 1: |m1 - m2|^2 = 2.
    assert table.loc["frechet", "shifted", "axial"]["value"] == pytest.approx(2, rel=0.35)


def test_a_collapse_lowers_recall_and_coverage_and_keeps_precision(table):
    of = {arm: table.xs((arm, AVERAGE), level=("arm", "plane"))["value"] for arm in ("reference", "collapsed")}
    assert of["collapsed"]["recall"] < 0.5 * of["reference"]["recall"]
    assert of["collapsed"]["coverage"] < 0.5 * of["reference"]["coverage"]
    assert of["collapsed"]["precision"] >= of["reference"]["precision"] - 0.05


def test_average_is_that_of_the_planes_and_intervals_hold_the_value(table):
    planes = table["value"].unstack("plane")
    assert planes[AVERAGE].drop("frechet_over_floor").to_numpy() == pytest.approx(
        planes[["axial", "coronal"]].mean(axis=1).drop("frechet_over_floor").to_numpy()
    )
    distance = planes.loc["frechet", AVERAGE]
    ratio = planes.loc["frechet_over_floor", AVERAGE]
    assert ratio["shifted"] == pytest.approx(distance["shifted"] / distance["reference"])
    assert ((table["low"] <= table["value"]) & (table["value"] <= table["high"])).all()
    assert set(table["n"]) == {80} and set(table["n_against"]) == {160}


def test_interval_is_as_wide_as_distances_of_other_samples_spread():
    arms = {"training": gaussian(160, 0), "reference": gaussian(80, 1), "arm": gaussian(80, 5, shift=0.5)}
    row = realism_table(arms, draws=40).set_index(["measure", "arm", "plane"]).loc["frechet", "arm", "axial"]
    fresh = [
        frechet_distance(gaussian(160, seed)[PLACE], gaussian(80, 100 + seed, shift=0.5)[PLACE]).value
        for seed in range(10, 40)
    ]
    assert 0.6 < (row["high"] - row["low"]) / (2 * 1.96 * np.std(fresh, ddof=1)) < 1.6


def test_bodies_come_with_the_labels_that_generated_ones_have(tiny_people):
    found = list(bodies(tiny_people))
    assert len(found) == len(tiny_people)
    hu, labels = found[0]
    assert (hu == tiny_people.ct(tiny_people.subjects[0])[0]).all()
    liver, bone = ids_of(PAPER16, "liver", "bone")
    assert (labels[hu == 110] == liver).all() and (labels[hu == 450] == bone).all()


def test_bodies_are_given_without_labels_where_some_have_none(tiny_people):
    for (hu, labels), (same, _) in zip(bodies(tiny_people, with_labels=False), bodies(tiny_people), strict=True):
        assert labels is None and (hu == same).all()


def test_arms_too_small():
    with pytest.raises(InputError, match="two people or more"):
        realism_table({"training": gaussian(8, 0), "reference": gaussian(3, 1)})
