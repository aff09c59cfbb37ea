"""The figure index lists every named figure with the checks of its own section."""

from __future__ import annotations

from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from bookbuild import figures, media
from bookbuild.pages import Page


def check(name, passed=True):
    """A code cell whose output carries the record of a check."""
    output = new_output("display_data", {media.CLAIM: {"id": name, "passed": passed}})
    return new_code_cell("evidence", outputs=[output])


def figure(name):
    """A code cell that makes a named figure."""
    return new_code_cell("draw", metadata={"mystnb": {"figure": {"name": name, "caption": f"What {name} | shows."}}})


def test_figures_come_with_the_checks_of_their_section(tmp_path):
    notebook = new_notebook(
        cells=[
            new_markdown_cell("# Page\n\ntext"),
            new_code_cell("setup"),
            new_markdown_cell("## One"),
            figure("fig-one"),
            check("claim-a"),
            check("claim-a", passed=False),
            new_markdown_cell("## Two"),
            check("claim-b"),
            figure("fig-two"),
            new_markdown_cell("## Three"),
            figure("fig-three"),
        ]
    )
    one, two, three = figures.of_notebook(notebook)
    assert one["claims"] == {"claim-a": False}
    assert two["claims"] == {"claim-b": True}
    assert three["claims"] == {}
    text = figures.to_markdown([Page("book/page", tmp_path / "page.ipynb", notebook)], {"claim-a": "A < B"})
    assert '<a href="claim-claim-a.html">✗ A &lt; B</a>' in text
    assert '<figure id="made-fig-two" data-page="Page" data-evidence="checked beside it"' in text
    assert '<a href="../page.html#fig-two"><img src="../../figures/fig-two.svg"' in text
    assert '<a href="../page.html#code-fig-two">code</a>' in text
    assert "What fig-one | shows." in text and text.count("an illustration") == 1
