"""The notebooks of the book: where they lie, and what they can be told."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode

from bookbuild import BuildError, media

BOOK = Path("book")
EXECUTED = Path("_build/exec")
PROFILES = ("quick", "full")
#: Tags of the cells that are added to a notebook for a run: by papermill, and the last one, which reports.
REPORTS = "bookbuild-report"
ADDED = {"injected-parameters", "papermill-error-cell-tag", REPORTS}


def find(book: Path = BOOK) -> list[Path]:
    """All notebooks below a folder, in a fixed order."""
    found = book.rglob("*.ipynb")
    return sorted(path for path in found if ".ipynb_checkpoints" not in path.parts)


def executed_copy(source: Path, profile: str) -> Path:
    """Where the executed copy of a notebook lies: the same place below `_build/exec/<profile>`."""
    return EXECUTED / profile / source.relative_to(BOOK)


def read(path: Path) -> NotebookNode:
    """The notebook, in format 4."""
    try:
        return nbformat.read(path, as_version=4)
    except (OSError, ValueError, nbformat.reader.NotJSONError) as error:
        raise BuildError(f"{path} cannot be read as a notebook: {error}") from error


def own(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells of an executed copy that the source has too."""
    return [cell for cell in notebook.cells if ADDED.isdisjoint(cell.metadata.get("tags", []))]


def code(notebook: NotebookNode) -> list[str]:
    """What the cells of code say, those of the source alone."""
    return [cell.source for cell in own(notebook) if cell.cell_type == "code"]


def place(number: int, cell: NotebookNode) -> str:
    """A cell by its number and its first line."""
    return f"cell {number} (`{cell.source.strip().splitlines()[0]}`)"


def without_picture(notebook: NotebookNode) -> list[str]:
    """The cells with the caption of a figure that show none."""
    shown = {cell.id for cell, output in outputs(notebook) if media.PICTURES.keys() & output.data.keys()}
    found = [(number, cell) for number, cell in enumerate(own(notebook), 1) if figure(cell)]
    return [place(number, cell) for number, cell in found if cell.id not in shown]


def figure(cell: NotebookNode) -> dict[str, str]:
    """What a cell says of its figure (name, caption), or nothing."""
    return cell.metadata.get("mystnb", {}).get("figure", {})


def outputs(notebook: NotebookNode) -> Iterator[tuple[NotebookNode, NotebookNode]]:
    """Every (cell, output) that carries data."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "data" in output:
                yield cell, output


def title(notebook: NotebookNode) -> str:
    """The heading of the page that a notebook becomes."""
    lines = (line for cell in notebook.cells if cell.cell_type == "markdown" for line in cell.source.splitlines())
    return next(line.removeprefix("# ") for line in lines if line.startswith("# "))


class Section(NamedTuple):
    """A heading of the first or second level, the Markdown below it, and the code cells below it."""

    heading: str
    text: str
    code: list[NotebookNode]

    @property
    def teaching(self) -> int:
        """How many of its cells stay visible because they teach."""
        return sum("teach" in cell.metadata.get("tags", []) for cell in self.code)


def sections(notebook: NotebookNode) -> list[Section]:
    """The sections of a notebook, in order; the first has no heading."""
    found, fenced = [Section("", "", [])], False
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            found[-1].code.append(cell)
            continue
        for line in cell.source.splitlines():
            fenced ^= line.startswith(("```", ":::"))
            heading = not fenced and re.match(r"#{1,2} (.+)", line)
            if heading:
                found.append(Section(heading[1], "", []))
            else:
                found[-1] = found[-1]._replace(text=f"{found[-1].text}{line}\n")
    return found


def parameters(notebook: NotebookNode, name: object) -> dict[str, object]:
    """The names and default values of the one cell tagged `parameters`.

    Raises: BuildError unless that cell is the first code cell, is the only one with the tag,
    holds nothing but assignments of literals, and defines `profile`.
    """
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    tagged = [cell for cell in code if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1 or tagged[0] is not code[0]:
        raise BuildError(
            f"{name}: exactly one cell has the tag `parameters`, and it is the first code cell (found {len(tagged)})"
        )
    values: dict[str, object] = {}
    for statement in ast.parse(tagged[0].source).body:
        try:
            (target,) = statement.targets  # type: ignore[attr-defined]
            values[target.id] = ast.literal_eval(statement.value)  # type: ignore[attr-defined]
        except (AttributeError, ValueError) as error:
            line = ast.unparse(statement)
            raise BuildError(f"{name}: `{line}` in the parameters cell is no literal") from error
    if "profile" not in values:
        raise BuildError(f"{name}: the parameters cell does not define `profile`")
    return values


def overrides(notebook: NotebookNode, profile: str, name: object) -> dict[str, object]:
    """What a profile changes, from the notebook's own metadata `profiles`.

    Raises: BuildError for a profile that the book does not have.
    """
    own = notebook.metadata.get("profiles", {})
    for unknown in [profile, *own]:
        if unknown not in PROFILES:
            known = ", ".join(PROFILES)
            raise BuildError(f"{name}: unknown profile `{unknown}`; known profiles: {known}")
    return {**own.get(profile, {}), "profile": profile}


def settle(
    notebook: NotebookNode, profile: str, changes: dict[str, object], name: object
) -> tuple[dict[str, object], dict[str, object]]:
    """(defaults, what replaces them) for one run; every name is checked against the notebook.

    Raises: BuildError for a name that the notebook does not have, and for the profile, which is a label and sizes.
    """
    defaults = parameters(notebook, name)
    if "profile" in changes:
        raise BuildError(f"{name}: `-p profile` would change the label and not the sizes; name it with `--profile`")
    replaced = {**overrides(notebook, profile, name), **changes}
    unknown = sorted(set(replaced) - set(defaults))
    if unknown:
        raise BuildError(
            f"{name}: unknown parameter {', '.join(f'`{each}`' for each in unknown)}; it has: {', '.join(defaults)}"
        )
    return defaults, replaced
