"""The index of claims and the pages of claims, before Sphinx makes them HTML."""

from __future__ import annotations

import json

import pytest
from nbformat.v4 import new_notebook
from sample_book import CHECK, ROOT

from bookbuild import claim_pages, claims, landing
from bookbuild.pages import Page

CLAIM = {
    "id": "a-b",
    "title": "The $x$ | y",
    "source": "li2022covariance: a result",
    "statement": "$x < 1$",
    "page": "book/part/page",
    "kind": "claim",
    "checks": [CHECK, {**CHECK, "kind": "equality"}],
}
TITLES = {"book/part/page": "On $x$"}


@pytest.fixture(autouse=True)
def here(monkeypatch):
    monkeypatch.chdir(ROOT)


def test_the_index_has_a_row_for_each_claim_with_what_the_filters_ask_for():
    definition = {**CLAIM, "id": "c", "kind": "definition", "checks": []}
    index = claim_pages.index([CLAIM, definition], TITLES)
    assert "1 claim, 1 definition, 2 checks, all of which hold." in index
    assert '<tr id="claim-a-b" data-status="holds" data-paper="covariance SDE" data-page="On x"' in index
    assert 'data-evidence="simulation|computation" data-close="' in index
    assert '<a href="claim-a-b.html">The <span class="math' in index and index.count("<tbody>") == 1


@pytest.mark.parametrize(
    ("changes", "share"),
    [({}, 0.1 / 0.4417173413467605), ({"kind": "below"}, None), ({"kind": "laws", "statistic": 0.3}, 0.3)],
)
def test_how_close_a_claim_is_depends_on_what_is_allowed(changes, share):
    found = claim_pages.used([{**CHECK, **changes}])
    assert found == (share if share is None else pytest.approx(share))


def test_a_page_has_statement_source_evidence_and_how_to_cite():
    record = {**CHECK, "id": "a-b", "page": "book/part/page"}
    text = claim_pages.page_of(CLAIM, [record], TITLES, {"li2022covariance"}, corrected=True)
    for part in (
        "(claim-a-b)=\n",
        "$x < 1$",
        "{cite:t}`li2022covariance`: a result",
        'href="../part/page.html#check-a-b"',
        "Measured: 0.10 ± 0.10.",
        "see [corrections](corrections.md)",
        "@incollection{deeplimits-a-b,",
    ):
        assert part in text, part
    assert "corrections.md" not in claim_pages.page_of(CLAIM, [record], TITLES, set(), corrected=False)


def test_a_page_and_the_file_for_machines_say_in_what_a_check_counts(monkeypatch):
    monkeypatch.setattr(claims, "faults_of", lambda *_: [])
    record = {**CHECK, "id": "a-b", "page": "book/part/page", "sharpness": 0.01}
    bare = {name: value for name, value in CLAIM.items() if name != "checks"}
    joined = claims.join([{**bare, "unit": "of the networks"}], [record], "quick")
    assert "Measured: 0.10 ± 0.10 of the networks." in claim_pages.page_of(joined[0], [record], TITLES, set(), False)
    told = json.loads(claims.to_json(joined, "quick", "abc"))["claims"][0]
    assert "unit" not in told and told["checks"][0]["unit"] == "of the networks"


def test_the_page_of_corrections_is_the_history_of_a_claim():
    assert "edge-of-chaos" in claim_pages.history()


def test_the_landing_page_tells_what_was_measured(tmp_path):
    page = Page("book/part/page", tmp_path / "page.ipynb", new_notebook())
    page.record.write_text('{"parameters": {"fates": 4000, "wide_width": 64, "wide_depth": 8}}')
    record = {**CHECK, "id": landing.FACT, "page": "book/part/page", "observed": [0.25, 0.5], "expected": [0.3, 0.7]}
    text = landing.to_markdown([record], [page])
    for part in (
        "4,000 random networks, 64 neurons wide and 8 layers deep",
        "**In 25 % of them it dies, in 50 %",
        "30 % die",
    ):
        assert part in text
    assert landing.to_markdown([], [page]) == ""
