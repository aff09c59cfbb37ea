"""How docstrings become the reference of the package, without building a page."""

import importlib
import inspect

import docutils.core
import docutils.parsers.rst.roles
import pytest
from docutils import nodes

import deeplimits
from bookbuild import api as written
from bookbuild.extensions import api
from deeplimits.diffusions import NormSDE


def shown(role, raw, text, *_, **__):
    """A reference as what is seen of it."""
    return [nodes.strong("", text.partition(" <")[0])], []


docutils.parsers.rst.roles.register_local_role("py:obj", shown)


def tree(lines):
    """The document that docutils makes of reStructuredText; what it warns of is an error."""
    return docutils.core.publish_doctree("\n".join(lines), settings_overrides={"halt_level": 2, "report_level": 5})


def test_sections_become_one_list_of_fields_after_the_text():
    found = tree(
        api.read(
            [
                "One line.",
                "",
                "Shapes: (m, m) in,",
                "    and out. Law: exact.",
                "Source: as in a paper.",
                "Raises: ValueError for",
                "what is refused.",
                "",
                "More text.",
            ],
            "deeplimits.growth.drain",
        )
    )
    assert [each.tagname for each in found] == ["paragraph", "paragraph", "field_list"]
    fields = {field[0].astext(): field[1].astext() for field in found[2]}
    assert fields == {
        "Shapes": "(m, m) in, and out.",
        "Law": "exact.",
        "Source": "as in a paper.",
        "Raises": "ValueError for what is refused.",
    }


@pytest.mark.parametrize(
    "text",
    [
        "a *b and c* d",
        "|x| and |y|",
        "x_ and y_",
        "V^(-2 - b)",
        "**options",
        r"a \ b",
        "phi''^2",
        'it is "quoted"',
        "a -- b",
        "h^-1(alpha y + beta)",
        "1. one",
        "<x, x'>/n",
    ],
)
def test_text_is_no_markup(text):
    found = tree(["Before.", "", *api.read([f"See {text}."], "deeplimits.growth.drain")])
    assert [each.tagname for each in found] == ["paragraph", "paragraph"]
    assert found[1].astext() == f"See {text}." and len(found[1]) == 1


def test_names_lead_to_what_they_stand_for_from_where_they_are():
    assert api.target("drain", "deeplimits.growth.initial_rate") == "deeplimits.growth.drain"
    assert api.target("growth.drain", "deeplimits.densities.norm") == "deeplimits.growth.drain"
    assert api.target("cdf", "deeplimits.densities.GridLaw.pdf") == "deeplimits.densities.GridLaw.cdf"
    assert api.target("drain", "deeplimits.growth.drain") is None  # not to itself
    assert api.target("no such", "deeplimits.growth.drain") is api.target("at", "deeplimits.growth.drain") is None
    found = tree(api.read(["As `drain` of `width`, `n`th."], "deeplimits.growth.initial_rate"))
    assert [each.tagname for each in found[0]] == ["#text", "strong", "#text", "literal", "#text", "literal", "#text"]
    assert found.astext() == "As drain of width, nth."


def test_an_example_stands_apart():
    found = tree(api.read(["One line.", "", "Law: exact.", "", ">>> 1 + 1", "2"], "deeplimits.growth.drain"))
    assert [each.tagname for each in found] == ["paragraph", "field_list", "rubric", "doctest_block"]


def test_every_docstring_is_read_without_a_warning():
    for name, thing in api.names().items():
        if inspect.getdoc(thing) and not inspect.ismodule(thing):
            tree(api.read(inspect.getdoc(thing).split("\n"), name))


def test_there_is_a_page_for_every_module():
    pages = written.pages()
    assert {f"{written.FOLDER}/{name}.rst" for name in deeplimits.__all__} == set(pages) - {written.LIST}
    for name in deeplimits.__all__:
        said = inspect.getdoc(importlib.import_module(f"deeplimits.{name}")).partition("\n")[0]
        assert f"deeplimits.{name}" in pages[written.LIST] and said in pages[written.LIST]


def test_names_are_those_of_the_modules_and_of_no_library():
    names = api.names()
    assert {
        f"deeplimits.{module}.{name}"
        for module in deeplimits.__all__
        for name in importlib.import_module(f"deeplimits.{module}").__all__
    } <= set(names)
    assert "deeplimits.densities.GridLaw.pdf" in names and "deeplimits.ensembles.Summary.mean" in names
    assert not [name for name in names if name.endswith((".count", ".index")) and "Summary" not in name]


def test_packed_keywords_are_written_out():
    text, returned = api.process_signature(None, "method", "", NormSDE.sample, None)
    assert text.startswith("(initial: float, samples: int, seed: int, at: ")
    assert "how" not in text and "threads: int | None = ..." in text and "steps: int = ..." in text
    assert returned == "FloatArray"
