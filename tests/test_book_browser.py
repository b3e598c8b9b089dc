"""The book in a real browser: no page complains or asks for anything outside, links lead somewhere, search finds, and
readers who cannot see or use a mouse are not left out."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.browser import CHROMIUM, SOFTWARE_GL, served

ROOT = Path(__file__).parents[1]
LARGEST_PAGE, LARGEST_BOOK = 2 * 2**20, 60 * 2**20  # bytes
GENERATED = {"genindex.html"}  # by Sphinx, of nothing

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def book(tmp_path_factory) -> Path:
    """The folder of the built book, as it stands."""
    target = tmp_path_factory.mktemp("book")
    command = [sys.executable, "-m", "vctlib", "book", "--frozen", "--output", target]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return target / "_build" / "html"


@pytest.fixture(scope="module")
def site(book) -> Iterator[str]:
    """The address at which the book is served."""
    with served(book) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *SOFTWARE_GL])
        yield browser
        browser.close()


def pages_of(book: Path) -> list[str]:
    return sorted(path.relative_to(book).as_posix() for path in book.rglob("*.html") if "_static" not in path.parts)


def complaints(page, allowed: str) -> list[str]:
    """A list that fills with what goes wrong on a page: errors on its console, requests that leave `allowed`."""
    found: list[str] = []
    page.on("console", lambda message: found.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: found.append(str(error)))
    inside = (allowed, "data:", "blob:")
    page.on("request", lambda asked: None if asked.url.startswith(inside) else found.append(f"asks for {asked.url}"))
    return found


@pytest.fixture(scope="module")
def visited(book, site, browser) -> dict[str, tuple[list[str], set[str], set[str]]]:
    """Page -> complaints, ids and links, as the browser has them after scripts have run."""
    page, seen = browser.new_page(), {}
    found = complaints(page, site)
    for name in pages_of(book):
        page.goto(f"{site}/{name}", wait_until="load")
        page.wait_for_function("!window.MathJax || !window.MathJax.startup || window.MathJax.startup.promise")
        ids = page.evaluate("() => [...document.querySelectorAll('[id]')].map(e => e.id)")
        links = page.evaluate("() => [...document.querySelectorAll('a[href]')].map(e => e.href)")
        seen[name] = list(found), set(ids), set(links)
        found.clear()
    page.close()
    return seen


def test_every_page_loads_without_an_error_or_an_outside_request(visited):
    assert not {name: found for name, (found, _, _) in visited.items() if found}


def test_links_lead_somewhere(book, site, visited):
    """Every link to a page or a place of the book."""
    lost = []
    for name, (_, _, links) in visited.items():
        for link in links:
            parts = urlsplit(link)
            if not link.startswith(site):
                continue
            target, place = unquote(parts.path).lstrip("/") or "index.html", unquote(parts.fragment)
            known = target in visited or (book / target).exists()
            if not known or (place and target in visited and place not in visited[target][1]):
                lost.append(f"{name}: {target}#{place}")
    assert not lost


def test_the_opening_page_works_from_a_folder(book, browser):
    page = browser.new_page()
    found = complaints(page, "file:")
    page.goto((book / "index.html").as_uri(), wait_until="load")
    assert page.inner_text("h1") and not found
    page.close()


def test_search_finds_over_http_and_from_a_folder(book, site, browser):
    page = browser.new_page()
    for address in (f"{site}/search.html?q=muscle", f"{(book / 'search.html').as_uri()}?q=muscle"):
        page.goto(address)
        page.wait_for_function("document.querySelectorAll('#search-results li a').length > 3", timeout=10_000)
    page.close()


def test_nothing_serious_bars_anybody(book, site, browser):
    """axe-core on every chapter, on one decision and on one executed notebook: the rest are built alike."""
    from axe_playwright_python.sync_playwright import Axe

    page, axe, found = browser.new_page(), Axe(), {}
    alike = {"decisions/": "decisions/index.html", "executed/": "executed/laptop/12_run_trial.html"}
    names = [name for name in pages_of(book) if not name.startswith(tuple(alike)) and name not in GENERATED]
    names += [name for name in alike.values() if (book / name).is_file()]
    assert len(names) > 20
    for name in names:
        page.goto(f"{site}/{name}", wait_until="load")
        for violation in axe.run(page, options={"resultTypes": ["violations"]}).response["violations"]:
            if violation["impact"] in ("serious", "critical"):
                found.setdefault(violation["id"], []).append((name, violation["nodes"][0]["html"][:120]))
    page.close()
    assert not found


def test_pages_and_book_are_light(book):
    heavy = {name: size for name in pages_of(book) if (size := (book / name).stat().st_size) > LARGEST_PAGE}
    assert not heavy
    assert sum(path.stat().st_size for path in book.rglob("*") if path.is_file()) < LARGEST_BOOK
    assert not list(book.rglob("*.map"))


def test_the_result_prints(book, site, browser):
    """The page of the trial as a PDF: all of it, on paper of a usual size."""
    page = browser.new_page()
    page.goto(f"{site}/trial.html", wait_until="load")
    pdf = page.pdf(format="A4")
    page.close()
    assert pdf.startswith(b"%PDF") and pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") >= 3
