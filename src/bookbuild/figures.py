"""The figure index: every figure, where it is made, how to make it again, and the checks beside it."""

from __future__ import annotations

from nbformat import NotebookNode

from bookbuild import notebooks
from bookbuild.claims import cell
from bookbuild.dress import TABLES, checks_of, table_of
from bookbuild.pages import Page


def of_notebook(notebook: NotebookNode) -> list[dict]:
    """The named figures of an executed notebook, in order.

    Each has its name, caption, section, the number of its cell among the code cells, whether its
    numbers are there, and the claims whose checks stand in the same section, with their verdicts.
    """
    found, number = [], 0
    for section in notebooks.sections(notebook):
        claims = checks_of(section.code)
        for each in section.code:
            number += each.cell_type == "code"
            figure = notebooks.figure(each)
            if "name" in figure:
                found.append(
                    {
                        "name": figure["name"],
                        "caption": figure["caption"],
                        "cell": number,
                        "section": section.heading,
                        "claims": claims,
                        "numbers": table_of(each) is not None,
                    }
                )
    return found


def to_markdown(pages: list[Page]) -> str:
    """The generated part of the figure index: a table for each page that has figures."""
    lines = []
    for page in pages:
        figures = of_notebook(page.notebook)
        if not figures:
            continue
        command = f".venv/bin/python -m bookbuild.execute {page.name}.ipynb mine.ipynb"
        lines += [
            "",
            f"## {page.title}",
            "",
            f"In {{doc}}`/{page.name}`, made by `{command}`.",
            "",
            "```{rst-class} figure-index",
            "```",
            "",
            "| figure | what it shows | cell | numbers | checks beside it |",
            "|---|---|---|---|---|",
        ]
        for figure in figures:
            beside = "<br>".join(
                f"{{ref}}`{name} <claim-{name}>`: {'holds' if held else 'fails'}"
                for name, held in figure["claims"].items()
            )
            numbers = f'<a href="../../{TABLES}/{figure["name"]}.csv" download>CSV</a>' if figure["numbers"] else "none"
            lines.append(
                f'| <span id="made-{figure["name"]}"></span>{{numref}}`{figure["name"]}`'
                f" | {cell(figure['caption'])} | {figure['cell']} | {numbers}"
                f" | {beside or 'an illustration'} |"
            )
    return "\n".join(lines) + "\n"
