"""`show` in a real JupyterLab in a real browser: both viewers draw the body, upright, in its window, labels in colour.

The extension is put in place as `make lab` does. All pictures are taken in one session, for a start costs ten seconds.
"""

import contextlib
import io
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib
import matplotlib.image
import nbformat
import numpy as np
import pytest
from scipy import ndimage

from vctlib.anatomy import PAPER16
from vctlib.labextension import install_labextension
from vctlib.plots.style import label_colours

ROOT = Path(__file__).parents[1]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SOFTWARE_WEBGL = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")
NO_OTHER_HOST = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
TOKEN = secrets.token_hex()
PATIENCE_SECONDS = 120  # for one picture; a machine with nothing else to do needs a tenth of it

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# A liver to the person's right and above the middle, and a spine behind
BODY = """
import numpy as np
from vctlib.anatomy import DISPLAY_WINDOW, PAPER16
from vctlib.view import show

x, y, z = np.mgrid[-1:1:20j, -1:1:14j, -1:1:35j]
liver = ((x - 0.35) / 0.3) ** 2 + (y / 0.4) ** 2 + ((z - 0.3) / 0.2) ** 2 < 1
spine = ((x / 0.12) ** 2 + ((y + 0.5) / 0.15) ** 2 < 1) & (np.abs(z) < 0.8)
hu = np.where((x / 0.8) ** 2 + (y / 0.8) ** 2 + (z / 0.9) ** 2 < 1, -50, -1000)
hu[liver], hu[spine] = 120, 800
labels = np.select([liver, spine], [4, 1], 0)  # of PAPER16
ct = hu.astype(np.int16), np.diag([16, 16, 24, 1.0])
"""
# itkwidgets is the first choice where JupyterLab listens; sampled coarsely, for software draws here
CELLS = {
    ("itkwidgets", "bare"): "show(ct, sample_distance=1.0)",
    ("itkwidgets", "labels"): "show(ct, labels, table=PAPER16, sample_distance=1.0)",
    ("itkwidgets", "coronal"): "show(ct, window=DISPLAY_WINDOW['lung'], mode='y')",
    ("niivue", "bare"): "show(ct, backend='niivue')",
    ("niivue", "labels"): "show(ct, labels, table=PAPER16, backend='niivue')",
}


@dataclass
class Session:
    """What was seen: a picture (height, width, 3; 0 to 255) of each canvas, all text, and requests to elsewhere."""

    pictures: dict = field(default_factory=dict)
    text: str = ""
    outside: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@contextlib.contextmanager
def jupyterlab(folder: Path) -> Iterator[str]:
    """JupyterLab on a free port, as a user would have who never set anything; gives its address."""
    settings = folder / "config" / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    no_news = {"fetchNews": "false", "checkForUpdates": False}  # a question in front of the picture
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(no_news))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "JPY_"))}
    own = {f"JUPYTER_{name}_DIR": str(folder / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    own |= {"IPYTHONDIR": str(folder / "ipython"), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--IdentityProvider.token={TOKEN}"]
    command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={folder}/notebooks"]
    command += ["--LabApp.expose_app_in_browser=True"]
    with open(folder / "server.log", "w") as log:
        server = subprocess.Popen(command, env=kept | own, stdout=log, stderr=subprocess.STDOUT)
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(4 * PATIENCE_SECONDS):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/api", timeout=5):
                break
            assert server.poll() is None, (folder / "server.log").read_text()[-2000:]
            time.sleep(0.25)
        yield address
    finally:
        server.terminate()  # and the server its kernels
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def picture_of(canvas, is_drawn) -> np.ndarray:
    """What a canvas shows once something is drawn and stays; the last look where that does not come."""
    end, last = time.monotonic() + PATIENCE_SECONDS, None
    while time.monotonic() < end:
        canvas.scroll_into_view_if_needed(timeout=1000 * PATIENCE_SECONDS)
        seen = matplotlib.image.imread(io.BytesIO(canvas.screenshot(timeout=1000 * PATIENCE_SECONDS)))[..., :3] * 255
        if last is not None and is_drawn(seen) and np.array_equal(seen, last):
            break
        last = seen
        time.sleep(0.5)
    return seen


@pytest.fixture(scope="module")
def session(tmp_path_factory) -> Session:
    """Every cell run, one after the other, and looked at."""
    from playwright.sync_api import sync_playwright

    folder, found = tmp_path_factory.mktemp("lab"), Session()
    (folder / "notebooks").mkdir()
    cells = [nbformat.v4.new_code_cell(source) for source in (BODY, *CELLS.values())]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), folder / "notebooks" / "n.ipynb")
    install_labextension()  # the first line of `make lab`
    with jupyterlab(folder) as address, sync_playwright() as playwright:
        flags = ["--no-sandbox", NO_OTHER_HOST, *SOFTWARE_WEBGL]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        page = browser.new_page(viewport={"width": 640, "height": 850})
        page.set_default_timeout(1000 * PATIENCE_SECONDS)
        page.on("request", lambda request: found.outside.append(request.url))
        page.on("pageerror", lambda error: found.errors.append(str(error)))
        page.goto(f"{address}/lab/tree/n.ipynb?token={TOKEN}")
        page.wait_for_function(
            "() => window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
        )
        run = "(command) => { window.jupyterapp.commands.execute(command); }"
        page.evaluate(run, "application:toggle-left-area")
        page.evaluate(run, "notebook:run-cell-and-select-next")
        for number, name in enumerate(CELLS, start=1):
            page.evaluate(run, "notebook:run-cell-and-select-next")
            output = page.locator(".jp-CodeCell").nth(number).locator(".jp-OutputArea-output")
            output.locator("canvas").or_(output.get_by_text("rror")).first.wait_for()
            if output.locator("canvas").count():
                found.pictures[name] = picture_of(output.locator("canvas").first, IS_DRAWN[name[0]])
        found.text = page.locator(".jp-Notebook").inner_text()
        browser.close()
        local = (f"{address}/", f"ws{address[4:]}/", "data:", "blob:")
        found.outside = [url for url in found.outside if not url.startswith(local)]
    return found


def inside(picture: np.ndarray) -> np.ndarray:
    """Without the viewers' own buttons and letters at the border."""
    return picture[80:-130, 40:-40]


def count(picture: np.ndarray, colour, tolerance: float = 5) -> int:
    """Pixels of about this colour (0 to 255)."""
    return int((np.abs(picture - np.array(colour)) <= tolerance).all(axis=-1).sum())


def n_colours(picture: np.ndarray) -> int:
    return len(np.unique(inside(picture).reshape(-1, 3).round(), axis=0))


def reddish(picture: np.ndarray) -> np.ndarray:
    """Where the picture is red, as the book's livers are and nothing else here."""
    return inside(picture)[..., 0] > inside(picture)[..., 2] + 25


def seen_body(picture: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """The body in one view: of the patches that differ from the background, the one with most of `inner` in it."""
    differs = np.abs(inside(picture) - inside(picture)[0, 0]).max(axis=-1) > 25
    patches, _ = ndimage.label(ndimage.binary_closing(differs, iterations=3))  # coarsely sampled, it has holes
    return patches == np.bincount(patches[inner & (patches > 0)]).argmax()


FAT, LIVER = np.array([-50, 120])
BODY_GREY, LIVER_GREY = (255 * (hu + 250) / 700 for hu in (FAT, LIVER))  # in the window from -250 to 450 HU
IS_DRAWN = {
    "itkwidgets": lambda picture: n_colours(picture) > 30,
    "niivue": lambda picture: count(picture, [BODY_GREY] * 3) > 1000,
}


@pytest.mark.parametrize("viewer", ["itkwidgets", "niivue"])
def test_the_viewer_draws_the_body(session, viewer):
    assert "rror displaying widget" not in session.text and "model not found" not in session.text, session.errors
    assert not session.errors
    for kind in ("bare", "labels"):
        assert n_colours(session.pictures[viewer, kind]) > 100


@pytest.mark.parametrize("viewer", ["itkwidgets", "niivue"])
def test_the_liver_is_red_on_the_left_and_high_up(session, viewer):
    """Its label's colour shows, the body stands upright, and is seen from the front."""
    bare, labels = session.pictures[viewer, "bare"], session.pictures[viewer, "labels"]
    body = seen_body(bare, reddish(labels))
    liver = body & reddish(labels)
    assert reddish(bare).sum() < 20 and liver.sum() > 300
    down, right = np.mean(np.nonzero(liver), axis=1) - np.mean(np.nonzero(body), axis=1)
    height, width = (np.ptp(where) for where in np.nonzero(body))
    assert -0.25 < down / height < -0.1 and -0.35 < right / width < -0.1


def test_itkwidgets_obeys_a_window_wider_than_the_volume(session):
    for hu in (FAT, LIVER):
        colour = 255 * np.array(matplotlib.colormaps["bone"]((hu + 1350) / 1500)[:3])
        assert count(session.pictures["itkwidgets", "coronal"], colour, 8) > 300, hu


def test_niivue_shows_window_and_colours_to_the_number(session):
    bare, labels = session.pictures["niivue", "bare"], session.pictures["niivue", "labels"]
    assert count(bare, [BODY_GREY] * 3) > 1000 and count(labels, [BODY_GREY] * 3) > 1000
    assert count(bare, [LIVER_GREY] * 3) > 300
    over_liver = 0.55 * 255 * np.array(matplotlib.colors.to_rgb(label_colours(PAPER16)[4])) + 0.45 * LIVER_GREY
    assert count(labels, over_liver) > 300 and count(bare, over_liver) == 0


def test_nothing_is_asked_of_another_host(session):
    assert not session.outside and len(session.pictures) == len(CELLS)
