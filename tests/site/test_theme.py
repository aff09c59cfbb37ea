"""How the pages of the theme are mended, without a browser."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from sphinx.errors import ExtensionError

from bookbuild.extensions import theme

SCRIPT = Path("theme/pydata_sphinx_theme/static/scripts/fontawesome.js")


@pytest.fixture(scope="module")
def icons():
    package = find_spec("pydata_sphinx_theme").submodule_search_locations[0]
    return theme.read_icons(Path(package) / SCRIPT)


def test_an_icon_is_drawn_in_the_page_and_hidden_from_screen_readers(icons):
    drawn = theme.mend('<i class="mine fa-solid fa-sun fa-lg" data-mode="light" title="Light"></i>', icons)
    assert drawn.startswith('<svg class="svg-inline--fa mine fa-sun fa-lg" data-mode="light" aria-hidden="true"')
    assert "title" not in drawn


@pytest.mark.parametrize("name", ["fas fa-rocket", "fab fa-github", "fas fa-search", "fas fa-pencil-alt"])
def test_icons_of_buttons_that_may_come_are_known_by_old_names_too(name, icons):
    assert "<svg" in theme.mend(f'<i class="{name}"></i>', icons)


def test_an_icon_may_stand_in_a_span(icons):
    drawn = theme.mend('<span class="fa-solid fa-bars"></span><span class="fable"></span>', icons)
    assert drawn.startswith("<svg") and drawn.endswith('</svg><span class="fable"></span>')


def test_the_regular_form_of_an_icon_is_not_the_solid_one(icons):
    assert theme.mend('<i class="far fa-sun"></i>', icons) != theme.mend('<i class="fas fa-sun"></i>', icons)


def test_an_icon_that_is_not_known_stops_the_build(icons):
    with pytest.raises(ExtensionError, match="seeded"):
        theme.mend('<i class="fas fa-seeded"></i>', icons)


def test_what_slants_without_being_an_icon_stays(icons):
    assert theme.mend('<i class="fable">x</i>', icons) == '<i class="fable">x</i>'


def test_only_the_page_for_searching_loads_the_index():
    page = '<script src="../searchindex.js"></script>'
    assert theme.mend(page, {}) == ""
    assert theme.mend(page, {}, searches=True) == page


def test_the_corner_of_a_table_is_no_heading_and_a_heading_stays_one():
    assert theme.mend('<th class="head"><p> </p></th><th>a</th>', {}) == '<td class="head"></td><th>a</th>'


def test_axe_comes_with_its_licence():
    folder = Path(__file__).parent / "axe"
    assert "Mozilla Public License" in (folder / "LICENSE").read_text()
    assert (folder / "axe.min.js").read_text().startswith("/*! axe v4.14.1")


def test_the_arguments_of_a_signature_are_lines(icons):
    signature = (
        '<dt class="sig"><span class="sig-paren">(</span>\n\n<dl>\n<dd><em class="sig-param">a</em>,</dd>\n'
        '<dd><em class="sig-param">b</em>,</dd>\n</dl>\n\n<span class="sig-paren">)</span></dt>'
        "<dl><dt>a term</dt><dd>and what it is</dd></dl>"
    )
    mended = theme.mend(signature, icons)
    assert mended.count('<span class="sig-line">') == 2 and mended.count("<dl>") == mended.count("</dl>") == 1
    assert mended.count("<span") == mended.count("</span>")
    assert mended.endswith("<dl><dt>a term</dt><dd>and what it is</dd></dl>")
