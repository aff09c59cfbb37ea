"""Smooth activations and their shaping towards the identity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .._checks import FloatArray, real, whole
from . import derivatives, expressions, formula
from .base import Activation, Constants, real_input
from .expressions import Node, checked_name
from .programs import Program

#: The covariance SDE for smooth shaping needs this many continuous derivatives.
NEEDED = 4
#: Beyond this many times the length over which the activation bends, the expansion beats the quadrature.
FAR = 1000.0


@dataclass(frozen=True)
class Smooth(Activation):
    """A smooth activation, shaped: phi_s(x) = s phi(x / s) with s = a width^exponent.

    phi is the formula moved and scaled to value 0 and slope 1 at the centre.

    Source: Li, Nica and Roy 2022, shaping of smooth activations.

    >>> from deeplimits import activations
    >>> activations.Smooth("tanh", a=2.0).limit
    Constants(b=-0.5, gap2=0.0, bend=0.0)
    """

    name: str
    a: float = 1.0
    centre: float = 0.0
    exponent: float = 0.5

    def __post_init__(self) -> None:
        name = checked_name(self.name)
        centre = real("centre", self.centre, least=-formula.REACH, most=formula.REACH)
        checked = {
            "name": name,
            "a": real("a", self.a, above=0),
            "centre": centre,
            "exponent": real("exponent", self.exponent, above=0),
        }
        for field, value in checked.items():
            object.__setattr__(self, field, value)
        count, values = formula.at(name, centre)
        if count < NEEDED:
            raise ValueError(
                f"{name} has {max(count, 0):g} continuous derivatives at centre={centre:g}, smooth "
                f"shaping needs {NEEDED}; choose another centre, or shaped_relu for a rectifier"
            )
        if abs(values[1]) < 1e-12:
            raise ValueError(
                f"{name} has slope 0 at centre={centre:g} and cannot be normalised to slope 1; choose another centre"
            )

    @property
    def shaped(self) -> bool:
        """True: the activation is stretched by a power of the width."""
        return True

    @property
    def tree(self) -> Node:
        """The formula, before it is moved and stretched."""
        return formula.tree(self.name)

    def kinks(self, width: int | None = None) -> tuple[float, ...]:
        """Where the stretched activation is not smooth."""
        places = np.array(derivatives.kinks(self.tree))
        return tuple((places - self.centre) * self._scale_at(width)) if len(places) else ()

    @property
    def _derivatives(self) -> tuple[float, ...]:
        return formula.at(self.name, self.centre)[1]

    @property
    def smoothness(self) -> float:
        """How many derivatives are continuous at the centre, at least 4; infinity if all."""
        return formula.at(self.name, self.centre)[0]

    @property
    def regularity(self) -> float:
        """How many derivatives of the formula are continuous everywhere, for |x| <= 30."""
        return formula.regularity(self.name)

    @property
    def value0(self) -> float:
        """0, by normalisation."""
        return 0.0

    @property
    def slope0(self) -> float:
        """1, by normalisation."""
        return 1.0

    @property
    def second(self) -> float:
        """The second derivative at the centre, after normalisation."""
        return self._derivatives[2] / self._derivatives[1]

    @property
    def third(self) -> float:
        """The third derivative at the centre, after normalisation."""
        return self._derivatives[3] / self._derivatives[1]

    @property
    def kappa(self) -> float:
        """3/4 phi''^2 + phi''': the norm can explode in finite time if and only if it is positive.

        Source: Li, Nica and Roy 2022, criterion for finite time explosion.
        """
        return 0.75 * self.second**2 + self.third

    def _rate(self) -> float:
        """1/a^2 at exponent 1/2 and 0 above it: the size of the drift in the limit."""
        if self.exponent < 0.5:
            raise ValueError(
                f"{self.name} with exponent={self.exponent} has no covariance SDE: its drift is "
                "infinite when width and depth grow together; use exponent >= 0.5"
            )
        return self.a**-2 if self.exponent == 0.5 else 0.0

    @property
    def limit(self) -> Constants:
        """kappa / a^2, no bending of angles by itself, and phi''^2 / a^2; all 0 above exponent 1/2.

        Raises: ValueError below exponent 1/2, where there is no such limit.
        """
        rate = self._rate()
        return Constants(self.kappa * rate, 0.0, self.second**2 * rate)

    def scale(self, width: int) -> float:
        """s = a width^exponent: how far the activation is stretched."""
        return self.a * float(whole("width", width)) ** self.exponent

    def stretch(self, width: int) -> float:
        """s: how far the activation is stretched."""
        return self.scale(width)

    def _scale_at(self, width: int | None) -> float:
        if width is None:
            raise ValueError(f"{self.name} is shaped and has no shape without a width; give width")
        return self.scale(width)

    def length(self, width: int | None = None) -> float:
        """The inputs over which the activation is nearly straight at this width."""
        found = formula.near_centre(self.tree, self.centre, *self._derivatives[:2])
        return self._scale_at(width) * (1.0 if found is None else min(found[0], 1.0))

    def __call__(self, x: ArrayLike, width: int | None = None) -> FloatArray:
        """The shaped activation at this width, element-wise.

        Shapes: any shape, the same shape out.
        Law: float64; the difference from the value at the centre costs s / |x| units of rounding.
        """
        s, (value, slope) = self._scale_at(width), self._derivatives[:2]
        return s * (derivatives.values(self.tree, real_input(x) / s + self.centre) - value) / slope

    def derivative(self, x: ArrayLike, width: int | None = None) -> FloatArray:
        """The derivative of the shaped activation at this width, element-wise; 1 at 0.

        Shapes: any shape, the same shape out.
        """
        inside = real_input(x) / self._scale_at(width) + self.centre
        return derivatives.values(expressions.derivative(self.tree), inside) / self._derivatives[1]

    def normaliser(self, width: int | None = None) -> float:
        """The constant c with c E[phi_s(g)^2] = 1 for a standard normal g.

        Law: Gauss quadrature, relative error 1e-12; where s is a thousand times the length over which
            the activation bends, the expansion 1/c = 1 + kappa / s^2, error O(s^-4).
        Raises: ValueError when the mean is infinite.
        """
        s = self._scale_at(width)
        if self.length(width) > FAR:
            return 1 / (1 + self.kappa / s / s)
        with np.errstate(all="ignore"):
            power = formula.gaussian_mean(self(formula.gaussian_nodes(), width) ** 2)
        if not 0 < power < np.inf:
            raise ValueError(
                f"{self.name} has E[phi(g)^2] = {power} at width={width}; it cannot be normalised: "
                "use a larger a or an activation that grows less"
            )
        return 1 / power

    def covariance_drift(self, V: ArrayLike) -> FloatArray:
        """The drift of the covariance SDE, per unit of depth/width.

        Shapes: (..., m, m) in, (..., m, m) out.
        Law: exact limit, with error O(1/s^2) at finite width.
        Source: Li, Nica and Roy 2022, covariance SDE for smooth activations.
        Raises: ValueError below exponent 1/2, where there is no such limit.
        """
        V = np.asarray(V, dtype=np.float64)
        variance = np.diagonal(V, axis1=-2, axis2=-1)
        first, other = variance[..., :, None], variance[..., None, :]
        bend = self.second**2 / 4 * (first * other + V * (2 * V - 3))
        return self._rate() * (bend + self.third / 2 * V * (first + other - 2))

    def program(
        self,
        width: int | None = None,
        dtype: DTypeLike = np.float32,
        derivative: bool = False,
        near: bool | None = None,
    ) -> Program:
        """The shaped activation, or its derivative, for compiled loops: see `programs.apply`.

        Law: float32 within 3e-7 of the larger of |phi_s(x)| and |x| / 1000 at centre 0 for the common
            activations; close to the centre as precise as x itself, however large s is.
        """
        s, (value, slope) = self._scale_at(width), self._derivatives[:2]
        close = near is not False
        if derivative:
            return formula.program(self.name, self.centre, s, 1 / slope, 0.0, dtype, True, close)
        gain = s / slope
        return formula.program(self.name, self.centre, s, gain, -gain * value, dtype, False, close)


def smooth(name: str, a: float = 1.0, centre: float = 0.0, exponent: float = 0.5) -> Smooth:
    """Smooth shaping of an activation, given by name or as an expression in x.

    Law: at exponent 1/2 width and depth can grow together with a random covariance in the limit,
        up to the time at which the norm explodes if it does.
    Source: Li, Nica and Roy 2022, shaping of smooth activations.
    Raises: ValueError for an expression that the parser refuses, that is not finite for |x| <= 30,
        that has fewer than four continuous derivatives at the centre (ReLU, ELU, SELU, softsign)
        or slope 0 there; for a or an exponent that is not positive.

    >>> from deeplimits import activations
    >>> phi = activations.smooth("silu", a=0.5)
    >>> phi.second, phi.third, phi.kappa, phi.b
    (1.0, 0.0, 0.75, 3.0)
    """
    return Smooth(name, a, centre, exponent)
