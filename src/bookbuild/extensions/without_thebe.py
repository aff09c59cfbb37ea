"""Sphinx extension: drop thebe, which Jupyter Book 1 loads from a content network on every page."""

from __future__ import annotations

from typing import Any


def drop(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Leave the page's own scripts and styles only."""
    for kind in ("script_files", "css_files"):
        context[kind] = [each for each in context.get(kind, []) if "thebe" not in str(each)]


def setup(app: Any) -> dict[str, Any]:
    """Register after the extensions that add it."""
    app.connect("html-page-context", drop, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
