"""Terms of the notation page explain themselves where they are first used."""

import re

from sample_book import ROOT

from bookbuild.extensions import definitions

NOTATION = (
    "# Notation\n\nCovariance of a pair.\n\nCovariance\n: How two <things> vary.\n\nCovariance matrix\n: All of them.\n"
)


def test_the_first_use_of_a_term_is_linked_and_others_are_not():
    waiting = {"drift": "A mean.", "drift rate": "Another."}
    parts = definitions.linked("Two drifts, one Drift rate, a drift; adrift.", waiting, "n.html")
    text = "".join(part.astext() for part in parts)
    assert re.findall(r'href="n.html#(term-[a-z-]+)" data-definition="([^"]+)">([^<]+)<', text) == [
        ("term-drift", "A mean.", "drifts"),
        ("term-drift-rate", "Another.", "Drift rate"),
    ]
    assert re.sub("<[^>]+>", "", text) == "Two drifts, one Drift rate, a drift; adrift."
    assert waiting == {}


def test_a_term_in_a_compound_or_a_path_is_no_use_of_it():
    waiting = {"drift": "A mean.", "width": "How wide."}
    text = "pre-drift, drift-free, a/drift, drift.ipynb, adrift"
    assert [part.astext() for part in definitions.linked(text, waiting, "n.html")] == [text]
    assert len(definitions.linked("(drift). The width/depth", waiting, "n.html")) == 3 and "width" in waiting


def test_prose_is_linked_but_not_headings_tables_code_links_and_the_notation_itself(project):
    project.write("book/primer/notation.md", NOTATION)
    project.write(
        "book/index.md",
        "# A covariance\n\n| covariance |\n|---|\n| covariance |\n\n"
        "`covariance` and [covariance](primer/notation.md) and\n"
        '<a href="part/first.html">a covariance</a> and\n'
        "*covariances*, then a covariance.\n\n```{bibliography}\n```\n\n{cite:t}`li2022covariance`\n",
    )
    toc = (project.root / "_toc.yml").read_text()
    project.write("_toc.yml", toc + "  - file: book/primer/notation\n")
    done = project.make("book")
    assert done.returncode == 0, done.stdout
    links = re.findall(r'<a class="definition".*?</a>', project.page("index.html"), flags=re.DOTALL)
    assert links == [
        '<a class="definition" href="primer/notation.html#term-covariance"'
        ' data-definition="How two &lt;things&gt; vary.">covariances</a>'
    ]
    assert 'id="term-covariance"' in project.page("primer/notation.html")
    assert 'class="definition"' not in project.page("primer/notation.html")


def test_pages_of_the_book_explain_their_terms():
    assert 'class="definition"' in (ROOT / "_build/html/book/shaped/covariance.html").read_text()
