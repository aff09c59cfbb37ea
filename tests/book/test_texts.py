"""A changed text is no reason for a run, changed code is; and a copy shows the code that it ran."""

import copy
import json
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from bookbuild import BuildError, current, notebooks, pages, texts

SOURCE = Path("book/part/page.ipynb")
COPY = notebooks.executed_copy(SOURCE, "quick")
RECORD = COPY.with_suffix(".provenance.json")


def source() -> nbformat.NotebookNode:
    """A notebook with text around its code."""
    figure = {"figure": {"name": "fig-a", "caption": "A figure."}}
    cells = [
        new_markdown_cell("# Page"),
        new_code_cell("profile = 'quick'", metadata={"tags": ["parameters"]}),
        new_markdown_cell("Between."),
        new_code_cell("draw()", metadata={"mystnb": figure, "tags": ["hide-input"]}),
        new_code_cell("print(1)"),
    ]
    return new_notebook(
        cells=cells, metadata={"profiles": {"full": {}}, "kernelspec": {"name": "python3", "display_name": "Python 3"}}
    )


def ran(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """What a run makes of a notebook: outputs, times, and a cell with the parameters of the run."""
    done = copy.deepcopy(notebook)
    for number, cell in enumerate(done.cells):
        cell.metadata.setdefault("tags", [])
        if cell.cell_type == "code":
            cell.execution_count = number
            cell.metadata["execution"] = {"shell.execute_reply": f"{number}"}
    done.cells[3].outputs = [new_output("display_data", {"image/svg+xml": "<svg/>"})]
    done.cells[4].outputs = [new_output("stream", text="1\n")]
    added = new_code_cell("profile = 'quick'", metadata={"tags": ["injected-parameters", "remove-cell"]}, id="added")
    done.cells.insert(2, added)
    done.metadata["language_info"] = {"name": "python", "version": "3"}
    return done


@pytest.fixture
def page(tmp_path, monkeypatch):
    """A page that has been executed."""
    monkeypatch.chdir(tmp_path)
    Path("_toc.yml").write_text("- file: book/part/page\n")
    for path, notebook in ((SOURCE, source()), (COPY, ran(source()))):
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, path)
    inputs = {SOURCE.as_posix(): list(current.state(SOURCE))}
    record = {"profile": "quick", "executed": current.state(COPY).exact, "inputs": inputs, "sha256": "of the run"}
    RECORD.write_text(json.dumps(record))
    return nbformat.read(SOURCE, as_version=4)


def in_text(notebook):
    notebook.cells[0].source = "# Another page"
    notebook.cells.insert(3, new_markdown_cell("More.", id="more"))


def in_caption(notebook):
    notebook.cells[3].metadata["mystnb"]["figure"]["caption"] = "Another caption."


def in_folds(notebook):
    notebook.cells[4].metadata["tags"] = ["evidence", "claim"]


def in_code(notebook):
    notebook.cells[4].source = "print(2)"


def in_order(notebook):
    notebook.cells[3:] = reversed(notebook.cells[3:])


def in_number(notebook):
    del notebook.cells[4]


def in_parameters(notebook):
    notebook.metadata["profiles"]["full"]["profile"] = "other"


def in_tag(notebook):
    notebook.cells[4].metadata["tags"] = ["raises-exception"]


def in_kernel(notebook):
    notebook.metadata["kernelspec"]["name"] = "other"


@pytest.mark.parametrize("change", [in_text, in_caption, in_folds])
def test_a_text_is_taken_anew_and_the_copy_is_what_a_run_would_have_made(page, change):
    change(page)
    nbformat.write(page, SOURCE)
    assert current.change(RECORD) is None
    with pytest.raises(BuildError, match="the text of book/part/page.ipynb has changed"):
        pages.of_book("quick")
    assert texts.renew(SOURCE, COPY) and not texts.renew(SOURCE, COPY)
    told = nbformat.read(COPY, as_version=4)
    assert notebooks.own(told)[0].source == page.cells[0].source
    assert [cell.id for cell in notebooks.own(told)] == [cell.id for cell in page.cells]
    for cell, wanted in zip(notebooks.own(told), page.cells, strict=True):
        assert cell.source == wanted.source and wanted.metadata.items() <= cell.metadata.items()
    assert notebooks.code(told) == notebooks.code(page)
    outputs = [cell.outputs for cell in told.cells if cell.cell_type == "code"]
    assert outputs == [cell.outputs for cell in ran(source()).cells if cell.cell_type == "code"]
    assert [each.name for each in pages.of_book("quick")] == ["book/part/page"]
    record = json.loads(RECORD.read_text())
    assert record["sha256"] == "of the run" and record["text"]["sha256"] == current.state(SOURCE).exact


@pytest.mark.parametrize("change", [in_code, in_order, in_number, in_parameters, in_tag, in_kernel])
def test_changed_code_is_a_reason_for_a_run_and_is_taken_by_nothing_else(page, change):
    change(page)
    nbformat.write(page, SOURCE)
    assert current.change(RECORD) == SOURCE.as_posix()
    before = COPY.read_bytes()
    assert not texts.renew(SOURCE, COPY) and COPY.read_bytes() == before
    with pytest.raises(BuildError, match=r"page\.ipynb has changed"):
        pages.of_book("quick")


def test_other_code_is_not_put_above_the_outputs_of_a_copy(page):
    in_code(page)
    with pytest.raises(ValueError, match="ran other code"):
        texts.told_anew(page, nbformat.read(COPY, as_version=4))


def test_a_copy_that_ran_other_code_is_refused_whatever_its_record_says(page):
    other = nbformat.read(COPY, as_version=4)
    other.cells[-1].source = "print(3)"
    nbformat.write(other, COPY)
    RECORD.write_text(json.dumps(json.loads(RECORD.read_text()) | {"executed": current.state(COPY).exact}))
    with pytest.raises(BuildError, match="ran other code than book/part/page.ipynb"):
        pages.of_book("quick")


def test_a_caption_without_a_picture_is_refused_without_a_run(page):
    page.cells[4].metadata["mystnb"] = {"figure": {"name": "fig-b", "caption": "Nothing."}}
    nbformat.write(page, SOURCE)
    with pytest.raises(BuildError, match=r"cell 5 \(`print\(1\)`\) has the caption of a figure and shows none"):
        texts.renew(SOURCE, COPY)


def test_an_edited_copy_gets_no_new_text(page):
    COPY.write_text(COPY.read_text().replace("Between.", "Amid."))
    in_text(page)
    nbformat.write(page, SOURCE)
    with pytest.raises(BuildError, match="was changed after its run"):
        texts.renew(SOURCE, COPY)


@pytest.mark.parametrize("moved", [False, True], ids=["before the copy is in its place", "after"])
def test_a_text_that_was_taken_half_way_is_taken(page, monkeypatch, moved):
    in_text(page)
    nbformat.write(page, SOURCE)
    assert texts.renew(SOURCE, COPY)
    whole = COPY.read_bytes()
    if not moved:
        COPY.replace(COPY.with_suffix(".partial.ipynb"))
        nbformat.write(ran(source()), COPY)
    texts.recover(COPY)
    assert COPY.read_bytes() == whole and pages.of_book("quick")


def test_what_failed_is_not_taken_for_a_finished_copy(page):
    partial = COPY.with_suffix(".partial.ipynb")
    partial.write_text("{}")
    before = COPY.read_bytes()
    texts.recover(COPY)
    assert COPY.read_bytes() == before and partial.exists()
