"""The figure index: every figure, where it is made, how to make it again, and the checks beside it."""

from __future__ import annotations

import re
from pathlib import Path

from nbformat import NotebookNode

from bookbuild import notebooks
from bookbuild.claims import MIME, cell


def of_notebook(notebook: NotebookNode) -> list[dict]:
    """The named figures of an executed notebook, in order.

    Each has its name, caption, section, the number of its cell among the code cells, and the
    claims whose checks stand in the same section, with their verdicts.
    """
    section, code, found, verdicts = "", 0, [], {}
    for each in notebook.cells:
        if each.cell_type == "markdown":
            for heading in re.findall(r"^#{1,2} (.+)$", each.source, flags=re.MULTILINE):
                section = heading
            continue
        code += each.cell_type == "code"
        for output in each.get("outputs", []):
            record = output.get("data", {}).get(MIME)
            if record:
                held = verdicts.setdefault(section, {})
                held[record["id"]] = held.get(record["id"], True) and record["passed"]
        figure = each.metadata.get("mystnb", {}).get("figure", {})
        if "name" in figure:
            found.append({"name": figure["name"], "caption": figure["caption"],
                          "section": section, "cell": code})
    return [{**figure, "claims": verdicts.get(figure["section"], {})} for figure in found]


def to_markdown(pages: list[tuple[str, Path]]) -> str:
    """The generated part of the figure index: a table for each page that has figures."""
    lines = []
    for page, executed in pages:
        figures = of_notebook(notebooks.read(executed))
        if not figures:
            continue
        lines += ["", f"## {{doc}}`/{page}`", "",
                  f"Made by `.venv/bin/python -m bookbuild.execute {page}.ipynb mine.ipynb`.", "",
                  "| figure | what it shows | cell | checks beside it |", "|---|---|---|---|"]
        for figure in figures:
            beside = "<br>".join(f"{{ref}}`{name} <claim-{name}>`: {'holds' if held else 'fails'}"
                                 for name, held in figure["claims"].items())
            lines.append(f"| {{numref}}`{figure['name']}` | {cell(figure['caption'])}"
                         f" | {figure['cell']} | {beside or 'an illustration'} |")
    return "\n".join(lines) + "\n"
