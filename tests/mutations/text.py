"""Errors in what is printed: looked for in the changed page alone, by the two tests that see all pages."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import yaml

from bookbuild import printed
from bookbuild.pages import Page
from tests import formulas

if TYPE_CHECKING:
    from tests.mutations import Mutation

FORMULAS = "tests/test_formulas.py::test_a_printed_formula_is_what_the_package_computes"
LISTED = "tests/test_formulas.py::test_every_other_formula_is_listed_with_the_reason"
NUMBERS = "tests/book/test_printed.py::test_every_number_of_the_book_has_an_origin"


@functools.cache
def _lists() -> tuple[dict, dict]:
    formulas.load()
    return formulas.untied(), printed.load()


def noticed(mutation: Mutation, root: Path) -> str:
    """The test that notices an error in a page or in the list of claims, if one does."""
    path = root / mutation.file
    before = path.read_text(encoding="utf-8")
    after = mutation.changed(before)
    if path.suffix == ".ipynb":
        name = Path(mutation.file).with_suffix("").as_posix()
        return _of_page(name, before, after)
    if path.suffix == ".md":
        return _of_words(Path(mutation.file).with_suffix("").as_posix().removeprefix("book/"), before, after)
    return _of_claims(before, after)


def _of_words(page: str, before: str, after: str) -> str:
    """A page that is no notebook: its formulas."""
    cells = [[nbformat.v4.new_markdown_cell(content)] for content in (before, after)]
    return _of(page + "#", *(list(formulas.of_page(page, each)) for each in cells), {})


def _of_page(name: str, before: str, after: str) -> str:
    cells = [nbformat.reads(content, as_version=4).cells for content in (before, after)]
    page = name.removeprefix("book/")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "page.ipynb"
        copy.write_text(after, encoding="utf-8")
        prose = printed.texts([Page.read(name, copy)], [])[name]
    return _of(page + "#", *(list(formulas.of_page(page, each)) for each in cells), {name: prose})


def _of_claims(before: str, after: str) -> str:
    listed = [yaml.safe_load(content) for content in (before, after)]
    prose = {f"claims/{each['id']}": f"{each['title']}\n\n{each['statement']}" for each in listed[1]}
    return _of("claims/", *(list(formulas.of_claims(each)) for each in listed), prose)


def _of(places: str, before: list, after: list, prose: dict[str, str]) -> str:
    """The first test that sees a difference: formulas that are tied, those that are listed, numbers."""
    untied, numbers = _lists()
    known = set(before)
    if any(formulas.faults(each) for each in after if formulas.tied(each) and each not in known):
        return FORMULAS
    if formulas.unlisted(after, {place: each for place, each in untied.items() if place.startswith(places)}):
        return LISTED
    return NUMBERS if printed.unlisted(prose, {place: numbers.get(place) for place in prose}) else ""
