"""Sphinx extension: the same pages in half the time.

Three things are done once for each page, or for each link, that need not be. sphinx-codeautolink reads a whole page
with a parser and writes it anew to put links into its code; here they are put where the code stands. pybtex reads the
metadata of all installed packages for each citation. The theme draws the list of all pages for each page, and that of
the pages of claims, which are in no list and in one folder, is always the same.
"""

from __future__ import annotations

import functools
import re
from html import unescape
from pathlib import PurePosixPath
from typing import Any

import pybtex.plugin
import sphinx_codeautolink.extension
from sphinx_codeautolink.extension.block import (
    BUILTIN_BLOCKS,
    SourceTransform,
    construct_name_pattern,
    format_title,
)
from sphinx_codeautolink.parse import Name

from bookbuild.extensions.claim_pages import pages_of

BLOCK = re.compile(r'(<div class="([^"]*)"><div class="highlight">)(<pre>.*?</pre>)', re.DOTALL)
TAG = re.compile(r"<[^>]*>")


def link_html(
    document: str,
    html: str,
    transforms: list[SourceTransform],
    inventory: dict[str, str],
    custom_blocks: dict[str, Any],
    search_css_classes: list[str],
    builder_name: str = "html",
    *,
    disable_link_titles: bool,
) -> str:
    """Links in the code of a page, as the function of this name in sphinx-codeautolink finds them.

    Law: the two pages are the same once they are parsed.
    Raises: ValueError for code that is not on the page, and for a name that is not in its code.
    """
    wanted = {f"highlight-{language}" for language in BUILTIN_BLOCKS.keys() | custom_blocks.keys()}
    wanted |= {"doctest", *search_css_classes}
    up = "../" * (len(PurePosixPath(document).parents) - 1)
    blocks = {block.span(3): block[3] for block in BLOCK.finditer(html) if wanted & set(block[2].split())}
    waiting = {place: unescape(TAG.sub("", code)).rstrip() for place, code in blocks.items()}
    for transform in transforms:
        place = next((place for place, text in waiting.items() if text == transform.source.rstrip()), None)
        if place is None:
            raise ValueError(f"{document}: this code is not on the page:\n{transform.source}")
        del waiting[place]
        lines = blocks[place].split("\n")
        for name in transform.names:
            address = inventory[name.resolved_location]
            address = address if address.startswith(("http://", "https://")) else up + address
            _link(lines, name, address, not disable_link_titles)
        blocks[place] = "\n".join(lines)
    for (begin, end), code in reversed(blocks.items()):
        html = html[:begin] + code + html[end:]
    return html


def _link(lines: list[str], name: Name, address: str, titled: bool) -> None:
    """Lead a name to its address, in the lines of its code; from the right, as a.b = a.b names the one on the right."""
    own = slice(name.lineno - 1, name.end_lineno)
    text = "\n".join(lines[own])
    matches = list(re.finditer(construct_name_pattern(name), text))
    if not matches:
        raise ValueError(f"the name {name.code_str} is not in its code:\n{text}")
    begin, end = matches[-1].start() + len(matches[-1][1]), matches[-1].end()
    title = format_title(name.resolved_location, text[begin:end]) if titled else ""
    link = f'<a href="{address}"{title} class="sphinx-codeautolink-a">{text[begin:end]}</a>'
    lines[own] = (text[:begin] + link + text[end:]).split("\n")


def list_once(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Hand the list of pages from one page of a claim to the next."""
    if page not in pages_of(app):
        return
    draw = context["toctree"]
    drawn = app.builder.__dict__.setdefault("claim_lists", {})

    def toctree(**how: Any) -> str:
        key = tuple(sorted(how.items()))
        if key not in drawn:
            drawn[key] = draw(**how)
        return drawn[key]

    context["toctree"] = toctree


def prepare(app: Any) -> None:
    """Set what the libraries look up."""
    sphinx_codeautolink.extension.link_html = link_html
    pybtex.plugin.find_plugin = functools.cache(pybtex.plugin.find_plugin)


def setup(app: Any) -> dict[str, Any]:
    """Register before the theme, which draws lists."""
    app.connect("builder-inited", prepare)
    app.connect("html-page-context", list_once, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
