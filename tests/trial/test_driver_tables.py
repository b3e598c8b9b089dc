"""Tables 2 to 4: cells worked out by hand, and the paper's numbers as printed."""

import numpy as np
import pandas as pd

from vctlib.trial.bias import BIAS_ATTRIBUTES, FEATURES, ErrorDrivers
from vctlib.trial.driver_tables import correlations_beside_paper, error_drivers_by_arm, permutation_by_arm
from vctlib.trial.importance_intervals import Resampled


def drivers(importances: list[float], mae: float) -> ErrorDrivers:
    frame = pd.DataFrame(
        {"impurity": importances, "permutation": importances}, index=pd.Index(FEATURES, name="feature")
    )
    return ErrorDrivers(mae, 0.5, 1.0, frame)


def test_drivers_stand_beside_table_4():
    real = [0.1, 0.0, 0.05, 0.05, 0.1, 0.1, 0.5, 0.1]
    reversed_order = [1 - value for value in real]
    same, mixed = np.array([real] * 3), np.array([real, real, reversed_order])
    resampled = {"real": Resampled(same, 2 * same), "synthetic": Resampled(mixed, same)}
    arms = {"real": drivers(real, 0.8), "synthetic": drivers(reversed_order, 0.9)}
    found = error_drivers_by_arm(arms, "body_fat", resampled).set_index("Attribute")
    assert found.loc["muscle percent", "Real"] == "0.500 [0.500, 0.500] / 0.763"  # killeen2025 Table 4
    assert found.loc["bone density", "Synthetic"] == "0.900 [0.100, 0.860] / 0.076"
    assert (
        found.loc["age", "Real"] == "0.000 [0.000, 0.000] / 0.040"
        and found.loc["body volume", "Real"] == "0.100 [0.100, 0.100] / 0.033"
    )
    assert found.loc["r with real", "Synthetic"] == "-1.000 [-0.900, 1.000] / 0.993"
    assert found.loc["rank r with real"].tolist() == ["–", "-1.000 [-0.900, 1.000]"]
    assert found.loc["MAE of the forest (pp)"].tolist() == ["0.80 / 0.72", "0.90 / 0.61"]  # killeen2025 Table 3
    permuted = permutation_by_arm(arms, resampled).set_index("Attribute")
    assert permuted.loc["muscle percent"].tolist() == ["0.500 [1.000, 1.000]", "0.500 [0.500, 0.500]"]
    assert permuted.loc["rank r with real"].tolist() == ["–", "-1.000 [1.000, 1.000]"]


def test_correlations_stand_beside_table_2():
    rows = [(BIAS_ATTRIBUTES[0], -0.2, 0.1, 150, 300, 1.0, 0.0001), (BIAS_ATTRIBUTES[1], 0.4, 0.5, 150, 300, 1.0, 0.3)]
    columns = ["attribute", "real", "other", "n_real", "n_other", "z", "p"]
    found = correlations_beside_paper(pd.DataFrame(rows, columns=columns), "muscle").set_index("Attribute")
    assert found.loc["body volume"].tolist() == [
        "-0.200 (150)", "0.100 (300)", "< 0.001", "-0.469", "-0.407", "0.468"
    ]  # fmt: skip
    assert found.loc["body fat percent", "Paper: p"] == "0.333"
