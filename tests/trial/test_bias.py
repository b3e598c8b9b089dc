import numpy as np
import pandas as pd
import pytest

from vctlib.errors import InputError
from vctlib.trial.bias import compare_correlations, correlation_table, error_drivers, importance_agreement
from vctlib.trial.paper_tables import paper_table

FEATURES = ("sex", "weight_kg", "muscle_percent_measured", "age_years")


@pytest.fixture(scope="module")
def errors(people) -> pd.DataFrame:
    """Errors that hang on muscle alone, two images a patient."""
    frame = people.head(120).loc[np.repeat(np.arange(120), 2)].reset_index(drop=True)
    noise = np.random.default_rng(0).normal(0, 0.2, len(frame))
    return frame.assign(absolute_error=np.abs(frame["muscle_percent_measured"] - 38) + np.abs(noise))


@pytest.fixture(scope="module")
def drivers(errors):
    return error_drivers(errors, FEATURES, n_trees=50, n_repeats=3)


def test_fishers_test_by_hand():
    test = compare_correlations(0.5, 103, 0.2, 53)
    z = (np.log(3) / 2 - np.log(1.5) / 2) / np.sqrt(0.01 + 0.02)
    assert test.z == pytest.approx(z)
    assert compare_correlations(0.4, 50, 0.4, 70).p == 1.0
    assert compare_correlations(0.2, 53, 0.5, 103).z == pytest.approx(-z)


def test_fishers_test_holds_its_level():
    rng = np.random.default_rng(1)
    rejected = 0
    for _ in range(400):
        samples = [rng.multivariate_normal([0, 0], [[1, 0.4], [0.4, 1]], size=n) for n in (60, 90)]
        r = [np.corrcoef(sample.T)[0, 1] for sample in samples]
        rejected += compare_correlations(r[0], 60, r[1], 90).p < 0.05
    assert 0.02 < rejected / 400 < 0.085


def test_the_papers_p_values_fit_the_sizes_that_the_docstring_names():
    for row in paper_table("2").itertuples():
        assert compare_correlations(row.real, 150, row.synthetic, 225).p == pytest.approx(row.p, abs=0.005)


def test_correlation_table_by_numpy(errors):
    half = errors.iloc[::2]
    table = correlation_table(errors, half, ["weight_kg"]).iloc[0]
    assert table.real == pytest.approx(np.corrcoef(errors["weight_kg"], errors["absolute_error"])[0, 1])
    assert (table.n_real, table.n_other) == (240, 120)
    assert table.p == compare_correlations(table.real, 240, table.other, 120).p


def test_forest_finds_what_drives_the_error(drivers):
    for kind in ("impurity", "permutation"):
        assert drivers.importances[kind].idxmax() == "muscle_percent_measured"
    assert drivers.importances["impurity"].sum() == pytest.approx(1)
    assert drivers.importances.loc["muscle_percent_measured", "permutation"] > 1
    assert abs(drivers.importances.loc["age_years", "permutation"]) < 0.2
    assert drivers.mae < 0.3 * drivers.baseline_mae


def test_errors_without_a_cause_are_not_predicted():
    """Both images of a patient share a random error: folds that split patients would seem to predict it."""
    rng = np.random.default_rng(2)
    patients = np.repeat(np.arange(80), 2)
    frame = pd.DataFrame(
        {
            "subject_id": patients,
            "age_years": rng.uniform(20, 80, 80)[patients],
            "weight_kg": rng.uniform(50, 110, 80)[patients],
            "absolute_error": rng.exponential(size=80)[patients],
        }
    )
    found = error_drivers(frame, ("age_years", "weight_kg"), n_trees=50, n_repeats=2)
    assert found.mae > 0.9 * found.baseline_mae


def test_importances_of_the_paper_agree_as_it_prints():
    """Its last rows of Table 4 are Pearson correlations of the importances above them."""
    table = paper_table("4")
    for task, rows in table.groupby("task"):
        printed = rows[rows["attribute"] == "correlation"].iloc[0]
        values = rows[rows["attribute"] != "correlation"]
        for arm in ("reconstructed", "synthetic"):
            found = importance_agreement(values["real"], values[arm])
            assert found.pearson == pytest.approx(printed[arm], abs=0.0015), (task, arm)


def test_a_dominant_feature_hides_that_the_papers_ranks_disagree():
    table = paper_table("4").query("task == 'body_fat' and attribute != 'correlation'")
    found = importance_agreement(table["real"], table["synthetic"])
    assert found.pearson > 0.99
    assert found.spearman < 0.5


def test_agreement_by_rank_and_by_value():
    assert importance_agreement([1, 2, 3], [1, 2, 3]).pearson == pytest.approx(1)
    other = importance_agreement([0.9, 0.03, 0.05, 0.02], [0.8, 0.1, 0.02, 0.08])
    assert other.pearson > 0.95
    assert other.spearman == pytest.approx(0.4)


def test_wrong_tables_are_explained(errors):
    with pytest.raises(InputError, match="no column bone"):
        error_drivers(errors, ("bone",))
    with pytest.raises(InputError, match="sex .* divers"):
        error_drivers(errors.assign(sex="divers"), FEATURES)
    with pytest.raises(InputError, match="weight_kg .* p000"):
        error_drivers(errors.assign(weight_kg=errors["weight_kg"].where(errors["subject_id"] != "p000")), FEATURES)
    with pytest.raises(InputError, match="5 folds"):
        error_drivers(errors.head(6), FEATURES)
    with pytest.raises(InputError, match="the same in all rows"):
        correlation_table(errors.assign(weight_kg=70.0), errors, ["weight_kg"])
    with pytest.raises(InputError, match="more than three"):
        compare_correlations(0.1, 3, 0.1, 50)
