"""The page of planted errors shows what was recorded, and what is recorded belongs to the list of mutations."""

from bookbuild import mutants
from tests import mutations

ENTRY = {
    "kind": "formula",
    "file": "src/deeplimits/loops/norm.py",
    "within": "walk",
    "digest": "0",
    "run": "2026-01-02, abc",
}
RESULTS = {
    "a-sign": ENTRY | {"fate": "killed", "by": "tests/test_norm.py::test_the_law"},
    "a-word": ENTRY | {"file": "book/claims.yml", "within": "", "fate": "survived", "by": ""},
    "a-number": ENTRY | {"file": "book/claims.yml", "within": "", "fate": "waiting", "by": "", "run": ""},
    "a-law": ENTRY
    | {"file": "src/bookbuild/site.py", "within": "", "fate": "equivalent", "by": "it | changes nothing"},
}


def test_the_page_counts_what_is_noticed_and_names_the_test():
    text = mutants.to_markdown(RESULTS)
    assert text.startswith("Planted: 4. Noticed by a test: 1 of 2. Without effect, with the argument: 1.")
    assert " Waiting for a run: 1. Runs: 2026-01-02." in text
    assert "| loops | 1 | 1 |  |  |" in text and "| publishing | 1 | 0 | 1 |  |" in text
    assert "| what is printed | 2 | 0 |  | 1 |" in text
    assert "| a sign | formula | `src/deeplimits/loops/norm.py`, `walk` | `test_the_law` | 2026-01-02, abc |" in text
    assert "| a word | formula | `book/claims.yml` | no test | 2026-01-02, abc |" in text
    assert "| a number | formula | `book/claims.yml` | not run yet |  |" in text
    assert r"it \| changes nothing" in text


def test_without_results_the_page_says_so():
    assert "Nothing has been recorded" in mutants.to_markdown({})


def test_every_recorded_result_is_that_of_a_mutation_as_it_stands_and_none_survived():
    """After a mutation is added or changed: `python -m tests.mutations --waiting`."""
    listed = {each.name: mutations.digest(each) for each in mutations.load()}
    recorded = mutants.load()
    assert {name: entry["digest"] for name, entry in recorded.items()} == listed
    missed = {name for name, entry in recorded.items() if entry["fate"] not in ("killed", "equivalent", "waiting")}
    assert missed == set()
