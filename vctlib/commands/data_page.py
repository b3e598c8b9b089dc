"""`{data-manifest}`: what comes from outside or is released, and under which licence, as the manifest says it."""

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from vctlib.commands.provenance import table
from vctlib.manifest import MANIFEST, Entry, load_manifest

HEADER = ("Name", "What", "Licence", "From", "Passed on here", "SHA-256")
_DIGITS = 12  # of a hash, for the eye; the whole one is the cell's title


def source_words(entry: Entry) -> tuple[str, str | None]:
    """Where an entry comes from, in words, and the address of it where it is a web page or a package of PyPI."""
    if found := re.fullmatch(r"pypi:([\w.-]+)==([\w.]+)#\S+", entry.source):
        return f"PyPI, {found[1]} {found[2]}", f"https://pypi.org/project/{found[1]}/{found[2]}/"
    if found := re.fullmatch(r"debian:([\w.+-]+)=([\w.+~-]+)#\S+", entry.source):
        return f"Debian, {found[1]} {found[2]}", None
    if entry.source.startswith("repo:"):
        return "this repository", None
    return re.sub(r"^https://([^/]+)/.*", r"\1", entry.source), entry.source


def _cells(entry: Entry) -> list[nodes.Node]:
    words, address = source_words(entry)
    source = nodes.reference("", words, refuri=address) if address else nodes.Text(words)
    digest = nodes.Text("not known")
    if entry.sha256:
        digest = nodes.raw("", f'<code title="{entry.sha256}">{entry.sha256[:_DIGITS]}</code>', format="html")
    return [
        nodes.literal("", entry.name),
        nodes.Text(entry.what),
        nodes.Text(entry.licence),
        source,
        nodes.Text("yes" if entry.redistributable else "no"),
        digest,
    ]


class DataManifest(SphinxDirective):
    """`:::{data-manifest}`: all entries in a table, and below it how each is to be cited."""

    has_content = False

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(MANIFEST))
        entries = load_manifest(MANIFEST).values()
        citations = nodes.bullet_list()
        for citation in dict.fromkeys(" ".join(entry.citation.split()) for entry in entries):
            citations += nodes.list_item("", nodes.paragraph("", citation))
        return [table(HEADER, [_cells(entry) for entry in entries], "wrap"), citations]


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx, which `_config.yml` tells of this extension."""
    app.add_directive("data-manifest", DataManifest)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
