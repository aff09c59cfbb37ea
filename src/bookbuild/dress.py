"""What the published copy of a notebook says beyond its source.

Theorem boxes get badges that lead to the claims that check them, figures links to their numbers and
to how they are made, and each page ends with how to cite the book and the papers behind its claims.
"""

from __future__ import annotations

import copy
import re
from html import escape
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from bookbuild import BuildError, citations, media, notebooks
from bookbuild.claims import BOXES, PAPERS
from bookbuild.pages import Page

#: A theorem-like box in Markdown: fence, kind, title, label, the rest, fence.
BOX = re.compile(r"^(`{3,}|:{3,})\{prf:(\w+)\}([^\n]*)\n:label: (\S+)\n(.*?)^\1$", re.MULTILINE | re.DOTALL)

#: The folder of the site in which the tables of figures lie.
TABLES = "figures"


def badges(claims: list[dict], up: str) -> dict[str, str]:
    """For each theorem box by its label, links to the claims that check it; `up` leads to the root of the site."""
    found: dict[str, list[str]] = {}
    for claim in claims:
        for label in claim.get(BOXES, []):
            found.setdefault(label, []).append(
                f'<a class="claim-badge" href="{up}book/reference/claims.html#claim-{claim["id"]}">'
                f"{escape(claim['title'])}</a>"
            )
    return {label: " ".join(links) for label, links in found.items()}


def checks_of(cells: list[NotebookNode]) -> dict[str, bool]:
    """The claims checked in some cells, in order, with their verdicts."""
    verdicts: dict[str, bool] = {}
    for cell in cells:
        for output in cell.get("outputs", []):
            record = output.get("data", {}).get(media.CLAIM)
            if record:
                verdicts[record["id"]] = verdicts.get(record["id"], True) and record["passed"]
    return verdicts


def papers_of(page: str, claims: list[dict], keys: set[str]) -> list[str]:
    """The papers on which the claims of a page rest: those that the book explains, or else any in the bibliography."""
    named = re.findall(r"[\w-]+", " ".join(claim["source"] for claim in claims if claim["page"] == page))
    return [key for key in PAPERS if key in named] or sorted(keys & set(named))


def table_of(cell: NotebookNode) -> tuple[str, str] | None:
    """(name, CSV) of the figure of a cell, if it has both."""
    name = notebooks.figure(cell).get("name")
    tables = [output.data[media.TABLE] for output in cell.get("outputs", []) if media.TABLE in output.get("data", {})]
    return (name, tables[0]) if name and tables else None


def dress(page: Page, claims: list[dict], cite: list[str]) -> NotebookNode:
    """The published form of a page's notebook, which stays as it is.

    `claims` are those of the page; `cite` holds the bibliography keys of papers to cite with it.

    Raises: BuildError for a box that a claim names and the page does not have.
    """
    notebook, checked = copy.deepcopy(page.notebook), badges(claims, page.up)

    def badged(found: re.Match[str]) -> str:
        fence, kind, title, label, body = found.groups()
        links = checked.pop(label, "")
        return (
            f"{fence}{{prf:{kind}}}{title}\n:label: {label}\n{body}"
            + (f'\n<span class="claim-badges">Checked on this page: {links}</span>\n' if links else "")
            + fence
        )

    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = BOX.sub(badged, cell.source)
        elif found := table_of(cell):
            cell.metadata["mystnb"]["figure"]["caption"] += (
                f' <span class="figure-data"><a href="{page.up}{TABLES}/{found[0]}.csv" download>Its numbers (CSV)</a>,'
                f' <a href="{page.up}book/reference/figures.html#made-{found[0]}">how it is made</a></span>'
            )
    if checked:
        raise BuildError(
            *(f"{page.name}: a claim checks the box `{label}`, which is not on the page" for label in checked)
        )
    notebook.cells.append(nbformat.v4.new_markdown_cell(citations.block(cite), id="how-to-cite"))
    return notebook


def write_tables(notebook: NotebookNode, folder: Path) -> None:
    """Save the numbers of each named figure."""
    for cell in notebook.cells:
        if found := table_of(cell):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{found[0]}.csv").write_text(found[1], encoding="utf-8")
