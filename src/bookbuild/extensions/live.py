"""Sphinx extension: the live figure of a chapter, below its title and its question.

`npm run build` in the folder `explorer` writes, for each figure, what a page holds before its script runs (a picture,
a sentence, controls that are switched off), and the list of the pages. Nothing of it stands in a notebook.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docutils import nodes

#: What the build of the explorer leaves for this extension, below the source folder.
TWINS = Path("book/_live")
STYLE = "live/live.css"


def pages(source: Path) -> dict[str, str]:
    """For each page that has a live figure, the name of the figure."""
    listed = source / TWINS / "pages.json"
    return json.loads(listed.read_text(encoding="utf-8")) if listed.is_file() else {}


def place(app: Any, document: nodes.document) -> None:
    """Put the figure of a page below the first paragraph of the page, which is its question."""
    found = pages(Path(app.srcdir)).get(app.env.docname)
    if found is None:
        return
    path = Path(app.srcdir) / TWINS / f"{found}.html"
    app.env.note_dependency(str(path))
    section = next(iter(document.findall(nodes.section)))
    question = next(i for i, node in enumerate(section.children) if isinstance(node, nodes.paragraph))
    figure = nodes.raw("", path.read_text(encoding="utf-8"), format="html")
    section.insert(question + 1, figure)


def load(app: Any, page: str, template: str, context: dict[str, Any], document: Any) -> None:
    """Let a page with a figure, and no other, load its script and its style."""
    found = pages(Path(app.srcdir)).get(page)
    if found is not None and document is not None:
        app.add_css_file(STYLE)
        app.add_js_file(f"live/{found}.js", loading_method="defer")


def setup(app: Any) -> dict[str, Any]:
    """Place the figures of pages."""
    app.connect("doctree-read", place)
    app.connect("html-page-context", load)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
