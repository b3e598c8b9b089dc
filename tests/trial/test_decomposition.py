import numpy as np
import pandas as pd
import pytest

from vctlib.errors import InputError
from vctlib.trial.decomposition import COMPOSITION, decomposition
from vctlib.trial.protocol import Protocol

PROTOCOL = Protocol(task="body_fat", arms=["real", "synthetic"], n_resamples=200)


def people(n: int, fat: float, seed: int, prefix: str = "p") -> pd.DataFrame:
    """Bodies about a mean of body fat; the model's error is a tenth of it, as a function of composition alone."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "subject_id": [f"{prefix}{i}" for i in range(n)],
            "body_volume_l_measured": rng.normal(75, 0.1, n),
            "body_fat_percent_measured": rng.normal(fat, 8, n),
            "muscle_percent_measured": rng.normal(35, 0.1, n),
        }
    )
    return frame.assign(error=0.1 * frame["body_fat_percent_measured"])


@pytest.fixture
def real():
    return people(150, 35, 0)


def one(tables):
    return decomposition(tables, PROTOCOL).iloc[0]


def test_other_bodies_are_a_matter_of_composition(real):
    fatter = people(150, 40, 1)
    found = one({("ID", "real"): real, ("ID", "synthetic"): fatter})
    gap = fatter["error"].mean() - real["error"].mean()
    assert found["difference"] == pytest.approx(gap)
    assert found["composition"] == pytest.approx(gap, abs=0.12) and found["image"] == pytest.approx(0, abs=0.12)
    assert found["composition_low"] > 0.2


def test_other_pictures_of_such_bodies_are_a_matter_of_the_image(real):
    alike = people(150, 35, 2).assign(error=lambda rows: rows["error"] + 1.0)
    found = one({("ID", "real"): real, ("ID", "synthetic"): alike})
    assert found["image"] == pytest.approx(1.0, abs=0.12)
    assert found["composition"] == pytest.approx(alike["error"].mean() - 1 - real["error"].mean(), abs=0.12)
    assert found["image_low"] > 0.7


def test_parts_add_up_and_the_same_bodies_have_no_part_of_composition(real):
    worse = real.assign(error=real["error"] + 0.5)
    found = one({("ID", "real"): real, ("ID", "synthetic"): worse})
    assert found["composition"] == pytest.approx(0) and found["image"] == pytest.approx(0.5)
    assert found["composition"] + found["image"] == pytest.approx(found["difference"])
    assert (found["image_low"], found["image_high"]) == pytest.approx((0.5, 0.5))  # paired: nothing is left to chance


def test_people_of_the_other_population_stand_for_bodies_that_came_out_like_them(real):
    other = people(150, 55, 3, "q")
    mixed = people(150, 55, 4)  # stand for the thin, came out fat
    tables = {("ID", "real"): real, ("OOD", "real"): other, ("ID", "synthetic"): mixed}
    found = decomposition(tables, PROTOCOL).iloc[0]
    assert found["composition"] == pytest.approx(found["difference"], rel=0.1)


def test_nobody_is_his_own_neighbour():
    """One person errs wildly; her synthetic body, composed exactly like her, is expected to err as others do."""
    real = people(40, 35, 5)
    real.loc[0, "error"] = 100.0
    found = one({("ID", "real"): real, ("ID", "synthetic"): pd.concat([real.iloc[[0]], real.iloc[[1]]])})
    assert found["difference"] > 40  # the two bodies err by 100 and by 3.5 or so, the real people by 6 in the mean
    assert abs(found["composition"]) < 20


def test_too_few_people_and_missing_columns(real):
    with pytest.raises(InputError, match="5 real people are too few"):
        decomposition({("ID", "real"): real.head(5), ("ID", "synthetic"): real}, PROTOCOL)
    bare = real.drop(columns=COMPOSITION[0])
    with pytest.raises(InputError, match=COMPOSITION[0]):
        decomposition({("ID", "real"): bare, ("ID", "synthetic"): real}, PROTOCOL)
