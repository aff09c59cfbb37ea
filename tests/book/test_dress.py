"""Published pages: theorem boxes lead to their claims, figures to their numbers, pages say how to cite them."""

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from sample_book import ROOT

from bookbuild import BuildError, citations, claims, dress, media, notebooks
from bookbuild.pages import Page

BOX = "```{{prf:theorem}} A title\n:label: {}\n\nWhat holds.\n```\n"


def check(name):
    """A code cell whose output carries the record of a check."""
    return new_code_cell(outputs=[new_output("display_data", {media.CLAIM: {"id": name, "passed": True}})])


def figure(name, table=None):
    """A code cell with a named figure and perhaps its numbers."""
    data = {"image/svg+xml": "<svg/>"} | ({media.TABLE: table} if table else {})
    return new_code_cell(
        metadata={"mystnb": {"figure": {"name": name, "caption": "What it shows."}}},
        outputs=[new_output("display_data", data)],
    )


@pytest.fixture
def page():
    return Page(
        "book/part/page",
        Path("page.ipynb"),
        new_notebook(
            cells=[
                new_markdown_cell("# Page\n\n## One\n\n" + BOX.format("thm-one")),
                check("claim-a"),
                new_markdown_cell("text\n\n## Two\n\n" + BOX.format("thm-two")),
                figure("fig-two", "x,y\n1,2\n"),
                new_markdown_cell("## Three\n\n```python\n# not a heading\n```\n" + BOX.format("thm-three")),
                figure("fig-three"),
            ]
        ),
    )


CLAIMED = [
    {"id": "claim-a", "title": "A < B", "boxes": ["thm-one", "thm-three"]},
    {"id": "claim-b", "title": "b", "boxes": ["thm-one"]},
    {"id": "claim-c", "title": "c"},
]


def test_badges_lead_to_claims_and_figures_to_their_numbers(page, tmp_path):
    dressed = dress.dress(page, CLAIMED, [])
    one, two, three, cite = (cell.source for cell in dressed.cells if cell.cell_type == "markdown")
    link = '<a class="claim-badge" href="../../book/reference/claims.html#claim-claim-{}">{}</a>'
    assert f"Checked on this page: {link.format('a', 'A &lt; B')} {link.format('b', 'b')}</span>" in one
    assert "Checked" not in two and link.format("a", "A &lt; B") in three and "What holds.\n```" in two
    assert "Cite this page" in cite
    captions = [cell.metadata["mystnb"]["figure"]["caption"] for cell in dressed.cells if "mystnb" in cell.metadata]
    assert 'href="../../figures/fig-two.csv"' in captions[0]
    assert 'href="../../book/reference/figures.html#made-fig-two"' in captions[0] and captions[1] == "What it shows."
    dress.write_tables(page.notebook, tmp_path)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("fig-two.csv", "x,y\n1,2\n")]


def test_a_box_that_is_not_on_the_page_is_named(page):
    with pytest.raises(BuildError, match="book/part/page: a claim checks the box `thm-four`"):
        dress.dress(page, [{"id": "claim-a", "title": "a", "boxes": ["thm-four"]}], [])


def test_a_page_names_the_papers_on_which_its_claims_rest():
    listed = claims.load(ROOT / claims.LIST)
    keys = {"li2022covariance", "hayou2023commute", "neal1996bayesian"}
    assert dress.papers_of("book/shaped/covariance", listed, keys) == ["li2022covariance"]
    assert dress.papers_of("book/residual/limits-commute", listed, keys) == ["hayou2023commute"]
    assert dress.papers_of("book/reference/rerun", listed, keys) == []


def test_the_papers_can_be_copied_in_apa_style_and_as_bibtex(monkeypatch):
    monkeypatch.chdir(ROOT)
    text = citations.block(list(claims.PAPERS))
    assert "Li, M. B., Nica, M., & Roy, D. M. (2022). The Neural Covariance SDE:" in text
    assert "*Journal of Machine Learning Research*, *22*(175), 1–48. arXiv:2007.03253." in text
    assert "@article{hayou2023infinite,\n" in text and "@misc{deeplimits," in text


def test_the_site_dresses_its_pages():
    html = (ROOT / "_build/html/book/shaped/covariance.html").read_text()
    assert 'class="claim-badge"' in html and "Cite this page" in html
    table = (ROOT / "_build/html/figures/fig-correlation-law.csv").read_text().splitlines()
    assert table[0].startswith("# panel 1: ") and "panel,series,kind,x,y,low,high" in table
    assert len(table) > 50


def test_every_figure_of_the_book_has_its_numbers(monkeypatch):
    monkeypatch.chdir(ROOT)
    profile = (ROOT / "_build/html/.built").read_text().strip()
    for source in notebooks.find():
        for cell in notebooks.read(notebooks.executed_copy(source, profile)).cells:
            if "name" in cell.metadata.get("mystnb", {}).get("figure", {}):
                assert dress.table_of(cell), (source, cell.source)


def test_a_notebook_is_the_same_after_dressing_but_for_what_is_said(page):
    before = [cell.source for cell in page.notebook.cells if cell.cell_type == "code"]
    dressed = dress.dress(page, CLAIMED, [])
    assert [cell.source for cell in dressed.cells if cell.cell_type == "code"] == before
    nbformat.validate(dressed)
    assert "claim-badge" not in page.notebook.cells[0].source, "the page itself stays as it is"
