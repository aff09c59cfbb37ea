"""Sphinx extension: two layers on every page that a notebook becomes.

A reader sees text, figures and the code that teaches (cells tagged `teach`). Everything else that an auditor needs
(code of checks, of figures and of helpers, parameters, verdicts, cells tagged `evidence` with all they print and draw)
is moved into one fold at the end of its section, in its order. The line of the fold says which checks hold. Folds are
`details` elements and need no script; `evidence.js` opens them for those who ask.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape, unescape
from typing import Any

from docutils import nodes

from bookbuild.typeset import count, words

#: Of the container of a cell, and of what its tag says.
CELL, INPUT, OUTPUT = "cell", "cell_input", "cell_output"
TEACH, PARAMETERS = "tag_teach", "tag_parameters"
#: Of a text that is evidence, and of a cell of code that is so with all its outputs.
EVIDENCE, WHOLE = "evidence", "tag_evidence"
#: The attributes that a card carries for the line above it.
VERDICT = re.compile(r'data-verdict="(\w+)" data-name="([^"]*)"')
#: Letters of names in a line, after which it says how many there are besides.
ROOM = 80


def fold(app: Any, doctree: nodes.document, page: str) -> None:
    """Move the evidence of every section into a fold."""
    if app.builder.format != "html":
        return
    if any('class="math' in raw.astext() for raw in doctree.findall(nodes.raw)):
        app.env.get_domain("math").data["has_equations"][page] = True  # or else the page gets no MathJax
    if not any(CELL in node["classes"] for node in doctree.findall(nodes.container)):
        return
    for section in list(doctree.findall(nodes.section)):
        folded = [part for child in list(section.children) for part in parts_of(child)]
        if folded:
            name = section["ids"][0] if section["ids"] else "page"
            head = f'<details class="evidence" id="evidence-{name}">\n<summary>{line(folded)}</summary>\n'
            fence = [nodes.raw("", head, format="html"), *folded, nodes.raw("", "</details>", format="html")]
            section[end(section) : end(section)] = fence
    label_code(app, doctree, page)


def end(section: nodes.section) -> int:
    """Where the text of a section ends and its subsections begin."""
    inner = (place for place, child in enumerate(section.children) if isinstance(child, nodes.section))
    return next(inner, len(section))


def parts_of(child: nodes.Node) -> Iterator[nodes.Element]:
    """What of a child of a section is evidence; it is taken out of its place."""
    if not isinstance(child, nodes.Element) or isinstance(child, nodes.section):
        return
    classes = child.get("classes", [])
    if EVIDENCE in classes or WHOLE in classes:
        child.parent.remove(child)
        child["shows"] = names(child)
        yield child
    elif CELL in classes and TEACH not in classes:
        shown = [part for part in child.children if is_shown(part)]
        if not shown:
            child.parent.remove(child)
            yield child
            return
        hidden = [part for part in child.children if part not in shown]
        for part in hidden:
            child.remove(part)
        if hidden:
            box = nodes.container("", *hidden, classes=[CELL, *classes[1:]])
            box["shows"] = names(child)
            yield box


def is_shown(part: nodes.Node) -> bool:
    """Whether a part of a cell is an output that readers see: all but code and verdicts."""
    if not isinstance(part, nodes.Element) or OUTPUT not in part.get("classes", []):
        return False
    return not VERDICT.search(raw_text(part)) and bool(part.children)


def raw_text(node: nodes.Node) -> str:
    """The HTML that stands below a node."""
    return "".join(raw.astext() for raw in node.findall(nodes.raw))


def names(cell: nodes.Element) -> list[str]:
    """The names of the figures in a cell."""
    return [name for figure in cell.findall(nodes.figure) for name in figure["ids"]]


def line(folded: list[nodes.Element]) -> str:
    """What the line of a fold says: its checks by name, or what code there is."""
    found = [(verdict, unescape(name)) for part in folded for verdict, name in VERDICT.findall(raw_text(part))]
    if not found:
        return words(code_line(folded))
    held = [name for verdict, name in found if verdict == "holds"]
    if len(held) == len(found):
        said = f"{count(len(found), 'check holds', 'checks hold')}: {listed(held)}"
        return f'<span class="evidence-mark" aria-hidden="true">✓</span> {said}'
    others = [
        f"{name} {'fails' if verdict == 'fails' else 'is undecided'}" for verdict, name in found if name not in held
    ]
    said = f"{len(held)} of {count(len(found), 'check holds', 'checks hold')}; {listed(others)}"
    return f'<span class="evidence-mark failed" aria-hidden="true">✗</span> {said}'


def code_line(folded: list[nodes.Element]) -> str:
    """What the line says where there is no check."""
    if any(PARAMETERS in part["classes"] for part in folded):
        return "Parameters and imports"
    if any(part.get("shows") for part in folded):
        return "Code of the figures" if sum(bool(part.get("shows")) for part in folded) > 1 else "Code of the figure"
    return "Code" if any(CELL in part["classes"] for part in folded) else "In detail"


def listed(found: list[str]) -> str:
    """Names with commas between, as far as there is room; the same name is said once."""
    unique = list(dict.fromkeys(found))
    shown: list[str] = []
    for name in unique:
        if shown and len("".join(shown)) + len(name) > ROOM:
            break
        shown.append(name)
    more = f" and {len(unique) - len(shown)} more" if len(unique) > len(shown) else ""
    return ", ".join(map(words, shown)) + more


def label_code(app: Any, doctree: nodes.document, page: str) -> None:
    """Say above the folded code of a figure which figure it draws, with a link to it."""
    numbers = app.env.toc_fignumbers.get(page, {}).get("figure", {})
    for box in list(doctree.findall(nodes.container)):
        for name in box.get("shows") or ():
            number = ".".join(map(str, numbers.get(name, ())))
            of = escape(name)
            link = f'<p class="evidence-of" id="code-{of}">Code of <a href="#{of}">Figure {number}</a></p>'
            box.insert(0, nodes.raw("", link, format="html"))


def setup(app: Any) -> dict[str, Any]:
    """Register after the extensions that read the pages in the order in which they were written."""
    app.connect("doctree-resolved", fold, priority=800)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
