"""Sphinx extension: what search engines and other sites are told about each page.

The public address is the setting `html_baseurl` (`html: baseurl:` in _config.yml). While it is
empty, nothing that needs it is written: no address and no picture of a page, no sitemap.xml.
"""

from __future__ import annotations

import re
import textwrap
from html import escape, unescape
from pathlib import Path
from typing import Any

from docutils import nodes

#: The picture that stands for the book (correlation-law.svg under the title), and what is seen on it.
CARD = "_static/card.png"
CARD_ALT = "The correlation of two inputs in the last layer of deep networks, a histogram, and its limit, a curve"
#: A description has so many letters at least.
ENOUGH = 40
#: Titles that templates give to pages which are no documents.
TITLES = {"genindex": "Index", "search": "Search"}


def plain(html: str) -> str:
    """The text of a title: no markup, no TeX delimiters or backslashes."""
    return re.sub(r"\\[()]|[\\{}$]", "", unescape(re.sub(r"<[^>]+>", "", html))).strip()


def description(document: nodes.document) -> str:
    """What a page says first in words: the beginning of its first paragraph, up to a formula; or nothing."""
    for paragraph in document.findall(nodes.paragraph):
        if isinstance(paragraph.parent, nodes.section):
            text = " ".join(before_formulas(paragraph).split())
            if len(text) >= ENOUGH:
                return textwrap.shorten(text, 200, placeholder=" …")
    return ""


def before_formulas(paragraph: nodes.paragraph) -> str:
    """The text of a paragraph; of one with formulas, the sentences before the first; links of raw HTML as text."""
    found = ""
    for node in paragraph.findall(lambda each: isinstance(each, nodes.math | nodes.Text | nodes.raw)):
        if isinstance(node, nodes.math):
            return found[: found.rfind(". ") + 1]
        if isinstance(node, nodes.raw):
            if "claim-badge" in node.astext():
                return ""
            found += unescape(re.sub(r"<[^>]+>", "", node.astext()))
        elif not isinstance(node.parent, nodes.raw | nodes.math):
            found += node.astext()
    return found


def tag(name: str, content: str, kind: str = "property") -> str:
    """One element of the head of a page."""
    return f'\n    <meta {kind}="{name}" content="{escape(content)}" />'


def describe(app: Any, page: str, template: str, context: dict[str, Any], document: Any) -> None:
    """Add the description of a page to its head."""
    title = plain(context.get("title") or context.get("indextitle") or TITLES.get(page, app.config.html_title))
    kind = "website" if page == app.config.root_doc else "article"
    tags = tag("og:title", title) + tag("og:type", kind) + tag("og:site_name", app.config.html_title)
    described = context.get("description")  # of a page that an extension makes
    text = textwrap.shorten(described, 200, placeholder=" …") if described else ""
    if document is not None:
        text = description(document)
    if text:
        tags += tag("og:description", text) + tag("description", text, "name")
    if document is None and described is None:
        tags += tag("robots", "noindex", "name")
    if context.get("pageurl"):
        tags += tag("og:url", context["pageurl"]) + tag("og:image", absolute(app, CARD)) + tag("og:image:alt", CARD_ALT)
    context["metatags"] = (context.get("metatags") or "") + tags


def absolute(app: Any, path: str) -> str:
    """The public address of a file of the site."""
    return app.config.html_baseurl.rstrip("/") + "/" + path


def write_sitemap(app: Any, failure: Exception | None) -> None:
    """List the documents of the book in sitemap.xml, if their addresses are known."""
    if failure or app.builder.name != "html" or not app.config.html_baseurl:
        return
    found = sorted([*app.env.found_docs, *getattr(app.builder, "claim_pages", ())])
    pages = [absolute(app, app.builder.get_target_uri(name)) for name in found]
    lines = "".join(f"  <url><loc>{escape(page)}</loc></url>\n" for page in pages)
    Path(app.outdir, "sitemap.xml").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{lines}</urlset>\n',
        encoding="utf-8",
    )


def setup(app: Any) -> dict[str, Any]:
    """Describe every page; write the sitemap at the end."""
    app.connect("html-page-context", describe)
    app.connect("build-finished", write_sitemap)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
