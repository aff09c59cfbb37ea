"""What a check shows in a notebook, and what it records."""

import json

import pytest
from judged import TESTS, above, below, equal, ks, z

from deeplimits import evidence
from deeplimits.evidence import Estimate


def test_a_reason_for_a_blunt_check_is_shown_and_recorded():
    check = z(reason="the law has heavy tails")
    assert check.record["reason"] == "the law has heavy tails" and "the law has heavy tails" in check._repr_html_()


@pytest.mark.parametrize("test", TESTS)
def test_the_record_is_strict_json_with_every_field(test):
    record = test()._repr_mimebundle_()[evidence.MIME]
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert set(record) == {
        "id",
        "part",
        "kind",
        "observed",
        "uncertainty",
        "expected",
        "bias",
        "limit",
        "criterion",
        "statistic",
        "verdict",
        "passed",
        "accepts",
        "sharpness",
        "scale",
        "control",
        "reason",
        "seed",
    }
    assert set(record["control"]) == {"variant", "expected", "uncertainty", "least", "judged", "statistic", "rejected"}
    assert isinstance(record["passed"], bool) and isinstance(record["statistic"], float)


def test_the_bundle_shows_the_verdict_as_text_html_and_record():
    bundle = z(part="width < 50")._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", evidence.MIME}
    assert bundle["text/plain"].startswith("Holds: a-claim (width < 50)")
    assert 'class="claim-check pass"' in bundle["text/html"] and "Holds" in bundle["text/html"]
    assert "width &lt; 50" in bundle["text/html"] and "style=" not in bundle["text/html"]
    failed = z(0.5)._repr_mimebundle_()["text/html"]
    assert 'class="claim-check fail"' in failed and "Fails" in failed
    open_ = z(control=0.001)._repr_mimebundle_()["text/html"]
    assert 'class="claim-check undecided"' in open_ and "Undecided" in open_


def test_the_record_and_the_card_keep_prediction_and_control_apart():
    check = z(0.25, 0.75, Estimate(0.25, 0.01))
    assert check.record["expected"] == 0.25 and check.record["control"]["expected"] == 0.75
    assert check.record["statistic"] == 0 and check.record["control"]["statistic"] == pytest.approx(50)
    rows = dict(check.rows())
    assert rows["Control"] == "wrong: rejected at 50" and rows["Criterion"].endswith(": 0")


def test_numbers_are_shown_to_the_digits_that_their_error_leaves():
    check = z(0.5, observed=Estimate(0.495712, 0.00531), control=0.1594)
    assert "observed 0.4957 ± 0.0053; predicted 0.5" in str(check)


def test_a_comparison_of_laws_shows_the_distance():
    assert "observed Kolmogorov distance 0.0" in str(ks()) and "the same law" in str(ks())


def test_a_tolerance_is_not_shown_as_a_standard_error_nor_a_bound_as_a_prediction():
    assert ", tolerance " in str(equal()) and "±" not in str(equal()).split("; accepts")[0]
    assert "; below " in str(below()) and "predicted" not in str(below()).split("criterion")[0]
    assert "; above -0.5" in str(above()) and "accepts bounds below" in str(above())


def test_an_array_shows_its_worst_component():
    check = z([0.0, 0.0], observed=Estimate([0.1, 3.9], 1.0), control=[9.0, 0.0])
    assert check.worst == (1,) and check.passed and "worst of 2" in str(check)
