import numpy as np
import pandas as pd
import pytest

from vctlib.trial.arms import rebias
from vctlib.trial.culling import culling_curve, own_side_distance
from vctlib.trial.evaluate import error_tables, evaluate_arms
from vctlib.trial.protocol import Protocol
from vctlib.trial.split import BiasedSplit

FLAT = dict(slope=0.0, intercept=30.0, volume_column="volume", other_column="other", target_column="target")


@pytest.mark.parametrize(("side", "expected"), [("below", [5.0, -2.0]), ("above", [-5.0, 2.0])])
def test_depth_is_measured_in_the_other_tissue_from_the_own_side(side, expected):
    frame = pd.DataFrame({"volume": [60.0, 90.0], "other": [25.0, 32.0], "population": "ID"})
    split = BiasedSplit(side=side, **FLAT)
    assert own_side_distance(frame, split).tolist() == expected
    assert own_side_distance(frame.assign(population="OOD"), split).tolist() == [-each for each in expected]
    assert (split.distance(frame) >= 0).tolist() == (split.assign(frame) == "ID").tolist()


def test_depth_agrees_with_the_side_for_everybody(people, split):
    assert np.array_equal(split.distance(people) >= 0, split.assign(people) == "ID")


@pytest.fixture(scope="module")
def curve(predictions, split):
    protocol = Protocol(task="body_fat", arms=["real", "synthetic"], n_resamples=200)
    return culling_curve(error_tables(predictions, protocol), split, protocol)


def test_no_culling_is_the_synthetic_arm_and_none_of_the_wrong_side_the_rebiased_one(curve, predictions, split):
    protocol = Protocol(task="body_fat", arms=["real", "synthetic", "synthetic_rebiased"], n_resamples=200)
    table = evaluate_arms(predictions, protocol, split).set_index(["population", "arm"])
    own = curve.set_index(["population", "threshold"])
    for population in ("ID", "OOD"):
        for threshold, arm in ((-np.inf, "synthetic"), (0.0, "synthetic_rebiased")):
            for column in ("n", "mae", "mae_low", "mae_high"):
                assert own.at[(population, threshold), column] == pytest.approx(table.at[(population, arm), column])
        images = predictions.query("population == @population and arm == 'synthetic'")
        assert own.at[(population, 0.0), "culled"] == pytest.approx(rebias(images, split)[1])
        assert own.at[(population, 0.0), "mae_real"] == pytest.approx(table.at[(population, "real"), "mae"])


def test_more_is_culled_the_deeper_a_body_must_lie(curve):
    for _, own in curve.groupby("population"):
        assert own["culled"].is_monotonic_increasing and own["culled"].iat[0] == 0 and own["culled"].iat[-1] > 0


def test_where_hardly_anybody_stays_there_is_no_interval(predictions, split):
    protocol = Protocol(task="body_fat", arms=["real", "synthetic"], n_resamples=200)
    curve = culling_curve(error_tables(predictions, protocol), split, protocol, [1000.0])
    assert curve["n"].tolist() == [0, 0] and curve["mae"].isna().all()
    assert set(curve["verdict"]) == {"not enough evidence"}
