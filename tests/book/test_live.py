"""The live figure of a page stands below its question, and pages without one load nothing for it."""

import json
from types import SimpleNamespace

import docutils.core
import pytest

from bookbuild.extensions import live

TEXT = "Title\n=====\n\nA question?\n\nAn answer.\n\nSection\n-------\n\nMore.\n"


@pytest.fixture
def app(tmp_path):
    """What the extension asks of Sphinx, with a figure for one page."""
    (tmp_path / live.TWINS).mkdir(parents=True)
    (tmp_path / live.TWINS / "pages.json").write_text(json.dumps({"book/first": "moves"}))
    (tmp_path / live.TWINS / "moves.html").write_text("<figure>moves</figure>")
    asked = []
    return SimpleNamespace(
        srcdir=str(tmp_path),
        env=SimpleNamespace(docname="book/first", note_dependency=asked.append),
        asked=asked,
        add_css_file=asked.append,
        add_js_file=lambda path, **how: asked.append((path, how)),
    )


def read(app):
    """A page as it is after the extension has seen it, paragraph by paragraph."""
    document = docutils.core.publish_doctree(TEXT, settings_overrides={"doctitle_xform": False})
    live.place(app, document)
    return [node.astext() for node in document.children[0].children]


def test_the_figure_stands_between_the_question_and_the_answer(app):
    assert read(app)[:4] == ["Title", "A question?", "<figure>moves</figure>", "An answer."]
    assert app.asked == [str(live.Path(app.srcdir, live.TWINS, "moves.html"))]


def test_another_page_has_no_figure_and_loads_nothing(app):
    app.env.docname = "book/second"
    assert read(app)[:3] == ["Title", "A question?", "An answer."]
    live.load(app, "book/second", "page.html", {}, object())
    assert app.asked == []


def test_a_page_with_a_figure_loads_its_script_and_the_style(app):
    live.load(app, "book/first", "page.html", {}, object())
    assert app.asked == ["live/live.css", ("live/moves.js", {"loading_method": "defer"})]
    live.load(app, "book/first", "page.html", {}, None)  # a page of the theme of that name
    assert len(app.asked) == 2
