import numpy as np
import pandas as pd
import pytest

from vctlib.errors import InputError
from vctlib.trial.arms import rebias
from vctlib.trial.bootstrap import bootstrap_mae
from vctlib.trial.calibration import picture_error, without_picture
from vctlib.trial.evaluate import (
    COLUMNS,
    attribute_frame,
    degradation,
    error_tables,
    evaluate_arms,
    table_of_arms,
)
from vctlib.trial.protocol import Protocol


@pytest.fixture(scope="module")
def table(predictions, protocol, split):
    return evaluate_arms(predictions, protocol, split)


def row(table, population, arm):
    return table[(table["population"] == population) & (table["arm"] == arm)].iloc[0]


def test_layout_is_that_of_table_1(table):
    assert tuple(table.columns) == tuple(COLUMNS)
    assert list(zip(table["population"], table["arm"], strict=True)) == [
        ("ID", "real"),
        ("ID", "reconstructed"),
        ("ID", "synthetic"),
        ("ID", "synthetic_rebiased"),
        ("OOD", "real"),
        ("OOD", "real_weighted"),
        ("OOD", "reconstructed"),
        ("OOD", "synthetic"),
        ("OOD", "synthetic_rebiased"),
    ]
    for column in ("z", "p", "difference", "p_equivalence"):
        assert list(table.loc[table[column].isna(), "arm"]) == ["real", "real", "real_weighted"]


def test_rows_are_the_mean_absolute_errors_of_their_images(table, predictions):
    for population in ("ID", "OOD"):
        for arm in ("real", "reconstructed", "synthetic"):
            images = predictions[(predictions["population"] == population) & (predictions["arm"] == arm)]
            ours = row(table, population, arm)
            assert ours.mae == pytest.approx(np.abs(images["truth"] - images["prediction"]).mean())
            assert (ours.n, ours.n_patients) == (len(images), images["subject_id"].nunique())
            assert ours.n_missing == 0


def test_a_good_model_passes_and_a_shifted_one_fails(table):
    assert row(table, "ID", "real").verdict == "pass"
    assert set(table.loc[(table["population"] == "OOD") & (table["arm"] != "real_weighted"), "verdict"]) == {"fail"}
    assert row(table, "OOD", "real_weighted").verdict == "pass"  # the baseline sees the ID errors only


def test_rebiased_rows_are_culled_from_the_synthetic_ones(table, predictions, split, protocol):
    synthetic = predictions[(predictions["arm"] == "synthetic") & (predictions["population"] == "ID")]
    kept, culled = rebias(synthetic, split)
    ours = row(table, "ID", "synthetic_rebiased")
    assert 0 < culled < 0.5
    assert (ours.n, ours.n_missing) == (len(kept), len(synthetic) - len(kept))
    culled_before = rebias(predictions[predictions["arm"] == "synthetic"], split)[0].assign(arm="synthetic_rebiased")
    given = pd.concat([predictions, culled_before])
    assert row(evaluate_arms(given, protocol), "ID", "synthetic_rebiased").mae == ours.mae


def test_intervals_are_clustered_by_patient(table, predictions, protocol):
    images = predictions.query("population == 'OOD' and arm == 'synthetic'")
    expected = bootstrap_mae(images["prediction"] - images["truth"], images["subject_id"], 1000, seed=3)
    ours = row(table, "OOD", "synthetic")
    assert (ours.mae_low, ours.mae_high) == pytest.approx((expected.low, expected.high))


def test_the_protocol_chooses_the_interval(predictions, split):
    lows = {}
    for interval in ("bca", "percentile"):
        protocol = Protocol(task="body_fat", arms=["real"], n_resamples=1000, seed=3, interval=interval)
        images = predictions.query("population == 'ID' and arm == 'real'")
        errors = images["prediction"] - images["truth"]
        expected = bootstrap_mae(errors, images["subject_id"], 1000, seed=3, method=interval)
        lows[interval] = row(evaluate_arms(predictions, protocol, split), "ID", "real").mae_low
        assert lows[interval] == pytest.approx(expected.low)
    assert lows["bca"] != lows["percentile"]


def test_arm_that_culling_emptied_is_left_out(predictions, split, protocol):
    wrong = predictions.copy()
    synthetic = (wrong["arm"] == "synthetic") & (wrong["population"] == "ID")
    ood = predictions.query("population == 'OOD' and arm == 'real'").iloc[0]
    for column in (split.volume_column, split.other_column):
        wrong.loc[synthetic, column] = ood[column]
    table = evaluate_arms(wrong, protocol, split)
    assert "synthetic_rebiased" not in set(table.query("population == 'ID'")["arm"])
    assert "synthetic_rebiased" in set(table.query("population == 'OOD'")["arm"])


def test_calibrated_row_is_synthetic_errors_less_what_the_picture_adds(predictions, split):
    pictured = predictions.copy()
    generated = pictured["arm"] != "real"
    pictured.loc[generated, "prediction"] += 5.0
    protocol = Protocol(
        task="body_fat", n_resamples=300, arms=["real", "reconstructed", "synthetic", "synthetic_calibrated"]
    )
    table = evaluate_arms(pictured, protocol, split)
    found, real = row(table, "OOD", "synthetic_calibrated"), row(table, "OOD", "real")
    assert "ID" not in set(table.loc[table["arm"] == "synthetic_calibrated", "population"])  # it cannot tell itself
    tables = error_tables(pictured, protocol, split)
    pairs = [tables["ID", arm].set_index("subject_id")["error"].sort_index() for arm in ("real", "reconstructed")]
    errors = without_picture(tables["OOD", "synthetic"]["error"], picture_error(*pairs))
    assert found.mae == pytest.approx(np.abs(errors).mean()) and found.mae_low < found.mae < found.mae_high
    assert found.n == len(tables["OOD", "synthetic"]) and found.verdict == real.verdict
    assert found.difference == pytest.approx(found.mae - real.mae)
    assert found.difference_low < found.difference < found.difference_high and found.p_equivalence < 0.5
    assert abs(found.difference) < 1 < abs(row(table, "OOD", "synthetic").difference)


def test_without_people_who_tell_the_picture_there_is_no_calibrated_verdict(predictions):
    protocol = Protocol(
        task="body_fat", n_resamples=200, populations={"some": {}, "others": {}}, calibrate_on="others",
        arms=["real", "reconstructed", "synthetic", "synthetic_calibrated"],
    )  # fmt: skip
    some = predictions[predictions["population"] == "ID"].assign(population="some")
    table = table_of_arms(error_tables(some, protocol, may_lack=True), protocol)
    found = row(table, "some", "synthetic_calibrated")
    assert np.isnan(found.mae) and found.verdict == "not enough evidence"


def test_order_of_rows_does_not_matter(table, predictions, protocol, split):
    shuffled = evaluate_arms(predictions.sample(frac=1, random_state=0), protocol, split)
    columns = ["mae", "mae_low", "mae_high", "difference_low", "difference_high"]
    assert shuffled[columns].to_numpy() == pytest.approx(table[columns].to_numpy(), nan_ok=True)
    assert shuffled["verdict"].tolist() == table["verdict"].tolist()


def test_missing_images_are_counted(predictions, split):
    protocol = Protocol(task="body_fat", arms=["real", "synthetic"], n_resamples=200)
    lost = predictions.drop(predictions.query("population == 'ID' and arm == 'synthetic'").index[:7])
    assert row(evaluate_arms(lost, protocol), "ID", "synthetic").n_missing == 7


def test_degradation_is_the_difference_of_the_two_populations(table, predictions, protocol, split):
    gaps = degradation(error_tables(predictions, protocol, split), protocol).set_index("arm")
    expected = row(table, "OOD", "synthetic").mae - row(table, "ID", "synthetic").mae
    assert gaps.loc["synthetic", "degradation"] == pytest.approx(expected)
    assert (gaps["low"] > 0).all()
    assert "real_weighted" not in gaps.index


def test_degradation_of_an_arm_with_one_patient_left_has_no_interval(predictions, protocol, split):
    tables = error_tables(predictions, protocol, split)
    left = tables["OOD", "synthetic"]
    tables["OOD", "synthetic"] = left[left["subject_id"] == left["subject_id"].iloc[0]]
    gaps = degradation(tables, protocol).set_index("arm")
    expected = tables["OOD", "synthetic"]["error"].abs().mean() - tables["ID", "synthetic"]["error"].abs().mean()
    assert gaps.loc["synthetic", "degradation"] == pytest.approx(expected)
    assert gaps.loc["synthetic", ["low", "high"]].isna().all() and gaps.loc["real", "low"] > 0


def test_protocols_column_names_are_used(predictions, table, split):
    renamed = predictions.rename(columns={"truth": "fat_true", "prediction": "fat_model"})
    protocol = Protocol(
        task="body_fat", truth_column="fat_true", prediction_column="fat_model", n_resamples=1000, seed=3
    )
    assert evaluate_arms(renamed, protocol, split)["mae"].tolist() == table["mae"].tolist()


def test_absent_numbers_are_blamed_on_their_subjects(predictions, protocol, split):
    holes = predictions.copy()
    subjects = holes.query("population == 'OOD' and arm == 'synthetic'").iloc[[4, 5, 8]]
    holes.loc[subjects.index, "prediction"] = np.nan
    with pytest.raises(InputError) as caught:
        evaluate_arms(holes, protocol, split)
    assert "\n" not in str(caught.value)
    for subject in set(subjects["subject_id"]):
        assert subject in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda frame: frame.drop(columns="prediction"), "no column prediction"),
        (lambda frame: frame.replace({"arm": {"real": "Real"}}), "column arm .* Real"),
        (lambda frame: frame.replace({"population": {"OOD": "shifted"}}), "column population .* shifted"),
        (lambda frame: frame[frame["population"] == "ID"], "no row of the OOD population"),
        (lambda frame: frame[frame["arm"] != "reconstructed"], "asks for the arm reconstructed"),
        (lambda frame: pd.concat([frame, frame.head(1)]), "more than one real"),
        (lambda frame: frame.drop(columns="sex"), "no column 'sex'"),
        (lambda frame: frame.assign(subject_id=frame["subject_id"].where(frame["arm"] != "real")), "no subject_id"),
    ],
)
def test_a_wrong_table_is_explained_in_one_line(predictions, protocol, split, change, words):
    with pytest.raises(InputError, match=words) as caught:
        evaluate_arms(change(predictions), protocol, split)
    assert "\n" not in str(caught.value)


def test_rebiased_arm_needs_rows_or_a_split(predictions, protocol):
    with pytest.raises(InputError, match="synthetic_rebiased"):
        evaluate_arms(predictions, protocol)


def test_attribute_frame_joins_both_populations(predictions, protocol, split):
    frame = attribute_frame(error_tables(predictions, protocol, split), "real")
    assert len(frame) == 120
    assert frame["absolute_error"].to_numpy() == pytest.approx(np.abs(frame["prediction"] - frame["truth"]).to_numpy())


def test_without_real_images_an_arm_is_judged_alone_and_few_people_are_counted_only(predictions):
    rows = predictions[predictions["arm"] == "synthetic"]
    few = rows[rows["population"] == "ID"].head(6).assign(population="few")  # three people
    protocol = Protocol(
        task="body_fat", arms=["synthetic"], populations={"OOD": {}, "few": {}, "nobody": {}}, n_resamples=200
    )
    given = pd.concat([rows[rows["population"] == "OOD"], few])
    with pytest.raises(InputError, match="no row of the nobody population"):
        error_tables(given, protocol)
    table = table_of_arms(error_tables(given, protocol, may_lack=True), protocol).set_index("population")
    assert list(table.index) == ["OOD", "few"]
    assert table.at["OOD", "verdict"] == "fail" and np.isnan(table.at["OOD", "difference"])
    assert table.at["few", "n_patients"] == 3 and table.at["few", "verdict"] == "not enough evidence"
    assert np.isnan(table.at["few", "mae_low"]) and table.at["few", "mae"] > 0
