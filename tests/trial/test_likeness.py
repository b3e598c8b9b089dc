import numpy as np
import pandas as pd
import pytest
from scipy import stats

from vctlib.trial.likeness import likeness


def table(ids, errors):
    return pd.DataFrame({"subject_id": ids, "error": errors})


def test_pairs_are_found_by_person_and_draws_are_not_pairs():
    tables = {
        ("ID", "real"): table(["a", "b", "c"], [1.0, 2.0, 3.0]),
        ("ID", "reconstructed"): table(["c", "a", "b"], [4.0, 1.0, 4.0]),  # 1, 0 and 2 more
        ("ID", "synthetic"): table(["a", "a", "b", "b"], [0.0, 1.0, 2.0, 9.0]),
        ("OOD", "synthetic"): table(["d", "e"], [0.0, 1.0]),  # nothing real to be held against
    }
    found = likeness(tables).set_index("arm")
    assert list(found.index) == ["reconstructed", "synthetic"]
    row = found.loc["reconstructed"]
    assert (row["n_pairs"], row["bias"]) == (3, pytest.approx(1.0))
    assert (row["limit_low"], row["limit_high"]) == pytest.approx((1 - 1.96, 1 + 1.96))
    assert found.at["synthetic", "n_pairs"] == 0 and np.isnan(found.at["synthetic", "bias"])
    assert found.at["synthetic", "wasserstein"] == pytest.approx(
        stats.wasserstein_distance([0.0, 1.0, 2.0, 9.0], [1.0, 2.0, 3.0])
    )


def test_one_image_a_person_is_a_pair_even_of_another_body():
    tables = {("ID", "real"): table(["a", "b"], [0.0, 0.0]), ("ID", "synthetic"): table(["a", "b"], [1.0, 3.0])}
    (row,) = likeness(tables).itertuples()
    assert (row.n_pairs, row.bias, row.ks) == (2, 2.0, 1.0)
