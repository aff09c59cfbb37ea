"""Sphinx extension: a page of its own for each claim, cut out of the page of claims.

What stands there in a container of the class `claim-page`, under the label `claim-<id>`, becomes the page
`claim-<id>.html` beside it. References to the label lead there; the index keeps an anchor of the same name. In the
whole book on one page there is the index alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from docutils import nodes

from bookbuild.extensions.address import ENOUGH, before_formulas, plain

PAGE = "book/reference/claims"
CONTAINER = "claim-page"
REFERENCE = re.compile(r"^(?:(.*?)claims\.html)?#(claim-[a-z0-9-]+)$")


def cut(app: Any, doctree: nodes.document, page: str) -> None:
    """Lead references to the pages, and take the pages out of the page of claims."""
    if app.builder.format != "html":
        return
    single = app.builder.name == "singlehtml"
    for reference in doctree.findall(nodes.reference):
        inner = reference.get("refid", "")
        found = REFERENCE.match(reference.get("refuri", "") or (f"#{inner}" if inner else ""))
        if found and not single and (found[1] is not None or page == PAGE):
            reference.attributes.pop("refid", None)
            reference["refuri"] = f"{found[1] or ''}{found[2]}.html"
            reference["internal"] = True
    for container in [each for each in doctree.findall(nodes.container) if CONTAINER in each["classes"]]:
        name = next(each for each in container["ids"] if each.startswith("claim-"))
        container["ids"] = []
        container.parent.remove(container)
        if not single:
            pages_of(app)[f"{PAGE.rpartition('/')[0]}/{name}"] = container


def pages_of(app: Any) -> dict[str, nodes.container]:
    """The pages that were cut out in this build."""
    if not hasattr(app.builder, "claim_pages"):
        app.builder.claim_pages = {}
    return app.builder.claim_pages


def write(app: Any) -> Iterator[tuple[str, dict[str, Any], str]]:
    """For Sphinx: the name, the content and the template of each page."""
    builder = app.builder
    if builder.name == "singlehtml":
        return
    for name, container in pages_of(app).items():
        builder.current_docname = PAGE
        body = builder.render_partial(container)["fragment"]
        app.env.get_domain("math").data["has_equations"][name] = True
        heading = re.search(r"<h1>(.*?)</h1>", body)
        assert heading, name
        first = container.next_node(nodes.paragraph)
        said = before_formulas(first).strip() if first else ""
        text = said if len(said) >= ENOUGH else f"{plain(heading[1])}: a claim of this book, and its evidence."
        parents = [{"link": builder.get_relative_uri(name, PAGE), "title": "Claims"}]
        yield name, {"title": heading[1], "body": body, "parents": parents, "description": text}, "page.html"


def setup(app: Any) -> dict[str, Any]:
    """Register before the extensions that look at what is left on the page."""
    app.connect("doctree-resolved", cut, priority=700)
    app.connect("html-collect-pages", write)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": False}
