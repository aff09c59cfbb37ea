"""What shaping does to the norm of an input in the long run: explode, vanish or settle.

The norm obeys dV = b V (V - 1) dt + sqrt(2) V dB with b = kappa / a^2, kappa = 3/4 phi''^2 + phi'''.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats
from scipy.optimize import brentq

from . import densities
from ._checks import FloatArray, real, reals, shown
from ._equations import solve_ivp
from .activations import ActivationLike, derivatives, expressions, formula
from .densities._norm import strength

__all__ = [
    "Boundaries",
    "Recentred",
    "Regime",
    "classify",
    "explosion_probability",
    "feller_integral",
    "feller_test",
    "recentred",
    "scale_density",
    "speed_density",
    "stationary",
]

#: A slope this much smaller than the largest is lost in rounding.
FLAT = 1e-6
#: A positive b as small as this only matters where V is of order 1/b.
SMALL = 1e-8
#: From this b on, the series of Stirling is exact to rounding.
STIRLING = 30
#: A kappa as small as this may be rounding.
ROUNDING = 1e-11
#: The largest |b| of Feller's test.
LARGEST = 1e300


class Boundaries(NamedTuple):
    """Feller's test: the scale function and the integral of expected times at both ends, from V = 1.

    An end is reached in finite time if and only if `time` there is finite; if `scale` is finite
    there but `time` is not, it is approached for ever with positive probability.

    >>> from deeplimits import stability
    >>> stability.feller_test(1.0).time_at_infinity < float("inf")  # infinity is reached: the norm explodes
    True
    """

    scale_at_zero: float
    scale_at_infinity: float
    time_at_zero: float
    time_at_infinity: float


@dataclass(frozen=True)
class Regime:
    """The fate of the norm of an input.

    `name` is "explodes or vanishes" (b > 0), "vanishes" (-1 < b <= 0), "null recurrent" (b = -1)
    or "stationary" (b < -1).

    >>> from deeplimits import stability
    >>> regime = stability.classify(0.75)
    >>> regime.can_explode, regime.name
    (True, 'explodes or vanishes')
    """

    name: str
    b: float

    @property
    def can_explode(self) -> bool:
        """Whether the norm becomes infinite in finite time with positive probability, which is below 1."""
        return self.b > 0

    @property
    def can_vanish(self) -> bool:
        """Whether the norm tends to 0 with positive probability: certain for -1 < b <= 0."""
        return self.b > -1

    @property
    def explosion_probability(self) -> float:
        """The probability that a norm that starts at 1 explodes."""
        return float(explosion_probability(self.b, 1.0))

    @property
    def boundaries(self) -> Boundaries:
        """Feller's test at both ends."""
        return feller_test(self.b)


def classify(activation: ActivationLike | float) -> Regime:
    """The fate of the norm under a shaped activation, or under a given b.

    Law: exact, in the limit of width and depth growing together. A network of finite width whose
    limit explodes grows geometrically instead.
    Source: Li, Nica and Roy 2022, criterion for finite-time explosion; the fates without explosion
    are ours.
    Raises: ValueError for an activation that is unshaped or has no second derivative at its centre.

    >>> from deeplimits import activations, stability
    >>> stability.classify(activations.smooth("tanh")).name
    'stationary'
    >>> stability.classify(activations.shaped_relu(0, -1)).name
    'vanishes'
    """
    b = strength(activation)
    if b == -1:
        return Regime("null recurrent", b)
    return Regime("explodes or vanishes" if b > 0 else "vanishes" if b > -1 else "stationary", b)


def explosion_probability(b: float, V0: ArrayLike, time: float | None = None) -> FloatArray:
    """The probability that the norm explodes, ever or before a time.

    Shapes: V0 any shape, the same shape out; time in units of depth/width.
    Law: ever: exact, the regularised incomplete gamma function P(b + 1, b V0). Before a time: by
    `densities.norm`, whose `error` (about 1e-5) bounds its error.
    Source: explosion criterion of Li, Nica and Roy 2022; the closed form is ours.
    Raises: ValueError for a b that is not finite, a V0 that is not positive, a time not above 0.

    >>> import numpy as np
    >>> from deeplimits import stability
    >>> ever = stability.explosion_probability(1.0, 2.0)  # b = 1: 1 - 3 exp(-2) from V = 2
    >>> bool(np.isclose(ever, 1 - 3 * np.exp(-2)))
    True
    >>> bool(stability.explosion_probability(1.0, 2.0, time=0.5) < ever)
    True
    """
    b, start = real("b", b), reals("V0", V0, above=0)
    if b <= 0:
        if time is not None:
            real("time", time, above=0)
        return np.zeros(start.shape)
    if time is None:
        with np.errstate(over="ignore", under="ignore"):
            return np.asarray(special.gammainc(b + 1, b * start))
    return np.vectorize(lambda V: densities.norm(b, V, time).explosion_probability, otypes=[np.float64])(start)


def stationary(b: float) -> Any:
    """The law that the norm settles to, for b < -1: Gamma with shape -b - 1 and rate -b.

    Shapes: a frozen `scipy.stats.gamma`. Its mean 1 + 1/b is below 1.
    Law: exact. Source: ours, speed measure of the norm SDE for smooth shaping.
    Raises: ValueError for a b that is not below -1.

    >>> from deeplimits import stability
    >>> law = stability.stationary(-2.0)
    >>> float(law.mean())  # 1 + 1 / b
    0.5
    """
    b = real("b", b)
    if b >= -1:
        raise ValueError(f"b must be < -1 for a stationary law, got {b:g}: the norm {classify(b).name}")
    return stats.gamma(-b - 1, scale=-1 / b)


def scale_density(b: float, V: ArrayLike) -> FloatArray:
    """The derivative of the scale function, V^b exp(-b (V - 1)), 1 at V = 1.

    Shapes: any shape of V > 0, the same shape out. Law: exact.
    Source: Feller's test as in Li, Nica and Roy 2022.
    Raises: ValueError for arguments out of range.

    >>> from deeplimits import stability
    >>> float(stability.scale_density(0.5, 1.0))
    1.0
    """
    b, V = real("b", b), reals("V", V, above=0)
    with np.errstate(over="ignore", under="ignore"):
        return np.exp(-b * _depth(V))


def speed_density(b: float, V: ArrayLike) -> FloatArray:
    """The speed density V^(-2 - b) exp(b (V - 1)); normalised, for b < -1, the stationary law.

    Shapes, Law, Source, Raises: as `scale_density`.

    >>> import numpy as np
    >>> from deeplimits import stability
    >>> V = np.array([0.5, 1.0, 2.0])
    >>> ratio = stability.stationary(-3.0).pdf(V) / stability.speed_density(-3.0, V)
    >>> bool(np.allclose(ratio, ratio[0]))
    True
    """
    b, V = real("b", b), reals("V", V, above=0)
    with np.errstate(over="ignore", under="ignore"):
        return np.exp(b * _depth(V) - 2 * np.log(V))


def _depth(V: FloatArray) -> FloatArray:
    """V - 1 - log(V), with its digits near V = 1."""
    d = V - 1
    near = np.where(np.abs(d) < 0.05, d, 0)
    series = sum((-near) ** (k - 2) / k for k in range(2, 16))
    return np.where(np.abs(d) < 0.05, near**2 * series, d - np.log(V))


def feller_integral(b: float, V: ArrayLike) -> FloatArray:
    """The integral of Feller's test from 1 to V: of the scale density times the speed of [1, y].

    It is the mean time to leave an interval up to a factor; an end at which it stays finite is
    reached in finite time.

    Shapes: any shape of V > 0, the same shape out.
    Law: relative error about 1e-8; +inf beyond double precision. Source: as `scale_density`.
    Raises: as `scale_density`.

    >>> from deeplimits import stability
    >>> bool(stability.feller_integral(1.0, [0.5, 1.0, 2.0])[1] == 0)  # it begins at V = 1
    True
    """
    b, V = real("b", b), reals("V", V, above=0)
    found = np.zeros(V.shape)
    # The integral exceeds double precision where its exponential does, beyond any power of b.
    with np.errstate(over="ignore"):
        lost = -b * _depth(V) - 4 * np.log1p(abs(b)) > 720
    found[lost] = np.inf
    for side in (-1, 1):
        here = ((V > 1) if side > 0 else (V < 1)) & ~lost
        grid, position = np.unique(np.abs(np.log(V[here])), return_inverse=True)
        if len(grid):
            found[here] = _feller_path(b, side, grid)[position]
    return found


def _feller_path(b: float, side: int, grid: FloatArray) -> FloatArray:
    """Feller's integral at V = exp(side x) for increasing x.

    With w the scale density times the speed of [1, y]: in log y, w' = b (1 - y) w + 1/y. Here w and the integral
    are in units of what they are within one layer of V = 1, whose width is b^-1/2.
    """
    layer = 1 / np.sqrt(1 + abs(b))

    def jacobian(x: float, _: object) -> FloatArray:
        return side * np.array([[-b * np.expm1(side * x), 0], [np.exp(side * x) / layer, 0]])

    def slope(x: float, state: FloatArray) -> FloatArray:
        rates = jacobian(x, None)[:, 0]
        return np.array([rates[0] * state[0] + side * np.exp(-side * x) / layer, rates[1] * state[0]])

    def far(_: float, state: FloatArray) -> float:
        return 1e307 - np.abs(state).max()

    far.terminal = True  # type: ignore[attr-defined]
    # w decays for b > 0, fast where b y is large, and grows for b < 0.
    method = {"method": "LSODA", "jac": jacobian} if b > 0 else {"method": "DOP853"}
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        path = solve_ivp(
            slope,
            (0, grid[-1] * (1 + 1e-12)),
            np.zeros(2),
            t_eval=grid,
            rtol=1e-10,
            atol=1e-13,
            first_step=min(1e-3 * layer, grid[-1]),
            events=far,
            **method,
        )
        found = np.full(len(grid), np.inf)
        if len(path.t):
            found[: len(path.t)] = path.y[1] * layer * layer
    return found


def feller_test(b: float) -> Boundaries:
    """The scale function and the integral of Feller's test at 0 and infinity, from V = 1.

    Law: exact: at infinity both are finite if and only if b > 0, so that the norm then explodes in
    finite time; at 0 the scale is finite if and only if b > -1, the integral never: the norm
    vanishes in infinite time. The numbers have a relative error of about 1e-8.
    Source: explosion criterion of Li, Nica and Roy 2022; the boundary 0 is ours.
    Raises: ValueError for a b that is not finite.

    >>> from deeplimits import stability
    >>> stability.feller_test(-2.0).time_at_infinity  # no explosion below b = 0
    inf
    """
    b = real("b", b, least=-LARGEST, most=LARGEST)
    zero = -_scale_of_zero(b) if b > -1 else -np.inf
    if b <= 0:
        return Boundaries(zero, np.inf, np.inf, np.inf)
    # Far out the integrand is 1 / (b y^2) to leading order; for a tiny b it is exp(-b y) throughout.
    far = max(1e4, 1e4 / max(b, SMALL))
    time = float(feller_integral(b, far)) + 1 / b / far if b > SMALL else float(1 / np.float64(b))
    return Boundaries(zero, _scale_of_infinity(b), np.inf, time)


def _scale_of_zero(b: float) -> float:
    """The integral of the scale density over (0, 1), for b > -1."""
    if b < STIRLING:
        return float(np.exp(b) * special.hyp1f1(b + 1, b + 2, -b) / (b + 1))
    return float(_whole_scale(b) * special.gammainc(b + 1, b))


def _scale_of_infinity(b: float) -> float:
    """The integral of the scale density over (1, inf), for b > 0."""
    if b < STIRLING:
        with np.errstate(over="ignore"):
            return float(np.exp(special.gammaln(b + 1) - (b + 1) * np.log(b) + b) * special.gammaincc(b + 1, b))
    return float(_whole_scale(b) * special.gammaincc(b + 1, b))


def _whole_scale(b: float) -> float:
    """Gamma(b + 1) exp(b) / b^(b + 1) by Stirling's series, exact to rounding from b = 30 on."""
    r = 1 / b
    return float(np.sqrt(2 * np.pi * r) * np.exp(r * (1 / 12 - r * r * (1 / 360 - r * r * (1 / 1260 - r * r / 1680)))))


class Recentred(NamedTuple):
    """kappa of an activation at chosen centres, and where on the line it is stable.

    Shapes: kappa like the centres, +inf where the slope is 0; thresholds, the sorted centres at
    which kappa changes sign; intervals (low, high) of centres where kappa <= 0.

    >>> from deeplimits import stability
    >>> bool(stability.recentred("tanh", 0.0).kappa < 0)
    True
    """

    kappa: FloatArray
    thresholds: tuple[float, ...]
    stable: tuple[tuple[float, float], ...]


def recentred(name: str, centres: ArrayLike) -> Recentred:
    """How the choice of a centre changes kappa = 3/4 phi''^2 + phi''', and thus the fate of the norm.

    Shapes: centres of any shape within [-30, 30].
    Law: exact derivatives; thresholds to 1e-12, over all of [-30, 30] where kappa and the slope are
    not lost in rounding (above 1e-11, and above 1e-6 of the largest slope).
    Source: ours, the explosion criterion of Li, Nica and Roy 2022 at every centre.
    Raises: ValueError for what the parser refuses, a centre out of range or at a kink.

    >>> from deeplimits import stability
    >>> stability.recentred("gelu", [0.0, 1.0, 2.0]).kappa.shape
    (3,)
    """
    if not isinstance(name, str):
        raise ValueError(f"name must be a name or an expression in x, got {shown(name)}")
    tree = formula.tree(name)
    centres = reals("centres", centres, least=-formula.REACH, most=formula.REACH)
    kinks = np.array(derivatives.kinks(tree))
    for kink in kinks:
        if np.any(np.abs(centres - kink) < 1e-9):
            raise ValueError(f"centres must avoid the kink of {name} at {kink:g}, where it has no second derivative")
    orders = [expressions.derivative(tree)]
    for _ in range(2):
        orders.append(expressions.derivative(orders[-1]))

    def curvature(x: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """The slope, and kappa times its square, which is continuous."""
        first, second, third = (derivatives.values(order, np.asarray(x, dtype=np.float64)) for order in orders)
        return first, 0.75 * second**2 + first * third

    slope, power = curvature(centres)
    kappa = np.divide(power, slope**2, out=np.full(centres.shape, np.inf), where=slope != 0)
    thresholds, stable = _stable_intervals(curvature, kinks)
    return Recentred(kappa, thresholds, stable)


def _stable_intervals(
    curvature: Callable[..., Any], kinks: FloatArray
) -> tuple[tuple[float, ...], tuple[tuple[float, float], ...]]:
    """Centres at which kappa changes sign, and intervals between them in which it is not positive."""
    ends = np.concatenate([[-formula.REACH], kinks, [formula.REACH]])
    grid = np.linspace(ends[0], ends[-1], 60001)
    steepest = np.abs(curvature(grid)[0]).max()
    segments: list[list[Any]] = []  # of low, high and whether stable
    for low, high in zip(ends[:-1], ends[1:], strict=True):
        inside = grid[(grid > low) & (grid < high)]
        slope, power = curvature(inside)
        known = (np.abs(power) > ROUNDING * slope**2) & (np.abs(slope) > FLAT * steepest)
        state = power[known] < 0 if np.any(known) else np.array([True])  # a straight piece has kappa = 0
        changes = np.flatnonzero(state[:-1] != state[1:])
        roots = [brentq(lambda x: float(curvature(x)[1]), *inside[known][[k, k + 1]], xtol=1e-13) for k in changes]
        places = [low, *roots, high]
        for k, (left, right) in enumerate(zip(places[:-1], places[1:], strict=True)):
            stable = bool(state[0]) != bool(k % 2)
            if segments and segments[-1][2] == stable:
                segments[-1][1] = right
            else:
                segments.append([left, right, stable])
    thresholds = tuple(float(segment[0]) for segment in segments[1:])
    segments[0][0], segments[-1][1] = -np.inf, np.inf
    return thresholds, tuple((float(low), float(high)) for low, high, stable in segments if stable)
