"""The planted errors apply to the code as it stands, and their runner tells killed from survived."""

import textwrap

import pytest

from tests import mutations
from tests.mutations import Mutation

ALL = mutations.load()


@pytest.mark.parametrize("mutation", ALL, ids=lambda each: each.name)
def test_each_expression_stands_exactly_once_where_it_should(mutation, tmp_path):
    target = tmp_path / mutation.file
    target.parent.mkdir(parents=True)
    before = (mutations.ROOT / mutation.file).read_text()
    target.write_text(before)
    mutation.apply(tmp_path)
    assert target.read_text() != before
    assert all((mutations.ROOT / test).exists() for test in mutation.tests if test.startswith("tests/"))


@pytest.mark.parametrize("mutation", [each for each in ALL if each.of_text], ids=lambda each: each.name)
def test_an_error_in_what_is_printed_is_noticed(mutation):
    assert mutations.run(mutation).what == "killed"


@pytest.fixture
def project(tmp_path):
    """A project of one function and one test."""
    (tmp_path / "src").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "src/sums.py").write_text(
        textwrap.dedent("""\
        def add(a, b):
            return a + b


        class Sums:
            def twice(self, a):
                return a + a
        """)
    )
    test = "from sums import add\n\n\ndef test_add():\n    assert add(2, 3) == 5\n"
    (tmp_path / "tests/test_sums.py").write_text(test)
    return tmp_path


def planted(**changes):
    return Mutation(
        **{
            "name": "minus",
            "file": "src/sums.py",
            "old": "a + b",
            "new": "a - b",
            "kind": "formula",
            "tests": ("tests/test_sums.py",),
        }
        | changes
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "fate"),
    [
        ({}, "killed"),
        ({"within": "add"}, "killed"),
        ({"new": "b + a"}, "survived"),
        ({"within": "Sums.twice", "old": "a + a", "new": "2 * a"}, "survived"),
        ({"old": "a * b"}, "broken: minus: the expression occurs 0 times"),
        ({"within": "Sums"}, "broken: minus: the exp"),
        ({"old": "a"}, "broken: minus: the expression occurs"),
        ({"within": "nowhere"}, "broken: there is no `nowhere`"),
        ({"new": "a +"}, "broken"),
        ({"tests": (), "equivalent": "it commutes"}, "equivalent"),
        ({"tests": ("tests/test_none.py",)}, "broken"),
    ],
)
def test_the_fate_of_a_mutation(project, changes, fate):
    found = mutations.run(planted(**changes), project)
    what, _, why = fate.partition(": ")
    assert found.what == what and found.by.startswith(why)
    assert "a + b" in (project / "src/sums.py").read_text(), "only a copy is changed"


@pytest.mark.slow
def test_the_test_that_notices_is_named(project):
    assert mutations.run(planted(), project).by == "tests/test_sums.py::test_add"


@pytest.mark.slow
def test_results_are_kept_beside_those_of_other_runs_until_the_mutation_is_gone(project, tmp_path):
    path = tmp_path / "results.json"
    both = [planted(), planted(name="same", new="b + a")]
    found = dict(mutations.run_all(both, 2, project))
    mutations.record({both[0]: found[both[0]]}, both, "today", path)
    assert mutations.recorded(path)["same"]["fate"] == "waiting"
    mutations.record({both[1]: found[both[1]]}, both, "today", path)
    kept = mutations.recorded(path)
    assert {name: entry["fate"] for name, entry in kept.items()} == {"minus": "killed", "same": "survived"}
    assert mutations.waiting(both, path) == [both[1]], "what is not noticed is run again"
    assert mutations.waiting([planted(new="a - 2 * b")], path), "and what has changed"
    mutations.record({}, both[:1], "today", path)
    assert list(mutations.recorded(path)) == ["minus"]


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ("- {name: a, file: b, old: c, new: d, kind: e}", "needs tests, or the reason"),
        ("- {name: a, file: b, old: c, new: d, kind: e, tests: f, equivalent: g}", "needs tests, or the reason"),
        ("- {name: a, file: b, old: c, new: d, kind: e, tests: f, line: 3}", "line"),
        ("- {name: a, file: b, old: c, new: d, kind: e, tests: f}\n" * 2, "twice: a"),
    ],
)
def test_a_list_that_is_not_in_order_is_refused(tmp_path, entry, complaint):
    (tmp_path / "some.yml").write_text(entry)
    with pytest.raises(ValueError, match=complaint):
        mutations.load(folder=tmp_path)
