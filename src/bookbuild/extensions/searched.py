"""Sphinx extension: what the search of the site finds: prose, titles and symbols, not code and verdicts.

Words are found with and without their accents ("Ito" finds "Itô"), Greek letters by their names.
"""

from __future__ import annotations

import unicodedata
from typing import Any

from docutils import nodes

from bookbuild.typeset import GREEK

#: Classes of what is read by auditors, and what their raw HTML holds: code, verdicts, the line above them.
SKIPPED = ("cell_input", "evidence")
RAW = ('class="claim-', 'class="evidence')
NAMES = {letter: name for name, letter in GREEK.items()}


def prose(doctree: nodes.document) -> nodes.document:
    """A copy of a page without what is not to be found."""
    copy = doctree.deepcopy()
    for node in list(copy.findall(nodes.Element)):
        is_code = isinstance(node, nodes.literal_block) or any(each in node.get("classes", ()) for each in SKIPPED)
        is_verdict = isinstance(node, nodes.raw) and any(each in node.astext() for each in RAW)
        if (is_code or is_verdict) and node.parent is not None:
            node.parent.remove(node)
    return copy


def variants(word: str) -> list[str]:
    """A word, the same without accents, and the name of a Greek letter."""
    bare = "".join(each for each in unicodedata.normalize("NFD", word) if not unicodedata.combining(each))
    return list(dict.fromkeys([word, bare, *([NAMES[word]] if word in NAMES else [])]))


def prepare(app: Any) -> None:
    """Let the builder feed the index with prose."""
    index = getattr(app.builder, "index_page", None)
    if index is None:
        return

    def index_page(name: str, doctree: nodes.document, title: str) -> None:
        language = app.builder.indexer.lang
        if not hasattr(language, "plain_split"):
            language.plain_split = language.split
            language.split = lambda text: [each for word in language.plain_split(text) for each in variants(word)]
        index(name, prose(doctree), title)

    app.builder.index_page = index_page


def setup(app: Any) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("builder-inited", prepare)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
