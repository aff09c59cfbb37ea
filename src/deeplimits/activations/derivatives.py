"""Exact derivatives of an activation at a point, from either side, and how smooth it is there."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np
from scipy.optimize import brentq

from .._checks import FloatArray
from .expressions import CONSTANTS, Node, evaluate, parse
from .primitives import KINKS, PRIMITIVES

if TYPE_CHECKING:
    import sympy

#: Derivatives up to this order are looked at; beyond it no limit theorem asks for any.
ORDER = 4
DIGITS = 40
#: A difference this small, at 40 digits, is none.
NOTHING = 1e-25


@cache
def definition(name: str) -> Node:
    """A primitive function in terms of others, for numbers that lose no digits."""
    return parse(PRIMITIVES[name].definition)


def _taylor(node: Node, point: float, side: int) -> list[Any]:
    """Derivatives from one side, by differences at many more digits than are kept.

    Raises: ZeroDivisionError or ValueError where a function of the tree is singular at the point.
    """
    context = mpmath.MPContext()  # of its own: the precision of mpmath's is shared by all threads
    context.dps = DIGITS

    def root(u: Any) -> Any:
        if u <= 0:
            raise ZeroDivisionError
        return context.sqrt(u)

    own = {"Abs": context.fabs, "sqrt": root}

    def constant(value: Any) -> Any:
        named = {"pi": context.pi, "e": context.e}
        return +named[value] if value in named else context.mpf(value.numerator) / value.denominator

    def function(name: str) -> Any:
        exact = PRIMITIVES[name].exact
        if exact:
            return own.get(exact) or getattr(context, exact)
        return lambda u: evaluate(definition(name), u, constant, function)

    terms = context.taylor(
        lambda x: evaluate(node, x, constant, function),
        context.mpf(repr(float(point))),
        ORDER,
        direction=side,
        chop=False,
    )
    return [term * math.factorial(k) for k, term in enumerate(terms)]


def one_sided(node: Node, point: float, side: int) -> list[Any]:
    """Value and derivatives up to order 4 at a point, approached from above (side 1) or below (-1).

    Law: 25 digits; what is 0 but for rounding is 0.
    Raises: ValueError when the activation or one of these derivatives is infinite there.
    """
    try:
        found = _taylor(node, point, side)
    except (ZeroDivisionError, ValueError):
        raise ValueError(
            f"the activation is singular at x = {point:g}; choose another centre or a function that is smooth there"
        ) from None
    largest = max(abs(term) for term in found)
    return [term if abs(term) > NOTHING * largest else 0 * term for term in found]


def has_kink(node: Node) -> bool:
    """Whether the tree contains a function that is not smooth."""
    return node.kind in KINKS or any(map(has_kink, node.parts))


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


def values(node: Node, x: np.ndarray) -> FloatArray:
    """The tree evaluated in float64 by NumPy, as the reference for everything else."""
    x = np.asarray(x, dtype=np.float64)

    def constant(value: Any) -> FloatArray:
        return np.full(np.shape(x), CONSTANTS[value] if value in CONSTANTS else float(value), dtype=np.float64)

    return evaluate(node, x, constant, lambda name: PRIMITIVES[name].values)


def symbolic(name: str) -> sympy.Expr:
    """An activation as a formula of SymPy, in a real symbol x.

    Raises: ValueError for what the parser refuses.

    >>> from deeplimits import activations
    >>> activations.symbolic("x*tanh(x)")
    x*tanh(x)
    """
    import sympy

    def constant(value: Any) -> sympy.Expr:
        named = {"pi": sympy.pi, "e": sympy.E}
        return named[value] if value in named else sympy.Rational(value.numerator, value.denominator)

    def function(called: str) -> Any:
        exact = PRIMITIVES[called].exact
        return getattr(sympy, exact) if exact else lambda u: evaluate(definition(called), u, constant, function)

    return evaluate(parse(name), sympy.Symbol("x", real=True), constant, function)


@cache
def kinks(node: Node, reach: float = 30.0) -> list[float]:
    """Where the argument of a function with kinks passes one of them, for |x| <= reach."""
    grid = np.linspace(-reach, reach, 60 * 200 + 1)
    found: list[float] = []
    for part in node.parts:
        found += kinks(part, reach)
    for level in KINKS.get(node.kind, ()):
        inside = node.parts[0]
        heights = values(inside, grid) - level
        found += list(grid[heights == 0])
        for k in np.flatnonzero(heights[:-1] * heights[1:] < 0):
            place: Any = brentq(
                lambda x, level=level, inside=inside: float(values(inside, np.array(x))) - level,
                grid[k],
                grid[k + 1],
                xtol=1e-14,
            )
            found.append(place)
    return sorted({float(place) for place in found})
