"""The trials that try to break a build: a short run of each, what counts as broken, and the table on the site."""

import json
import random
import time
from datetime import UTC, datetime

import pytest

from bookbuild import hardening
from tests import harden
from tests.harden import Broken, Impossible, Tally, Trial, builds, runs

ALL = harden.trials()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """The sample book, built once for all trials."""
    return builds.Prepared(tmp_path_factory.mktemp("harden"))


@pytest.mark.slow
@pytest.mark.parametrize("trial", [each for each in ALL if each.short], ids=lambda each: each.name)
def test_a_short_run_of_each_trial_holds(trial, request):
    book = request.getfixturevalue("prepared") if trial in builds.TRIALS else None
    tally = harden.run(trial, trial.short, book, seed=20261128)
    assert tally.broke == []
    if tally.impossible:
        pytest.skip(tally.impossible)
    assert tally.held == tally.tried == trial.short


def tried(outcomes):
    """A trial that ends each time as listed."""
    waiting = list(outcomes)

    def harm(prepared, drawn):
        if error := waiting.pop(0):
            raise error

    return Trial("some", "some harm", len(outcomes), 1, harm)


def test_what_broke_is_counted_and_named():
    tally = harden.run(tried([None, Broken("the site is gone"), None]), 3, None, seed=5)
    assert (tally.tried, tally.held) == (3, 2)
    assert tally.broke == ["trial 1 of seed 5: the site is gone"]


def test_what_a_machine_does_not_allow_is_neither_held_nor_broken():
    tally = harden.run(tried([Impossible("no namespaces")]), 1, None, seed=5)
    assert (tally.tried, tally.held, tally.broke, tally.impossible) == (0, 0, [], "no namespaces")


def test_no_trial_starts_when_the_time_is_over():
    assert harden.run(tried([None]), 1, None, seed=5, until=time.monotonic() - 1).tried == 0


def test_the_moments_come_from_the_seed():
    def moments(seed):
        drawn = []
        harden.run(Trial("some", "", 1, 1, lambda _, rng: drawn.append(rng.random())), 3, None, seed)
        return drawn

    assert moments(1) == moments(1) and moments(1) != moments(2) and len(set(moments(1))) == 3


def test_a_swap_that_removes_the_old_site_first_is_found(monkeypatch):
    """The negative control of the kills inside the swap."""
    import shutil

    from bookbuild import site

    def careless(new):
        shutil.rmtree(site.SITE)
        time.sleep(1)
        new.rename(site.SITE)

    monkeypatch.setattr(site, "swap", careless)
    monkeypatch.setattr(random.Random, "uniform", lambda *_: 0.2)
    swap = next(each for each in runs.TRIALS if each.name == "swap")
    assert "a kill inside the swap" in harden.run(swap, 1, None, seed=1).broke[0]


def test_the_page_shows_the_counts_and_what_broke(tmp_path):
    path = tmp_path / "hardening.json"
    trial = tried([None, Broken("the site\nis gone")])
    harden.record({trial: harden.run(trial, 2, None, seed=5)}, 5, "abc", path)
    text = hardening.to_markdown(json.loads(path.read_text()))
    assert text.startswith("Tried: 2. Held: 1.\n")
    assert f"| some harm | 2 | 1 | {datetime.now(UTC).date()}, abc |" in text
    assert "- `trial 1 of seed 5: the site is gone`" in text
    assert "Nothing has been recorded" in hardening.to_markdown({})


def test_one_kind_is_recorded_beside_the_others_and_none_that_was_not_tried(tmp_path):
    path = tmp_path / "hardening.json"
    harden.record({each: Tally(3, 3, []) for each in ALL}, 5, "abc", path)
    harden.record({ALL[-1]: Tally(9, 9, []), ALL[0]: Tally(0, 0, [])}, 6, "def", path)
    kept = json.loads(path.read_text())
    assert list(kept) == [each.name for each in ALL]
    assert [each["tried"] for each in kept.values()] == [3] * (len(ALL) - 1) + [9]
    assert [each["seed"] for each in kept.values()] == [5] * (len(ALL) - 1) + [6]


def test_what_is_recorded_is_of_the_trials_as_they_are_and_all_held():
    recorded = hardening.load()
    assert {name: trial["what"] for name, trial in recorded.items()} == {each.name: each.what for each in ALL}
    assert not [fault for trial in recorded.values() for fault in trial["broke"]]
    assert not [name for name, trial in recorded.items() if not trial["tried"] and not trial["impossible"]]
