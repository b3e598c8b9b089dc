"""The directive that puts bodies to turn round into a page, and how a run's volumes get into the book."""

import re

import pytest

from vctlib.commands.book import results_of_run
from vctlib.commands.volumes import page

PERSON = {"sex": "female", "age_years": 25.0, "build": "slim", "height_cm": 163.0, "weight_kg": 53.1, "bytes": 1}


def make_list(**changes):
    files = {"script": "_downloads/a/a.js", "still": "_downloads/b/a.png", "small": "_downloads/c/a-small.png"}
    person = {"id": "a", "title": "female, 25 years", "flag": "known"} | PERSON | files | changes
    windows = [{"name": "lung", "range": "\N{MINUS SIGN}1350 to 150 HU", "low": -1350, "high": 150}]
    structures = [{"number": 4, "name": "liver", "colour": "#A6432D"}]
    return {"people": [person, person | {"id": "b"}], "windows": windows, "structures": structures}


def test_everything_lies_in_the_book_and_is_found_from_a_page_further_down():
    html = page(make_list(), "bodies-0", "../")
    assert not re.search(r"https?:|//cdn", html)
    assert re.findall(r'<script src="([^"]+)"', html) == [
        "../_static/viewer/drawing.js",
        "../_static/viewer/volumes.js",
    ]
    assert 'data-niivue="../_static/niivue/niivue.umd.js"' in html


def test_windows_people_and_structures_are_named():
    html = page(make_list(), "bodies-0")
    assert "<option>lung, \N{MINUS SIGN}1350 to 150 HU</option>" in html
    assert "<b>female, 25</b>slim<br>163&nbsp;cm<br>53&nbsp;kg" in html
    assert html.count('type="radio"') == 2 and html.count(" checked") == 1
    assert "background:#A6432D" in html and ">liver<" in re.sub(r"\s*<i[^>]*></i>|\n", "", html)


def test_words_cannot_become_code():
    html = page(make_list(title='</script><script>alert("1")</script>', build="<b>"), "bodies-0")
    assert html.count("</script>") == 3 and "<script>alert" not in html and "</b><b>" not in html
    assert "&lt;script&gt;alert(&quot;1&quot;)" in html and "&lt;b&gt;" in html


def test_without_scripts_one_picture_and_a_sentence_are_left():
    html = page(make_list(), "bodies-0")
    for part in ("people", "controls", "legend", "help", "failed", "show"):
        assert re.search(rf'<[^>]* class="bodies-{part}"[^>]* hidden>', html), part
    assert re.search(r'class="bodies-still" src="_downloads/b/a.png" alt="female, 25 years: [^"]+">', html)
    assert "<noscript><p>Scripts are switched off" in html


@pytest.mark.parametrize("profile", ["smoke", "laptop"])
def test_a_runs_volumes_get_their_place_in_the_book(tmp_path, profile):
    run = tmp_path / profile
    for name in ("executed/17_show_gallery.ipynb", "volumes/a.js", "volumes/a.png", "volumes/.b.js.tmp"):
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text("")
    places = {path.relative_to(run).as_posix(): place.as_posix() for path, place in results_of_run(run).items()}
    assert {name: place for name, place in places.items() if name.startswith("volumes")} == {
        "volumes/a.js": f"results/{profile}/volumes/a.js",
        "volumes/a.png": f"results/{profile}/volumes/a.png",
    }


def test_curves_go_along_and_those_of_a_few_steps_of_trial_do_not(tmp_path):
    run = tmp_path / "laptop"
    for name in ("executed/19_x.ipynb", "autoencoders/0f/a.curves.csv", "autoencoders/0f/probe/a.curves.csv"):
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text("")
    places = {path.relative_to(run).as_posix() for path in results_of_run(run)}
    assert places == {"executed/19_x.ipynb", "autoencoders/0f/a.curves.csv"}
