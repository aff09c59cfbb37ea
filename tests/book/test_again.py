"""A site that is made on top of the last one is the site that is made from scratch."""

import json
import shutil
from collections import namedtuple
from types import SimpleNamespace

import nbformat
import pytest
from docutils import nodes

from bookbuild import recorded, rendering
from bookbuild.extensions import again

FIRST = "book/part/first.ipynb"
INPUTS = {
    "profile": "quick",
    "_build/exec/quick/part/first.provenance.json": "1",
    "book/index.md": "1",
    "book/claims.yml": "1",
    "src/bookbuild/site.py": "1",
}


def site_of(project) -> dict[str, bytes]:
    """Every file of the site that stands."""
    html = project.root / "_build/html"
    return {str(path.relative_to(html)): path.read_bytes() for path in html.rglob("*") if path.is_file()}


def doctrees(project) -> dict[str, int]:
    """When Sphinx read each page of the book last."""
    folder = project.root / "_build/next/_build/.doctrees"
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*.doctree")}


def written(project) -> int:
    """When the second page was written last."""
    return (project.root / "_build/next/_build/html/book/part/deeper/second.html").stat().st_mtime_ns


def made(project) -> set[str]:
    """Make the book, and say which pages were read."""
    before = doctrees(project)
    done = project.make("book")
    assert done.returncode == 0, done.stdout
    return {name.removesuffix(".doctree") for name, moment in doctrees(project).items() if before.get(name) != moment}


def tell(project, *texts: str) -> None:
    """Give the first notebook other text around the same code."""
    path = project.root / FIRST
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    text = [nbformat.v4.new_markdown_cell(each, id=f"text-{number}") for number, each in enumerate(texts)]
    notebook.cells = [text[0], *code, *text[1:]]
    nbformat.write(notebook, path)


def test_changed_texts_lead_to_the_bytes_of_a_site_from_scratch(project):
    shutil.rmtree(project.root / "_build/next")  # it knows of another folder
    project.write("book/index.md", "# A sample\n\nSee {cite:t}`li2022covariance`.\n\n```{bibliography}\n```\n")
    tell(project, "# first\n\nSee {cite:t}`hayou2023infinite` and [](deeper/second.ipynb).")
    assert len(made(project)) > 3, "from scratch"
    tell(project, "# first\n\nNew words, {cite:t}`hayou2023infinite` and [](deeper/second.ipynb).", "Words at the end.")
    before = written(project)
    assert made(project) == {"book/part/first", "book/reference/provenance"}
    assert written(project) == before, "a page that was not read is what it was"
    assert "Words at the end." in project.page("part/first.html")
    tell(project, "# Another title\n\nNew words.\n\n## A part", "Words at the end.")
    project.write("book/index.md", "# A sample\n\nSee [](part/first.ipynb).\n\n```{bibliography}\n```\n")
    read = made(project)
    assert read >= {"book/index", "book/part/first"} and "book/part/deeper/second" not in read
    assert "Another title" in project.page("part/deeper/second.html"), "the list of pages is on every page"
    assert written(project) > before
    project.notebook("part/deeper/second.ipynb", "print('of today')")
    assert "book/part/first" not in made(project)
    project.write("book/numbers.yml", "{}")
    made(project)
    project.write("book/numbers.yml", "# No number.\n{}")
    assert made(project) == {"book/index"}, "no page has changed"
    on_top = site_of(project)
    assert "quick profile" in project.page("index.html") and not any(b"@stamp@" in page for page in on_top.values())
    shutil.rmtree(project.root / "_build/next")
    shutil.rmtree(project.root / "_build/html")
    assert len(made(project)) > 3
    assert site_of(project) == on_top


def test_pictures_of_phones_stay_with_those_that_a_page_shows(tmp_path):
    (tmp_path / "_images").mkdir()
    for name in ("shown.svg", "shown-narrow.svg", "old.svg", "old-narrow.svg"):
        (tmp_path / "_images" / name).write_text("")
    app = SimpleNamespace(
        builder=SimpleNamespace(name="html", imagedir="_images"),
        outdir=tmp_path,
        env=SimpleNamespace(images={"part/shown.svg": ({"part/first"}, "shown.svg")}),
    )
    again.tidy(app, None)
    assert {path.name for path in (tmp_path / "_images").iterdir()} == {"shown.svg", "shown-narrow.svg"}


def test_a_run_that_failed_serves_nothing(project):
    whole = project.root / rendering.WHOLE
    assert whole.exists()
    project.write("book/index.md", "# A sample\n\n{ref}`nowhere`\n\n```{bibliography}\n```\n")
    assert project.make("book").returncode != 0 and not whole.exists()
    assert len(doctrees(project)) > 3
    project.write("book/index.md", "# A sample of today\n\n```{bibliography}\n```\n")
    assert len(made(project)) > 3, "from scratch"
    assert "A sample of today" in project.page("index.html") and whole.exists()


@pytest.fixture
def last(tmp_path, monkeypatch):
    """A whole run in this folder, made from INPUTS."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "requirements.txt").write_text("numpy")
    rendering.WHOLE.parent.mkdir(parents=True)
    rendering.WHOLE.write_text(json.dumps(rendering.basis(INPUTS)))
    return tmp_path


@pytest.mark.parametrize(
    ("changes", "serves"),
    [
        ({}, True),
        ({"_build/exec/quick/part/first.provenance.json": "2"}, True),
        ({"book/index.md": "2"}, True),
        ({"book/claims.yml": "2"}, False),
        ({"src/bookbuild/site.py": "2"}, False),
        ({"profile": "full"}, False),
        ({"book/other.md": "1"}, False),
    ],
)
def test_the_last_run_serves_where_texts_alone_have_changed(last, changes, serves):
    assert rendering.serves(rendering.basis(INPUTS | changes)) is serves


def test_what_is_missing_cut_off_or_of_another_lock_serves_nothing(last):
    made_from = rendering.basis(INPUTS)
    del made_from["book/index.md"]
    assert not rendering.serves(made_from)
    (last / "requirements.txt").write_text("scipy")
    assert not rendering.serves(rendering.basis(INPUTS))
    for text in ("", "[]", '{"profile"'):
        rendering.WHOLE.write_text(text)
        assert not rendering.serves(rendering.basis(INPUTS))
    rendering.WHOLE.unlink()
    assert not rendering.serves(rendering.basis(INPUTS))


def test_reports_are_drawn_once_while_the_last_run_serves(last, monkeypatch):
    monkeypatch.setattr(recorded, "drawn", lambda: {"drawn": "anew"})
    for name, text in (("_static/recorded/gpt.html", "a report"), ("_images/fig-recorded.svg", "a picture")):
        path = rendering.RAW / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    kept = {"_static/recorded/gpt.html": "a report", "_figures/fig-recorded.svg": "a picture"}
    assert rendering.drawn(INPUTS | {"book/index.md": "2"}) == kept
    assert rendering.drawn(INPUTS | {"book/claims.yml": "2"}) == {"drawn": "anew"}
    rendering.WHOLE.unlink()
    assert rendering.drawn(INPUTS) == {"drawn": "anew"}


def test_pages_see_titles_and_numbers_of_each_other_but_no_order_and_no_lines():
    cited = namedtuple("Cited", "docname line keys")
    title = nodes.title("", "A title")
    shown = {"titles": {"a": title}, "labels": {"x": 1, "y": {1, 2}}, "cited": [cited("a", 3, "k")]}
    again_shown = {"cited": [cited("a", 9, "k")], "labels": {"y": {2, 1}, "x": 1}, "titles": {"a": title}}
    one, same = SimpleNamespace(**shown, all_docs={"a": 1}), SimpleNamespace(**again_shown, all_docs={"a": 2})
    assert again.seen(one) == again.seen(same)
    for name, other in (
        ("titles", {"a": nodes.title("", "Another")}),
        ("labels", {"x": 2, "y": {1, 2}}),
        ("cited", [cited("a", 3, "other")]),
        ("cited", []),
    ):
        assert again.seen(one) != again.seen(SimpleNamespace(**shown | {name: other})), name
