"""Every decimal that is printed has an origin: `python -m bookbuild.printed` proposes those that are missing.

`book/numbers.yml` lists, for each page and each claim, the decimals in its text and where they come from: the cell
that computes them, the records of the claim, a formula, or a source that is quoted. A decimal that is not listed, one
that is listed and gone, and one that its origin does not give are faults.
"""

from __future__ import annotations

import argparse
import ast
import json
import math
import operator
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

from bookbuild import BuildError, claims, exit_with, media, pages
from bookbuild.pages import Page

LIST = Path("book/numbers.yml")
ORIGINS = ("cell", "records", "value", "quoted")
DECIMAL = re.compile(r"(?<![\w.,^{\\])(?:\d{1,3}(?:,\d{3})+|\d+)\.\d+(?!\d*\.\d)(?!\w)")
NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[-+]?\d+)?")
#: What is not prose: code, addresses, tags.
HIDDEN = re.compile(r"`[^`\n]*`|\]\([^)]*\)|https?://\S+|<[^>]*>")
OPERATORS: dict[type, Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
}
NAMES = {
    "e": math.e,
    "pi": math.pi,
    "exp": math.exp,
    "log": math.log,
    "sqrt": math.sqrt,
    "tan": math.tan,
    "sinh": math.sinh,
    "asinh": math.asinh,
    "Phi": lambda x: (1 + math.erf(x / math.sqrt(2))) / 2,
}


def decimals(text: str) -> list[str]:
    """The decimals in a text of Markdown, each once."""
    return list(dict.fromkeys(DECIMAL.findall(HIDDEN.sub(" ", text))))


def evaluate(formula: str) -> float:
    """The value of a formula of numbers, + - * / **, e, pi and a few functions.

    Raises: ValueError for anything else.
    """

    def value(node: ast.AST) -> float:
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            return node.value
        if isinstance(node, ast.Name) and isinstance(NAMES.get(node.id), float):
            return NAMES[node.id]  # type: ignore[return-value]
        if isinstance(node, ast.UnaryOp) and type(node.op) in OPERATORS:
            return OPERATORS[type(node.op)](value(node.operand))
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
            return OPERATORS[type(node.op)](value(node.left), value(node.right))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and callable(NAMES.get(node.func.id)):
            return NAMES[node.func.id](*map(value, node.args))  # type: ignore[operator]
        raise ValueError(f"`{ast.unparse(node)}` is not allowed in the formula `{formula}`")

    return float(value(ast.parse(formula, mode="eval").body))


def rounds_to(printed: str, value: float) -> bool:
    """Whether a value, or its hundredfold (a percentage), is what is printed, up to its sign."""
    digits = len(printed.partition(".")[2])
    shown = float(printed.replace(",", ""))
    return any(abs(abs(value) * factor - shown) <= 0.5000001 * 10.0**-digits for factor in (1, 100))


def numbers_in(content: object) -> Iterator[float]:
    """All numbers in a record, or in a text."""
    if isinstance(content, str):
        yield from (float(found) for found in NUMBER.findall(content))
    elif isinstance(content, dict):
        for each in content.values():
            yield from numbers_in(each)
    elif isinstance(content, list):
        for each in content:
            yield from numbers_in(each)
    elif isinstance(content, int | float) and not isinstance(content, bool):
        yield float(content)


def numbers_of(cell: dict) -> list[float]:
    """The numbers that a code cell contains, prints and records."""
    found = list(numbers_in("".join(cell["source"])))
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        shown = [*output.get("text", []), *data.get("text/plain", []), data.get(media.CLAIM, {})]
        found += [number for each in shown for number in numbers_in(each)]
    return found


def texts(shown: list[Page], listed: list[dict]) -> dict[str, str]:
    """The prose of each page with the captions of its figures, and the statement of each claim."""
    found = {}
    for page in shown:
        cells = json.loads(page.path.read_text(encoding="utf-8"))["cells"]
        parts = [
            "".join(cell["source"])
            if cell["cell_type"] == "markdown"
            else cell["metadata"].get("mystnb", {}).get("figure", {}).get("caption", "")
            for cell in cells
        ]
        found[page.name] = "\n\n".join(parts)
    return found | {f"claims/{claim['id']}": claim["statement"] for claim in listed}


def pools(shown: list[Page], evidence: list[dict]) -> dict[str, dict[str, list[float]]]:
    """For each page the numbers of its cells, for each claim those of its records."""
    found: dict[str, dict[str, list[float]]] = {}
    for page in shown:
        cells = json.loads(page.path.read_text(encoding="utf-8"))["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        found[page.name] = {
            cell["id"]: numbers_of(cell)
            for cell in code
            if "injected-parameters" not in cell["metadata"].get("tags", [])
        }
    for record in evidence:
        own = {field: record[field] for field in ("observed", "expected", "uncertainty", "control")}
        found.setdefault(f"claims/{record['id']}", {}).setdefault("records", []).extend(numbers_in(own))
    return found


def faults(shown: list[Page], listed: list[dict], evidence: list[dict], origins: dict, profile: str) -> list[str]:
    """What is wrong with the decimals in print, one line each; in the full profile cells may round otherwise."""
    text, pool, found = texts(shown, listed), pools(shown, evidence), []
    for place in dict.fromkeys([*text, *origins]):
        printed, known = decimals(text.get(place, "")), origins.get(place) or {}
        found += [f"{place}: {each} is printed and has no origin in {LIST}" for each in printed if each not in known]
        found += [f"{place}: {each} stands in {LIST} and is not printed" for each in known if each not in printed]
        for number in (each for each in printed if each in known):
            fault = _disagrees(number, known[number], pool.get(place, {}), profile)
            found += [f"{place}: {number} {fault}"] if fault else []
    return found


def _disagrees(number: str, origin: dict, pool: dict[str, list[float]], profile: str) -> str:
    """Why an origin does not give a number, if so."""
    if not isinstance(origin, dict) or len(origin) != 1 or next(iter(origin)) not in ORIGINS:
        return f"needs one of {', '.join(ORIGINS)}, got {origin!r}"
    ((kind, where),) = origin.items()
    if kind == "value":
        value = evaluate(where)
        return "" if rounds_to(number, value) else f"is printed, and {where} is {value:.8g}"
    if kind == "quoted":
        return "" if str(where).strip() else "is quoted without a source"
    if profile != "quick":
        return ""
    given = pool.get("records" if kind == "records" else where, [])
    return "" if any(rounds_to(number, value) for value in given) else f"is not among the numbers of {kind} {where}"


def propose(shown: list[Page], listed: list[dict], evidence: list[dict], origins: dict) -> dict:
    """The list with an origin for each decimal: a known one, else the first cell or record that gives it."""
    text, pool = texts(shown, listed), pools(shown, evidence)
    found: dict = {}
    for place, prose in text.items():
        known, own = origins.get(place) or {}, pool.get(place, {})
        for number in decimals(prose):
            fitting = [
                name
                for name in sorted(own, key=lambda name: len(own[name]))
                if any(rounds_to(number, value) for value in own[name])
            ]
            first = {"records": "of the claim"} if fitting[:1] == ["records"] else {"cell": next(iter(fitting), "?")}
            kept = number in known and not _disagrees(number, known[number], own, "quick")
            found.setdefault(place, {})[number] = known[number] if kept else first
    return found


def load() -> dict:
    """The list, as it stands."""
    return yaml.safe_load(LIST.read_text(encoding="utf-8")) or {} if LIST.exists() else {}


def main() -> None:
    """The command line: print the list with what is missing filled in; `?` where a person must say."""
    argparse.ArgumentParser(prog="bookbuild.printed", description=__doc__.split("\n")[0]).parse_args()
    shown = pages.of_book("quick")
    try:
        print(
            yaml.safe_dump(
                propose(shown, claims.load(), claims.records(shown), load()),
                sort_keys=False,
                allow_unicode=True,
                width=120,
            ),
            end="",
        )
    except (OSError, KeyError) as error:
        raise BuildError(f"{LIST}: {error!r}") from error


if __name__ == "__main__":
    exit_with(main)
