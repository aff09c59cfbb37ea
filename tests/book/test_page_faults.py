"""What an executed copy must be to be published, in a book of two pages that nobody has to build."""

import json
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook

from bookbuild import BuildError, current, notebooks, pages


@pytest.fixture
def book(tmp_path, monkeypatch):
    """Two notebooks, their executed copies with records, and a table of contents that has the second first."""
    monkeypatch.chdir(tmp_path)
    Path("_toc.yml").write_text("- file: book/part/second\n- file: book/part/first\n")
    for name in ("first", "second"):
        source = Path(f"book/part/{name}.ipynb")
        copy = notebooks.executed_copy(source, "quick")
        for path in (source, copy):
            path.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(new_notebook(cells=[new_markdown_cell(f"# {name}")]), path)
        record = {
            "profile": "quick",
            "executed": current.state(copy).exact,
            "inputs": {source.as_posix(): list(current.state(source))},
        }
        copy.with_suffix(".provenance.json").write_text(json.dumps(record))
    return tmp_path


def test_copies_that_are_what_their_runs_made_come_in_the_order_of_the_contents(book):
    assert [page.name for page in pages.of_book("quick")] == ["book/part/second", "book/part/first"]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda record: record | {"profile": "full"}, "comes from the full profile, not from quick"),
        (lambda record: record | {"executed": "0"}, "was changed after its run"),
        (lambda record: record | {"inputs": {"book/part/first.ipynb": ["0", "0"]}}, "first.ipynb has changed"),
        (lambda record: record | {"inputs": {"gone.py": ["0", "0"]}}, "gone.py has changed"),
        (lambda record: {}, "is not up to date"),
    ],
)
def test_a_copy_that_is_something_else_is_refused(book, change, complaint):
    path = notebooks.executed_copy(Path("book/part/first.ipynb"), "quick").with_suffix(".provenance.json")
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(BuildError, match=complaint):
        pages.of_book("quick")


def test_a_source_that_is_edited_is_told(book):
    source = Path("book/part/first.ipynb")
    source.write_text(source.read_text().replace("# first", "# other"))
    with pytest.raises(BuildError, match=r"first\.ipynb has changed"):
        pages.of_book("quick")
