"""Residual networks with a single neuron: dX = phi(X) dB."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import quad, solve_ivp
from scipy.interpolate import CubicHermiteSpline
from scipy.special import dawsn
from scipy.stats import norm

from .._checks import FloatArray, real
from .._finite_volumes import REACH, evolve, normal_start
from ..activations import Plain, Rectifier
from ._laws import Atom, Chart, GridLaw, Law, Mirror, NormalLaw, not_nan, with_error

#: Coordinates further than this from the start mean an activation that grows too fast.
FURTHEST = 500.0


@dataclass(frozen=True)
class OrnsteinUhlenbeck:
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

    def __post_init__(self) -> None:
        object.__setattr__(self, "alpha", real("alpha", self.alpha, above=0))
        object.__setattr__(self, "beta", real("beta", self.beta))

    def __call__(self, x: ArrayLike, width: int | None = None) -> FloatArray:
        """The activation, element-wise, whatever the width. Shapes: any shape, the same shape out."""
        return np.exp(self.g(x) ** 2)

    def g(self, x: ArrayLike) -> FloatArray:
        """The coordinate in which a neuron is an Ornstein-Uhlenbeck process.

        Shapes: any shape, the same shape out.
        Law: Newton's method on a convex function, from above: exact to rounding.
        """
        target = self.alpha * not_nan("x", x) + self.beta
        size = np.minimum(np.abs(target), 1e300)
        # h(z) >= z, and h(z) > exp(z^2) / (2 z) for z >= 1: both starts are above the root.
        z = np.where(size <= 1, size, np.sqrt(np.log1p(2 * size * np.sqrt(1 + np.log1p(2 * size)))))
        for _ in range(12):
            z = z - dawsn(z) + size * np.exp(-z * z)
        return np.where(np.isinf(target), target, np.copysign(z, target))

    def inverse(self, g: ArrayLike) -> FloatArray:
        """The neuron at a value of its coordinate.

        Shapes: any shape, the same shape out. Law: exact; +-inf beyond |g| = 26.
        """
        g = not_nan("g", g)
        with np.errstate(over="ignore"):
            h = np.exp(g * g) * dawsn(g)
        return (np.where(np.isinf(g), g, h) - self.beta) / self.alpha


def width_one(activation: Rectifier | Plain | OrnsteinUhlenbeck, x0: float, time: float = 1.0) -> Law | Atom | Mirror:
    """The law of a residual network with a single neuron and infinitely many layers.

    Shapes: x0 and time numbers; time in [0, 1] is layer/depth for weight variance 1.
    Law: exact for rectifiers (a geometric Brownian motion on either side of 0, with the slope of
    that side as its volatility) and for `OrnsteinUhlenbeck`. Otherwise the Fokker-Planck equation in the
    coordinate z = int dx / |phi(x)|, to about 1e-5; `error` says how well. A start at which the
    activation vanishes stays: an `Atom`. The mean is x0.
    Source: Hayou 2023, width-1 networks; other activations by Lamperti's coordinate, ours.
    Raises: ValueError for a start that is not finite, a time that is not above 0, a shaped
    activation, one that grows faster than linearly.

    >>> import numpy as np
    >>> from deeplimits import activations, densities
    >>> law = densities.width_one(activations.relu(), 1.0)  # exp(B - 1/2), a geometric Brownian motion
    >>> law.mean, bool(np.isclose(law.quantile(0.5), np.exp(-0.5)))
    (1.0, True)
    """
    start, end = real("x0", x0), real("time", time, above=0)
    if isinstance(activation, OrnsteinUhlenbeck):
        return _ornstein_uhlenbeck(activation, start, end)
    if isinstance(activation, Rectifier):
        slope = float(activation.derivative(start)) if start else 0.0
        if slope == 0:
            return Atom(start)
        law = _geometric(abs(start), abs(slope), end)
        return law if start > 0 else Mirror(law)
    if not isinstance(activation, Plain):
        raise ValueError("activation must be a plain activation, relu(), linear() or OrnsteinUhlenbeck, "
                         f"got {activation!r}")
    if activation(start) == 0:
        return Atom(start)
    spacing = min(np.sqrt(end) / 256, 0.01)
    return with_error(lambda width: _lamperti(activation, start, end, width), spacing)


def _geometric(start: float, volatility: float, time: float) -> NormalLaw:
    """start exp(volatility B - volatility^2 time / 2)."""

    def coordinate(x: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore"):
            return np.log(np.maximum(x, 0) / start)

    chart = Chart(coordinate, lambda z: start * np.exp(z), lambda z: np.exp(-z) / start)
    power = volatility**2 * time
    return NormalLaw(-power / 2, np.sqrt(power), chart, start, start**2 * float(np.expm1(power)))


def _ornstein_uhlenbeck(activation: OrnsteinUhlenbeck, x0: float, time: float) -> NormalLaw:
    start, clock = float(activation.g(x0)), activation.alpha**2 * time
    chart = Chart(activation.g, activation.inverse, lambda g: activation.alpha * np.exp(-g * g))

    def rate(s: float) -> float:
        """E phi(X)^2 where alpha^2 time is s: E exp(2 g^2), finite before the half of log 2."""
        left = 2 * np.exp(-2 * s) - 1
        return np.exp(2 * start**2 * np.exp(-2 * s) / left) / np.sqrt(left) / activation.alpha**2

    variance = quad(rate, 0, clock)[0] if clock < np.log(2) / 2 else np.inf
    return NormalLaw(start * np.exp(-clock), np.sqrt(-np.expm1(-2 * clock) / 2), chart, x0, variance)


def _lamperti(activation: Plain, x0: float, end: float, spacing: float) -> GridLaw:
    """The law of z = int dx / |phi(x)| from x0: dz = -sign(phi) phi'(x) / 2 dt + dB."""
    sign = np.sign(activation(x0))
    reach = REACH * np.sqrt(end)
    for _ in range(3):  # the drift makes the reach longer, and a longer reach may see more drift
        edges = spacing * np.arange(-np.ceil(reach / spacing), np.ceil(reach / spacing) + 1)
        x = _path(activation, x0, edges)
        speed = np.abs(activation.derivative(x)).max() / 2
        reach = REACH * np.sqrt(end) + speed * end
    # In units of the start, so that neither tables nor their slopes leave double precision.
    unit, size = max(abs(x0), float(np.abs(activation(x0)))), np.abs(activation(x))
    table = CubicHermiteSpline(edges, x / unit, size / unit)
    moving = np.concatenate([[True], np.diff(np.maximum.accumulate(x)) > 0])
    places = CubicHermiteSpline(x[moving] / unit, edges[moving], unit / size[moving])

    def values(z: FloatArray) -> FloatArray:
        return table(z) * unit

    def coordinate(y: FloatArray) -> FloatArray:
        inside = np.clip(y, x[0], x[moving][-1])
        return np.where(y < x[0], -np.inf, np.where(y > x[-1], np.inf, places(inside / unit)))

    def drift(z: FloatArray) -> FloatArray:
        return -sign / 2 * activation.derivative(values(np.clip(z, edges[0], edges[-1])))

    time, mean, variance = normal_start(drift, 0.0, 0.0, spacing, 0.0, end)
    masses = evolve(np.diff(norm.cdf(edges, mean, np.sqrt(variance))), edges, drift, time, end)
    chart = Chart(coordinate, values, lambda z: 1 / np.abs(activation(values(z))))
    return GridLaw(edges, masses / masses.sum(), np.nan, chart)


def _path(activation: Plain, x0: float, edges: FloatArray) -> FloatArray:
    """x at the edges: dx/dz = |phi(x)|, x = x0 at z = 0."""
    halves, scale = [], max(abs(x0), float(np.abs(activation(x0))))
    for side in (-1, 1):
        grid = np.abs(edges[edges * side >= 0])
        grid.sort()
        with np.errstate(over="ignore", invalid="ignore"):
            path = solve_ivp(lambda _, x, side=side: side * np.abs(activation(x)), (0, grid[-1]), [x0], "DOP853",
                             t_eval=grid, rtol=1e-12, atol=1e-14 * scale)
        if path.status != 0 or not np.all(np.isfinite(path.y)) or grid[-1] > FURTHEST:
            raise ValueError(f"activation must grow at most linearly and time must be moderate, got {activation.name} "
                             f"from x0={x0:g}")
        halves.append(path.y[0])
    return np.concatenate([halves[0][:0:-1], halves[1]])
