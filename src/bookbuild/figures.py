"""The gallery: every figure with its page, its code, its data and the claims that are checked beside it."""

from __future__ import annotations

import re
from html import escape

from nbformat import NotebookNode

from bookbuild import claim_pages, notebooks
from bookbuild.dress import TABLES, checks_of, table_of
from bookbuild.pages import Page
from bookbuild.typeset import bare, caption, words


def of_notebook(notebook: NotebookNode) -> list[dict]:
    """The named figures of an executed notebook, in order.

    Each has its name, caption, alternative text, section, whether its numbers are there, and the claims whose checks
    stand in the same section, with their verdicts.
    """
    found = []
    for section in notebooks.sections(notebook):
        claims = checks_of(section.code)
        for each in section.code:
            figure = notebooks.figure(each)
            if "name" in figure:
                found.append(
                    {
                        "name": figure["name"],
                        "caption": figure["caption"],
                        "image": each.metadata["mystnb"].get("image", {}),
                        "section": section.heading,
                        "claims": claims,
                        "numbers": table_of(each) is not None,
                    }
                )
    return found


def first_sentence(text: str) -> str:
    """What a caption says first."""
    return re.split(r"(?<=[.:]) (?=[A-Z])", text, maxsplit=1)[0].rstrip(".:") + "."


def thumbnail(figure: dict, page: Page, titles: dict[str, str]) -> str:
    """A figure in the gallery."""
    name, there = figure["name"], f"../{page.name.removeprefix('book/')}.html"
    links = [f'<a href="{there}#code-{name}">code</a>']
    if figure["numbers"]:
        links.append(f'<a href="../../{TABLES}/{name}.csv" download>data</a>')
    links += [
        f'<a href="{claim_pages.address(claim)}">{"✓" if held else "✗"} {words(titles.get(claim, claim))}</a>'
        for claim, held in figure["claims"].items()
    ]
    evidence = "checked beside it" if figure["claims"] else "an illustration"
    image = figure["image"]
    css = f' class="{escape(image["classes"])}"' if image.get("classes") else ""
    said = first_sentence(figure["caption"])
    return (
        f'<figure id="made-{name}" data-page="{escape(bare(page.title))}" data-evidence="{evidence}"'
        f' data-words="{escape(bare(figure["caption"]))}">'
        f'<a href="{there}#{name}"><img{css} src="../../{TABLES}/{name}.svg" loading="lazy"'
        f' alt="{escape(image.get("alt", said))}"></a>'
        f"<figcaption>{caption(said)} {', '.join(links)}</figcaption></figure>"
    )


def to_markdown(pages: list[Page], titles: dict[str, str]) -> str:
    """The generated part of the gallery; `titles` are those of the claims."""
    shown = [thumbnail(figure, page, titles) for page in pages for figure in of_notebook(page.notebook)]
    gallery = "\n".join(shown)
    return f'```{{raw}} html\n<div class="gallery">\n{gallery}\n</div>\n```\n'
