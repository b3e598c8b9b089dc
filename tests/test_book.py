"""The book builds without a warning, makes no request to the outside, and its formulas appear in a browser."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from vctlib.commands.book import JUPYTER_BOOK
from vctlib.config import load_profile

ROOT = Path(__file__).parents[1]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FETCHED = {"script": ("src",), "img": ("src", "srcset"), "link": ("href",), "iframe": ("src",), "source": ("src",)}
FETCHED |= {"video": ("src", "poster"), "audio": ("src",), "object": ("data",), "embed": ("src",)}


class ResourceParser(HTMLParser):
    """Collects the address of everything that a browser fetches for a page by itself; links to click are left out."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "link" and given.get("rel") in ("canonical", "next", "prev", "index", "search", "author", "license"):
            return
        self.addresses += [given[name] or "" for name in FETCHED.get(tag, ()) if name in given]


def outside(addresses: list[str]) -> list[str]:
    """Those that leave the folder of the book; `//host/file` is as much outside as `https://host/file`."""
    return [address for address in addresses if re.match(r"\s*(https?:)?//", address)]


def resources(html: str) -> list[str]:
    parser = ResourceParser()
    parser.feed(html)
    return parser.addresses


def build(source: Path, target: Path) -> Path:
    """Build the book whose table of contents is in `source`; returns the folder of its pages."""
    command = [*JUPYTER_BOOK, "build", source, "--config", ROOT / "_config.yml"]
    command += ["--toc", source / "_toc.yml", "--path-output", target, "--all", "-W", "-n", "--keep-going"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return target / "_build" / "html"


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> Path:
    """The pages of the book as it stands."""
    return build(ROOT / "book", tmp_path_factory.mktemp("book"))


@pytest.fixture(scope="module")
def formula_page(tmp_path_factory) -> Path:
    """A one-page book with the book's own settings, a formula that needs an extension of MathJax, and a citation."""
    source = tmp_path_factory.mktemp("formula")
    (source / "_toc.yml").write_text("format: jb-book\nroot: index\nchapters:\n  - file: references\n")
    (source / "index.md").write_text(
        "# Formula\n\n$$\\boldsymbol{x}_0 = \\cancel{\\sum_i} \\alpha_i$$ (eq-x)\n\n{eq}`eq-x` {cite:p}`killeen2025`\n"
    )
    for name in ("references.bib", "references.md"):
        shutil.copy(ROOT / "book" / name, source)
    (source / "vendor").symlink_to(ROOT / "book" / "vendor")
    return build(source, tmp_path_factory.mktemp("formula_html")) / "index.html"


def test_scan_knows_outside_from_inside():
    html = (
        '<script src="//a.b/c.js"></script><img src="pic.png"><a href="https://paper"></a><link href="https://x/y.css">'
    )
    assert outside(resources(html)) == ["//a.b/c.js", "https://x/y.css"]


def test_no_page_fetches_from_outside(pages):
    html_files = [path for path in pages.rglob("*.html") if "_static" not in path.parts]
    assert pages / "index.html" in html_files
    found = {str(path.relative_to(pages)): outside(resources(path.read_text())) for path in html_files}
    assert not {page: addresses for page, addresses in found.items() if addresses}


def test_stylesheets_fetch_nothing_from_outside(pages):
    for path in (pages / "_static").rglob("*.css"):
        fetched = re.findall(r"(?:url\(|@import\s+)['\"]?([^'\")]+)", path.read_text())
        assert not outside(fetched), path


def test_every_local_resource_exists(pages):
    for path in pages.glob("*.html"):
        for address in resources(path.read_text()):
            if address and not address.startswith(("data:", "#")):
                assert (path.parent / address.split("?")[0].split("#")[0]).exists(), f"{path.name}: {address}"


def test_no_static_folder_of_its_own():
    """Where `book/_static` exists, every script of all static folders lands on every page, which breaks MathJax."""
    assert not (ROOT / "book" / "_static").exists()


def test_book_executes_nothing():
    assert yaml.safe_load((ROOT / "_config.yml").read_text())["execute"]["execute_notebooks"] == "off"


def test_what_has_not_been_run_is_left_out(tmp_path):
    page = "# Page\n"
    for name in ("one", "two"):
        page += f"\n:::{{if-file}} {name}.csv\nThere is {name}.\n:::\n"
        page += f"\n:::{{unless-file}} {name}.csv\nThere is no {name}.\n:::\n"
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: index\n")
    for name, text in (("index.md", page), ("two.csv", "a\n1\n"), ("references.bib", "")):
        (tmp_path / name).write_text(text)
    (tmp_path / "vendor").symlink_to(ROOT / "book" / "vendor")
    text = (build(tmp_path, tmp_path / "html") / "index.html").read_text()
    assert "There is two." in text and "There is one." not in text
    assert "There is no one." in text and "There is no two." not in text


def test_citations_are_author_and_year(formula_page):
    text = re.sub(r"<[^>]+>", "", formula_page.read_text())
    assert "[Killeen et al., 2025]" in text


@pytest.mark.browser
def test_formula_appears_without_network(formula_page, tmp_path):
    """MathJax and its extensions come from the book itself: rendered, and no request to any host."""
    log = tmp_path / "requests.json"
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    command += [f"--log-net-log={log}", "--virtual-time-budget=10000", "--dump-dom", formula_page.as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
    assert dom.count("<mjx-container") == 1 and "<mjx-menclose" in dom  # the stroke of \cancel, from an extension
    assert "<mjx-merror" not in dom

    # The browser's own housekeeping has no initiator; what a page asks for has the page as its initiator.
    asked = [event.get("params", {}) for event in json.loads(log.read_text())["events"]]
    by_page = [
        each["url"] for each in asked if "url" in each and each.get("initiator", "").startswith(("file:", "null"))
    ]
    assert not outside(by_page)


def test_examples_of_overrides_are_valid():
    """What the page tells to change can be changed: the settings are read as the notebook would."""
    page = (ROOT / "book" / "running.md").read_text()
    examples = [yaml.safe_load(text) for text in re.findall(r"-y '(.*?)'", page, re.DOTALL)]
    changed = [load_profile(example["profile"], example["overrides"]) for example in examples]
    assert any(profile.cohort.conditions != "none" and profile.cohort.scanner.three_scans for profile in changed)
    assert any(profile.cohort.spacing_mm[0] == 4 for profile in changed)


def test_the_table_of_profiles_says_what_the_profiles_say():
    page = (ROOT / "book" / "running.md").read_text()
    table = page[page.index(":name: tab-profiles") :].split(":::")[0]
    rows = [[cell.strip() for cell in re.split(r"\n  - ", row)] for row in table.split("\n* - ")[1:]]
    cells = {row[0]: row[1:] for row in rows}
    for column, name in enumerate(("smoke", "laptop", "gpu", "paper")):
        profile = load_profile(name)
        assert cells["people"][column].split()[0] == str(profile.cohort.n_people)
        assert cells["compression along each axis"][column] == str(profile.compression)
        assert cells["diffusion"][column].split()[-2:] == [str(profile.synthesis.steps), "steps"]
        sizes = (profile.trial.n_train, profile.trial.n_test, profile.trial.n_test)
        assert cells["trial: training, ID, OOD (at most)"][column] == ", ".join(map(str, sizes))
