"""Figures of the detection task show what they were given."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from vctlib.plots.detection import Shown, findings_beside, roc_by_population


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_the_ring_lies_on_the_finding():
    hu = np.full((30, 20, 16), 60, np.int16)
    hu[6, 4, 9] = -160  # to the person's left of the middle? x grows to the right in RAS+, which is drawn on the left
    figure = findings_beside({"a": Shown(hu, np.array([6.0, 4.0, 9.0]), 8.0)}, 8.0)
    above, below = figure.axes
    (ring,) = below.patches
    picture = above.images[0]
    left, right, bottom, top = picture.get_extent()
    rows, columns = picture.get_array().shape
    column = int((ring.center[0] - left) / (right - left) * columns)
    row = int((top - ring.center[1]) / (top - bottom) * rows)
    assert picture.get_array()[row, column] == 0 and (np.asarray(picture.get_array()) == 0).sum() == 1
    assert ring.radius == pytest.approx(4 + 12)


def test_curves_carry_their_areas_and_arms_without_both_kinds_are_left_out():
    rows = [
        {"population": "slim", "arm": arm, "truth": float(i % 2), "prediction": i % 2 * (arm == "real") + 0.001 * i}
        for arm in ("real", "synthetic")
        for i in range(10)
    ]
    rows += [{"population": "slim", "arm": "reconstructed", "truth": 1.0, "prediction": 0.5}]
    names = {"real": "Real", "synthetic": "Synthetic", "reconstructed": "Reconstructed"}
    figure = roc_by_population(pd.DataFrame(rows), {"slim": "BMI under 30"}, names)
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["Real: AUC 1.00", "Synthetic: AUC 0.60"]
    assert "BMI under 30" in (figure.axes[0].get_title(), figure.axes[0].get_title(loc="left"))
