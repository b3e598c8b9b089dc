"""All results on one page, to print or to keep: the chapters that `_config.yml` names, put one after the other.

Made from the pages that Sphinx has written: their articles under one head, every place and every link to one of the
chapters renamed so that it stays within the page.
"""

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from bs4 import BeautifulSoup, Tag
from sphinx.application import Sphinx

from vctlib.errors import InputError
from vctlib.files import write_text

FILE = "results_on_one_page.html"
_POINTING = ("aria-labelledby", "aria-describedby", "aria-controls", "for", "headers")  # attributes that name places
_FOR_THE_SCREEN = "a.headerlink, .prev-next-footer, button, script, .header-article"
_STYLE = """
body { max-width: 62rem; margin: 0 auto; padding: 1rem; }
section.chapter { break-before: page; border-top: 1px solid var(--pst-color-border); margin-top: 3rem; }
section.chapter:first-of-type { break-before: auto; border-top: 0; margin-top: 0; }
figure, table { break-inside: avoid; }
"""


def single_page(folder: Path, chapters: Iterable[str], title: str, language: str) -> str:
    """HTML of the chapters (names of pages of the built book in `folder`, without ending), in this order.

    Raises InputError naming the page that is absent.
    """
    chapters = list(chapters)
    pages = {}
    for name in chapters:
        path = folder / f"{name}.html"
        if not path.is_file():
            raise InputError(f"{path}: absent; the book has no such page")
        pages[name] = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    page = BeautifulSoup(
        f'<!DOCTYPE html><html lang="{language}" data-mode="light" data-theme="light"><head><meta charset="utf-8"/>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"/><title>{title}</title></head>'
        '<body><main class="bd-article"></main></body></html>',
        "html.parser",
    )
    for found in _head_of(pages.values()):
        page.head.append(found)
    style = page.new_tag("style")
    style.string = _STYLE
    page.head.append(style)
    for name, whole in pages.items():
        chapter = page.new_tag("section", attrs={"class": "chapter", "id": name})
        chapter.append(_article(whole, name, chapters))
        page.main.append(chapter)
    return str(page)


def _head_of(pages: Iterable[BeautifulSoup]) -> list[Tag]:
    """What the pages need to look as they do: style sheets, the icon, and what sets formulas."""
    kept: dict[str, Tag] = {}
    for page in pages:
        for tag in page.head.find_all(["link", "script"]):
            address = tag.get("href") or tag.get("src") or ""
            wanted = tag.name == "link" and {"stylesheet", "icon"} & set(tag.get("rel", []))
            if wanted or "mathjax" in (address + (tag.string or "")).lower():
                kept.setdefault(address or str(tag), tag)
    return list(kept.values())


def _article(page: BeautifulSoup, name: str, chapters: list[str]) -> Tag:
    article = page.select_one("article")
    if article is None:
        raise InputError(f"{name}.html holds no article; the book's theme has changed")
    for tag in article.select(_FOR_THE_SCREEN):
        tag.decompose()
    for tag in article.find_all(True):
        if tag.get("id"):
            tag["id"] = f"{name}--{tag['id']}"
        for attribute in _POINTING:
            if tag.get(attribute):
                named = tag[attribute] if isinstance(tag[attribute], list) else tag[attribute].split()
                tag[attribute] = " ".join(f"{name}--{place}" for place in named)
        if tag.name == "details":
            tag["open"] = ""  # what is folded would not be printed
        if tag.get("role") == "doc-biblioentry":
            tag["role"] = "listitem"  # which DPUB-ARIA 1.1 has in its place: a list may not hold the former
        if tag.name == "pre" or "pst-scrollable-table-container" in tag.get("class", []):
            tag["tabindex"] = "0"  # for the keyboard to scroll, as the theme's script has it
        if tag.name == "a" and tag.get("href"):
            tag["href"] = _within(tag["href"], name, chapters)
    return article


def _within(link: str, name: str, chapters: list[str]) -> str:
    """A link of the chapter `name`, to the place in the single page where there is one."""
    parts = urlsplit(link)
    target = Path(parts.path).stem if parts.path else name
    inside = not parts.scheme and not parts.netloc and "/" not in parts.path and target in chapters
    if not inside or (parts.path and not parts.path.endswith(".html")):
        return link
    return f"#{target}--{parts.fragment}" if parts.fragment else f"#{target}"


def _write(app: Sphinx, error: Exception | None) -> None:
    if error is not None or app.builder.format != "html":
        return
    chapters = [name for name in app.config.single_page_chapters if name in app.env.found_docs]  # a part may be built
    if chapters:
        title = f"{app.config.project or app.config.html_title}: results"
        write_text(Path(app.outdir) / FILE, single_page(Path(app.outdir), chapters, title, app.config.language))


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx, which `_config.yml` tells of this extension."""
    app.add_config_value("single_page_chapters", [], "html", [list])
    app.connect("build-finished", _write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
