"""Every number that is printed has an origin: `python -m bookbuild.printed --write` fills in those that are missing.

`book/numbers.yml` lists, for each page and each claim, the decimals, percentages and numbers of three digits or more
in its text, how often they stand there, and where they come from: the cell that computes them (with `.table`: the
numbers that its figure shows), the records of the claim, a formula, another file of the project, or a source that is
quoted. A number that is not listed, one that is listed and gone, and one that its origin does not give are faults.
Listed numbers are compared with the notebooks as they are written (`unlisted`, which any test can do) and with their
outputs (`faults`, when the site is built).
"""

from __future__ import annotations

import argparse
import ast
import json
import math
import operator
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

from bookbuild import claims, exit_with, media, notebooks
from bookbuild.pages import Page

BOOK = Path("book")
LIST = BOOK / "numbers.yml"
HEADER = "# Where each number in print comes from. `python -m bookbuild.printed --write` proposes what is missing."
ORIGINS = ("cell", "records", "value", "file", "quoted")
#: How often a number stands in the text, if not once.
TIMES = "times"
GROUPED = r"\d{1,3}(?:(?:,|\\,| |\u2009|\u00a0)\d{3})+"
PRINTED = re.compile(
    rf"(?<![\w.\\])(?:(?:{GROUPED}|\d+)\.\d+(?!\d*\.\d)(?!\w)"
    rf"|(?:{GROUPED}|\d{{3,}})(?!\w|[.,:]\d)|\d+(?: ?\\?%| percent\b))"
)
GROUP = re.compile(r"(?<=\d)[_,](?=\d{3}(?!\d))")
NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[-+]?\d+)?")
#: What is not prose: code, addresses, tags.
HIDDEN = re.compile(
    r"(?ms)^```(?:\w+|\{code-block\}[^\n]*)\n.*?^```|`[^`\n]*`|\]\([^)]*\)|https?://\S+|</?[A-Za-z][\w-]*(?:\s[^<>]*)?/?>"
)
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


def numbers(text: str) -> Counter[str]:
    """The numbers in a text of Markdown, and how often each stands there; whole percentages keep their sign."""
    found = (match[0].strip() for match in PRINTED.finditer(HIDDEN.sub(" ", text)))
    return Counter(re.sub(r" ?(?:\\?%|percent)", " %", re.sub(r"\\,|\u2009|\u00a0", " ", each)) for each in found)


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
    shown = float(re.sub(r"[, %]", "", printed))
    return any(abs(abs(value) * factor - shown) <= 0.5000001 * 10.0**-digits for factor in (1, 100))


def numbers_in(content: object) -> Iterator[float]:
    """All numbers in a record, or in a text."""
    if isinstance(content, str):
        yield from (float(found) for found in NUMBER.findall(GROUP.sub("", content)))
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


def drawn_by(cell: dict) -> list[float]:
    """The numbers that the figure of a code cell shows."""
    tables = (output.get("data", {}).get(media.TABLE, "") for output in cell.get("outputs", []))
    return [number for table in tables for number in numbers_in("".join(table))]


def texts(shown: list[Page], listed: list[dict]) -> dict[str, str]:
    """The prose of each page with captions and descriptions of its figures, and each claim in words."""
    found = {path.with_suffix("").as_posix(): path.read_text(encoding="utf-8") for path in sorted(BOOK.rglob("*.md"))}
    for page in shown:
        parts: list[str] = []
        for cell in json.loads(page.path.read_text(encoding="utf-8"))["cells"]:
            figure = cell["metadata"].get("mystnb", {})
            told = (figure.get("figure", {}).get("caption", ""), figure.get("image", {}).get("alt", ""))
            parts += ["".join(cell["source"])] if cell["cell_type"] == "markdown" else told
        found[page.name] = "\n\n".join(parts)
    return found | {f"claims/{claim['id']}": f"{claim['title']}\n\n{claim['statement']}" for claim in listed}


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
        } | {f"{cell['id']}.table": drawn for cell in code if (drawn := drawn_by(cell))}
    for record in evidence:
        own = {field: record[field] for field in ("observed", "expected", "uncertainty", "control")}
        found.setdefault(f"claims/{record['id']}", {}).setdefault("records", []).extend(numbers_in(own))
    return found


def unlisted(text: dict[str, str], origins: dict) -> list[str]:
    """Where the numbers of some texts and the list differ, one line each."""
    found = []
    for place in dict.fromkeys([*text, *origins]):
        prose, known = text.get(place, ""), origins.get(place) or {}
        printed = numbers(prose)
        for number, times in printed.items():
            if number not in known:
                found.append(f"{place}: {number} is printed and has no origin in {LIST}: {_around(prose, number)}")
            elif times != (listed := _times(known[number])):
                found.append(f"{place}: {number} stands there {times} times, and {listed} times in {LIST}")
        found += [f"{place}: {each} stands in {LIST} and is not printed" for each in known if each not in printed]
    return found


def faults(shown: list[Page], listed: list[dict], evidence: list[dict], origins: dict, profile: str) -> list[str]:
    """What is wrong with the numbers in print, one line each; in the full profile cells may round otherwise."""
    text, pool = texts(shown, listed), pools(shown, evidence)
    found = unlisted(text, origins)
    for place in text:
        known = origins.get(place) or {}
        for number in (each for each in numbers(text[place]) if each in known):
            fault = _disagrees(number, known[number], pool, place, profile)
            found += [f"{place}: {number} {fault}"] if fault else []
    if found:
        found.append("python -m bookbuild.printed --write fills the list in; what it leaves as `?` is for a person")
    return found


def _times(origin: object) -> object:
    """How often a number is listed."""
    return origin.get(TIMES, 1) if isinstance(origin, dict) else 1


def _around(prose: str, number: str) -> str:
    """The words beside a number."""
    at = prose.find(number.removesuffix(" %"))
    return f"`… {' '.join(prose[max(0, at - 40) : at + 30].split())} …`"


def _disagrees(number: str, origin: dict, pool: dict[str, dict[str, list[float]]], place: str, profile: str) -> str:
    """Why an origin does not give a number, if so; a cell of another page is named `page#cell`."""
    named = {key: each for key, each in origin.items() if key != TIMES} if isinstance(origin, dict) else {}
    if len(named) != 1 or next(iter(named)) not in ORIGINS:
        return f"needs one of {', '.join(ORIGINS)}, got {origin!r}"
    ((kind, where),) = named.items()
    if kind == "value":
        value = evaluate(where)
        return "" if rounds_to(number, value) else f"is printed, and {where} is {value:.8g}"
    if kind == "quoted":
        return "" if str(where).strip() else "is quoted without a source"
    if kind == "file":
        given = list(numbers_in(Path(where).read_text(encoding="utf-8"))) if Path(where).is_file() else []
        return "" if any(rounds_to(number, value) for value in given) else f"is not among the numbers of {where}"
    if profile != "quick":
        return ""
    page, _, cell = ("", "", "records") if kind == "records" else str(where).rpartition("#")
    given = pool.get(page or place, {}).get(cell, [])
    return "" if any(rounds_to(number, value) for value in given) else f"is not among the numbers of {kind} {where}"


def propose(text: dict[str, str], pool: dict[str, dict[str, list[float]]], origins: dict) -> dict:
    """The list with an origin for each number: a known one, else the smallest cell or record that gives it."""
    found: dict = {}
    for place, prose in text.items():
        known, own = origins.get(place) or {}, pool.get(place, {})
        for number, times in numbers(prose).items():
            fitting = [
                name
                for name in sorted(own, key=lambda name: len(own[name]))
                if not name.endswith(".table") and any(rounds_to(number, value) for value in own[name])
            ]
            first = {"records": "of the claim"} if fitting[:1] == ["records"] else {"cell": next(iter(fitting), "?")}
            kept = number in known and not _disagrees(number, known[number], pool, place, "quick")
            origin = {key: each for key, each in (known[number] if kept else first).items() if key != TIMES}
            found.setdefault(place, {})[number] = origin | ({TIMES: times} if times > 1 else {})
    return found


def load() -> dict:
    """The list, as it stands."""
    return yaml.safe_load(LIST.read_text(encoding="utf-8")) or {} if LIST.exists() else {}


def main() -> None:
    """The command line: the list with what is missing filled in; `?` where a person must say."""
    parser = argparse.ArgumentParser(prog="bookbuild.printed", description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true", help=f"change {LIST}, in place of printing it")
    given = parser.parse_args()
    name = {source: source.with_suffix("").as_posix() for source in notebooks.find()}
    copies = {source: notebooks.executed_copy(source, "quick") for source in name}
    # Numbers are sought in the last run, also of a page whose words have changed since.
    ran = [Page.read(name[source], copy) for source, copy in copies.items() if copy.exists()]
    listed = claims.load()
    text = texts([Page.read(name[source], source) for source in name], listed)
    found = propose(text, pools(ran, claims.records(ran)), load())
    content = yaml.safe_dump(found, sort_keys=False, allow_unicode=True, width=120)
    if given.write:
        LIST.write_text(f"{HEADER}\n{content}", encoding="utf-8")
        left = content.count("cell: '?'")
        print(f"{LIST} is written" + (f"; {left} origins are for a person to say: look for `?`" if left else ""))
    else:
        print(content, end="")


if __name__ == "__main__":
    exit_with(main)
