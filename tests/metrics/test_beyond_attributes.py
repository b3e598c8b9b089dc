"""What attributes leave of answers and truths, held against data whose answer is known."""

import numpy as np
import pandas as pd
import pytest

from vctlib.errors import InputError
from vctlib.metrics.beyond_attributes import answers_beyond_attributes, hip_section_cm2, left_by_attributes


@pytest.fixture
def people():
    rng = np.random.default_rng(0)
    n = 400
    table = pd.DataFrame({"sex": np.where(np.arange(n) % 2, "male", "female"), "age_years": rng.uniform(20, 80, n)})
    return table.assign(height_cm=rng.normal(170, 8, n), weight_kg=rng.normal(75, 12, n))


def test_what_attributes_explain_is_gone_and_nothing_else(people):
    own = np.random.default_rng(1).normal(0, 2, len(people))
    bmi = people["weight_kg"] / (people["height_cm"] / 100) ** 2
    explained = np.where(people["sex"] == "male", 3 * bmi, 40 - 0.2 * people["age_years"])  # each sex in its own way
    left = left_by_attributes(explained + own, people)
    assert np.abs(left_by_attributes(explained, people)).max() < 1e-8
    assert np.corrcoef(left, own)[0, 1] > 0.99 and left.std() == pytest.approx(own.std(), rel=0.05)


def test_answers_that_follow_attributes_alone_do_not_follow_the_truth(people):
    rng = np.random.default_rng(2)
    own, noise = rng.normal(0, 3, len(people)), rng.normal(0, 1, len(people))
    truth = 0.4 * people["weight_kg"] + own
    blind = answers_beyond_attributes(0.4 * people["weight_kg"] + noise, truth, people)
    assert np.corrcoef(0.4 * people["weight_kg"] + noise, truth)[0, 1] > 0.8  # which looks well
    assert blind.r.ci95[0] < 0 < blind.r.ci95[1] and blind.r.n == len(people)
    seeing = answers_beyond_attributes(0.4 * people["weight_kg"] + own / 2 + noise, truth, people)
    assert seeing.slope.value == pytest.approx(0.5, abs=0.05)
    assert seeing.slope.ci95[0] < 0.5 < seeing.slope.ci95[1]
    assert seeing.r.value == pytest.approx(1.5 / np.hypot(1.5, 1.0), abs=0.04)


def test_few_people_and_missing_values_are_left_out(people):
    few = people.iloc[:40].assign(sex=["male"] * 35 + ["female"] * 5)
    values = np.arange(40.0) % 7
    values[3] = np.nan
    left = left_by_attributes(values, few)
    assert np.isnan(left[35:]).all() and np.isnan(left[3]) and np.isfinite(left[:35]).sum() == 34
    assert answers_beyond_attributes(values, values, few).r.n == 34


def test_hips_are_measured_in_the_middle_of_the_body():
    hu = np.full((20, 20, 60), -1000.0)
    hu[8:12, 8:12, 5:55] = 40  # 50 slices of 4 x 4 voxels
    hu[4:14, 8:12, 26:34] = 40  # wider about the middle
    affine = np.diag([8.0, 8.0, 8.0, 1.0])
    assert hip_section_cm2(hu, affine) == pytest.approx(10 * 4 * 0.64)
    with pytest.raises(InputError, match="no body"):
        hip_section_cm2(np.full((8, 8, 8), -1000.0), affine)
