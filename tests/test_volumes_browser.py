"""Bodies to turn round in a real browser: they appear, over http and from a folder, and the controls change them."""

import io
from collections.abc import Iterator
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from tests.browser import CHROMIUM, SOFTWARE_GL, served
from tests.plots.test_volume_gallery import LIVER, asked, make_cohort
from tests.test_book import build
from vctlib.anatomy import PAPER16
from vctlib.plots.style import label_colours
from vctlib.plots.volume_gallery import save_volumes

ROOT = Path(__file__).parents[1]
NO_GL = ["--disable-gpu", "--disable-3d-apis"]
PATIENCE = 60_000  # ms
PAGE = "# People\n\n:::{volumes} results/laptop/volumes/gallery.json\n:::\n"

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def book(tmp_path_factory) -> Path:
    """A book of one page with two people made of blocks."""
    source = tmp_path_factory.mktemp("source")
    cohort = make_cohort(tmp_path_factory.mktemp("cohort") / "gallery")
    (source / "results" / "laptop" / "volumes").mkdir(parents=True)
    save_volumes(source / "results" / "laptop" / "volumes", asked(cohort), cohort)
    for name, text in (("_toc.yml", "format: jb-book\nroot: index\n"), ("index.md", PAGE), ("references.bib", "")):
        (source / name).write_text(text)
    (source / "vendor").symlink_to(ROOT / "book" / "vendor")
    return build(source, tmp_path_factory.mktemp("html"))


@pytest.fixture(scope="module")
def addresses(book) -> Iterator[dict[str, str]]:
    with served(book) as address:
        yield {"http": f"{address}/index.html", "file": (book / "index.html").as_uri()}


@pytest.fixture(scope="module")
def playwright():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def browser(playwright):
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *SOFTWARE_GL])
    yield browser
    browser.close()


def watched(page) -> tuple[list[str], list[str]]:
    """Two lists that fill: what the page complains of, and what it asks for."""
    errors, requests = [], []
    page.on("console", lambda message: errors.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda asked: requests.append(asked.url))
    return errors, requests


def picture(page, what: str = ".bodies-stage canvas") -> np.ndarray:
    """What is seen there: RGB (height, width, 3), 0 to 1."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return matplotlib.image.imread(io.BytesIO(page.locator(what).screenshot()))[..., :3]


def n_colours(seen: np.ndarray) -> int:
    return len(np.unique(np.rint(seen * 255).astype(np.uint8).reshape(-1, 3), axis=0))


def liver_columns(seen: np.ndarray) -> np.ndarray:
    """The column of every pixel that has the colour of the liver's label."""
    return np.nonzero((np.abs(seen - to_rgb(label_colours(PAPER16)[LIVER])) < 0.04).all(axis=-1))[1]


def differ(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether more than one pixel in a hundred differs by more than the eye could miss."""
    return (np.abs(one - other).max(axis=-1) > 0.05).mean() > 0.01


def opened(page, address: str):
    """The page with somebody to turn round."""
    page.goto(address)
    page.click(".bodies-show")
    page.wait_for_selector(".bodies[data-state=ready]", timeout=PATIENCE)
    return page


@pytest.mark.parametrize("kind", ["http", "file"])
def test_a_body_appears_and_only_what_is_asked_for_is_fetched(browser, addresses, kind):
    page = browser.new_page()
    errors, requests = watched(page)
    page.goto(addresses[kind])
    assert page.is_visible(".bodies-still") and not page.is_visible("canvas")
    assert not [url for url in requests if "niivue" in url or url.endswith(("thin.js", "wide.js"))]
    opened(page, addresses[kind])
    assert not page.is_visible(".bodies-still") and n_colours(picture(page)) > 100
    assert not [url for url in requests if url.endswith("wide.js")]
    before = picture(page)
    page.check("input[value=wide]", force=True)
    page.wait_for_selector(".bodies[data-shown=wide]", timeout=PATIENCE)
    assert differ(before, picture(page)) and page.inner_text(".bodies-title span").startswith("female, 40 years")
    inside = (addresses[kind].removesuffix("index.html"), "data:", "blob:")
    assert not errors and not [url for url in requests if not url.startswith(inside)]
    page.close()


@pytest.fixture(scope="module")
def page(browser, addresses):
    """One page for all that the controls do."""
    page = opened(browser.new_page(), addresses["file"])
    yield page
    page.close()


def test_the_window_changes_the_picture(page):
    names = page.locator("[data-what=window] option").all_inner_texts()
    assert [name.split(",")[0] for name in names] == ["body", "soft tissue", "bone", "lung"]
    assert all(name.endswith(" HU") for name in names)
    seen = {}
    for name in names:
        page.select_option("[data-what=window]", label=name)
        seen[name] = picture(page)
    assert all(differ(seen[one], seen[other]) for one in names for other in names if one < other)
    page.select_option("[data-what=window]", label=names[0])


def test_the_slider_takes_labels_from_unseen_to_their_own_colour(page):
    page.fill("[data-what=labels]", "0")
    assert liver_columns(picture(page)).size == 0
    page.fill("[data-what=labels]", "1")
    assert liver_columns(picture(page)).size > 500
    page.fill("[data-what=labels]", "0.4")


def test_turning_and_cutting_open_change_the_rendering_alone(page):
    page.select_option("[data-what=view]", "rendering")
    before = picture(page)
    page.fill("[data-what=turn]", "90")
    turned = picture(page)
    page.fill("[data-what=cut]", "0.7")
    assert differ(before, turned) and differ(turned, picture(page))
    page.select_option("[data-what=view]", "coronal")
    coronal = picture(page)
    page.fill("[data-what=turn]", "0")
    page.fill("[data-what=cut]", "0")
    assert not differ(coronal, picture(page))
    page.select_option("[data-what=view]", "all")


def test_a_name_in_the_legend_leads_to_the_structure(page):
    liver = page.get_by_role("button", name="liver")
    liver.click()
    assert liver.get_attribute("aria-pressed") == "true"
    assert page.inner_text(".bodies-title output") == "At the cross: liver, 100 HU"
    liver.click()
    assert liver.get_attribute("aria-pressed") == "false"


def test_the_keyboard_turns_and_moves(page):
    page.focus(".bodies-stage canvas")
    values = {what: float(page.input_value(f"[data-what={what}]")) for what in ("turn", "level")}
    for key in ("ArrowRight", "ArrowUp"):
        page.keyboard.press(key)
    assert float(page.input_value("[data-what=turn]")) == values["turn"] + 5
    assert float(page.input_value("[data-what=level]")) == values["level"] + 1
    page.focus("input:checked")
    page.keyboard.press("ArrowDown")  # to the next person, as in every group of radio buttons
    page.wait_for_selector(".bodies[data-shown=wide][data-state=ready]", timeout=PATIENCE)


def test_the_person_lies_in_radiological_convention(page):
    """The liver of these people lies to their right, which is on the left."""
    page.fill("[data-what=labels]", "1")
    page.get_by_role("button", name="liver").click()
    page.select_option("[data-what=view]", "coronal")
    seen = picture(page)
    assert liver_columns(seen).mean() < seen.shape[1] / 2
    page.get_by_role("button", name="liver").click()
    page.select_option("[data-what=view]", "all")


def test_the_canvas_follows_the_width_of_the_page(page):
    page.set_viewport_size({"width": 420, "height": 1000})
    page.wait_for_function("document.querySelector('.bodies canvas').width < 420")
    assert n_colours(picture(page)) > 100
    assert page.evaluate("document.documentElement.scrollWidth <= 420")
    page.set_viewport_size({"width": 1280, "height": 720})


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_bars_anybody(browser, addresses, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = browser.new_page(color_scheme=scheme)
    page.goto(addresses["http"])
    for state in ("still", "turning"):
        if state == "turning":
            opened(page, addresses["http"])
        violations = Axe().run(page, context=".bodies").response["violations"]
        serious = [v for v in violations if v["impact"] in ("serious", "critical")]
        assert not [(v["id"], v["nodes"][0]["html"]) for v in serious], state
    page.close()


def test_without_webgl_a_picture_of_whoever_is_chosen_stands_there(playwright, addresses):
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *NO_GL])
    page = browser.new_page()
    errors, _ = watched(page)
    page.goto(addresses["file"])
    assert page.is_visible("text=This browser draws no WebGL") and not page.is_visible(".bodies-show")
    first = picture(page, ".bodies-still")
    page.check("input[value=wide]", force=True)
    page.wait_for_function("document.querySelector('.bodies-still').complete")
    assert n_colours(first) > 20 and differ(first, picture(page, ".bodies-still"))
    assert not errors
    browser.close()


def test_without_scripts_a_picture_and_a_sentence_stand_there(browser, addresses):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(addresses["file"])
    assert page.is_visible(".bodies-still") and page.locator("noscript p").is_visible()
    assert not any(page.is_visible(f".bodies-{part}") for part in ("people", "show", "controls", "legend"))
    context.close()
