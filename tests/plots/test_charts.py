import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from vctlib import plots
from vctlib.errors import InputError
from vctlib.plots.charts import _short
from vctlib.plots.style import COLOURS


def _people(n, shift, seed=0):
    rng = np.random.default_rng(seed)
    height = rng.uniform(151, 189, n)
    people = {"sex": "male", "age_years": 40.0, "height_cm": height, "weight_kg": 75.0}
    return pd.DataFrame(people | {"height_cm_measured": height + shift})


def test_boxplots_show_the_medians_bands_and_counts_of_their_categories():
    cohorts = {"reference": _people(80, 0), "synthetic": _people(80, 5)}
    figure = plots.conditioning_boxplots(cohorts, [("height", "height_cm_measured", "measured height (cm)")])
    ax = figure.axes[0]
    measured = cohorts["reference"]["height_cm_measured"]
    group = measured[(measured >= 160) & (measured < 170)]
    flat = [line.get_ydata() for line in ax.lines if len(set(line.get_ydata())) == 1]
    medians = {round(float(y[0]), 6) for y in flat}
    assert {round(group.median(), 6), round(group.median() + 5, 6)} <= medians
    assert [label.get_text() for label in ax.get_xticklabels()] == ["150–160", "160–170", "170–180", "180–190"]
    bands = [path.vertices[:, 1] for item in ax.collections for path in item.get_paths()]
    assert (160, 170) in {(band.min(), band.max()) for band in bands}
    assert str(len(group)) in {text.get_text() for text in ax.texts}
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["reference", "synthetic"]
    assert to_hex(ax.patches[0].get_facecolor()) != to_hex(ax.patches[-1].get_facecolor())


def test_category_labels_are_shortened():
    shortened = [_short(label) for label in ("under 50 kg", "170-180 cm", "80 years and over", "female")]
    assert shortened == ["<50", "170–180", "80+", "female"]


def test_scatter_states_r_bias_and_n():
    figure = plots.scatter_identity([1.0, 2, 3, 4, np.nan], [2.0, 3, 4, 5, 6], "mass", "kg", kind="synthetic")
    note = figure.axes[0].texts[0].get_text()
    assert "r = 1.000" in note and "bias = +1.00 kg" in note and "n = 4" in note
    assert to_hex(figure.axes[0].collections[0].get_facecolor()[0]) == COLOURS["synthetic"].lower()


def test_training_curves_draw_what_the_file_holds(tmp_path):
    table = pd.DataFrame({"step": [10, 20, 30], "seconds": [1, 2, 3], "loss": [3.0, 2.0, 1.0], "dice": [0.1, 0.5, 0.7]})
    table.to_csv(tmp_path / "x.curves.csv", index=False)
    axes = plots.training_curves(tmp_path / "x.curves.csv").axes
    assert [ax.get_title(loc="left") for ax in axes] == ["loss", "dice"]
    assert axes[0].lines[0].get_xydata().tolist() == [[10, 3], [20, 2], [30, 1]]
    with pytest.raises(InputError, match="train first"):
        plots.training_curves(tmp_path / "absent.csv")


@pytest.fixture
def people():
    volume = np.linspace(50, 120, 30)
    table = pd.DataFrame({"volume": volume, "muscle": 40 - 0.1 * volume, "fat": 0.3 * volume})
    return table.assign(population=["train"] * 20 + ["ID"] * 4 + ["OOD"] * 6)


LABELS = {"volume": "body volume (l)", "muscle": "muscle (%)", "fat": "fat (%)", "error": "error (points)"}


def test_split_scatter_draws_the_boundary_and_counts(people):
    figure = plots.split_scatter(
        people, volume="volume", other="muscle", target="fat", boundary=(-0.2, 50.0), labels=LABELS
    )
    left, right = figure.axes
    x, y = left.lines[0].get_data()
    assert y == pytest.approx(50 - 0.2 * np.asarray(x))
    assert [t.get_text() for t in left.get_legend().get_texts()] == ["train (n = 20)", "ID (n = 4)", "OOD (n = 6)"]
    assert "r = 1.00" in right.get_legend().get_texts()[0].get_text()


def test_violins_mark_the_means_and_the_margins():
    errors = pd.concat(
        pd.DataFrame({"population": population, "arm": arm, "absolute_error": level + np.linspace(-0.5, 0.5, 11)})
        for population, arm, level in [
            ("ID", "real", 1.0), ("ID", "synthetic", 1.5), ("OOD", "real", 4.0), ("OOD", "synthetic", 3.5)
        ]
    )  # fmt: skip
    ax = plots.error_violins(errors).axes[0]
    dots = {round(float(y), 6) for line in ax.lines if line.get_marker() == "o" for y in line.get_ydata()}
    assert dots == {1.0, 1.5, 4.0, 3.5}
    margins = {line.get_ydata()[0] for line in ax.lines if line.get_linestyle() == "--" and len(line.get_xdata()) == 2}
    assert {2.0, 3.0} <= margins
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["real", "synthetic"]


def test_error_maps_share_one_colour_scale_with_the_largest_errors_on_top(people):
    real = people.assign(error=np.linspace(5, 0, 30))
    tables = {"real": real, "synthetic_rebiased": real.assign(error=real["error"] / 2)}
    figure = plots.error_map(
        tables, volume="volume", other="muscle", error="error", labels=LABELS, boundary=(-0.1, 40.0)
    )
    first, second = (figure.axes[i].collections[0] for i in range(2))
    assert first.get_clim() == second.get_clim() == (0, pytest.approx(5, rel=0.05))
    assert np.all(np.diff(first.get_array()) >= 0)
    assert figure.axes[1].get_title(loc="left") == "(b) synthetic rebiased"


def test_table_beside_paper():
    ours = pd.DataFrame({"dice_mean": [0.9, 0.81234], "n": [3, 4], "own": [1, 2]}, index=["liver", "brain"])
    paper = pd.DataFrame({"dice_mean": [0.964], "n": [80]}, index=["brain"])
    table = plots.table_beside_paper(ours, paper)
    assert list(table.columns) == [("dice mean", "ours"), ("dice mean", "paper"), ("n", "ours"), ("n", "paper")]
    assert table.loc["brain"].tolist() == ["0.812", "0.964", "4", "80"]
    assert table.loc["liver"].tolist() == ["0.900", "–", "3", "–"]
    with pytest.raises(InputError, match="none in common"):
        plots.table_beside_paper(ours, paper.rename(columns=str.upper))
