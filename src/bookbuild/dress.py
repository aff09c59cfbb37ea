"""What the published copy of a notebook says beyond its source.

Theorem boxes get badges that lead to the claims checked in their section, figures a link to their
numbers, and each page that explains a paper ends with how to cite it and the book.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from bookbuild import citations, notebooks
from bookbuild.claims import MIME, PAPERS

#: A theorem-like box in Markdown: fence, kind, title, label, the rest, fence.
BOX = re.compile(r"^(`{3,}|:{3,})\{prf:(\w+)\}([^\n]*)\n:label: (\S+)\n(.*?)^\1$", re.MULTILINE | re.DOTALL)

#: The media type of a figure's table, and the folder of the site in which tables lie.
TABLE = "application/vnd.deeplimits.figure+csv"
TABLES = "figures"


def boxes(notebook: NotebookNode) -> dict[str, list[str]]:
    """The claims behind each theorem box, by the label of the box.

    They are the claims checked in the section of the box, or else in the next section that checks
    any and has no box of its own.
    """
    sections = notebooks.sections(notebook)
    labels = [[found[4] for found in BOX.finditer(section.text)] for section in sections]
    checked = [list(checks_of(section.code)) for section in sections]
    found = {}
    for place, here in enumerate(labels):
        later = place
        while here and not checked[later] and later + 1 < len(sections) and not labels[later + 1]:
            later += 1
        found |= {label: checked[later] for label in here}
    return found


def boxes_of_claims(pages: list[tuple[str, Path]]) -> dict[str, list[str]]:
    """The labels of the theorem boxes that each claim checks, by claim."""
    found: dict[str, list[str]] = {}
    for _, executed in pages:
        for label, checked in boxes(notebooks.read(executed)).items():
            for name in checked:
                found.setdefault(name, []).append(label)
    return found


def checks_of(cells: list[NotebookNode]) -> dict[str, bool]:
    """The claims checked in some cells, in order, with their verdicts."""
    verdicts: dict[str, bool] = {}
    for cell in cells:
        for output in cell.get("outputs", []):
            record = output.get("data", {}).get(MIME)
            if record:
                verdicts[record["id"]] = verdicts.get(record["id"], True) and record["passed"]
    return verdicts


def papers_of(page: str, claims: list[dict]) -> list[str]:
    """The papers of this book on which the claims of a page rest, by bibliography key."""
    sources = " ".join(claim["source"] for claim in claims if claim["page"] == page)
    return [key for key in PAPERS if key in sources]


def table_of(cell: NotebookNode) -> tuple[str, str] | None:
    """(name, CSV) of the figure of a cell, if it has both."""
    name = cell.metadata.get("mystnb", {}).get("figure", {}).get("name")
    tables = [output.data[TABLE] for output in cell.get("outputs", []) if TABLE in output.get("data", {})]
    return (name, tables[0]) if name and tables else None


def dress(notebook: NotebookNode, page: str, titles: dict[str, str], cite: list[str]) -> NotebookNode:
    """The published form of an executed notebook.

    `titles` are those of all claims by id; `cite` holds the bibliography keys of the papers
    that the page explains.
    """
    up = "../" * page.count("/")
    behind = boxes(notebook)

    def badged(found: re.Match[str]) -> str:
        fence, kind, title, label, body = found.groups()
        badges = " ".join(f'<a class="claim-badge" href="{up}book/reference/claims.html#claim-{name}">'
                          f"{escape(titles[name])}</a>" for name in behind[label])
        return f"{fence}{{prf:{kind}}}{title}\n:label: {label}\n{body}" + (
            f'\n<span class="claim-badges">Checked here: {badges}</span>\n' if badges else "") + fence

    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = BOX.sub(badged, cell.source)
        elif found := table_of(cell):
            cell.metadata["mystnb"]["figure"]["caption"] += (
                f' <span class="figure-data"><a href="{up}{TABLES}/{found[0]}.csv" download>Its numbers (CSV)</a>,'
                f' <a href="{up}book/reference/figures.html#made-{found[0]}">how it is made</a></span>')
    if cite:
        notebook.cells.append(nbformat.v4.new_markdown_cell(citations.block(cite), id="how-to-cite"))
    return notebook


def write_tables(notebook: NotebookNode, folder: Path) -> None:
    """Save the numbers of each named figure."""
    for cell in notebook.cells:
        if found := table_of(cell):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{found[0]}.csv").write_text(found[1])
