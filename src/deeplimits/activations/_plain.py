"""Activations as they are, without shaping: what residual branches and unshaped networks use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .._checks import FloatArray
from . import derivatives, expressions, formula
from .base import Activation, Constants, real_input
from .expressions import Node, checked_name
from .programs import Program


@dataclass(frozen=True)
class Plain(Activation):
    """An activation given by its formula, the same at every width.

    >>> from deeplimits import activations
    >>> phi = activations.Plain("elu")
    >>> phi.slope0, phi.smoothness
    (1.0, 1)
    """

    name: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", checked_name(self.name))
        formula.tree(self.name)

    @property
    def tree(self) -> Node:
        """The formula."""
        return formula.tree(self.name)

    @property
    def limit(self) -> Constants:
        """There is none without shaping. Raises: ValueError that says what to do."""
        if self.smoothness < 2:
            raise ValueError(
                f"activation must be shaped, {self.name} is unshaped and has no covariance SDE; it has "
                f"{self.smoothness:g} continuous derivatives at 0, and smooth shaping needs more: a jump "
                "of the second makes the drift of the norm 1/s, not 1/s^2, critical at s = a width, not a "
                "width^(1/2); choose another centre, or shaped_relu"
            )
        raise ValueError(
            f"activation must be shaped, {self.name} is unshaped and has no covariance SDE: when width "
            "and depth grow together its correlations reach a fixed point at once; use "
            f"activations.smooth({self.name!r}), or finite_depth of a kernel"
        )

    def kinks(self, width: int | None = None) -> tuple[float, ...]:
        """Where the formula is not smooth, for |x| <= 30."""
        return tuple(derivatives.kinks(self.tree))

    def _at_zero(self, order: int) -> float:
        count, values = formula.at(self.name, 0.0)
        if order >= len(values):
            raise ValueError(
                f"{self.name} has no derivative of order {order} at 0: only {max(count, 0):g} are continuous"
            )
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
        found = formula.near_centre(self.tree, 0.0, *formula.at(self.name, 0.0)[1][:2])
        return 1.0 if found is None else min(found[0], 1.0)

    def __call__(self, x: ArrayLike, width: int | None = None) -> FloatArray:
        """The activation, element-wise, whatever the width.

        Shapes: any shape, the same shape out.
        """
        return derivatives.values(self.tree, real_input(x))

    def derivative(self, x: ArrayLike, width: int | None = None) -> FloatArray:
        """The first derivative, element-wise; at a kink the mean of both sides.

        Shapes: any shape, the same shape out.
        """
        return derivatives.values(expressions.derivative(self.tree), real_input(x))

    def program(
        self,
        width: int | None = None,
        dtype: DTypeLike = np.float32,
        derivative: bool = False,
        near: bool | None = None,
    ) -> Program:
        """The activation, or its derivative, for compiled loops: see `programs.apply`.

        Law: float32 within 3e-7 of the larger of |phi(x)| and |x| / 1000 for tanh, erf, SiLU, GELU
            and sigmoid. `near=True` adds a polynomial around 0, faster and without cancellation for
            activations that see only small inputs.
        """
        return formula.program(self.name, 0.0, 1.0, 1.0, 0.0, dtype, derivative, bool(near))


def plain(name: str) -> Plain:
    """An activation without shaping, given by name or as an expression in x.

    Raises: ValueError for an expression that the parser refuses or that is not finite for |x| <= 30.

    >>> from deeplimits import activations
    >>> phi = activations.plain("x + sin(x)**2")
    >>> phi.value0, phi.slope0, phi.second0
    (0.0, 1.0, 2.0)
    """
    return Plain(name)
