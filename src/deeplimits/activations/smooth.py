"""Smooth activations and their shaping towards the identity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .._checks import FloatArray, real, whole
from . import derivatives, formula
from .expressions import checked_name
from .programs import Program

#: The covariance SDE for smooth shaping needs this many continuous derivatives.
NEEDED = 4
#: Beyond this many times the length over which the activation bends, the expansion beats the quadrature.
FAR = 1000.0


@dataclass(frozen=True)
class Smooth:
    """A smooth activation, shaped: phi_s(x) = s phi(x / s) with s = a width^exponent.

    phi is the formula moved and scaled to value 0 and slope 1 at the centre.

    Source: Li, Nica and Roy 2022, shaping of smooth activations.
    """

    name: str
    a: float = 1.0
    centre: float = 0.0
    exponent: float = 0.5

    #: Smooth shaping bends no angle by itself: the squared slope difference of shaped ReLU is 0.
    gap2 = 0.0

    @property
    def _derivatives(self) -> tuple[float, ...]:
        return formula.at(self.name, self.centre)[1]

    @property
    def smoothness(self) -> float:
        """How many derivatives are continuous at the centre, at least 4; infinity if all."""
        return formula.at(self.name, self.centre)[0]

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
            raise ValueError(f"{self.name} with exponent={self.exponent} has no covariance SDE: its drift is "
                             "infinite when width and depth grow together; use exponent >= 0.5")
        return self.a**-2 if self.exponent == 0.5 else 0.0

    @property
    def b(self) -> float:
        """kappa / a^2, the drift of the norm: dV = b V (V - 1) dt + sqrt(2) V dB. Zero above exponent 1/2.

        Raises: ValueError below exponent 1/2, where there is no such limit.
        """
        return self.kappa * self._rate()

    def scale(self, width: int) -> float:
        """s = a width^exponent: how far the activation is stretched."""
        return self.a * float(whole("width", width)) ** self.exponent

    def length(self, width: int) -> float:
        """The inputs over which the activation is nearly straight at this width."""
        found = formula.near(formula.tree(self.name), self.centre, *self._derivatives[:2])
        return self.scale(width) * (1.0 if found is None else min(found[0], 1.0))

    def __call__(self, x: ArrayLike, width: int) -> FloatArray:
        """The shaped activation at this width, element-wise.

        Shapes: any shape, the same shape out.
        Law: float64; the difference from the value at the centre costs s / |x| units of rounding.
        """
        s, (value, slope) = self.scale(width), self._derivatives[:2]
        inside = np.asarray(x, dtype=np.float64) / s + self.centre
        return s * (derivatives.values(formula.tree(self.name), inside) - value) / slope

    def normaliser(self, width: int) -> float:
        """The constant c with c E[phi_s(g)^2] = 1 for a standard normal g.

        Law: Gauss quadrature, relative error 1e-12; where s is a thousand times the length over which
            the activation bends, the expansion 1/c = 1 + kappa / s^2, error O(s^-4).
        Raises: ValueError when the mean is infinite.
        """
        s = self.scale(width)
        if self.length(width) > FAR:
            return 1 / (1 + self.kappa / s**2)
        with np.errstate(all="ignore"):
            power = formula.gaussian_mean(self(formula.gaussian_nodes(), width) ** 2)
        if not 0 < power < np.inf:
            raise ValueError(f"{self.name} has E[phi(g)^2] = {power} at width={width}; it cannot be normalised: "
                             "use a larger a or an activation that grows less")
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

    def program(self, width: int, dtype: DTypeLike = np.float32, derivative: bool = False,
                near: bool = True) -> Program:
        """The shaped activation, or its derivative, for compiled loops: see `programs.apply`.

        Law: float32 within 3e-7 of the larger of |phi_s(x)| and |x| / 1000 at centre 0 for the common
            activations; close to the centre as precise as x itself, however large s is.
        """
        s, (value, slope) = self.scale(width), self._derivatives[:2]
        if derivative:
            return formula.program(self.name, self.centre, s, 1 / slope, 0.0, dtype, True, near)
        gain = s / slope
        return formula.program(self.name, self.centre, s, gain, -gain * value, dtype, False, near)


def smooth(name: str, a: float = 1.0, centre: float = 0.0, exponent: float = 0.5) -> Smooth:
    """Smooth shaping of an activation, given by name or as an expression in x.

    Law: at exponent 1/2 width and depth can grow together with a random covariance in the limit,
        up to the time at which the norm explodes if it does.
    Source: Li, Nica and Roy 2022, shaping of smooth activations.
    Raises: ValueError for an expression that the parser refuses, that is not finite for |x| <= 30,
        that has fewer than four continuous derivatives at the centre (ReLU, ELU, SELU, softsign)
        or slope 0 there; for a or an exponent that is not positive.
    """
    name = checked_name(name)
    shaped = Smooth(name, real("a", a, above=0), real("centre", centre, least=-formula.REACH, most=formula.REACH),
                    real("exponent", exponent, above=0))
    count, values = formula.at(name, shaped.centre)
    if count < NEEDED:
        raise ValueError(f"{name} has {max(count, 0):g} continuous derivatives at centre={centre:g}, smooth shaping "
                         f"needs {NEEDED}; choose another centre, or shaped_relu for a rectifier")
    if abs(values[1]) < 1e-12:
        raise ValueError(f"{name} has slope 0 at centre={centre:g} and cannot be normalised to slope 1; "
                         "choose another centre")
    return shaped
