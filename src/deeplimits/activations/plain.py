"""Activations as they are, without shaping: what residual branches and unshaped networks use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .._checks import FloatArray
from . import derivatives, expressions, formula
from .expressions import checked_name
from .programs import Program


@dataclass(frozen=True)
class Plain:
    """An activation given by its formula, the same at every width."""

    name: str

    def _at_zero(self, order: int) -> float:
        count, values = formula.at(self.name, 0.0)
        if order >= len(values):
            raise ValueError(f"{self.name} has no derivative of order {order} at 0: "
                             f"only {max(count, 0):g} are continuous")
        return values[order]

    @property
    def value0(self) -> float:
        """The value at 0."""
        return self._at_zero(0)

    @property
    def slope0(self) -> float:
        """The first derivative at 0. Raises: ValueError where it does not exist."""
        return self._at_zero(1)

    @property
    def second0(self) -> float:
        """The second derivative at 0. Raises: ValueError where it does not exist."""
        return self._at_zero(2)

    @property
    def smoothness(self) -> float:
        """How many derivatives are continuous at 0: 0 for ReLU, 1 for ELU, infinity for tanh."""
        return formula.at(self.name, 0.0)[0]

    @property
    def regularity(self) -> float:
        """How many derivatives are continuous everywhere, for |x| <= 30."""
        return formula.regularity(self.name)

    def length(self, width: int | None = None) -> float:
        """The inputs over which the activation is nearly straight, at most 1."""
        if self.smoothness != np.inf:
            return 1.0
        found = formula.near(formula.tree(self.name), 0.0, *formula.at(self.name, 0.0)[1][:2])
        return 1.0 if found is None else min(found[0], 1.0)

    def __call__(self, x: ArrayLike, width: int | None = None) -> FloatArray:
        """The activation, element-wise, whatever the width.

        Shapes: any shape, the same shape out.
        """
        return derivatives.values(formula.tree(self.name), np.asarray(x, dtype=np.float64))

    def derivative(self, x: ArrayLike) -> FloatArray:
        """The first derivative, element-wise; at a kink the mean of both sides.

        Shapes: any shape, the same shape out.
        """
        slope = expressions.derivative(formula.tree(self.name))
        return derivatives.values(slope, np.asarray(x, dtype=np.float64))

    def normaliser(self, width: int | None = None) -> float:
        """The constant c with c E[phi(g)^2] = 1 for a standard normal g.

        Law: Gauss quadrature.
        Raises: ValueError when the mean is zero or infinite.
        """
        with np.errstate(all="ignore"):
            power = formula.gaussian_mean(self(formula.gaussian_nodes()) ** 2)
        if not 0 < power < np.inf:
            raise ValueError(f"{self.name} has E[phi(g)^2] = {power} and cannot be normalised; use one that grows less")
        return 1 / power

    def program(self, width: int | None = None, dtype: DTypeLike = np.float32, derivative: bool = False,
                near: bool = False) -> Program:
        """The activation, or its derivative, for compiled loops: see `programs.apply`.

        Law: float32 within 3e-7 of the larger of |phi(x)| and |x| / 1000 for tanh, erf, SiLU, GELU
            and sigmoid. `near=True` adds a polynomial around 0, faster and without cancellation for
            activations that see only small inputs.
        """
        return formula.program(self.name, 0.0, 1.0, 1.0, 0.0, dtype, derivative, near)


def plain(name: str) -> Plain:
    """An activation without shaping, given by name or as an expression in x.

    Raises: ValueError for an expression that the parser refuses or that is not finite for |x| <= 30.
    """
    name = checked_name(name)
    formula.tree(name)
    return Plain(name)
