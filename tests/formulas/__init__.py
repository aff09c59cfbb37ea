"""Printed formulas beside what the package computes: `python -m tests.formulas --write` lists those that are not tied.

A *place* is a box or a display with a label, a display without one, an answer of an exercise, a caption, the
statement of a claim, or the text of a page between them. A formula of a place is tied if the table says what its left
side is; every other one stands in `untied.yml`, with the reason, so that none changes unseen.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
import numpy as np
import yaml

from bookbuild import claims, notebooks
from bookbuild.dress import BOX
from tests.formulas import latex

UNTIED = Path(__file__).with_name("untied.yml")
DISPLAY = re.compile(r"\$\$(.+?)\$\$(?:\s*\(([\w-]+)\))?", re.DOTALL)
INLINE = re.compile(r"(?<![\\$])\$([^$]+?)(?<!\\)\$(?!\$)")
ANSWERS = re.compile(r"```\{dropdown\}[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
TABLES = re.compile(r"^\|.*\|$", re.MULTILINE)
#: A formula in plain letters, as titles and captions have them: b > 0, 2H - 1, L^(1-2H).
PLAIN = re.compile(r"[^\s,;()]+(?: [-+=<>≤≥/] [^\s,;()]+)+|[^\s,;]*\w[\^√/<>=]\S*")
#: What makes a formula of a name or a number: a relation or an operation.
OPERATION = re.compile(r"[=<>+/^-]|\\(?:to|sim|approx|[td]?frac|sqrt|le|ge|ne|int|sum|prod|log|operatorname)\b")
#: Relations whose sides are compared; what is rounded has digits, which `book/numbers.yml` ties.
EQUAL = ("=", r"\sim", r"\to")
#: What makes a side of an expansion, which has no value.
OPEN_ENDED = (r"\dots", r"\ldots", r"\cdots", "O")

#: What a tie gives: the values of the symbols, and what the left side is at these values.
Drawn = tuple[dict[str, Any], Any]


class Formula(NamedTuple):
    """One statement of a place: its left side, and the whole, both as one line."""

    place: str
    left: str
    whole: str
    sides: tuple[tuple[str, tuple[str, ...]], ...]


def kind(formula: Formula) -> str:
    """Whether a formula states an equation, law or limit, another relation, or nothing: then it names something."""
    if not formula.left:
        return "name"
    return "equation" if any(how in EQUAL for how, _ in formula.sides) else "relation"


def where(formula: Formula) -> str:
    """The class of a place: boxed, displayed, answers, captions, text between, or claims."""
    label = formula.place.partition("#")[2]
    if not label:
        return "claims"
    rest = "displayed" if label == "display" or label.startswith("eq-") else "boxed"
    return {"answers": "answers", "caption": "captions", "prose": "text between"}.get(label, rest)


def counted(formulas: list[Formula]) -> str:
    """A table: how many formulas of each class are tied, and how many are listed, by what they state."""
    lines = [f"{'':14}{'tied':>6}{'equations listed':>18}{'relations listed':>18}{'names listed':>14}"]
    for place in dict.fromkeys(map(where, formulas)):
        here = [formula for formula in formulas if where(formula) == place]
        rest = [kind(formula) for formula in here if not tied(formula)]
        lines.append(
            f"{place:14}{len(here) - len(rest):6}{rest.count('equation'):18}{rest.count('relation'):18}"
            f"{rest.count('name'):14}"
        )
    return "\n".join(lines)


def _formulas(place: str, text: str) -> Iterator[Formula]:
    for clause in latex.clauses(text):
        parts = latex.sides(clause)
        left = latex.written(parts[0][1]) if len(parts) > 1 else ""
        sides = parts[1:] if len(parts) > 1 else [("=", parts[0][1])]
        yield Formula(place, left, latex.written(clause), tuple((how, tuple(line)) for how, line in sides))


def _inline(place: str, text: str) -> Iterator[Formula]:
    for fragment in INLINE.findall(text):
        if OPERATION.search(fragment):
            yield from _formulas(place, fragment)


def _plain(place: str, text: str) -> Iterator[Formula]:
    """The formulas of a title or caption, in its letters as well."""
    yield from _inline(place, text)
    for found in PLAIN.findall(INLINE.sub(" ", text)):
        yield Formula(place, "", found.rstrip(".:"), ())


def of_page(name: str, cells: list) -> Iterator[Formula]:
    """The formulas of a page: in its boxes, displays, answers and captions, and in the text between them."""
    prose = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    for _, _, _, label, body in BOX.findall(prose):
        for display, _ in DISPLAY.findall(body):
            yield from _formulas(f"{name}#{label}", display)
        yield from _inline(f"{name}#{label}", DISPLAY.sub(" ", body))
    rest = BOX.sub(" ", prose)
    for display, label in DISPLAY.findall(rest):
        yield from _formulas(f"{name}#{label or 'display'}", display)
    for answers in ANSWERS.findall(rest):
        yield from _inline(f"{name}#answers", answers)
    yield from _inline(f"{name}#prose", ANSWERS.sub(" ", DISPLAY.sub(" ", rest)))
    for cell in cells:
        yield from _plain(f"{name}#caption", notebooks.figure(cell).get("caption", ""))


def of_book() -> list[Formula]:
    """All formulas of pages and claims, in the order of the book."""
    found: list[Formula] = []
    for source in notebooks.find():
        found += of_page(source.with_suffix("").as_posix().removeprefix("book/"), notebooks.read(source).cells)
    for source in sorted(Path("book").rglob("*.md")):
        cells = [nbformat.v4.new_markdown_cell(source.read_text(encoding="utf-8"))]
        found += of_page(source.with_suffix("").as_posix().removeprefix("book/"), cells)
    return found + list(of_claims(claims.load()))


def of_claims(listed: list[dict]) -> Iterator[Formula]:
    """The formulas in the words of claims."""
    for claim in listed:
        yield from _plain(f"claims/{claim['id']}", claim["title"])
        yield from _inline(f"claims/{claim['id']}", claim["statement"])


TIES: dict[tuple[str, str], Callable[[np.random.Generator], Drawn]] = {}


def load() -> None:
    """Fill the table."""
    for name in ("ties", "ties_residual", "ties_laws", "ties_claims", "ties_steps"):
        importlib.import_module(f"tests.formulas.{name}")


def tie(*places: str) -> Callable:
    """Say what the left side of a formula is, in some places: `page#label left`, the left side as it is printed."""

    def keep(function: Callable[[np.random.Generator], Drawn]) -> Callable[[np.random.Generator], Drawn]:
        for place in places:
            where, _, left = place.partition(" ")
            TIES[where, latex.written(latex.tokens(left))] = function
        return function

    return keep


def tied(formula: Formula) -> Callable[[np.random.Generator], Drawn] | None:
    """What the table says of a formula, by its left side, or by the whole of one that has none."""
    return TIES.get((formula.place, formula.left)) or TIES.get((formula.place, formula.whole))


def faults(formula: Formula, seed: int = 0, times: int = 3) -> list[str]:
    """Where a tied formula differs from the package, at random values of its symbols."""
    draw, compute, found, compared = np.random.default_rng(seed), tied(formula), [], 0
    assert compute is not None
    for _ in range(times):
        values, expected = compute(draw)
        for how, line in formula.sides:
            if how not in EQUAL or set(OPEN_ENDED) & set(line):
                continue
            compared += 1
            got = latex.value(line, values)
            if not np.allclose(np.array(got, float), np.array(expected, float), rtol=2e-7, atol=1e-10):
                found.append(f"{formula.place}: `{formula.whole}` gives {got}, the package {expected} at {values}")
    if not compared:
        found.append(f"{formula.place}: nothing of `{formula.whole}` can be compared")
    return found[:1]


def untied() -> dict[str, dict[str, Any]]:
    """The list of formulas that are not tied, place by place, with the reason."""
    return yaml.safe_load(UNTIED.read_text(encoding="utf-8")) or {} if UNTIED.exists() else {}


def unlisted(formulas: list[Formula], listed: dict[str, dict[str, Any]]) -> list[str]:
    """Where formulas without a tie and their list differ, and what the list does not give a reason for."""
    printed: dict[str, list[str]] = {}
    for formula in formulas:
        if not tied(formula):
            printed.setdefault(formula.place, []).append(formula.whole)
    found = []
    for place in dict.fromkeys([*printed, *listed]):
        now, then = printed.get(place, []), listed.get(place, {}).get("formulas", [])
        found += [f"{place}: `{each}` is printed, and is neither tied nor listed" for each in now if each not in then]
        found += [f"{place}: `{each}` is listed, and is not printed" for each in then if each not in now]
        if not found and sorted(now) != sorted(then):
            found.append(f"{place}: a formula stands there more or less often than it is listed")
        if place in listed and not str(listed[place].get("why", "")).strip("? "):
            found.append(f"{place}: its formulas are listed without a reason")
    return found
