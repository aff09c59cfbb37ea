"""Sphinx extension: a phone gets the panels of a figure below each other (`bookbuild.narrow`)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from bookbuild.narrow import narrow

IMAGE = re.compile(r'<img\b[^>]*\bsrc="([^"]*/_images/([^"/]+)\.svg)"[^>]*>')
#: What a phone is. Paper is none, however narrow its pages.
PHONE = "screen and (max-width: 600px)"


def beside(picture: str) -> str:
    """The name of the narrow picture beside a picture."""
    return picture.removesuffix(".svg") + "-narrow.svg"


def offer(app: Any, page: str, template: str, context: dict[str, Any], document: Any) -> None:
    """Name beside each picture of a page the narrow one, if there can be one, and write it."""
    if document is None or "body" not in context:
        return
    sources = {name: Path(app.srcdir, source) for source, name in app.builder.images.items()}
    folder = Path(app.outdir) / "_images"

    def both(found: re.Match[str]) -> str:
        source = sources.get(f"{found[2]}.svg")
        drawn = narrow(source.read_text(encoding="utf-8")) if source else None
        if drawn is None:
            return found[0]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / beside(f"{found[2]}.svg")).write_text(drawn, encoding="utf-8")
        return f'<picture><source media="{PHONE}" srcset="{beside(found[1])}">{found[0]}</picture>'

    context["body"] = IMAGE.sub(both, context["body"])


def setup(app: Any) -> dict[str, Any]:
    """Register after what changes the body of a page."""
    app.connect("html-page-context", offer, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
