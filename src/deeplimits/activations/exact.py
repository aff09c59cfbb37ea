"""The curvature of an activation in exact terms, and the steps that lead to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._checks import real
from ._smooth import smooth
from .derivatives import symbolic

if TYPE_CHECKING:
    import sympy

__all__ = ["Curvature", "curvature"]

#: Terms that are longer are shown by their decimals, and away from 0 kept by them.
LONG, OPERATIONS = 25, 12


@dataclass(frozen=True)
class Curvature:
    """What the shaping of a smooth activation depends on, in exact terms.

    `slope`, `second` and `third` are its derivatives at the centre, `bend` and `twist` the second and the third
    over the slope, and `kappa` is 3/4 bend^2 + twist.

    Source: Li, Nica and Roy 2022, smooth activations.

    >>> from deeplimits.activations import curvature
    >>> curvature("sinh").kappa
    1
    """

    formula: sympy.Expr
    centre: float
    slope: sympy.Expr
    second: sympy.Expr
    third: sympy.Expr
    bend: sympy.Expr
    twist: sympy.Expr
    kappa: sympy.Expr

    def steps(self, a: float = 1.0) -> str:
        """From the formula to b = kappa / a^2, as aligned formulas of LaTeX.

        Raises: ValueError for a not above 0.
        """
        a = real("a", a, above=0)
        at = f"({self.centre:g})"
        lines = [
            ("f(x)", self.formula),
            (f"f'{at}", self.slope),
            (f"f''{at}", self.second),
            (f"f'''{at}", self.third),
            (r"\varphi''", self.bend),
            (r"\varphi'''", self.twist),
            (r"\kappa", self.kappa),
        ]
        rows = [rf"{name} &= {_written(term)}" for name, term in lines]
        rows.append(rf"b = \kappa/a^2 &= {float(self.kappa) / a**2:.6f}")
        return r"\begin{aligned}" + r" \\ ".join(rows) + r"\end{aligned}"


def curvature(name: str, centre: float = 0.0) -> Curvature:
    """The curvature of a smooth activation at a centre.

    Law: exact at 0 and where the terms are short; to 20 digits elsewhere.
    Source: Li, Nica and Roy 2022, smooth activations; other centres are ours.
    Raises: as `smooth`: ValueError for what the parser refuses, and a centre where the slope is 0 or has a kink.

    >>> from deeplimits.activations import curvature
    >>> found = curvature("x + sin(x)**2")
    >>> found.bend, found.twist, found.kappa
    (2, 0, 3)
    """
    import sympy

    smooth(name, centre=centre)  # refuses what has no slope or no curvature there
    formula, point = symbolic(name), sympy.nsimplify(real("centre", centre))
    x = sympy.Symbol("x", real=True)
    found = [_value(sympy.diff(formula, x, order), x, point) for order in (1, 2, 3)]
    slope, second, third = found
    bend, twist = sympy.simplify(second / slope), sympy.simplify(third / slope)
    kappa = sympy.simplify(sympy.Rational(3, 4) * bend**2 + twist)
    return Curvature(formula, float(point), slope, second, third, bend, twist, kappa)


def _value(derivative: sympy.Expr, x: sympy.Symbol, point: sympy.Expr) -> sympy.Expr:
    """A derivative at a point; what SymPy writes with tanh is simpler in exponentials."""
    import sympy

    term = derivative.subs(x, point)
    if point != 0:
        return term if term.count_ops() < OPERATIONS else sympy.N(term, 20)
    return sympy.simplify(term.replace(sympy.tanh, lambda u: (sympy.exp(2 * u) - 1) / (sympy.exp(2 * u) + 1)))


def _written(term: sympy.Expr) -> str:
    """An exact term, and its decimals where they say more; long numbers by their decimals only."""
    import sympy

    if term.free_symbols or term.is_Rational:
        return str(sympy.latex(term))
    decimals = f"{float(term):.6f}"
    return decimals if term.is_Float or len(str(term)) >= LONG else rf"{sympy.latex(term)} \approx {decimals}"
