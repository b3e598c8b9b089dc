"""The page of data and licences says what the manifest says, of every entry."""

import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest

from vctlib.commands.book import JUPYTER_BOOK
from vctlib.commands.data_page import source_words
from vctlib.manifest import load_manifest

ROOT = Path(__file__).parents[1]
ENTRIES = load_manifest()


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("html")
    (source / "_toc.yml").write_text("format: jb-book\nroot: data_licences\n")
    for name in ("data_licences.md", "references.bib"):
        shutil.copy(ROOT / "book" / name, source)
    (source / "vendor").symlink_to(ROOT / "book" / "vendor")
    command = [*JUPYTER_BOOK, "build", source, "--config", ROOT / "_config.yml"]
    command += ["--toc", source / "_toc.yml", "--path-output", target, "-W", "-n", "--keep-going"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return unescape((target / "_build/html/data_licences.html").read_text())


def test_every_entry_stands_there_with_licence_and_hash(page):
    rows = {re.search(r'<code class="[^"]*"><span class="pre">([^<]+)', row)[1]: row for row in page.split("<tr")[2:]}
    assert set(rows) == set(ENTRIES)
    for name, entry in ENTRIES.items():
        assert f"<p>{entry.licence}</p>" in rows[name]
        assert entry.sha256 is None or f'title="{entry.sha256}"' in rows[name]
        assert f"<p>{'yes' if entry.redistributable else 'no'}</p>" in rows[name]


def test_every_citation_stands_there_once(page):
    for entry in ENTRIES.values():
        assert page.count(" ".join(entry.citation.split())) >= 1


def test_sources_in_words():
    words = {entry.source.split(":")[0]: source_words(entry) for entry in ENTRIES.values()}
    assert words["repo"] == ("this repository", None)
    assert words["pypi"][0].startswith("PyPI, ") and words["pypi"][1].startswith("https://pypi.org/project/")
    assert all("/" not in text for text, _ in words.values())
