"""What every page of the book loads, less what it must not: scripts that ask for other hosts or fail twice over.

Jupyter Book always loads sphinx-thebe, which runs cells on a server elsewhere. The book runs nothing; the script names
another host, and its settings stand on each page twice, which browsers report as an error.
"""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

_UNWANTED = ("thebe",)
_AFTER_OTHERS = 900  # Sphinx's default is 500


def _is_wanted(script: Any) -> bool:
    text = f"{getattr(script, 'filename', script)} {getattr(script, 'attributes', {}).get('body', '')}".lower()
    return not any(word in text for word in _UNWANTED)


def _drop_scripts(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    context["script_files"] = [script for script in context.get("script_files", []) if _is_wanted(script)]


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx, which `_config.yml` tells of this extension."""
    app.connect("html-page-context", _drop_scripts, priority=_AFTER_OTHERS)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
