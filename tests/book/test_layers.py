"""The fold of a section: what goes into it, in which order, and what its line says."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from docutils import nodes
from docutils.utils import new_document
from sample_book import CHECK

from bookbuild import cards
from bookbuild.extensions import layers


def raw(html):
    return nodes.raw("", html, format="html")


def cell(code, output=None, *classes):
    """A cell as the builder writes it."""
    parts = [nodes.container("", nodes.literal_block("", code), classes=["cell_input"])]
    if output is not None:
        parts.append(nodes.container("", output, classes=["cell_output"]))
    return nodes.container("", *parts, classes=["cell", *classes])


def check(part, **changes):
    return cell("check", raw(cards.card({**CHECK, "part": part, **changes}, "A", "a.html")))


def paragraph(text, *classes):
    return nodes.paragraph(text, text, classes=list(classes))


def folded(*children, page="page"):
    """A section after folding, as (what stands before the fold, the line, what is in it, what stands after it)."""
    document = new_document("page")
    section = nodes.section("", nodes.title("One", "One"), *children, ids=["one"])
    document.append(section)
    environment = SimpleNamespace(toc_fignumbers={page: {"figure": {"fig-a": (3, 1)}}})
    layers.fold(SimpleNamespace(builder=SimpleNamespace(format="html"), env=environment), document, page)
    texts = [child.astext() for child in section.children]
    starts = [place for place, text in enumerate(texts) if text.startswith("<details")]
    if not starts:
        return section, "", [], []
    start, end = starts[0], texts.index("</details>")
    line = texts[start].partition("<summary>")[2].partition("</summary>")[0]
    return texts[1:start], line, section.children[start + 1 : end], texts[end + 1 :]


def test_code_and_verdicts_are_folded_in_their_order_before_the_subsections():
    inner = nodes.section("", nodes.title("Two", "Two"), ids=["two"])
    before, line, inside, after = folded(
        paragraph("a"), cell("first"), paragraph("b"), check("bounds"), check("one layer"), inner
    )
    assert before == ["a", "b"] and after == ["Two"]
    assert [part.astext().partition("\n")[0] for part in inside] == ["first", "check", "check"]
    assert line.endswith("</span> 2 checks hold: bounds, one layer")


def test_a_figure_stays_and_its_code_is_folded_under_its_number():
    figure = nodes.figure("", nodes.image(uri="a.svg"), ids=["fig-a"])
    before, line, inside, _ = folded(paragraph("a"), cell("draw", figure))
    assert len(before) == 2 and "draw" not in "".join(before)
    assert line == "Code of the figure"
    assert (
        inside[0]
        .astext()
        .startswith('<p class="evidence-of" id="code-fig-a">Code of <a href="#fig-a">Figure 3.1</a></p>')
    )


def test_what_is_printed_stays_and_code_that_teaches_stays():
    before, line, inside, _ = folded(
        cell("print", nodes.literal_block("", "42")),
        cell("build", None, "tag_teach"),
        cell("setup", None, "tag_parameters"),
    )
    assert before == ["42", "build"] and line == "Parameters and imports" and len(inside) == 2


def test_text_for_auditors_is_folded():
    before, line, inside, _ = folded(cell("x"), paragraph("a"), paragraph("allowed", "evidence"))
    assert before == ["a"] and line == "Code" and [part.astext() for part in inside] == ["x", "allowed"]


def test_a_cell_that_is_evidence_is_folded_with_what_it_prints_and_draws():
    figure = nodes.figure("", nodes.image(uri="a.svg"), ids=["fig-a"])
    before, line, inside, _ = folded(paragraph("a"), cell("draw", figure, "tag_evidence"), cell("print", raw("42")))
    assert before == ["a", "42"] and line == "Code of the figure"
    assert list(inside[0].findall(nodes.figure)) == [figure] and len(inside) == 2
    assert 'id="code-fig-a"' in inside[0].astext(), "the gallery leads there"


def test_a_check_that_does_not_hold_is_named():
    _, line, _, _ = folded(check("bounds"), check("one layer", verdict="undecided", passed=False))
    assert "1 of 2 checks hold; one layer is undecided" in line and "✗" in line


@pytest.mark.parametrize(
    ("parts", "said"), [(["same", "same"], "same"), ([f"part {i:030}" for i in range(5)], " and 3 more")]
)
def test_many_names_are_cut_and_the_same_is_said_once(parts, said):
    assert folded(*map(check, parts))[1].endswith(said)


def test_a_page_without_cells_is_left_alone():
    assert folded(paragraph("a", "evidence"))[1] == ""
