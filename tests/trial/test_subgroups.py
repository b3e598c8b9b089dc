import numpy as np
import pandas as pd
import pytest

from vctlib.trial.bootstrap import bootstrap_mae
from vctlib.trial.protocol import Protocol
from vctlib.trial.subgroups import subgroup_masks, subgroup_table


@pytest.fixture(scope="module")
def frame():
    """Forty women with errors of +-1, thirty men with errors of +-5, and three men of 70 with none."""
    n = 73
    error = np.where(np.arange(n) < 40, 1.0, 5.0) * np.where(np.arange(n) % 2, 1, -1)
    error[70:] = 0.0
    return pd.DataFrame(
        {
            "subject_id": [f"p{number}" for number in range(n)],
            "sex": np.where(np.arange(n) < 40, "female", "male"),
            "age_years": np.where(np.arange(n) < 70, 50.0, 70.0),
            "height_cm": 170.0,
            "weight_kg": np.where(np.arange(n) % 2, 60.0, 95.0),
            "error": error,
        }
    )


@pytest.fixture(scope="module")
def protocol():
    return Protocol(task="body_fat", arms=["synthetic"], populations={"all": {}}, n_resamples=2000, seed=1)


def test_each_band_holds_its_people_once(frame):
    masks = subgroup_masks(frame)
    assert {name: int(mask.sum()) for name, mask in masks.items()} == {
        "female": 40, "male": 33, "45-64 years": 70, "65 years and over": 3, "BMI 18.5-25": 36, "BMI 30 and over": 37,
    }  # fmt: skip


def test_who_is_judged_worse_is_found_and_the_few_are_not_judged(frame, protocol):
    table = subgroup_table(frame, protocol).set_index("subgroup")
    assert table.at["female", "verdict"] == "pass" and table.at["male", "verdict"] == "fail"
    assert table.at["male", "mae"] == pytest.approx(150 / 33)
    assert table.at["male", "difference"] == pytest.approx(150 / 33 - 1) and table.at["male", "difference_low"] > 2
    few = table.loc["65 years and over"]
    assert (few["n_patients"], few["mae"], few["verdict"]) == (3, 0.0, "not enough evidence")
    assert np.isnan(few["mae_low"]) and np.isnan(few["difference"])


def test_intervals_allow_for_the_number_of_subgroups(frame, protocol):
    table = subgroup_table(frame, protocol).set_index("subgroup")
    men = frame[frame["sex"] == "male"]
    level = 1 - 0.05 / 5  # five of the six have ten people or more
    wide = bootstrap_mae(men["error"], men["subject_id"], 2000, seed=1, level=level)
    assert (table.at["male", "mae_low"], table.at["male", "mae_high"]) == pytest.approx((wide.low, wide.high))
    narrow = bootstrap_mae(men["error"], men["subject_id"], 2000, seed=1)
    assert wide.low < narrow.low
