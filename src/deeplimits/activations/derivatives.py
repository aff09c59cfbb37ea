"""Exact derivatives of an activation at a point, from either side, and how smooth it is there.

Each function of one argument is differentiated symbolically; the derivatives of what is built from them
follow by the arithmetic of truncated Taylor series, at 40 digits.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import sympy
from scipy import special
from scipy.optimize import brentq

from .expressions import Node

#: Derivatives up to this order are looked at; beyond it no limit theorem asks for any.
ORDER = 4
DIGITS = 40
#: A coefficient this small, at 40 digits, is zero.
NOTHING = sympy.Float("1e-25", DIGITS)

_T = sympy.Symbol("t", real=True)
_SYMBOLIC = {
    "exp": sympy.exp(_T),
    "expm1": sympy.exp(_T) - 1,
    "log": sympy.log(_T),
    "log1p": sympy.log(1 + _T),
    "sqrt": sympy.sqrt(_T),
    "sin": sympy.sin(_T),
    "cos": sympy.cos(_T),
    "tanh": sympy.tanh(_T),
    "arctan": sympy.atan(_T),
    "asinh": sympy.asinh(_T),
    "erf": sympy.erf(_T),
    "normal_cdf": (1 + sympy.erf(_T / sympy.sqrt(2))) / 2,
    "sigmoid": 1 / (1 + sympy.exp(-_T)),
    "softplus": sympy.log(1 + sympy.exp(_T)),
    "silu": _T / (1 + sympy.exp(-_T)),
    "gelu": _T * (1 + sympy.erf(_T / sympy.sqrt(2))) / 2,
    "reciprocal": 1 / _T,
}

Series = list[sympy.Expr]


@cache
def _symbolic_derivatives(name: str) -> list[sympy.Expr]:
    """The function and its derivatives, divided by the factorial of their order."""
    return [sympy.diff(_SYMBOLIC[name], _T, k) / math.factorial(k) for k in range(ORDER + 1)]


def _product(a: Series, b: Series) -> Series:
    return [sum((a[j] * b[k - j] for j in range(k + 1)), sympy.Integer(0)) for k in range(ORDER + 1)]


def _composed(name: str, inside: Series) -> Series:
    """The series of a function of a series."""
    outer = [sympy.N(term.subs(_T, inside[0]), DIGITS) for term in _symbolic_derivatives(name)]
    if not all(term.is_Number and term.is_finite for term in outer):
        raise ZeroDivisionError(name)
    step = [sympy.Integer(0), *inside[1:]]
    total = [outer[-1]] + [sympy.Integer(0)] * ORDER
    for term in outer[-2::-1]:
        total = _product(total, step)
        total[0] += term
    return total


def _sign(series: Series) -> int:
    """The sign just beside the point: that of the first coefficient that is not zero."""
    return next((1 if term > 0 else -1 for term in series if abs(term) > NOTHING), 0)


def _series(node: Node, start: Series) -> Series:
    """Taylor coefficients of a tree, given those of x."""
    match node:
        case Node("x"):
            return start
        case Node("number", value=value):
            named = {"pi": sympy.pi, "e": sympy.E}
            exact = named[value] if value in named else sympy.Rational(value.numerator, value.denominator)
            return [sympy.N(exact, DIGITS)] + [sympy.Integer(0)] * ORDER
        case Node("power", (base,), exponent):
            inside, total = _series(base, start), [sympy.Integer(1)] + [sympy.Integer(0)] * ORDER
            for _ in range(exponent):
                total = _product(total, inside)
            return total
    parts = [_series(part, start) for part in node.parts]
    if node.kind == "add":
        return [a + b for a, b in zip(*parts, strict=True)]
    if node.kind == "multiply":
        return _product(*parts)
    if node.kind == "divide":
        return _product(parts[0], _composed("reciprocal", parts[1]))
    if node.kind == "abs":
        return [_sign(parts[0]) * term for term in parts[0]]
    if node.kind == "sign":
        return [sympy.Integer(_sign(parts[0]))] + [sympy.Integer(0)] * ORDER
    return _composed(node.kind, parts[0])


def one_sided(node: Node, point: float, side: int) -> list[sympy.Expr]:
    """Value and derivatives up to order 4 at a point, approached from above (side 1) or below (-1).

    Raises: ValueError when the activation or one of these derivatives is infinite there.
    """
    start = [sympy.Rational(repr(float(point))), sympy.Integer(side)] + [sympy.Integer(0)] * (ORDER - 1)
    try:
        series = _series(node, start)
    except ZeroDivisionError as error:
        raise ValueError(f"{error} is singular at x = {point:g}; choose another centre or a function that is smooth "
                         "there") from None
    return [term * math.factorial(k) * side**k for k, term in enumerate(series)]


def has_kink(node: Node) -> bool:
    """Whether the tree contains a function that is not smooth."""
    return node.kind in ("abs", "sign") or any(map(has_kink, node.parts))


def smoothness(node: Node, point: float) -> tuple[float, list[float]]:
    """How many derivatives are continuous at a point (infinity if all, -1 for a jump), and the values of those.

    Law: exact; a kink whose derivatives agree from both sides up to order 4 counts as 4.
    Raises: ValueError when the activation is singular there.
    """
    above = one_sided(node, point, 1)
    if not has_kink(node):
        return math.inf, [float(term) for term in above]
    below = one_sided(node, point, -1)
    agreeing = [abs(a - b) <= NOTHING * (1 + abs(a)) for a, b in zip(above, below, strict=True)]
    count = agreeing.index(False) if False in agreeing else len(above)
    kinked = count <= ORDER or any(abs(point - place) < 1e-9 for place in kinks(node))
    return (count - 1 if kinked else math.inf), [float(term) for term in above[:count]]


def values(node: Node, x: np.ndarray) -> np.ndarray:
    """The tree evaluated in float64 by NumPy, as the reference for everything else."""
    functions = {"normal_cdf": special.ndtr, "erf": special.erf, "sigmoid": special.expit, "asinh": np.arcsinh,
                 "softplus": lambda u: np.logaddexp(0, u), "silu": lambda u: u * special.expit(u),
                 "gelu": lambda u: u * special.ndtr(u), "add": np.add, "multiply": np.multiply, "divide": np.divide}
    match node:
        case Node("x"):
            return np.asarray(x, dtype=np.float64)
        case Node("number", value=value):
            return np.full(np.shape(x), {"pi": math.pi, "e": math.e}.get(value, value), dtype=np.float64)
        case Node("power", (base,), exponent):
            return values(base, x) ** exponent
    function = functions.get(node.kind) or getattr(np, node.kind)
    return function(*(values(part, x) for part in node.parts))


@cache
def kinks(node: Node, reach: float = 30.0) -> list[float]:
    """Where the argument of an absolute value changes its sign, for |x| <= reach."""
    grid = np.linspace(-reach, reach, 60 * 200 + 1)
    found = []
    for part in node.parts:
        found += kinks(part, reach)
    if node.kind in ("abs", "sign"):
        inside = node.parts[0]
        heights = values(inside, grid)
        found += list(grid[heights == 0])
        for k in np.flatnonzero(heights[:-1] * heights[1:] < 0):
            found.append(brentq(lambda x: float(values(inside, np.array(x))), grid[k], grid[k + 1], xtol=1e-14))
    return sorted(set(found))
