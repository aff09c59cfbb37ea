"""The figure index: every figure, where it is made, how to make it again, and the checks beside it."""

from __future__ import annotations

from pathlib import Path

from nbformat import NotebookNode

from bookbuild import notebooks
from bookbuild.claims import cell
from bookbuild.dress import TABLES, checks_of, table_of


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
            figure = each.metadata.get("mystnb", {}).get("figure", {})
            if "name" in figure:
                found.append({"name": figure["name"], "caption": figure["caption"], "cell": number,
                              "section": section.heading, "claims": claims, "numbers": table_of(each) is not None})
    return found


def to_markdown(pages: list[tuple[str, Path]]) -> str:
    """The generated part of the figure index: a table for each page that has figures."""
    lines = []
    for page, executed in pages:
        notebook = notebooks.read(executed)
        figures = of_notebook(notebook)
        if not figures:
            continue
        lines += ["", f"## {notebooks.title(notebook)}", "",
                  f"In {{doc}}`/{page}`, made by `.venv/bin/python -m bookbuild.execute {page}.ipynb mine.ipynb`.", "",
                  "```{rst-class} figure-index", "```", "",
                  "| figure | what it shows | cell | numbers | checks beside it |", "|---|---|---|---|---|"]
        for figure in figures:
            beside = "<br>".join(f"{{ref}}`{name} <claim-{name}>`: {'holds' if held else 'fails'}"
                                 for name, held in figure["claims"].items())
            numbers = f'<a href="../../{TABLES}/{figure["name"]}.csv" download>CSV</a>' if figure["numbers"] else "none"
            lines.append(f"| <span id=\"made-{figure['name']}\"></span>{{numref}}`{figure['name']}`"
                         f" | {cell(figure['caption'])} | {figure['cell']} | {numbers}"
                         f" | {beside or 'an illustration'} |")
    return "\n".join(lines) + "\n"
