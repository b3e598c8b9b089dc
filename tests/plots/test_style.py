import matplotlib.pyplot as plt
import pytest

from vctlib import plots
from vctlib.anatomy import MEASURE, PAPER16, TOTAL, ids_of
from vctlib.errors import InputError
from vctlib.plots.style import COLOURS


def _figure(text="n = 3"):
    figure, ax = plt.subplots(figsize=(3, 2))
    ax.plot([0, 1], [0, 1], label="reference")
    ax.fill_between([0, 1], 0, 1)
    ax.set_title(text)
    return figure


def test_cohorts_have_the_same_colour_in_a_trial():
    assert COLOURS["real"] == COLOURS["reference"]
    others = [colour for name, colour in COLOURS.items() if name != "real"]
    assert len(set(others)) == len(others)


def test_a_structure_has_one_colour_in_every_table():
    paper, measure, total = (plots.label_colours(table) for table in (PAPER16, MEASURE, TOTAL))
    assert len(set(paper.values())) == 16
    for name, names in {"liver": ["liver"], "kidney": ["kidney_left", "kidney_right"]}.items():
        colour = paper[ids_of(PAPER16, name)[0]]
        for table, colours in ((MEASURE, measure), (TOTAL, total)):
            assert {colours[number] for number in ids_of(table, *names)} == {colour}
    assert set(total) == set(TOTAL)


def test_saved_figures_are_the_same_bytes_each_time(tmp_path):
    first = [path.read_bytes() for path in plots.save_figure(_figure(), tmp_path / "a" / "figure.svg")]
    second = [path.read_bytes() for path in plots.save_figure(_figure(), tmp_path / "b" / "figure")]
    assert first == second
    assert first != [path.read_bytes() for path in plots.save_figure(_figure("n = 4"), tmp_path / "c" / "figure")]
    assert b"n = 3" in first[0] and b"<dc:date>" not in first[0]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["figure.png", "figure.svg"]


def test_a_failed_write_leaves_the_old_figure_and_nothing_else(tmp_path):
    svg, _ = plots.save_figure(_figure(), tmp_path / "figure")
    before, broken = svg.read_bytes(), _figure()
    broken.savefig = lambda path, **_: (path.write_text("half"), 1 / 0)
    with pytest.raises(ZeroDivisionError):
        plots.save_figure(broken, tmp_path / "figure")
    assert svg.read_bytes() == before and len(list(tmp_path.iterdir())) == 2


def test_other_file_types_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"\.svg and \.png"):
        plots.save_figure(_figure(), tmp_path / "figure.pdf")
