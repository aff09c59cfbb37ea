"""Published pages: theorem boxes lead to their claims, figures to their numbers, pages say how to cite them."""

import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from sample_book import CHECK, ROOT

from bookbuild import BuildError, citations, claims, dress, media, notebooks
from bookbuild.pages import Page

BOX = "```{{prf:theorem}} A title\n:label: {}\n\nWhat holds.\n```\n"


def check(name):
    """A code cell whose output carries the record of a check."""
    return new_code_cell(outputs=[new_output("display_data", {media.CLAIM: {**CHECK, "id": name}})])


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
    {"id": "claim-a", "kind": "claim", "title": "A < B", "boxes": ["thm-one", "thm-three"]},
    {"id": "claim-b", "kind": "claim", "title": "b", "boxes": ["thm-one"]},
    {"id": "claim-c", "kind": "claim", "title": "c"},
]


def test_badges_lead_to_claims_and_figures_to_their_numbers(page, tmp_path):
    dressed = dress.dress(page, CLAIMED, [])
    one, two, three, cite = (cell.source for cell in dressed.cells if cell.cell_type == "markdown")
    link = '<a class="claim-badge" href="../../book/reference/claim-claim-{}.html">{}</a>'
    assert f"Checked on this page: {link.format('a', 'A &lt; B')} {link.format('b', '<i>b</i>')}</span>" in one
    assert "Not checked by itself." in two and link.format("a", "A &lt; B") in three
    assert "Cite this page" in cite
    captions = [cell.metadata["mystnb"]["figure"]["caption"] for cell in dressed.cells if "mystnb" in cell.metadata]
    assert 'href="../../figures/fig-two.csv"' in captions[0]
    assert 'href="#code-fig-two"' in captions[0] and captions[1] == "What it shows."


def test_a_table_says_what_it_is_and_where_it_comes_from(page, tmp_path):
    page = page._replace(path=tmp_path / "page.ipynb")
    page.record.write_text('{"commit": "c0ffee", "profile": "quick", "parameters": {"seed": 7}}')
    dress.write_tables(page, tmp_path / "figures")
    (table,) = (tmp_path / "figures").iterdir()
    assert table.name == "fig-two.csv" and table.read_text().splitlines() == [
        "# figure: fig-two",
        "# caption: What it shows.",
        "# page: book/part/page",
        "# commit: c0ffee",
        "# seed: 7",
        "# profile: quick",
        "# licence: CC BY 4.0",
        "x,y",
        "1,2",
    ]


def test_a_box_that_is_not_on_the_page_is_named(page):
    with pytest.raises(BuildError, match="book/part/page: a claim checks the box `thm-four`"):
        dress.dress(page, [{"id": "claim-a", "kind": "claim", "title": "a", "boxes": ["thm-four"]}], [])


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
    assert table[0] == "# figure: fig-correlation-law" and any(line.startswith("# seed: ") for line in table)
    assert any(line.startswith("panel,series,kind,") and line.endswith(",standard error") for line in table)
    assert len(table) > 50


def test_every_figure_of_the_book_has_its_numbers(monkeypatch):
    monkeypatch.chdir(ROOT)
    profile = (ROOT / "_build/html/.built").read_text().strip()
    for source in notebooks.find():
        for cell in notebooks.read(notebooks.executed_copy(source, profile)).cells:
            if "name" in cell.metadata.get("mystnb", {}).get("figure", {}):
                assert dress.table_of(cell), (source, cell.source)


def test_a_verdict_is_told_in_sentences_each_under_an_address_of_its_own(page):
    page.notebook.cells.insert(2, check("claim-a"))
    dressed = dress.dress(page, CLAIMED, [])
    shown = [output.data["text/html"] for _, output in notebooks.outputs(dressed) if media.CLAIM in output.data]
    assert [re.search(r' id="([^"]+)"', each)[1] for each in shown] == ["check-claim-a", "check-claim-a-1"]
    assert "Measured: 0.10 ± 0.10. Theory: 0." in shown[0] and ">A &lt; B</a>" in shown[0]
    assert all("text/html" not in output.data for _, output in notebooks.outputs(page.notebook))


def test_a_claim_without_a_box_has_its_badge_in_the_section_that_checks_it_first(page):
    page.notebook.cells.insert(2, check("claim-c"))
    page.notebook.cells.insert(5, check("claim-c"))
    dressed = dress.dress(page, CLAIMED, [])
    badge = '<a class="claim-badge" href="../../book/reference/claim-claim-c.html"><i>c</i></a>'
    assert dressed.cells[3].source == f'<span class="claim-badges">Checked here: {badge}</span>'
    assert sum(badge in cell.source for cell in dressed.cells) == 1


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("definition", "A definition: there is nothing to check."),
        ("proposition", "Not checked by itself."),
        ("proof", ""),
    ],
)
def test_a_box_that_no_claim_names_says_so(kind, said):
    assert dress.unchecked(kind) == said


def test_folds_of_single_cells_are_dropped_and_text_for_auditors_is_marked(page):
    page.notebook.cells[1].metadata["tags"] = ["hide-input", "claim"]
    page.notebook.cells[2].metadata["tags"] = ["evidence"]
    dressed = dress.dress(page, CLAIMED, [])
    assert dressed.cells[1].metadata["tags"] == ["claim"]
    assert dressed.cells[2].source.startswith("::::::{container} evidence\ntext\n")


def test_mathematics_in_a_caption_is_typeset(page):
    page.notebook.cells[3].metadata["mystnb"]["figure"]["caption"] = "Slope -1/2 of alpha^2, $x_1$."
    caption = dress.dress(page, CLAIMED, []).cells[3].metadata["mystnb"]["figure"]["caption"]
    assert caption.startswith("Slope −1/2 of <i>α</i><sup>2</sup>, $x_1$.")


def test_a_section_teaches_with_one_cell_at_most(page):
    for cell in (page.notebook.cells[1], page.notebook.cells[3]):
        cell.metadata["tags"] = ["teach"]
    dress.dress(page, CLAIMED, [])
    page.notebook.cells.insert(2, new_code_cell(metadata={"tags": ["teach"]}))
    with pytest.raises(BuildError, match="book/part/page: more than one cell teaches in the section `One`"):
        dress.dress(page, CLAIMED, [])


def test_a_notebook_is_the_same_after_dressing_but_for_what_is_said(page):
    before = [cell.source for cell in page.notebook.cells if cell.cell_type == "code"]
    dressed = dress.dress(page, CLAIMED, [])
    assert [cell.source for cell in dressed.cells if cell.cell_type == "code"] == before
    nbformat.validate(dressed)
    assert "claim-badge" not in page.notebook.cells[0].source, "the page itself stays as it is"


def test_a_formula_in_a_title_is_left_to_markdown_which_escapes_it_once():
    claim = {"id": "claim-d", "kind": "claim", "title": r"A & B if $\gamma^2 < \frac12$"}
    assert dress.badge(claim, "").endswith(r">A &amp; B if $\gamma^2 < \frac12$</a>")
