"""The build draws every verdict again: a record whose numbers say otherwise is named."""

import numpy as np
import pytest
from sample_book import ROOT
from scipy import stats

from bookbuild import BuildError, claims, judge, media, pages
from deeplimits import evidence
from deeplimits.evidence import Estimate

RNG = np.random.default_rng(3)
NORMAL = RNG.standard_normal(500)
PAIR = Estimate([1.0, 0.0], [0.01, 0.02])
MORE = {"seed": 1, "part": "a & b"}

CHECKS = [
    evidence.z_test("a", PAIR, [1.0, 0.01], control=("wrong", [2.0, 0.01]), **MORE),
    evidence.z_test("a", PAIR, [1.0, 0.1], control=("wrong", [2.0, 0.01], 0.5), bias=0.05, **MORE),
    evidence.z_test("a", PAIR, [1.0, 0.5], control=("wrong", [2.0, 0.01]), **MORE),
    evidence.z_test("a", Estimate(0.0, 1.0), 0.0, control=("wrong", 2.0), **MORE),
    evidence.slope_test("a", [1.0, 2.0], Estimate([1.0, 0.5], 0.01), -1, tolerance=0.1, control=("half", -0.5), **MORE),
    evidence.equality("a", [1.0, 2.0], [1.0, 2.0], tolerance=[0.1, 0.2], control=("wrong", [1.0, 3.0]), **MORE),
    evidence.below_test("a", PAIR, 2.0, control=("wrong", -3.0), **MORE),
    evidence.above_test("a", PAIR, [0.9, -1.0], control=("wrong", [1.2, 1.0]), reason="why < not", **MORE),
    evidence.above_test("a", PAIR, [1.0, -1.0], control=("wrong", [1.2, 0.01]), **MORE),
    evidence.ks_test("a", NORMAL, stats.norm.cdf, control=("moved", lambda x: stats.norm.cdf(x - 1)), **MORE),
    evidence.ks_test("a", NORMAL, NORMAL[:200] + 9, control=("itself", NORMAL), bias=0.1, **MORE),
]


def recorded(check) -> dict:
    return {**check.record, "page": "book/a", "card": check._repr_html_()}


@pytest.mark.parametrize("check", CHECKS)
def test_the_build_draws_the_same_verdict_from_the_numbers(check):
    assert judge.faults_of(recorded(check)) == []


def test_the_level_and_the_fields_are_those_of_the_package():
    assert judge.LEVEL == evidence.LEVEL and media.CLAIM == evidence.MIME
    assert set(claims.EVIDENCE) | {"id"} == set(CHECKS[0].record)


@pytest.mark.parametrize(
    "field",
    [
        "observed",
        "uncertainty",
        "expected",
        "bias",
        "limit",
        "statistic",
        "verdict",
        "passed",
        "sharpness",
        "criterion",
    ],
)
@pytest.mark.parametrize("check", [CHECKS[3], CHECKS[9]])
def test_a_record_that_was_edited_is_noticed(check, field):
    record = recorded(check)
    value = record[field]
    free = check.kind == "laws" and field in ("observed", "sharpness")
    record[field] = (
        {"fails": "holds", "undecided": "holds", "holds": "fails"}.get(value, value + " ")
        if isinstance(value, str)
        else not value
        if isinstance(value, bool)
        else value * 1.01 + 0.01
    )
    if not free:
        assert judge.faults_of(record), field


@pytest.mark.parametrize("field", ["variant", "expected", "uncertainty", "least", "judged", "statistic", "rejected"])
def test_a_control_that_was_edited_is_noticed(field):
    record = recorded(CHECKS[0])
    value = record["control"][field]
    edited = {
        "variant": "right",
        "expected": [2.1, 0.01],
        "uncertainty": [0.02, 0.02],
        "least": [9.0, 9.0],
        "judged": [True, True],
        "statistic": 7.0,
        "rejected": not value,
    }[field]
    record["control"] = record["control"] | {field: edited}
    assert judge.faults_of(record)


def test_what_is_accepted_is_computed_again():
    record = recorded(CHECKS[0])
    record["accepts"] = {"prediction": [[0.99, -0.1], [1.01, 0.1]]}
    assert "what it accepts is recorded as" in judge.faults_of(record)[0]


def test_a_card_that_shows_another_number_is_noticed():
    record = recorded(CHECKS[0])
    shown = f"rejected at {record['control']['statistic']:.3g}"
    record["card"] = record["card"].replace(shown, f"rejected at {record['statistic']:.3g}")
    assert judge.faults_of(record) == [f"book/a: `a` (a & b): the card does not show `{shown}`"]


def test_a_record_without_its_numbers_is_refused():
    record = recorded(CHECKS[0])
    del record["bias"]
    assert "lacks what its verdict rests on" in judge.faults_of(record)[0]


def test_a_blunt_check_is_one_without_a_reason():
    assert judge.blunt({"sharpness": 0.11, "reason": ""}) and not judge.blunt({"sharpness": 0.11, "reason": "heavy"})
    assert not judge.blunt({"sharpness": 0.1, "reason": ""}) and not judge.blunt({"sharpness": None, "reason": ""})


def test_the_build_refuses_a_check_that_accepts_too_much(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    claim = {"id": "a", "page": "book/a", "kind": "claim", "source": "ours"}
    blunt = evidence.z_test("a", Estimate(1.0, 0.05), 1.0, control=("wrong", 2.0), **MORE)
    sharp = evidence.z_test("a", Estimate(1.0, 0.02), 1.0, control=("wrong", 2.0), **MORE)
    reason = evidence.z_test("a", Estimate(1.0, 0.05), 1.0, control=("wrong", 2.0), reason="few networks", **MORE)
    exponent = evidence.slope_test(
        "a", [1.0, 2.0], Estimate([1.0, 0.5], 1e-4), -1, tolerance=0.12, control=("half", -0.5), **MORE
    )
    for check in (sharp, reason):
        assert claims.join([claim], [recorded(check)], "quick")
    for check in (blunt, exponent):
        with pytest.raises(BuildError, match=r"book/a: `a` \(a & b\) accepts (22|12) % to either side, more than 10 %"):
            claims.join([claim], [recorded(check)], "quick")
    assert claims.too_blunt([recorded(blunt)], {"book/a": ["b"], "book/b": ["a"]})
    assert not claims.too_blunt([recorded(blunt)], {"book/a": ["a"]})


def test_the_list_of_blunt_checks_only_gets_shorter(monkeypatch):
    monkeypatch.chdir(ROOT)
    waiting, listed = claims.waiting(), {claim["id"]: claim["page"] for claim in claims.load()}
    names = [(page, name) for page, group in waiting.items() for name in group]
    assert len(names) <= 50, "a check that is new is sharp, or says why it is not"
    assert all(listed[name] == page for page, name in names) and len(set(names)) == len(names)


def test_every_verdict_of_the_site_is_drawn_again(monkeypatch):
    monkeypatch.chdir(ROOT)
    profile = (ROOT / "_build/html/.built").read_text().strip()
    evidence_of_book = claims.records(pages.of_book(profile))
    assert len(evidence_of_book) > 400
    assert [fault for record in evidence_of_book for fault in judge.faults_of(record)] == []
