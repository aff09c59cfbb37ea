"""The text of an executed copy, taken anew from its source when only the text has changed.

A run rests on the cells of code (`current.of_notebook`); text, captions and the tags of the page can change without
one. The copy then keeps every output and takes the rest from the source, and its record says so: of the run it keeps
all that was true of it, and `text` tells which text is shown since.
"""

from __future__ import annotations

import copy
import json
import time
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from bookbuild import BuildError, current, notebooks, provenance


def publish(target: Path, record: dict[str, Any]) -> None:
    """Put a finished copy, `<name>.partial.ipynb`, in the place of `target`, and its record beside it."""
    target.with_suffix(".provenance.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    target.with_suffix(".partial.ipynb").replace(target)


def recover(target: Path) -> None:
    """Put a finished copy in its place where `publish` was cut in two."""
    partial, record = target.with_suffix(".partial.ipynb"), target.with_suffix(".provenance.json")
    try:
        executed = json.loads(record.read_text(encoding="utf-8"))["executed"]
        finished = current.state(partial).exact == executed
    except (OSError, ValueError, KeyError, TypeError):
        return
    if finished:
        partial.replace(target)


def told_anew(source: NotebookNode, executed: NotebookNode) -> NotebookNode:
    """The executed copy with the text of a source that has the same code.

    Law: what a run of the source would have made, but for what a run says of itself (times, the id of its own cell).
    Raises: ValueError for a source with other code.
    """
    if notebooks.code(source) != notebooks.code(executed):
        raise ValueError("the executed copy ran other code")
    told = copy.deepcopy(executed)
    ran = iter([cell for cell in told.cells if cell.cell_type == "code"])
    told.cells = []
    for cell in copy.deepcopy(source.cells):
        if cell.cell_type == "code":
            done = next(ran)
            while not notebooks.ADDED.isdisjoint(done.metadata.get("tags", [])):  # the parameters of the run
                told.cells.append(done)
                done = next(ran)
            about = {"execution": done.metadata.execution} if "execution" in done.metadata else {}
            cell.outputs, cell.execution_count = done.outputs, done.execution_count
            cell.metadata = nbformat.from_dict({**about, **cell.metadata})
        cell.metadata.setdefault("tags", [])  # as papermill leaves it
        told.cells.append(cell)
    told.cells += ran
    return told


def renew(source: Path, target: Path) -> bool:
    """Take the text of a source into its executed copy, which is current but for it; whether there was another text.

    Raises: BuildError for a caption without a picture, and for a copy that is not what its run made.
    """
    record = target.with_suffix(".provenance.json")
    if current.change(record) or not current.retold(record):  # code that changed meanwhile is for the next make
        return False
    known = json.loads(record.read_text(encoding="utf-8"))
    if known["executed"] != current.state(target).exact:
        raise BuildError(f"{target} was changed after its run; delete it to run it again")
    now = current.state(source)
    told = told_anew(notebooks.read(source), notebooks.read(target))
    if missing := notebooks.without_picture(told):
        raise BuildError(*(f"{source}: {cell} has the caption of a figure and shows none" for cell in missing))
    partial = target.with_suffix(".partial.ipynb")
    nbformat.write(told, partial)
    known["inputs"][source.as_posix()] = list(now)
    known["executed"] = current.state(partial).exact
    known["text"] = {
        "sha256": now.exact,
        "commit": provenance.commit(),
        "taken": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }
    publish(target, known)
    return True
