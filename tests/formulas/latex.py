"""A reader of the formulas of the book: LaTeX as it is printed, evaluated at given values of its symbols.

Law: the usual precedence; a function takes the next factor with its power; a product needs no sign. A name is whatever
the values name: the longest sequence of tokens among them is one symbol, `V^{\\alpha\\beta}` and `\\dd t` as `x` is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import integrate, special

Values = Mapping[str, Any]
TOKEN = re.compile(r"\\[A-Za-z]+\*?|\\.|\d+(?:\.\d+)?|\S", re.DOTALL)
#: Commands that only set space, size or style.
SILENT = {r"\,", r"\;", r"\!", r"\:", r"\ ", r"\left", r"\right", r"\big", r"\Big", r"\bigl", r"\bigr", r"\Bigl"}
SILENT |= {r"\Bigr", r"\textstyle", r"\displaystyle", r"\bigg", r"\limits", r"\lvert", r"\rvert"}
SAME = {r"\tfrac": r"\frac", r"\dfrac": r"\frac", r"\varphi": r"\phi", r"\mathbb": "", r"\ln": r"\log"}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    r"\sin": np.sin,
    r"\cos": np.cos,
    r"\tan": np.tan,
    r"\cot": lambda x: 1 / np.tan(x),
    r"\sinh": np.sinh,
    r"\cosh": np.cosh,
    r"\tanh": np.tanh,
    r"\sech": lambda x: 1 / np.cosh(x),
    r"\artanh": np.arctanh,
    r"\arccos": np.arccos,
    r"\arcsin": np.arcsin,
    r"\arctan": np.arctan,
    r"\exp": np.exp,
    r"\log": np.log,
    r"\max": max,
    r"\min": min,
    r"\Phi": special.ndtr,
    r"\Gamma": special.gamma,
}
CONSTANTS = {r"\pi": math.pi, "e": math.e, r"\infty": math.inf}
RELATIONS = (
    "=",
    r"\sim",
    r"\approx",
    r"\to",
    r"\le",
    r"\ge",
    "<",
    ">",
    r"\iff",
    r"\leq",
    r"\geq",
    r"\leftarrow",
    r"\ne",
)
OPEN, CLOSE = "([{", ")]}"
#: What keeps commas and relations together.
INSIDE = {**dict.fromkeys((*OPEN, r"\langle"), 1), **dict.fromkeys((*CLOSE, r"\rangle"), -1)}


def _named(found: re.Match[str]) -> str:
    """A name in upright letters as one command; the law of that name is not the function."""
    return "\\" + {"Gamma": "GammaLaw"}.get(found[1], found[1]) + " "


def tokens(text: str) -> list[str]:
    """The tokens of a formula, without those that only set space."""
    text = re.sub(r"\\(?:begin|end)\{\w+\*?\}|\\label\{[^}]*\}|&|\{\}", " ", text)
    text = re.sub(r"\\(?:text|textrm)\s*\{[^{}]*\}", r"\\text ", text)
    text = re.sub(r"\\mathrm\s*(?:\{d\}|d)", r"\\dd ", text)
    text = re.sub(r"\\(?:operatorname|mathrm|mathbf)\s*\{\s*(\w+)\s*\}", _named, text)
    text = re.sub(r"\\mathbb\s*(?:\{(\w)\}|(\w))", r"\\\1\2 ", text)
    text = re.sub(r"\\\\(?:\s|\\q?quad\b|\\[;,!: ])*", " ", text)  # a new row goes on with the old one
    text = re.sub(r"\\q?quad\b", r"\\quad ", text)
    found = [SAME.get(token, token) for token in TOKEN.findall(text)]
    return [token for token in found if token and token not in SILENT]


def clauses(text: str) -> list[list[str]]:
    """The statements of a display: what commas, wide spaces, words and full stops part, outside of brackets."""
    found: list[list[str]] = [[]]
    depth = 0
    line = tokens(text)
    for place, token in enumerate(line):
        depth += INSIDE.get(token, 0)
        ends = token in (",", ";", r"\quad") or (token == "." and place == len(line) - 1) or token == r"\text"
        if depth == 0 and ends:
            found.append([])
        else:
            found[-1].append(token)
    return [clause for clause in found if clause]


def sides(clause: Sequence[str]) -> list[tuple[str, list[str]]]:
    """What stands between the relations of a statement, each with the relation before it."""
    found: list[tuple[str, list[str]]] = [("", [])]
    depth = 0
    for token in clause:
        depth += INSIDE.get(token, 0)
        if depth == 0 and token in RELATIONS:
            found.append((token, []))
        else:
            found[-1][1].append(token)
    return found


def written(line: Sequence[str]) -> str:
    """Tokens as one line, the same for all ways to set the same formula."""
    return re.sub(r"\s+(?=[^A-Za-z0-9])|(?<=[^A-Za-z])\s+", "", " ".join(line)).strip()


class Reader:
    """One formula, read from left to right at given values."""

    def __init__(self, line: Sequence[str], values: Values) -> None:
        self.line, self.at, self.values = [token for token in line if token != r"\text"], 0, values
        names = {tuple(tokens(name)): value for name, value in values.items()}
        self.names = dict(sorted(names.items(), key=lambda item: -len(item[0])))

    def read(self) -> Any:
        """The value of the whole formula.

        Raises: ValueError for what it cannot read, and for symbols without a value.
        """
        found = self.sum()
        if self.at != len(self.line):
            raise ValueError(f"cannot read on at `{written(self.line[self.at :])}` of `{written(self.line)}`")
        return found

    @property
    def next(self) -> str:
        return self.line[self.at] if self.at < len(self.line) else ""

    def take(self, *wanted: str) -> str:
        """The next token, which must be one of those wanted if any are named."""
        token = self.next
        if not token or (wanted and token not in wanted):
            raise ValueError(f"wanted {' or '.join(wanted) or 'more'} at `{token}` in `{written(self.line)}`")
        self.at += 1
        return token

    def sum(self) -> Any:
        total = self.product() if self.next not in "+-" or not self.next else 0.0
        while self.next and self.next in "+-":
            total = total + self.product() if self.take() == "+" else total - self.product()
        return total

    def product(self) -> Any:
        found = self.power()
        while self.next and self.next not in (*"+-)],;}|", r"\|", r"\dd") or self._named():
            token = self.next
            if token in (r"\cdot", r"\times", "*"):
                self.take()
                found = found * self.power()
            elif token in ("/", r"\big/"):
                self.take()
                found = found / self.power()
            else:
                found = found * self.power()
        return found

    def _named(self) -> tuple[str, ...]:
        """The longest name that stands here."""
        return next((name for name in self.names if tuple(self.line[self.at : self.at + len(name)]) == name), ())

    def power(self) -> Any:
        found = self.base()
        while self.next in ("^", "!"):
            if self.take() == "!":
                found = special.factorial(found)
            else:
                found = found ** self.argument()
        return found

    def argument(self) -> Any:
        """What a command or a power takes: a group, one digit, or one symbol."""
        if self.next == "{":
            return self.group("{", "}")
        if re.fullmatch(r"\d+", self.next) and len(self.next) > 1:
            first, self.line[self.at] = self.next[0], self.next[1:]
            return float(first)
        return self.base()

    def group(self, start: str, end: str) -> Any:
        self.take(start)
        found = self.sum()
        if self.next == ",":
            found = [found]
            while self.next == ",":
                self.take()
                found.append(self.sum())
        self.take(end)
        return found

    def base(self) -> Any:
        if name := self._named():
            self.at += len(name)
            value = self.names[name]
            return self._call(value) if callable(value) else value
        token = self.next
        if token in CONSTANTS:
            self.take()
            return CONSTANTS[token]
        if re.fullmatch(r"\d+(\.\d+)?", token):
            return float(self.take())
        if token in OPEN and token:
            return self.group(token, CLOSE[OPEN.index(token)])
        if token == "|" or token == r"\|":
            self.take()
            found = abs(self.sum())
            self.take(token)
            return found
        if token == "-":
            self.take()
            return -self.product()
        if token == r"\frac":
            self.take()
            above = self.argument()
            return above / self.argument()
        if token == r"\sqrt":
            self.take()
            return np.sqrt(self.argument())
        if token in FUNCTIONS:
            self.take()
            return self._function(FUNCTIONS[token])
        if token in (r"\prod", r"\sum"):
            return self._series(self.take())
        if token in (r"\int", r"\iint"):
            return self._integral()
        raise ValueError(f"`{token}` has no value in `{written(self.line)}`")

    def _call(self, function: Callable[..., Any]) -> Any:
        if self.next not in ("(", "[", "{"):
            return function
        given = self.group(self.next, CLOSE[OPEN.index(self.next)])
        return function(*given) if isinstance(given, list) else function(given)

    def _function(self, function: Callable[..., Any]) -> Any:
        power = 1.0
        if self.next == "^":
            self.take()
            power = self.argument()
        if self.next in ("(", "["):
            found = self._call(function)
        else:
            found = function(self.power())
        return found**power

    def _range(self) -> tuple[str, int, int]:
        """The index of a sum or product with its first and last value, from below and above the sign."""
        self.take("_")
        self.take("{")
        index, first, least = self.take(), 1, self.take("=", "<")
        below = self.sum()
        self.take("}")
        if least == "<":
            return index, first, round(below) - 1
        self.take("^")
        return index, round(below), round(self.argument())

    def _series(self, sign: str) -> Any:
        """A product ranges over the next factor with its power, a sum over all that follow."""
        index, first, last = self._range()
        start, found = self.at, 1.0 if sign == r"\prod" else 0.0
        for value in range(first, last + 1):
            inner = Reader(self.line, {**self.values, index: float(value)})
            inner.at = start
            term = inner.power() if sign == r"\prod" else inner.product()
            found = found * term if sign == r"\prod" else found + term
            self.at = inner.at
        return found

    def _integral(self) -> Any:
        self.take()
        self.take("_")
        low = self.argument()
        self.take("^")
        high = self.argument()
        start, depth = self.at, 0
        end = start
        while self.line[end] != r"\dd" or depth:
            depth += (self.line[end] in OPEN) - (self.line[end] in CLOSE)
            end += 1
        variable, body = self.line[end + 1], self.line[start:end]
        self.at = end + 2

        def inside(x: float) -> float:
            return Reader(body or ["1"], {**self.values, variable: x}).read()

        return integrate.quad(inside, low, high, epsabs=1e-11, epsrel=1e-11)[0]


def value(line: Sequence[str] | str, values: Values) -> Any:
    """The value of a formula at given values of its symbols."""
    return Reader(tokens(line) if isinstance(line, str) else line, values).read()
