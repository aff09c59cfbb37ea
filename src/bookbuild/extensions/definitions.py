"""Sphinx extension: the first use of a term on a page shows its definition and leads to it.

The terms are those of the definition list on the page of notation; the reader points at a word, or
moves to it with the keyboard.
"""

from __future__ import annotations

import re
from html import escape
from typing import Any

from docutils import nodes

PAGE = "book/primer/notation"
#: What is no running prose, or is a link already.
SKIPPED = (
    nodes.title,
    nodes.reference,
    nodes.literal,
    nodes.literal_block,
    nodes.math,
    nodes.math_block,
    nodes.raw,
    nodes.term,
    nodes.caption,
    nodes.footnote,
    nodes.citation,
    nodes.table,
    nodes.sidebar,
)
#: Class of a card, which is a link as a whole.
CARD = "sd-card"


def anchor(term: str) -> str:
    """The fragment of a term's definition."""
    return "term-" + nodes.make_id(term)


def mark(app: Any, doctree: nodes.document) -> None:
    """Give each term on the page of notation an anchor."""
    if app.env.docname == PAGE:
        for term in doctree.findall(nodes.term):
            term["ids"].append(anchor(term.astext()))


def known(app: Any) -> dict[str, str]:
    """The definition of each term, by the term in small letters."""
    if PAGE not in app.env.found_docs:
        return {}
    found = {}
    for item in app.env.get_doctree(PAGE).findall(nodes.definition_list_item):
        term, definition = item.next_node(nodes.term), item.next_node(nodes.definition)
        found[term.astext().lower()] = definition.astext().replace("\n", " ")
    return found


def explain(app: Any, doctree: nodes.document, page: str) -> None:
    """Link the first use of each term in the running text of a page."""
    if app.builder.format != "html" or page == PAGE:
        return
    waiting = known(app)
    address = app.builder.get_relative_uri(page, PAGE) if waiting else ""
    for text in list(doctree.findall(nodes.Text)):
        if not waiting:
            return
        prose = inside(text, (nodes.paragraph,)) and not inside(text, SKIPPED) and not in_raw_link(text)
        if isinstance(text.parent, nodes.Element) and prose:
            parts = linked(text.astext(), waiting, address)
            if len(parts) > 1:
                text.parent.replace(text, parts)


def inside(node: nodes.Node, kinds: tuple[type, ...]) -> bool:
    """Whether a node stands below one of some kinds; a card counts as one that is skipped."""
    while node.parent is not None:
        node = node.parent
        if isinstance(node, kinds) or (kinds is SKIPPED and CARD in node.get("classes", ())):
            return True
    return False


def in_raw_link(text: nodes.Text) -> bool:
    """Whether text stands between the raw tags of a link, as in a badge."""
    before = text.parent.children[: text.parent.index(text)]
    tags = "".join(node.astext() for node in before if isinstance(node, nodes.raw))
    return tags.count("<a ") > tags.count("</a>")


def linked(text: str, waiting: dict[str, str], address: str) -> list[nodes.Node]:
    """Text cut at the terms that are still waiting for their first use; those found leave the list."""
    names = "|".join(re.escape(name) for name in sorted(waiting, key=len, reverse=True))
    parts: list[nodes.Node] = []
    end = 0
    # Not within a compound, a path or the name of a file.
    for found in re.finditer(rf"(?<![\w/.-])({names})s?(?![\w/-]|\.\w)", text, flags=re.IGNORECASE):
        definition = waiting.pop(found[1].lower(), None)
        if definition is None:  # the second use in the same stretch of text
            continue
        link = (
            f'<a class="definition" href="{address}#{anchor(found[1])}"'
            f' data-definition="{escape(definition)}">{escape(found[0])}</a>'
        )
        parts += [nodes.Text(text[end : found.start()]), nodes.raw("", link, format="html")]
        end = found.end()
    return [*parts, nodes.Text(text[end:])]


def setup(app: Any) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("doctree-read", mark)
    app.connect("doctree-resolved", explain)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
