"""Reading sex from volumes."""

import numpy as np
import pandas as pd
import pytest

from vctlib.errors import InputError
from vctlib.metrics.sex import SexReader


def people(n, seed):
    rng = np.random.default_rng(seed)
    sex = np.array(["female", "male"])[np.arange(n) % 2]
    prostate = np.where(sex == "male", 20, 8) * rng.lognormal(0, 0.5, n)  # tells in part, as does the next
    gluteus = np.where(sex == "male", 2600, 1900) * rng.lognormal(0, 0.2, n)
    volumes = {"prostate": prostate, "gluteus": gluteus, "liver": rng.lognormal(7, 0.2, n)}
    table = pd.DataFrame({f"{name}_volume_ml_measured": v for name, v in volumes.items()})
    return table.assign(sex=sex, height_cm_measured=170.0)


def test_volumes_together_tell_more_than_one_of_them():
    training, others = people(400, 0), people(400, 1)
    alone = SexReader(training[["prostate_volume_ml_measured", "sex"]])
    right = {
        name: (r.read(others) == others["sex"]).mean() for name, r in {"one": alone, "all": SexReader(training)}.items()
    }
    assert right["all"] > right["one"] + 0.03 and right["all"] > 0.85


def test_what_was_not_found_is_no_obstacle_and_the_sex_of_a_body_is_not_looked_at():
    reader, others = SexReader(people(400, 0)), people(50, 1)
    others.loc[3, "prostate_volume_ml_measured"] = np.nan
    assert reader.read(others).equals(reader.read(others.assign(sex="female"))) and reader.n == 400


def test_what_cannot_be_learned_or_read_is_said():
    table = people(20, 0)
    with pytest.raises(InputError, match="both sexes"):
        SexReader(table[table["sex"] == "male"])
    with pytest.raises(InputError, match="measure the bodies first"):
        SexReader(table[["sex"]])
    with pytest.raises(InputError, match="lacks liver_volume_ml_measured"):
        SexReader(table).read(table.drop(columns="liver_volume_ml_measured"))
