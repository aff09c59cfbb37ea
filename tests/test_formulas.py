"""What is printed is what is computed: formulas of boxes, displays, answers and claims."""

import nbformat
import numpy as np
import pytest

from tests import formulas
from tests.formulas import Formula, latex

formulas.load()
BOOK = formulas.of_book()
TIED = [formula for formula in BOOK if formulas.tied(formula)]


@pytest.mark.parametrize("formula", TIED, ids=lambda each: f"{each.place} {each.left or each.whole}"[:90])
def test_a_printed_formula_is_what_the_package_computes(formula):
    assert formulas.faults(formula) == []


def test_every_other_formula_is_listed_with_the_reason():
    assert formulas.unlisted(BOOK, formulas.untied()) == []


def test_every_tie_belongs_to_a_formula():
    here = {(each.place, each.left) for each in BOOK} | {(each.place, each.whole) for each in BOOK}
    assert [key for key in formulas.TIES if key not in here] == []


VALUES = {"x": 0.7, "n": 3.0, "V^{ab}": 2.0, r"\nu": lambda x: x**2, r"\dd t": 0.1, r"\phi''": 5.0, "h_1": 4.0}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"\frac12 x", 0.35),
        (r"\tfrac1n\left(x - \sqrt2\right)", (0.7 - np.sqrt(2)) / 3),
        (r"2 x^2 e^{-x/n}", 2 * 0.49 * np.exp(-0.7 / 3)),
        (r"x\arccos x", 0.7 * np.arccos(0.7)),
        (r"\sin^2 x + \cos^2\!x", 1),
        (r"\log\frac{x}{n}", np.log(0.7 / 3)),
        (r"V^{ab}\, x", 1.4),
        (r"\nu(x)\,\mathrm{d} t", 0.049),
        (r"\varphi'' h_1", 20),
        (r"-x(1 - x^2)", -0.7 * 0.51),
        (r"\prod_{j<n} (1 - j/4)^2", (3 / 4 * 2 / 4) ** 2),
        (r"\sum_{j=1}^{n} j x", 6 * 0.7),
        (r"\int_0^{x} u^2 \dd u", 0.343 / 3),
        (r"\operatorname{artanh}(x/2)", np.arctanh(0.35)),
        (r"|x - n|", 2.3),
        (r"\frac{1}{4(1-2^{-n})} - \frac1n", 1 / 3.5 - 1 / 3),
    ],
)
def test_a_formula_is_read_as_it_is_printed(text, value):
    assert latex.value(text, VALUES) == pytest.approx(value)


@pytest.mark.parametrize("text", ["y", "x +", r"\frac1", "x)", r"\unknown x", "(x"])
def test_what_cannot_be_read_is_an_error(text):
    with pytest.raises(ValueError, match="`"):
        latex.value(text, VALUES)


def of(text):
    return list(formulas._formulas("place", text))


@pytest.mark.parametrize(
    ("text", "kind"),
    [(r"x = 2", "equation"), (r"X \sim N(0, 1)", "equation"), (r"x \le 2", "relation"), (r"\sqrt{x}", "name")],
)
def test_a_formula_states_an_equation_or_another_relation_or_nothing(text, kind):
    assert formulas.kind(of(text)[0]) == kind


def test_the_text_between_has_formulas_of_its_page():
    text = "For $\\rho = \\frac12$ the square $V^2$ of $V$ stays, $V \\le 1$.\n\n$$\ny = x\n$$ (eq-here)\n"
    found = list(formulas.of_page("page", [nbformat.v4.new_markdown_cell(text)]))
    assert [(each.place, each.whole) for each in found] == [
        ("page#eq-here", "y=x"),
        ("page#prose", r"\rho=\frac 12"),
        ("page#prose", r"V^2"),
        ("page#prose", r"V\le 1"),
    ]
    assert [formulas.where(each) for each in found] == ["displayed", *["text between"] * 3]


@pytest.mark.parametrize(
    ("title", "found"),
    [
        ("Explosion if and only if b > 0", ["b > 0"]),
        ("The rate is 2H - 1, and then 2H - 1/2.", ["2H - 1", "2H - 1/2"]),
        ("It scales like L^(1-2H)", ["L^(1-2H)"]),
        ("Networks at d = n = 100, of two inputs", ["d = n = 100"]),
        ("Well-known words, and nothing else", []),
    ],
)
def test_a_title_may_have_formulas_in_plain_letters(title, found):
    claim = {"id": "a", "title": title, "statement": ""}
    assert [each.whole for each in formulas.of_claims([claim])] == found


def test_a_display_is_taken_apart_into_its_statements():
    found = of(r"\begin{aligned} a' &= a + q, \qquad b = 2a \\ &\quad + 1, \quad\text{so} \\ c &\to d . \end{aligned}")
    assert [(each.left, each.whole) for each in found] == [("a'", "a'=a+q"), ("b", "b=2a+1"), ("c", r"c\to d")]


def test_the_same_formula_set_in_another_way_is_the_same():
    assert of(r"\left(1 - \tfrac{1}{n}\right)\, \varphi(x)") == of(r"(1 - \frac{1}{n})\phi(x)")


@pytest.mark.parametrize("wrong", ["x + 2 q", "x - q", "x + q^2", "x + q + 1", "2 x + q"])
def test_a_formula_with_another_sign_factor_power_or_term_is_noticed(wrong, monkeypatch):
    monkeypatch.setitem(
        formulas.TIES,
        ("place", "y"),
        lambda draw: (given := {"x": draw.random(), "q": 2 + draw.random()}, sum(given.values())),
    )
    assert formulas.faults(of("y = x + q")[0]) == []
    assert len(formulas.faults(of(f"y = {wrong}")[0])) == 1


def test_a_formula_without_anything_to_compare_is_a_fault(monkeypatch):
    monkeypatch.setitem(formulas.TIES, ("place", "y"), lambda draw: ({}, 1.0))
    assert "can be compared" in formulas.faults(of(r"y \approx 1.2")[0])[0]


def test_what_is_not_tied_must_be_listed_as_it_is_printed_with_a_reason():
    printed = [Formula("place", "y", "y=x", ()), Formula("place", "z", "z=x", ())]
    good = {"place": {"why": "a law", "formulas": ["y=x", "z=x"]}}
    assert formulas.unlisted(printed, good) == []
    for bad, complaint in (
        ({}, "neither tied nor listed"),
        ({"place": {"why": "a law", "formulas": ["y=x", "z=2x"]}}, "`z=2x` is listed, and is not printed"),
        ({"place": {"why": "a law", "formulas": ["y=x", "z=x", "z=x"]}}, "more or less often"),
        ({"place": {"why": "?", "formulas": ["y=x", "z=x"]}}, "without a reason"),
    ):
        assert any(complaint in fault for fault in formulas.unlisted(printed, bad))
