"""Each decimal in print comes from somewhere: a change of a single digit is noticed."""

import json

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from bookbuild import claims, media, notebooks, printed
from bookbuild.pages import Page

PAGE = "book/part/page"
RECORD = {
    "id": "a-claim",
    "observed": [0.4957],
    "expected": [0.5],
    "uncertainty": [0.0053],
    "control": {"expected": 0.7},
}
CLAIM = {"id": "a-claim", "title": "A mean", "statement": "The mean is $0.496$, not 0.7. See Section 5 and $x = 12$."}
PROSE = (
    "Half is $\\sqrt{e/2} = 1.166$, measured 0.318 and 12.3 %; the paper has 85.36 %."
    " `size = 0.125`, [a](page-1.5.html)."
)
ORIGINS = {
    PAGE: {
        "1.166": {"value": "sqrt(e/2)"},
        "0.318": {"cell": "cell-one"},
        "12.3": {"cell": "cell-two"},
        "85.36": {"quoted": "peluchetti2021doubly, Section 6"},
    },
    "claims/a-claim": {"0.496": {"records": "of the claim"}, "0.7": {"records": "of the claim"}},
}


@pytest.fixture
def pages(tmp_path, monkeypatch):
    monkeypatch.setattr(printed, "BOOK", tmp_path)
    one = new_code_cell("pass", id="cell-one", outputs=[new_output("stream", text="mean 0.31783 ± 0.001\n")])
    two = new_code_cell("share = 0.1234", id="cell-two")
    nbformat.write(new_notebook(cells=[new_markdown_cell(PROSE), one, two]), tmp_path / "page.ipynb")
    return [Page.read(PAGE, tmp_path / "page.ipynb")]


def faults(pages, origins=ORIGINS, statement=CLAIM["statement"], profile="quick"):
    return printed.faults(pages, [CLAIM | {"statement": statement}], [RECORD], origins, profile)


def test_decimals_with_their_origins_have_no_fault(pages):
    assert faults(pages) == []


@pytest.mark.parametrize(("old", "new"), [("1.166", "1.165"), ("0.318", "0.381"), ("12.3", "12.4"), ("85.36", "85.63")])
def test_a_digit_that_is_changed_in_the_text_is_noticed(pages, old, new):
    path = pages[0].path
    path.write_text(path.read_text().replace(old, new))
    found = faults(pages)
    assert found[0].startswith(f"{PAGE}: {new} is printed and has no origin in book/numbers.yml: `…")
    assert f"{PAGE}: {old} stands in book/numbers.yml and is not printed" in found


def test_a_digit_that_is_changed_in_a_statement_is_noticed(pages):
    assert "claims/a-claim: 0.469 is printed" in faults(pages, statement="The mean is $0.469$, not 0.7.")[0]


@pytest.mark.parametrize(
    ("number", "origin", "complaint"),
    [
        ("1.166", {"value": "sqrt(e/2)", "times": 2}, "stands there 1 times, and 2 times in book/numbers.yml"),
        ("1.166", {"file": "pyproject.toml"}, "is not among the numbers of pyproject.toml"),
        ("0.318", {"cell": "book/part/other#cell-one"}, "is not among the numbers of cell book/part/other#cell-one"),
        ("1.166", {"value": "sqrt(e/3)"}, "is printed, and sqrt(e/3) is 0.951"),
        ("0.318", {"cell": "cell-two"}, "is not among the numbers of cell cell-two"),
        ("0.318", {"cell": "nowhere"}, "is not among the numbers of cell nowhere"),
        ("85.36", {"quoted": ""}, "is quoted without a source"),
        ("85.36", {"guessed": "so"}, "needs one of cell, records, value, file, quoted"),
        ("85.36", "so", "needs one of"),
    ],
)
def test_an_origin_that_does_not_give_the_number_is_named(pages, number, origin, complaint):
    found = faults(pages, ORIGINS | {PAGE: ORIGINS[PAGE] | {number: origin}})
    assert len(found) == 2 and found[0].startswith(f"{PAGE}: {number}") and complaint in found[0]


def test_a_caption_is_in_print_as_well(pages):
    path = pages[0].path
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].metadata["mystnb"] = {"figure": {"name": "fig", "caption": "The line is at 0.777."}}
    nbformat.write(notebook, path)
    assert faults(pages)[0].startswith(f"{PAGE}: 0.777 is printed and has no origin in book/numbers.yml: `…")
    assert faults(pages)[0].endswith("The line is at 0.777. …`")


def test_in_the_full_profile_cells_may_give_other_numbers_but_formulas_may_not(pages):
    origins = ORIGINS | {PAGE: ORIGINS[PAGE] | {"0.318": {"cell": "cell-two"}}}
    assert faults(pages, origins) and not faults(pages, origins, profile="full")
    assert faults(pages, ORIGINS | {PAGE: ORIGINS[PAGE] | {"1.166": {"value": "e"}}}, profile="full")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("$0.5$, 1.25e and v1.2.3 or `0.7`", ["0.5"]),
        ("20\\,000 and 1,234.5", ["20 000", "1,234.5"]),
        ("0.1, 0.1 and (0.1,0.2)", ["0.1", "0.1", "0.1", "0.2"]),
        ("<a style='width:0.5em'>1.5</a> https://a.org/2.5", ["1.5"]),
        ("$-0.25/n$ and 3.5%", ["0.25", "3.5"]),
        ("where $x < 0.3$ and $y > 0.7$", ["0.3", "0.7"]),
        ("$\\frac{0.87}{2}$, $x^{-1.5}$ and $2^0.5$", ["0.87", "1.5", "0.5"]),
        ("5 % of 256 networks, 90 percent of 12", ["5 %", "256", "90 %"]),
        ("10 000 layers, 100, and 2.5.", ["10 000", "100", "2.5"]),
        ("```python\nx = 0.5\n```\nand 0.7", ["0.7"]),
    ],
)
def test_numbers_are_found_in_prose_and_formulas_but_not_in_code(text, found):
    assert list(printed.numbers(text).elements()) == found


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        (0.3249, True),
        (0.3251, False),
        (0.3151, True),
        (0.3149, False),
        (-0.32, True),
        (0.003249, True),
        (0.003251, False),
    ],
)
def test_a_decimal_is_the_value_rounded_to_its_digits_or_a_percentage(value, fits):
    assert printed.rounds_to("0.32", value) is fits


def test_a_formula_is_arithmetic_and_nothing_else():
    assert printed.evaluate("2 - 2*Phi(1)") == pytest.approx(0.31731, abs=1e-5)
    assert printed.evaluate("-8*e*(e + 1)**1") == pytest.approx(-80.859, abs=1e-3)
    for formula in ("__import__('os')", "exp.real", "[1]", "print", "True and 1", "'1'"):
        with pytest.raises(ValueError, match="is not allowed"):
            printed.evaluate(formula)


def test_what_is_missing_is_proposed_from_the_smallest_cell_that_has_it(pages):
    text, pool = printed.texts(pages, [CLAIM]), printed.pools(pages, [RECORD])
    proposed = printed.propose(text, pool, {PAGE: {"1.166": {"value": "sqrt(e/2)"}}})
    assert proposed[PAGE] == {
        "1.166": {"value": "sqrt(e/2)"},
        "0.318": {"cell": "cell-one"},
        "12.3": {"cell": "cell-two"},
        "85.36": {"cell": "?"},
    }
    assert proposed["claims/a-claim"] == ORIGINS["claims/a-claim"]


def test_the_numbers_of_a_figure_are_those_of_its_table_and_are_never_proposed(pages):
    path = pages[0].path
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].outputs.append(new_output("display_data", data={media.TABLE: "x,y\n1,85.36\n"}))
    nbformat.write(notebook, path)
    origins = ORIGINS[PAGE] | {"85.36": {"cell": "cell-one.table"}}
    assert faults(pages, ORIGINS | {PAGE: origins}) == []
    text, pool = printed.texts(pages, [CLAIM]), printed.pools(pages, [RECORD])
    assert printed.propose(text, pool, {})[PAGE]["85.36"] == {"cell": "?"}


def test_a_number_that_takes_the_place_of_another_one_of_its_page_is_noticed(pages):
    path = pages[0].path
    path.write_text(path.read_text().replace("12.3 %", "0.318"))
    assert f"{PAGE}: 0.318 stands there 2 times, and 1 times in book/numbers.yml" in faults(pages)


def test_every_number_of_the_book_has_an_origin():
    shown = [Page.read(source.with_suffix("").as_posix(), source) for source in notebooks.find()]
    assert printed.faults(shown, claims.load(), [], printed.load(), "full") == []


def test_the_numbers_of_a_cell_are_those_it_contains_prints_and_records():
    shown = {"text/plain": ["7"], media.CLAIM: {"a": [3.5, True]}, "image/png": "9"}
    cell = {"source": ["x = 0.25\n"], "outputs": [{"text": ["1.5\n", "2e-3"]}, {"data": shown}]}
    assert printed.numbers_of(json.loads(json.dumps(cell))) == [0.25, 1.5, 0.002, 7, 3.5]
