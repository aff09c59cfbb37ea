"""Residual networks with a single neuron: dX = phi(X) dB."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import IntegrationWarning, quad
from scipy.interpolate import CubicHermiteSpline
from scipy.special import dawsn
from scipy.stats import norm

from .._checks import FloatArray, real
from .._equations import solve_ivp
from .._finite_volumes import REACH, evolve, normal_start
from ..activations import Activation, ActivationLike, unshaped
from ._laws import Atom, GridLaw, Law, Mirror, NormalLaw, not_nan, with_error

#: Coordinates further than this from the start mean an activation that grows too fast.
FURTHEST = 500.0
#: Starts and times below this have no square in double precision that a grid could use.
SMALLEST = 1e-300


@dataclass(frozen=True)
class OrnsteinUhlenbeck(Activation):
    """The activation that turns a single neuron into an Ornstein-Uhlenbeck process.

    phi(y) = exp(g(y)^2) with g(y) = h^-1(alpha y + beta) and h(z) = int_0^z exp(u^2) du. Along
    dX = phi(X) dB, g(X) is such a process: dg = -alpha^2 g dt + alpha dB.

    Source: Hayou 2023, exponential activations at width 1. With alpha outside the integral
    instead, the rate is alpha^-2.
    Raises: ValueError for an alpha that is not above 0 and a beta that is not finite.

    >>> from deeplimits import densities
    >>> activation = densities.OrnsteinUhlenbeck(alpha=2.0)
    >>> law = densities.width_one(activation, 0.5)
    >>> law.error
    0.0
    """

    alpha: float = 1.0
    beta: float = 0.0

    name = "the activation of the Ornstein-Uhlenbeck process"

    def __post_init__(self) -> None:
        object.__setattr__(self, "alpha", real("alpha", self.alpha, above=0))
        object.__setattr__(self, "beta", real("beta", self.beta))

    def __call__(self, x: ArrayLike, width: int | None = None) -> FloatArray:
        """The activation, element-wise, whatever the width. Shapes: any shape, the same shape out."""
        with np.errstate(over="ignore", under="ignore"):
            return np.exp(self.g(x) ** 2)

    def derivative(self, x: ArrayLike, width: int | None = None) -> FloatArray:
        """The first derivative, 2 alpha g(x). Shapes: any shape, the same shape out."""
        return 2 * self.alpha * self.g(x)

    def g(self, x: ArrayLike) -> FloatArray:
        """The coordinate in which a neuron is an Ornstein-Uhlenbeck process.

        Shapes: any shape, the same shape out.
        Law: three steps of Halley's method from above leave 1e-13 of the value: exact to rounding.
        """
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            target = self.alpha * not_nan("x", x) + self.beta
            size = np.minimum(np.abs(target), 1e300)
            # h(z) >= z, and h(z) > exp(z^2) / (2 z) for z >= 1: both starts are above the root.
            z = np.where(size <= 1, size, np.sqrt(np.log1p(2 * size * np.sqrt(1 + np.log1p(2 * size)))))
            for _ in range(3):
                step = dawsn(z) - size * np.exp(-z * z)
                z = z - step / (1 - z * step)
        return np.where(np.isinf(target), target, np.copysign(z, target))

    def inverse(self, g: ArrayLike) -> FloatArray:
        """The neuron at a value of its coordinate.

        Shapes: any shape, the same shape out. Law: exact; +-inf beyond |g| = 26.
        """
        g = not_nan("g", g)
        with np.errstate(all="ignore"):
            h = np.exp(g * g) * dawsn(g)
            return (np.where(np.isinf(g), g, h) - self.beta) / self.alpha


def width_one(activation: ActivationLike, x0: float, time: float = 1.0) -> Law:
    """The law of a residual network with a single neuron and infinitely many layers.

    Shapes: x0 and time numbers; time in [0, 1] is layer/depth for weight variance 1.
    Law: exact for rectifiers (a geometric Brownian motion on either side of 0, with the slope of
    that side as its volatility) and for `OrnsteinUhlenbeck`. Otherwise the Fokker-Planck equation in the
    coordinate z = int dx / |phi(x)|, to about 1e-5; `error` says how well. A start at which the
    activation vanishes stays: an `Atom`. The mean is x0.
    Source: Hayou 2023, width-1 networks; other activations by Lamperti's coordinate, ours.
    Raises: ValueError for a start that is not finite, a time that is not above 0, a shaped
    activation, one that grows faster than linearly, a time so long that z reaches 500 (about 3600), or that
    the logarithm of the neuron leaves double precision.

    >>> import numpy as np
    >>> from deeplimits import activations, densities
    >>> law = densities.width_one(activations.relu(), 1.0)  # exp(B - 1/2), a geometric Brownian motion
    >>> law.mean(), bool(np.isclose(law.ppf(0.5), np.exp(-0.5)))
    (1.0, True)
    """
    start, end = real("x0", x0), real("time", time, above=0)
    activation = unshaped(activation, "activation")
    if isinstance(activation, OrnsteinUhlenbeck):
        return _ornstein_uhlenbeck(activation, start, end)
    if activation.rectifier is not None:
        slope = float(activation.derivative(start)) if start else 0.0
        if slope == 0:
            return Atom(start)
        law = _geometric(abs(start), abs(slope), end)
        return law if start > 0 else Mirror(law)
    if activation(start) == 0:
        return Atom(start)
    if not (abs(start) >= SMALLEST or start == 0):
        raise ValueError(f"x0 must be 0 or at least {SMALLEST:g} in size, got {x0!r}")
    if end < SMALLEST:
        raise ValueError(f"time must be at least {SMALLEST:g}, got {time!r}")
    spacing = min(np.sqrt(end) / 256, 0.01)
    return with_error(lambda width: _lamperti(activation, start, end, width), spacing)


@dataclass(frozen=True)
class Geometric:
    """z = log(x / start)."""

    start: float

    def coordinate(self, x: FloatArray) -> FloatArray:
        """-inf for x <= 0."""
        with np.errstate(all="ignore"):
            near = np.log1p((x - self.start) / self.start)
            far = np.log(np.maximum(x, 0)) - np.log(self.start)
        return np.where(np.abs(x - self.start) < self.start / 2, near, far)

    def value(self, z: FloatArray) -> FloatArray:
        """+inf and 0 beyond double precision."""
        with np.errstate(over="ignore", under="ignore"):
            return self.start * np.exp(z / 2) * np.exp(z / 2)

    def slope(self, z: FloatArray) -> FloatArray:
        """1 / x."""
        with np.errstate(over="ignore", divide="ignore"):
            return 1 / self.value(z)


@dataclass(frozen=True)
class Exponential:
    """The coordinate in which a neuron with the activation `OrnsteinUhlenbeck` is such a process."""

    activation: OrnsteinUhlenbeck

    def coordinate(self, x: FloatArray) -> FloatArray:
        """g of x."""
        return self.activation.g(x)

    def value(self, z: FloatArray) -> FloatArray:
        """x of g."""
        return self.activation.inverse(z)

    def slope(self, z: FloatArray) -> FloatArray:
        """dg/dx = alpha exp(-g^2)."""
        with np.errstate(under="ignore", over="ignore"):
            return self.activation.alpha * np.exp(-z * z)


def _geometric(start: float, volatility: float, time: float) -> NormalLaw:
    """start exp(volatility B - volatility^2 time / 2)."""
    power = volatility * volatility * time
    if not 0 < power < 1e300:
        raise ValueError(
            f"time must keep the logarithm of the neuron within double precision, got {time:g} with the "
            f"slope {volatility:g}"
        )
    with np.errstate(over="ignore", under="ignore"):
        variance = float(np.float64(start) * start * np.expm1(power))
    return NormalLaw(-power / 2, float(np.sqrt(power)), Geometric(start), (start, variance))


def _ornstein_uhlenbeck(activation: OrnsteinUhlenbeck, x0: float, time: float) -> NormalLaw:
    start, clock = float(activation.g(x0)), activation.alpha * activation.alpha * time
    if not clock > 0:
        raise ValueError(f"time must be above 0 after alpha^2 of {activation!r}, got {time:g}")

    def rate(s: float) -> float:
        """E phi(X)^2 where alpha^2 time is s, over its value at the start: E exp(2 g^2), finite before log(2) / 2."""
        left = 2 * np.exp(-2 * s) - 1
        return np.exp(2 * start**2 * (np.exp(-2 * s) / left - 1)) / np.sqrt(left) / activation.alpha**2

    variance = np.inf
    if clock < np.log(2) / 2:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", IntegrationWarning)  # where the variance is beyond double precision
            found = np.exp(2 * start**2) * quad(rate, 0, clock)[0]
        variance = float(found) if np.isfinite(found) else np.inf
    return NormalLaw(
        start * float(np.exp(-clock)),
        float(np.sqrt(-np.expm1(-2 * clock) / 2)),
        Exponential(activation),
        (x0, variance),
    )


@dataclass(frozen=True)
class Lamperti:
    """z = int dx / |phi(x)| from x0, tabulated at the edges of a grid.

    In units of the start, so that neither tables nor their slopes leave double precision.
    """

    activation: Activation
    unit: float
    edges: FloatArray
    x: FloatArray

    @cached_property
    def _speed(self) -> FloatArray:
        return np.abs(self.activation(self.x))

    @cached_property
    def _moving(self) -> FloatArray:
        return np.concatenate([[True], np.diff(np.maximum.accumulate(self.x)) > 0])

    @cached_property
    def _values(self) -> CubicHermiteSpline:
        return CubicHermiteSpline(self.edges, self.x / self.unit, self._speed / self.unit)

    @cached_property
    def _places(self) -> CubicHermiteSpline:
        moving = self._moving
        return CubicHermiteSpline(self.x[moving] / self.unit, self.edges[moving], self.unit / self._speed[moving])

    def value(self, z: FloatArray) -> FloatArray:
        """x of z, which is kept within the table."""
        return self._values(np.clip(z, self.edges[0], self.edges[-1])) * self.unit

    def moved(self, z: FloatArray) -> FloatArray:
        """x of z less x of 0."""
        return self.value(z) - self.value(np.array(0.0))

    def coordinate(self, x: FloatArray) -> FloatArray:
        """-inf and inf beyond the table."""
        inside = np.clip(x, self.x[0], self.x[self._moving][-1])
        return np.where(x < self.x[0], -np.inf, np.where(x > self.x[-1], np.inf, self._places(inside / self.unit)))

    def slope(self, z: FloatArray) -> FloatArray:
        """1 / |phi(x)|."""
        return 1 / np.abs(self.activation(self.value(z)))


def _lamperti(activation: Activation, x0: float, end: float, spacing: float) -> GridLaw:
    """The law of z = int dx / |phi(x)| from x0, dz = -sign(phi) phi'(x) / 2 dt + dB, in units of sqrt(end)."""
    sign, root = np.sign(activation(x0)), np.sqrt(end)
    reach = REACH * root
    for _ in range(3):  # the drift makes the reach longer, and a longer reach may see more drift
        if not reach <= FURTHEST:
            raise ValueError(
                f"time must be moderate and activation grow at most linearly: z would reach {reach:.3g}, "
                f"at most {FURTHEST:g} is solved, got time={end:g} and {activation.name} from x0={x0:g}"
            )
        edges = spacing * np.arange(-np.ceil(reach / spacing), np.ceil(reach / spacing) + 1)
        x = _path(activation, x0, edges)
        speed = np.abs(activation.derivative(x)).max() / 2
        reach = REACH * root + speed * end
    chart = Lamperti(activation, max(abs(x0), float(np.abs(activation(x0)))), edges, x)

    def drift(y: FloatArray) -> FloatArray:
        return -sign / 2 * root * activation.derivative(chart.value(root * y))

    time, mean, variance = normal_start(drift, 0.0, 0.0, spacing / root, 0.0, 1.0)
    masses = evolve(np.diff(norm.cdf(edges / root, mean, np.sqrt(variance))), edges / root, drift, time, 1.0)
    return GridLaw(edges, masses / masses.sum(), np.nan, chart)


def _path(activation: Activation, x0: float, edges: FloatArray) -> FloatArray:
    """x at the edges: dx/dz = |phi(x)|, x = x0 at z = 0."""
    halves, scale = [], max(abs(x0), float(np.abs(activation(x0))))
    for side in (-1, 1):
        grid = np.abs(edges[edges * side >= 0])
        grid.sort()
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            path = solve_ivp(
                lambda _, x, side=side: side * np.abs(activation(x)),
                (0, grid[-1]),
                [x0],
                "DOP853",
                t_eval=grid,
                rtol=1e-12,
                atol=1e-14 * scale,
            )
        if path.status != 0 or not np.all(np.isfinite(path.y)) or grid[-1] > FURTHEST:
            raise ValueError(
                f"activation must grow at most linearly and time must be moderate, got {activation.name} from x0={x0:g}"
            )
        halves.append(path.y[0])
    return np.concatenate([halves[0][:0:-1], halves[1]])
