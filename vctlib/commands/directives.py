"""What the book's pages can say beside MyST: `if-file` shows what stands in it where a file is there, `unless-file`
where it is not.

A study costs too much for `make book`, so a run may lack its table, and a page that named it would not build.
"""

from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class IfFile(SphinxDirective):
    """`:::{if-file} results/laptop/tables/ablation.csv`, relative to the book: its content, or nothing."""

    required_arguments = 1
    has_content = True
    shown_where_there = True

    def run(self) -> list[nodes.Node]:
        path = Path(self.env.srcdir) / self.arguments[0]
        self.env.note_dependency(str(path))
        return self.parse_content_to_nodes() if path.is_file() == self.shown_where_there else []


class UnlessFile(IfFile):
    """`:::{unless-file} results/laptop/tables/ablation.csv`: its content where that file is absent."""

    shown_where_there = False


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx, which `_config.yml` tells of this extension."""
    app.add_directive("if-file", IfFile)
    app.add_directive("unless-file", UnlessFile)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
