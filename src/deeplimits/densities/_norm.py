"""The law of the norm of one input of a shaped network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import exprel
from scipy.stats import norm as normal

from .._checks import FloatArray, real
from .._finite_volumes import REACH, evolve, normal_start
from ..activations import Activation, ActivationLike, shaped
from ._laws import GridLaw, NormalLaw, with_error

ROOT2 = np.sqrt(2)
#: The value of b V at which the norm counts as exploded: it has 1e-6 of a unit of time left.
EXPLODED = 1e6
#: The largest b V0 > 0 that a grid resolves.
MOST_DRIFT = 1e3
#: The largest -b, at which the stationary law is within 1e-6 of 1.
MOST_PULL = 1e12
#: A V0 that is this many times what is left of any start at the end, for b < 0, counts as that many times.
FORGOTTEN = 1e10
#: How far a law may move, in units of its spread.
MOST_TRAVEL = 1e6
#: Cells of the largest grid: some seconds of work.
MOST_CELLS = 60_000
#: Exponents beyond this do not matter in a law of double precision.
NEVER = 45.0


@dataclass(frozen=True)
class Logarithm:
    """z = log(V / start) / sqrt(2), in which the noise is Brownian motion from 0."""

    start: float

    def coordinate(self, V: FloatArray) -> FloatArray:
        """-inf for V <= 0."""
        with np.errstate(all="ignore"):
            near = np.log1p((V - self.start) / self.start)
            far = np.log(np.maximum(V, 0)) - np.log(self.start)
        return np.where(np.abs(V - self.start) < self.start / 2, near, far) / ROOT2

    def moved(self, z: FloatArray) -> FloatArray:
        """V - start, which keeps its digits near the start."""
        with np.errstate(over="ignore"):
            return self.start * np.expm1(ROOT2 * z)

    def value(self, z: FloatArray) -> FloatArray:
        """+inf and 0 beyond double precision."""
        with np.errstate(over="ignore", under="ignore"):
            # In two halves: a small start times a large factor may be anything.
            return self.start * np.exp(ROOT2 / 2 * z) * np.exp(ROOT2 / 2 * z)

    def slope(self, z: FloatArray) -> FloatArray:
        """1 / (sqrt(2) V)."""
        with np.errstate(over="ignore", under="ignore", divide="ignore"):
            return 1 / (ROOT2 * self.value(z))


@dataclass(frozen=True, eq=False)
class NormDensity(GridLaw):
    """The law of a norm V: a `GridLaw` in z = log(V / V0) / sqrt(2), with the exploded part at +inf.

    >>> from deeplimits import activations, densities
    >>> law = densities.norm(activations.smooth("silu"), 1.0, 1.0)
    >>> 0 < law.explosion_probability < 1, law.mean()  # the norm can explode
    (True, inf)
    """

    @property
    def explosion_probability(self) -> float:
        """The probability that the norm has exploded, within `error`."""
        return max(1 - float(self.masses.sum()), 0.0)

    def mean(self) -> float:
        """The mean: +inf if the norm can explode, with a probability above 1e-10, even without the part that has."""
        return np.inf if self._explodes else super().mean()

    def var(self) -> float:
        """The variance: +inf if the norm can explode."""
        return np.inf if self._explodes else super().var()

    @property
    def _explodes(self) -> bool:
        # Beyond rounding. Then there is mass at the end of the grid, where the density of V falls like 1 / V^2.
        return self.explosion_probability > 1e-10


def strength(activation: ActivationLike | float) -> float:
    """b of the norm equation dV = b V (V - 1) dt + sqrt(2) V dB of a shaped activation, or b itself.

    Raises: ValueError for an unshaped activation, and below exponent 1/2.
    """
    if isinstance(activation, Activation | str):
        return shaped(activation).b
    try:
        return real("b", activation)
    except ValueError:
        raise ValueError(
            f"activation must be smooth(...), shaped_relu(...), linear() or the number b, got {activation!r}"
        ) from None


def norm(activation: ActivationLike | float, V0: float, time: float) -> NormDensity | NormalLaw:
    """The law of the norm V of one input at time depth/width, as both go to infinity.

    Shapes: V0 and time numbers, time in units of depth/width; instead of an activation also b.
    Law: asymptotic, error O(1/width) of the network's law at moderate V. For b = 0, thus for every
    shaped ReLU, V is log-normal exactly. Otherwise the Fokker-Planck equation is solved to about
    1e-5, or 1e-4 for |b| above 10, on a grid in units of sqrt(time); `error` says how well. An exploded
    norm is an atom at +inf. For b < -1 the equation is followed until the law has settled, to 1e-20.
    Source: Li, Nica and Roy 2022, norm SDE for smooth shaping and finite-time explosion.
    Raises: ValueError for a V0 or a time that is not above 0, an activation without a norm SDE,
    b V0 above 1000, where the norm explodes at once, b below -1e12, where it settles at once, and a
    time in which the law spreads over more than 60 000 cells: beyond about 1300 for b = -1, 190 for b = 1.

    >>> from deeplimits import activations, densities
    >>> law = densities.norm(activations.shaped_relu(0, -1), 2.0, 1.0)
    >>> law.mean()  # the norm of a shaped ReLU network is a martingale
    2.0
    """
    b, start, end = strength(activation), real("V0", V0, above=0), real("time", time, above=0)
    if b == 0:
        with np.errstate(over="ignore", under="ignore"):
            power = start * np.expm1(2 * end) * start if end < 350 else np.exp(2 * (np.log(start) + end))
        return NormalLaw(-end / ROOT2, float(np.sqrt(end)), Logarithm(start), (start, float(power)))
    if b * start > MOST_DRIFT:
        raise ValueError(
            f"V0 must be at most {MOST_DRIFT / b:.6g} for b={b:g}, got {V0!r}; beyond, the norm explodes "
            f"within {1 / (b * start):.1g} of a unit of time"
        )
    if b < -MOST_PULL:
        raise ValueError(f"activation must have b >= {-MOST_PULL:g}, got {b:g}: the norm is at 1 at once")
    end = min(end, _settled(b, start))
    if b < 0:
        start = min(start, FORGOTTEN / -b * (1 / end + 1 + abs(1 + b)))
    if b < 0 and abs(moved := _path(b, start, 0.0, end)) > MOST_TRAVEL * np.sqrt(end):
        raise ValueError(
            f"V0 must be nearer to 1 for b={b:g} at time={time:g}, got {V0:g}: the norm moves by the "
            f"factor {np.exp(ROOT2 * moved):.2g}, more than {MOST_TRAVEL:g} times as far as it spreads"
        )
    if _cells(b, start, end) > MOST_CELLS:
        most = np.exp(
            brentq(
                lambda t: np.log(_cells(b, start, np.exp(t)) / MOST_CELLS),
                min(-690, np.log(end) - 1),
                np.log(end),
                xtol=1e-3,
            )
        )
        raise ValueError(
            f"time must be at most {most:.3g} for b={b:g} and V0={start:g}, got {time!r}: the law would "
            f"spread over more than {MOST_CELLS} cells"
        )
    return with_error(lambda width: _solve(b, start, end, width), _spacing(b, end))


def _spacing(b: float, end: float) -> float:
    return float(min(np.sqrt(end) / 256, 0.005, 0.01 / np.sqrt(1 + abs(b))))


def _cells(b: float, start: float, end: float) -> float:
    # A start that is pulled down is followed as a point until a grid resolves its law.
    low, high = _reach(b, start, end, min(_path(b, start, 0.0, end), 0.0) if b < 0 else 0.0)
    return (high - low) / _spacing(b, end)


def _settled(b: float, start: float) -> float:
    """A time after which the law is the stationary one, to 1e-20; +inf where there is none.

    The generator has 1/V - 1 as eigenfunction with eigenvalue b + 2 below b = -3; above, its spectrum
    begins with the continuous part, at -(b + 1)^2 / 4. A small start first grows like exp(-(b + 1) t).
    """
    k = -b - 1
    if k <= 0:
        return np.inf
    with np.errstate(over="ignore", divide="ignore"):
        rate = k - 1 if k > 2 else np.float64(k) * k / 4
        return float(np.divide(NEVER, rate) + 2 * max(-np.log(start), 0) / k)


def _solve(b: float, V0: float, end: float, spacing: float) -> NormDensity:
    """Probabilities of cells at multiples of the spacing in z, solved in units of sqrt(end) and of end."""
    unit, pull = np.sqrt(end), np.sqrt(end) * b
    last = (np.log(1e250) - np.log(abs(b)) - np.log(V0)) / ROOT2

    def drift(y: FloatArray) -> FloatArray:
        return (pull * (V0 - 1) + pull * V0 * np.expm1(ROOT2 * np.minimum(unit * y, last)) - unit) / ROOT2

    width = spacing / unit
    time, mean, variance = normal_start(drift, 0.0, 0.0, width, 0.0, 1.0, settling=b < 0)
    low, high = (z / unit for z in _reach(b, V0, end, mean * unit))
    edges = width * np.arange(np.floor(low / width), np.ceil(high / width) + 1)
    masses = np.diff(normal.cdf(edges, mean, np.sqrt(variance)))
    masses = evolve(masses, edges, drift, time, 1.0, absorbing=b > 0)
    return NormDensity(edges * unit, masses if b > 0 else masses / masses.sum(), np.nan, Logarithm(V0))


def _reach(b: float, start: float, end: float, mean: float = 0.0) -> tuple[float, float]:
    """An interval in z that the process, once near `mean`, leaves by explosion only."""
    away = REACH * np.sqrt(end)
    if b > 0:  # the drift is at least -(b + 1) / sqrt(2) and increases in z
        top = (np.log(EXPLODED / b) - np.log(start)) / ROOT2
        high = max(_path(b, start, mean + away, end), mean + away) + min(1, away)
        return mean - (b + 1) / ROOT2 * end - away, float(min(high, top))
    # The drift decreases in z: paths stay within the noise of the path without noise.
    path, k = _path(b, start, mean, end), -b - 1
    low, high = path - away, max(path, mean) + away
    if k > 0:
        # Excursions from rest, or from a start beyond it, are no likelier than those of the stationary law, in
        # which log V falls by u below its rest with density exp(-k (u - 1 + exp(-u))).
        rest = (np.log1p(1 / b) - np.log(start)) / ROOT2
        fall, rise = _excursions(k)
        return float(max(low, min(mean, rest) - fall / ROOT2)), float(min(high, max(mean, rest) + rise / ROOT2))
    # The scale density exp(b V) lets nothing through far above both V0 and 1/|b|.
    wall = max(mean, (-np.log(-b) - np.log(start)) / ROOT2) + np.log(100) / ROOT2
    return float(low), float(min(high, wall))


def _excursions(k: float) -> tuple[float, float]:
    """How far log V falls below rest and rises above it, for exp(-k (exp(u) - 1 - u)) to be e^-45."""
    if k > 1e4 * NEVER:
        return (1.1 * np.sqrt(2 * NEVER / k),) * 2
    return (
        brentq(lambda u: k * (u + np.expm1(-u)) - NEVER, 0, 2 + 2 * NEVER / k),
        brentq(lambda u: k * (np.expm1(u) - u) - NEVER, 0, np.log1p(2 * NEVER / k) + 1),
    )


def _path(b: float, start: float, z: float, time: float) -> float:
    """Where V' = b V (V - 1) - V, the path without noise, leads from z; +inf where it explodes."""
    c, begin = b + 1, np.log(start) + ROOT2 * z
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        if c >= 0:
            grown = np.log(time * exprel(-min(c * time, 1e300))) + np.log(abs(b)) + begin
            if b > 0 and grown >= 0:
                return np.inf
            fall = c * time + (np.log1p(-np.exp(grown)) if b > 0 else np.logaddexp(0, grown))
        else:
            left = np.log(-np.expm1(c * time)) - np.log1p(1 / b) + begin
            fall = np.logaddexp(c * time, left)
    return float(z - fall / ROOT2)
