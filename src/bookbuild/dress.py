"""What the published copy of a notebook says beyond its source.

Theorem boxes get badges that lead to the claims that check them, figures links to their numbers and
to how they are made, and each page ends with how to cite the book and the papers behind its claims.
"""

from __future__ import annotations

import copy
import itertools
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from bookbuild import BuildError, cards, citations, claim_pages, media, notebooks, typeset
from bookbuild.claims import BOXES, PAPERS, unit_of
from bookbuild.pages import Page

#: A theorem-like box in Markdown: fence, kind, title, label, the rest, fence.
BOX = re.compile(r"^(`{3,}|:{3,})\{prf:(\w+)\}([^\n]*)\n:label: (\S+)\n(.*?)^\1$", re.MULTILINE | re.DOTALL)

#: The kinds of boxes that state something.
STATING = ("theorem", "proposition", "lemma", "corollary", "observation", "conjecture", "definition")

#: The folder of the site in which the tables of figures lie.
TABLES = "figures"
#: What folds a cell of its own: on the site each section has one fold (`bookbuild.extensions.layers`).
FOLDS = {"hide-input", "hide-output", "hide-cell"}
#: A cell of text with this tag is read by those who unfold the evidence.
EVIDENCE = "evidence"


def badge(claim: dict, up: str) -> str:
    """A link to the page of a claim; `up` leads to the root of the site."""
    kind = "claim-badge" if claim["kind"] == "claim" else "claim-badge definition"
    address = f"{up}book/reference/{claim_pages.address(claim['id'])}"
    return f'<a class="{kind}" href="{address}">{typeset.markdown(claim["title"])}</a>'


def badges(claims: list[dict], up: str) -> dict[str, str]:
    """For each theorem box by its label, what it says of its checks."""
    found: dict[str, list[str]] = {}
    for claim in claims:
        for label in claim.get(BOXES, []):
            word = "Checked on this page: " if claim["kind"] == "claim" else "Listed as: "
            found.setdefault(label, [word]).append(badge(claim, up) + " ")
    return {label: "".join(links).strip() for label, links in found.items()}


def unchecked(kind: str) -> str:
    """What a box says that no claim names."""
    if kind not in STATING:
        return ""
    return "A definition: there is nothing to check." if kind == "definition" else "Not checked by itself."


def state_claims(notebook: NotebookNode, claims: list[dict], up: str) -> None:
    """Put the badges of claims that no box states at the end of the section that checks them first."""
    free = {claim["id"]: claim for claim in claims if BOXES not in claim and claim["kind"] == "claim"}
    waiting: list[tuple[NotebookNode, str]] = []
    for section in notebooks.sections(notebook):
        here = [badge(free.pop(name), up) for name in checks_of(section.code) if name in free]
        if here:
            waiting.append((section.code[-1], f'<span class="claim-badges">Checked here: {" ".join(here)}</span>'))
    for last, text in waiting:
        place = next(place for place, cell in enumerate(notebook.cells) if cell is last)
        notebook.cells.insert(place + 1, nbformat.v4.new_markdown_cell(text, id=f"claims-{place}"))


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
        links = checked.pop(label, "") or unchecked(kind)
        return (
            f"{fence}{{prf:{kind}}}{title}\n:label: {label}\n{body}"
            + (f'\n<span class="claim-badges">{links}</span>\n' if links else "")
            + fence
        )

    if crowded := [section.heading for section in notebooks.sections(notebook) if section.teaching > 1]:
        raise BuildError(*(f"{page.name}: more than one cell teaches in the section `{name}`" for name in crowded))
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        cell.metadata["tags"] = [tag for tag in tags if tag not in FOLDS]
        if cell.cell_type == "markdown":
            cell.source = BOX.sub(badged, cell.source)
            if EVIDENCE in tags:
                cell.source = f"::::::{{container}} {EVIDENCE}\n{cell.source}\n::::::"
        elif figure := notebooks.figure(cell):
            figure["caption"] = typeset.caption(figure.get("caption", ""))
        if found := table_of(cell):
            cell.metadata["mystnb"]["figure"]["caption"] += (
                f' <span class="figure-data"><a href="{page.up}{TABLES}/{found[0]}.csv" download>Data</a>,'
                f' <a href="#code-{found[0]}">code</a></span>'
            )
    state_claims(notebook, claims, page.up)
    set_cards(notebook, {claim["id"]: claim for claim in claims}, page.up)
    if checked:
        raise BuildError(
            *(f"{page.name}: a claim checks the box `{label}`, which is not on the page" for label in checked)
        )
    notebook.cells.append(nbformat.v4.new_markdown_cell(citations.block(cite), id="how-to-cite"))
    return notebook


def set_cards(notebook: NotebookNode, claims: dict[str, dict], up: str) -> None:
    """Put what readers see of a check in the place of what the notebook shows."""
    taken: set[str] = set()
    for _, output in notebooks.outputs(notebook):
        record = output.data.get(media.CLAIM)
        if record:
            names = (cards.anchor(record) + (f"-{number}" if number else "") for number in itertools.count())
            name = next(name for name in names if name not in taken)
            taken.add(name)
            address = f"{up}book/reference/{claim_pages.address(record['id'])}"
            claim = claims.get(record["id"], {"title": record["id"]})
            output.data["text/html"] = cards.card(record, claim["title"], address, name, unit_of(claim, record))


def write_tables(page: Page, folder: Path) -> None:
    """Save the numbers of each named figure, under a header that says what they are and where they come from."""
    for cell in page.notebook.cells:
        if found := table_of(cell):
            run = page.run()
            about = {
                "figure": found[0],
                "caption": typeset.bare(notebooks.figure(cell)["caption"]),
                "page": page.name,
                "commit": run["commit"],
                "seed": run["parameters"].get("seed", "none"),
                "profile": run["profile"],
                "licence": "CC BY 4.0",
            }
            header = "".join(f"# {name}: {value}\n" for name, value in about.items())
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{found[0]}.csv").write_text(header + found[1], encoding="utf-8")
