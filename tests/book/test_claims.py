"""The claims of the book: every one holds in the site that was built."""

import json

import jsonschema
import pytest
from sample_book import ROOT

from bookbuild import claims

LISTED = {claim["id"]: claim for claim in claims.load(ROOT / claims.LIST)}


@pytest.fixture
def document() -> dict:
    return json.loads((ROOT / "_build/html/claims.json").read_text())


def test_the_site_publishes_the_claims_of_the_list_in_its_order(document):
    assert [claim["id"] for claim in document["claims"]] == list(LISTED)


@pytest.mark.parametrize("name", [name for name, claim in LISTED.items() if claim["kind"] == "claim"])
def test_the_claim_holds_and_its_negative_control_does_not(name, document):
    claim = next(claim for claim in document["claims"] if claim["id"] == name)
    assert claim["passed"] is True and claim["checks"]
    for check in claim["checks"]:
        assert check["passed"] and check["control"]["rejected"], check
        assert check["criterion"] and check["control"]["variant"]
    assert any(check["page"] == claim["page"] for check in claim["checks"])


@pytest.mark.parametrize("name", LISTED)
def test_the_claim_stands_in_the_index_and_on_a_page_of_its_own(name, document):
    index = (ROOT / "_build/html/book/reference/claims.html").read_text()
    assert f'<tr id="claim-{name}"' in index
    claim = next(claim for claim in document["claims"] if claim["id"] == name)
    page = (ROOT / "_build/html" / claim["address"]).read_text()
    assert page.count('class="claim-check holds"') == len(claim["checks"]) and "Cite this claim" in page


def test_the_claims_for_machines_have_the_form_that_is_published_beside_them(document):
    schema = json.loads((ROOT / "_build/html" / document["$schema"]).read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema)
    document["claims"][0]["passed"] = "yes"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema)
    document["claims"][0]["passed"] = None


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.123456, "0.1235"),
        ([1.0, 2.0], "1, 2"),
        ([[1, 2], [3, 4]], "1, 2, 3, 4"),
        (list(range(7)), "0, 1, 2, 3, … (7 values)"),
    ],
)
def test_numbers_are_shown_in_a_few_characters(value, shown):
    assert claims.show(value) == shown


def test_keys_in_a_source_become_citations():
    source = claims.cited("li2022covariance: the result; ours", {"li2022covariance"})
    assert source == "{cite:t}`li2022covariance`: the result; ours"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("hayou2023infinite, the network; two inputs are ours", True),
        ("ours, beside hayou2023infinite", False),
        ("peluchetti2021doubly, Theorem 2", False),
        ("li2022covariance: a result", True),
    ],
)
def test_a_claim_from_a_paper_that_was_not_read_says_so(source, said):
    assert ("attributed from the abstract" in claims.attribution(source)) is said


def test_a_number_that_is_not_finite_is_never_published():
    with pytest.raises(ValueError, match="not JSON compliant"):
        claims.to_json([{"id": "a-claim", "observed": float("nan")}], "quick", "commit")


UNITS = [(name, claim[claims.UNIT]) for name, claim in LISTED.items() if claims.UNIT in claim]


@pytest.mark.parametrize(("name", "unit"), UNITS, ids=[name for name, _ in UNITS])
def test_a_unit_stands_behind_the_number_and_in_the_file_for_machines(name, unit, document):
    claim = next(claim for claim in document["claims"] if claim["id"] == name)
    page = (ROOT / "_build/html" / claim["address"]).read_text()
    given = {check["part"]: check["unit"] for check in claim["checks"] if check["unit"]}
    assert given and (set(given.values()) == {unit} if isinstance(unit, str) else given == unit)
    assert all(word in page for word in given.values())


def test_a_unit_is_for_a_part_that_is_checked():
    claim = {"id": "a", "kind": "definition", "page": "p", claims.UNIT: {"there": "radians", "elsewhere": "radians"}}
    assert claims.unit_of(claim, {"part": "there", "kind": "estimate"}) == "radians"
    assert claims.unit_of(claim, {"part": "third", "kind": "estimate"}) == ""
    assert claims.unit_of({claims.UNIT: "radians"}, {"part": "", "kind": "laws"}) == "", "a distance has no unit"
    faults = claims.faults_of([claim], [])
    assert [fault.split("unit for ")[1][:11] for fault in faults] == ["`there`, wh", "`elsewhere`"]
