"""All results on one page: chapters in order, places and links that stay within it."""

from pathlib import Path

import pytest
import yaml
from bs4 import BeautifulSoup

from vctlib.commands.single_page import single_page
from vctlib.errors import InputError

HEAD = '<link rel="stylesheet" href="_static/a.css"/><script src="_static/page.js"></script>'
PAGES = {
    "one": '<section id="start"><h1>One<a class="headerlink" href="#start">#</a></h1><p><a href="#start">up</a> '
    '<a href="two.html">next</a> <a href="two.html#tab">table</a> <a href="more/three.html">more</a> '
    '<a href="https://example.org/two.html">out</a> <a href="two.csv">file</a></p></section><button>copy</button>',
    "two": '<section id="start"><h1 id="h">Two</h1><table id="tab" aria-labelledby="start h"></table></section>',
}


@pytest.fixture
def folder(tmp_path):
    for name, article in PAGES.items():
        script = '<script src="_static/mathjax/tex.js"></script>' if name == "two" else ""
        text = f"<html><head>{HEAD}{script}</head><body><nav>menu</nav><article>{article}</article></body></html>"
        (tmp_path / f"{name}.html").write_text(text)
    return tmp_path


def test_chapters_follow_each_other_and_links_stay_inside(folder):
    page = BeautifulSoup(single_page(folder, ["two", "one"], "All", "en"), "html.parser")
    assert [tag.get_text(strip=True) for tag in page.find_all("h1")] == ["Two", "One"]
    ids = [tag["id"] for tag in page.find_all(id=True)]
    assert len(ids) == len(set(ids)) and {"one", "two", "one--start", "two--start", "two--tab"} <= set(ids)
    links = [tag["href"] for tag in page.find_all("a")]
    outside = ["more/three.html", "https://example.org/two.html", "two.csv"]
    assert links == ["#one--start", "#two", "#two--tab", *outside]
    assert page.find("table")["aria-labelledby"] == "two--start two--h"
    assert not page.find("nav") and not page.find("button")


def test_it_looks_as_the_pages_do_and_runs_nothing_but_formulas(folder):
    page = BeautifulSoup(single_page(folder, ["one", "two"], "All", "en"), "html.parser")
    assert [tag["href"] for tag in page.find_all("link")] == ["_static/a.css"]
    assert [tag["src"] for tag in page.find_all("script")] == ["_static/mathjax/tex.js"]
    assert page.title.string == "All" and page.html["lang"] == "en"


def test_an_absent_chapter_is_named(folder):
    with pytest.raises(InputError, match=r"three\.html: absent"):
        single_page(folder, ["one", "three"], "All", "en")


def test_the_book_names_chapters_that_it_has():
    root = Path(__file__).parents[1]
    named = yaml.safe_load((root / "_config.yml").read_text())["sphinx"]["config"]["single_page_chapters"]
    assert not [name for name in named if not (root / "book" / f"{name}.md").is_file()]


def test_nothing_stays_folded(folder):
    (folder / "three.html").write_text("<html><head></head><article><details><p>table</p></details></article></html>")
    assert BeautifulSoup(single_page(folder, ["three"], "All", "en"), "html.parser").details.has_attr("open")


def test_it_bars_nobody(folder):
    """Lists hold items, and what scrolls can be reached without a mouse."""
    article = '<div role="list"><div role="doc-biblioentry">a</div></div><pre>a</pre>'
    article += '<div class="pst-scrollable-table-container"></div>'
    (folder / "three.html").write_text(f"<html><head></head><article>{article}</article></html>")
    page = BeautifulSoup(single_page(folder, ["three"], "All", "en"), "html.parser")
    assert page.select_one("[role=list] > *")["role"] == "listitem"
    assert page.select_one(".pst-scrollable-table-container")["tabindex"] == page.pre["tabindex"] == "0"
