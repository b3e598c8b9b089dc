"""Every work that the code or the book cites has an entry in the bibliography, and every entry is complete."""

import re
from pathlib import Path

import pytest
from pybtex.database import parse_file

ROOT = Path(__file__).parents[1]
ENTRIES = parse_file(ROOT / "book" / "references.bib").entries
KEY = re.compile(r"\b[a-z]{3,}(?:19|20)\d{2}[a-z]?\b")


def test_entries_are_found():
    assert "killeen2025" in ENTRIES and len(ENTRIES) > 50


@pytest.mark.parametrize("path", sorted((ROOT / "vctlib").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_sources_in_the_code_are_listed(path):
    missing = set(KEY.findall(path.read_text())) - set(ENTRIES)
    assert not missing, f"{path.relative_to(ROOT)} cites {sorted(missing)}, which book/references.bib does not have"


@pytest.mark.parametrize("key", ENTRIES)
def test_entry_is_complete(key):
    entry = ENTRIES[key]
    assert entry.persons.get("author") and {"title", "year"} <= set(entry.fields)
    where = {"journal", "booktitle", "publisher", "institution", "howpublished", "url"}
    assert where & set(entry.fields), "says neither where it appeared nor where to find it"
    if match := re.search(r"(\d{4})$", key):
        assert match[1] == entry.fields["year"]
