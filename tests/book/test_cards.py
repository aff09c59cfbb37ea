"""Verdicts in sentences: every number of the record that a reader needs, with its words, and nothing in ASCII."""

from __future__ import annotations

import numpy as np
import pytest
from sample_book import CHECK

from bookbuild import cards, typeset
from deeplimits import evidence

SEED = 7


def record(check):
    """A record as the notebook stores it, and its sentences."""
    return check.record, " ".join(cards.sentences(check.record))


def test_an_estimate_says_what_was_measured_expected_and_rejected():
    observed = evidence.Estimate([0.0144, 0.5], [0.0003, 0.01])
    _, said = record(
        evidence.z_test(
            "a", observed, [0.0141, 0.51], bias=0.001, control=("no draining", [0.0203, 0.7], 0.005), seed=SEED
        )
    )
    assert "Measured: 0.500 ± 0.010 (the 2nd of 2, where it fits worst). Theory: 0.51 (± 0.001 is allowed" in said
    assert "A theory below 0.4534 or above 0.5466 would have been rejected." in said
    assert "The rival (no draining) would give 0.0203 where 0.0144 was measured (the 1st of 2," in said
    assert "16.3 standard errors beyond the allowance." in said and "Seed 7." in said


def test_an_equality_has_a_tolerance_and_no_standard_error():
    _, said = record(evidence.equality("a", -1.0, -1.0, tolerance=1e-3, control=("sigma_w^2 lost", -2.0)))
    assert "Computed: −1. Theory: −1 (tolerance ± 0.001)." in said
    assert "The rival (<i>σ</i><sub><i>w</i></sub><sup>2</sup> lost) would give −2: 1,000 tolerances away." in said
    assert "standard error" not in said and "Seed" not in said


def test_a_bound_says_on_which_side_the_data_lie():
    below = evidence.below_test(
        "a", evidence.Estimate(-0.9, 0.01), -0.8, control=("faster than n^(-3/2)", -1.5), seed=1
    )
    _, said = record(below)
    assert "Theory: below −0.8; it lies 10 standard errors below it, and 4.26 are asked for." in said
    assert (
        "The rival (faster than <i>n</i><sup>−3/2</sup>) would mean below −1.5: the data lie 60 standard errors above"
        in said
    )
    above = evidence.above_test("a", evidence.Estimate(2.0, 0.01), 1.0, control=("twice that", 3.0), seed=1)
    assert "would mean above 3: the data lie 100 standard errors below that." in record(above)[1]


def test_a_unit_stands_behind_what_was_measured():
    angle = evidence.z_test(
        "a", evidence.Estimate([1.2, 0.5], [0.01, 0.01]), [1.2, 0.51], control=("no angle", 0.0), seed=1
    )
    assert "Measured: 0.500 ± 0.010 radians (the 2nd of 2," in " ".join(cards.sentences(angle.record, "radians"))
    bound = evidence.below_test("a", evidence.Estimate(-0.9, 0.01), -0.8, control=("faster", -1.5), seed=1)
    assert "Measured: −0.900 ± 0.010 per layer." in cards.card(bound.record, "A title", "", unit="per layer")


def test_two_laws_are_told_apart_by_their_distance():
    samples = np.random.default_rng(1).normal(size=4000)
    other = np.random.default_rng(2).normal(size=4000)
    found, said = record(evidence.ks_test("a", samples, other, control=("a wider law", samples * 2), seed=1))
    distance = found["control"]["expected"]
    assert f"The rival (a wider law) is {typeset.rough(distance)} away:" in said
    assert "chance alone stays below" in said and "interquartile ranges, or stretched by" in said


def test_data_that_decide_nothing_say_so():
    check = evidence.z_test("a", evidence.Estimate(0.1, 1.0), 0.0, control=("one", 1.0), seed=1)
    found, said = record(check)
    assert found["verdict"] == "undecided"
    assert "too near to be rejected." in said and "The data cannot tell: too few networks" in said
    assert 'class="claim-check undecided"' in cards.card(found, "A", "a.html")


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 3, 2)])
def test_the_component_that_fits_worst_is_named(shape):
    observed = np.zeros(shape)
    place = tuple(size - 1 for size in shape)
    observed[place] = 2.0
    check = evidence.z_test(
        "a", evidence.Estimate(observed, np.ones(shape)), np.zeros(shape), control=("far", np.full(shape, 99.0)), seed=1
    )
    assert cards.worst(check.record) == place
    assert cards.which(place, shape) in cards.sentences(check.record)[0]


def test_a_card_is_linked_both_ways_and_says_its_verdict_first():
    html = cards.card({**CHECK, "part": 'c = "$c_+$", a<b'}, "The $x^2$ of A & B", "claims.html#x")
    assert 'id="check-sample-claim-c-c-a-b"' in html and 'href="#check-sample-claim-c-c-a-b"' in html
    assert (
        '<a href="claims.html#x">The <span class="math notranslate nohighlight">\\(x^2\\)</span> of A &amp; B</a>'
        in html
    )
    assert "a&lt;b" in html and "✓ Holds" in html


@pytest.mark.parametrize(
    ("value", "error", "shown"),
    [
        (0.01441, 0.00032, "0.0144 ± 0.0003"),
        (-1.0, 0.013, "−1.000 ± 0.013"),
        (9.4e8, 2.1e7, "(9.40 ± 0.21) × 10<sup>8</sup>"),
        (0.0, 0.0000123, "(0.0 ± 1.2) × 10<sup>−5</sup>"),
        (123.4, 31.0, "123 ± 31"),
    ],
)
def test_numbers_have_the_digits_that_their_errors_leave(value, error, shown):
    assert typeset.measured(value, error) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("9 pi^2 / (2 layer^2)", "9 π<sup>2</sup> / (2 layer<sup>2</sup>)"),
        ("1 - correlation, from -2", "1 − correlation, from −2"),
        ("the mean -t/2, and as -T.", "the mean −<i>t</i>/2, and as −<i>T</i>."),
        ("n^(-3/2) and n^-p", "<i>n</i><sup>−3/2</sup> and <i>n</i><sup>−<i>p</i></sup>"),
        ("s = sqrt(n), sqrt(2 n)", "<i>s</i> = √<i>n</i>, √(2 <i>n</i>)"),
        ("near 1e-5, at 2.5e+08", "near 1 × 10<sup>−5</sup>, at 2.5 × 10<sup>8</sup>"),
        ("alphabet, mean-field, a_0, sample_size", "alphabet, mean-field, a<sub>0</sub>, sample_size"),
        ("from $x^2$ to x", 'from <span class="math notranslate nohighlight">\\(x^2\\)</span> to <i>x</i>'),
        (
            "dX = 2T dt + dB at 3D, L^(1-2H)",
            "d<i>X</i> = 2<i>T</i> d<i>t</i> + d<i>B</i> at 3D, <i>L</i><sup>1−2<i>H</i></sup>",
        ),
        (
            "J. Nica's a, a = 1, P(V > 8), E[V], e.g. mu-P",
            "J. Nica's a, <i>a</i> = 1, P(<i>V</i> &gt; 8), E[<i>V</i>], e.g. μ-P",
        ),
    ],
)
def test_mathematics_in_ascii_is_typeset(text, shown):
    assert typeset.words(text) == shown


def test_words_for_attributes_hold_no_markup():
    assert typeset.bare(r"From $\beta \lt 1$ to $x_{n}$") == "From β < 1 to x_n"
