"""Hygiene of the notebooks: what is stored, and what their executed copies show."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from sample_book import ROOT

from bookbuild import BuildError, notebooks
from bookbuild.media import PICTURES, TABLE

BOOK = ROOT / "book"
SOURCES = notebooks.find(BOOK)
NAMES = [path.relative_to(BOOK).as_posix() for path in SOURCES]
LONGEST_CELL = 15
SHORTEST_ALTERNATIVE = 30


def statements(source: str) -> int:
    """How much a cell does, however it is set: lines may be broken, and a docstring is no statement."""
    found = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.stmt)]
    return sum(not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) for node in found)


def stored_faults(notebook: nbformat.NotebookNode) -> Iterator[str]:
    """What is wrong with a notebook as it is stored."""
    try:
        nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        yield f"not a valid notebook: {error}"
    for profile in notebooks.PROFILES:
        try:
            notebooks.settle(notebook, profile, {}, "notebook")
        except BuildError as error:
            yield str(error)
    if not notebook.cells[0].source.startswith("# "):
        yield "does not begin with its title"
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type != "code":
            continue
        if cell.outputs or cell.execution_count is not None:
            yield f"cell {number} is stored with outputs"
        longest = LONGEST_CELL + (5 if "parameters" in cell.metadata.get("tags", []) else 0)
        if statements(cell.source) > longest:
            yield f"cell {number} has more than {longest} statements"


def shown_faults(executed: nbformat.NotebookNode) -> Iterator[str]:
    """What is wrong with what an executed notebook shows."""
    names = []
    for number, cell in enumerate(executed.cells, 1):
        outputs = cell.get("outputs", [])
        if any(output.get("name") == "stderr" for output in outputs):
            yield f"cell {number} writes to the error stream"
        images = [output for output in outputs if PICTURES.keys() & set(output.get("data", {}))]
        if len(images) > 1:
            yield f"cell {number} shows {len(images)} figures, and a caption belongs to one"
        if images:
            told = cell.metadata.get("mystnb", {})
            figure, alternative = told.get("figure", {}), told.get("image", {}).get("alt", "")
            names.append(figure.get("name"))
            if not figure.get("caption") or not str(figure.get("name")).startswith("fig-"):
                yield f"the figure of cell {number} needs a caption and a name `fig-…`"
            if len(alternative) < SHORTEST_ALTERNATIVE:
                yield f"the figure of cell {number} needs alternative text that says what is to be seen"
            if "image/svg+xml" not in images[0].data:
                yield f"the figure of cell {number} is not SVG"
            shown_in_dark = told.get("image", {}).get("classes", "")
            if ",map," in images[0].data.get(TABLE, "") and "dark-light" not in shown_in_dark:
                yield f"the figure of cell {number} is a map: it needs the class `dark-light`, which keeps its colours"
    if len(names) != len(set(names)):
        yield "two figures have the same name"


def shown_profile() -> str:
    """The profile that the built site shows."""
    return (ROOT / "_build/html/.built").read_text().strip()


def test_the_book_has_notebooks():
    assert SOURCES


@pytest.mark.parametrize("name", NAMES)
def test_the_table_of_contents_has_every_notebook(name):
    files = re.findall(r"file: (\S+)", (ROOT / "_toc.yml").read_text())
    assert f"book/{name.removesuffix('.ipynb')}" in files


@pytest.mark.parametrize("name", NAMES)
def test_notebooks_are_stored_clean(name):
    assert not list(stored_faults(nbformat.read(BOOK / name, as_version=nbformat.NO_CONVERT)))


@pytest.mark.parametrize("name", NAMES)
def test_nbstripout_agrees(name):
    done = subprocess.run([sys.executable, "-m", "nbstripout", "--keep-id", "--verify", str(BOOK / name)])
    assert done.returncode == 0


@pytest.mark.parametrize("name", NAMES)
def test_figures_have_captions_and_alternative_text(name):
    executed = ROOT / "_build/exec" / shown_profile() / name
    assert not list(shown_faults(nbformat.read(executed, as_version=4)))


@pytest.mark.parametrize("name", NAMES)
def test_the_full_profile_is_larger_than_the_quick_one(name):
    notebook = nbformat.read(BOOK / name, as_version=4)
    defaults, replaced = notebooks.settle(notebook, "full", {}, name)
    changed = {key for key in replaced if replaced[key] != defaults[key]} - {"profile"}
    assert changed, "metadata `profiles.full` changes nothing"


# ---------------------------------------------------------------- each check catches a seeded fault

ALT = "A curve that rises from the left to the right."


def clean() -> nbformat.NotebookNode:
    code = nbformat.v4.new_code_cell
    told = {"figure": {"caption": "A curve.", "name": "fig-a"}, "image": {"alt": ALT}}
    return nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# Title"),
            code('profile = "quick"\nseed = 1', metadata={"tags": ["parameters"]}),
            code("draw()", metadata={"mystnb": told}),
        ]
    )


def drawn() -> nbformat.NotebookNode:
    notebook = clean()
    notebook.cells[2].outputs = [nbformat.v4.new_output("display_data", {"image/svg+xml": "<svg/>"})]
    return notebook


def test_a_clean_notebook_has_no_fault():
    assert not list(stored_faults(clean())) and not list(shown_faults(drawn()))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda cells: cells[2].update(outputs=drawn().cells[2].outputs), "stored with outputs"),
        (lambda cells: cells[2].update(execution_count=3), "stored with outputs"),
        (lambda cells: cells[2].update(source="x; " * 16), "more than 15 statements"),
        (lambda cells: cells[1].update(source="profile = str('quick')"), "is no literal"),
        (lambda cells: cells[1].metadata.update(tags=[]), "exactly one cell has the tag"),
        (lambda cells: cells.pop(0), "does not begin with its title"),
        (lambda cells: cells[0].update(cell_type="poem"), "not a valid notebook"),
    ],
)
def test_faults_of_storage_are_caught(change, fault):
    notebook = clean()
    change(notebook.cells)
    assert any(fault in line for line in stored_faults(notebook))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda cell: cell.metadata.mystnb.figure.pop("caption"), "needs a caption"),
        (lambda cell: cell.metadata.mystnb.figure.update(name="curve"), "needs a caption and a name"),
        (lambda cell: cell.metadata.mystnb.image.update(alt="A figure."), "needs alternative text"),
        (lambda cell: cell.outputs.extend(drawn().cells[2].outputs), "shows 2 figures"),
        (lambda cell: cell.outputs[0].update(data={"image/png": ""}), "is not SVG"),
        (lambda cell: cell.outputs[0].data.update({TABLE: "1,,map,0,0,1,"}), "needs the class `dark-light`"),
        (lambda cell: cell.outputs.append(nbformat.v4.new_output("stream", name="stderr", text="w")), "error stream"),
    ],
)
def test_faults_of_figures_are_caught(change, fault):
    notebook = drawn()
    change(notebook.cells[2])
    assert any(fault in line for line in shown_faults(notebook))


def test_two_figures_of_one_name_are_caught():
    notebook = drawn()
    notebook.cells.append(notebook.cells[2])
    assert "two figures have the same name" in list(shown_faults(notebook))


def test_checkpoints_are_no_notebooks(tmp_path):
    for name in ("a.ipynb", "part/b.ipynb", "part/.ipynb_checkpoints/b-checkpoint.ipynb"):
        path = Path(tmp_path, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert [path.name for path in notebooks.find(tmp_path)] == ["a.ipynb", "b.ipynb"]
