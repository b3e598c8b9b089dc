"""A report as one HTML file that carries its style and its figures: it can be mailed, printed, and read offline."""

import html
from collections.abc import Mapping

from markdown_it import MarkdownIt

_STYLE = """
:root { color-scheme: light dark;
  --ink: #1b1f24; --paper: #ffffff; --line: #d8dee4; --quiet: #57606a; --tint: #f4f6f8; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --paper: #0d1117; --line: #30363d; --quiet: #9aa4ae; --tint: #161b22; }
}
body { max-width: 62rem; margin: 2rem auto; padding: 0 1.2rem; color: var(--ink); background: var(--paper);
       font: 16px/1.55 system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.25; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
.table { overflow-x: auto; } table { border-collapse: collapse; font-size: 0.88rem; width: 100%; }
th, td { padding: 0.35rem 0.6rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { background: var(--tint); } td { font-variant-numeric: tabular-nums; }
code { font-size: 0.85em; overflow-wrap: anywhere; }
footer { color: var(--quiet); font-size: 0.85rem; margin-top: 3rem; }
figure { margin: 1.2rem 0; background: #ffffff; border: 1px solid var(--line); padding: 0.6rem; }
figure svg { max-width: 100%; height: auto; } figcaption { color: #57606a; font-size: 0.88rem; }
h2 + ul > li { margin-bottom: 0.4rem; }
@media print { body { max-width: none; } h2 { break-after: avoid; } figure, tr { break-inside: avoid; } }
"""


def report_page(markdown: str, figures: Mapping[str, tuple[str, str]], footer: str = "") -> str:
    """The HTML of a report in Markdown.

    figures: heading of the section that a figure closes -> (SVG, caption); a heading that the report lacks is an
    error of the caller (KeyError). Raw HTML in the Markdown stays text: names in it come from other people's files.
    """
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    sections = ("\n" + markdown).split("\n## ")
    absent = set(figures) - {section.split("\n", 1)[0] for section in sections[1:]}
    if absent:
        raise KeyError(f"the report has no section {', '.join(sorted(absent))}")
    body = [reader.render(sections[0])]
    for section in sections[1:]:
        body.append(reader.render(f"## {section}"))
        if (figure := figures.get(section.split("\n", 1)[0])) is not None:
            svg, caption = figure
            body.append(f"<figure>{_inline(svg)}<figcaption>{html.escape(caption)}</figcaption></figure>\n")
    text = "".join(body).replace("<table>", '<div class="table"><table>').replace("</table>", "</table></div>")
    title = html.escape(sections[0].strip().split("\n", 1)[0].lstrip("# "))
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{_STYLE}</style>\n</head>\n'
        f"<body>\n<main>\n{text}</main>\n<footer>{html.escape(footer)}</footer>\n</body>\n</html>\n"
    )


def _inline(svg: str) -> str:
    """An SVG without what belongs to a file of its own: the XML declaration and the document type."""
    return svg[svg.index("<svg") :]
