"""The law of the norm of one input of a shaped network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.integrate import solve_ivp
from scipy.stats import norm as normal

from .._checks import FloatArray, real
from .._finite_volumes import REACH, evolve, normal_start
from ..activations import Rectifier, Smooth
from ._laws import Chart, GridLaw, NormalLaw, with_error

ROOT2 = np.sqrt(2)
#: The value of b V at which the norm counts as exploded: it has 1e-6 of a unit of time left.
EXPLODED = 1e6
#: The largest b V0 > 0 that a grid resolves.
MOST_DRIFT = 1e3


def _log(V: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore"):
        return np.log(np.maximum(V, 0)) / ROOT2


def _exp(z: FloatArray) -> FloatArray:
    with np.errstate(over="ignore"):
        return np.exp(ROOT2 * z)


#: z = log(V) / sqrt(2), in which the noise is Brownian motion.
LOGARITHM = Chart(_log, _exp, lambda z: np.exp(-ROOT2 * z) / ROOT2)


@dataclass(frozen=True, eq=False)
class NormDensity(GridLaw):
    """The law of a norm V: a `GridLaw` in z = log(V) / sqrt(2), with the exploded part at +inf.

    >>> from deeplimits import activations, densities
    >>> law = densities.norm(activations.smooth("silu"), 1.0, 1.0)
    >>> 0 < law.explosion_probability < 1, law.mean  # the norm can explode
    (True, inf)
    """

    chart: Chart = LOGARITHM

    @property
    def explosion_probability(self) -> float:
        """The probability that the norm has exploded, within `error`."""
        return max(1 - float(self.masses.sum()), 0.0)

    @property
    def mean(self) -> float:
        """The mean: +inf if the norm can explode, even without the part that has."""
        return np.inf if self._explodes else self.expect(lambda V: V)

    @property
    def variance(self) -> float:
        """The variance: +inf if the norm can explode."""
        return np.inf if self._explodes else self.expect(lambda V: (V - self.mean) ** 2)

    @property
    def _explodes(self) -> bool:
        # Mass at the end of the grid: there the density of V falls like 1 / V^2.
        return self.explosion_probability > 1e-14


def strength(activation: Rectifier | Smooth | float) -> float:
    """b of the norm equation dV = b V (V - 1) dt + sqrt(2) V dB of a shaped activation, or b itself.

    Raises: ValueError for an unshaped activation, and below exponent 1/2.
    """
    if isinstance(activation, Smooth):
        return activation.b
    if isinstance(activation, Rectifier):
        if activation.base_plus != activation.base_minus:
            raise ValueError(f"{activation.name} is unshaped and has no norm SDE; use shaped_relu")
        return 0.0
    try:
        return real("b", activation)
    except ValueError:
        raise ValueError("activation must be smooth(...), shaped_relu(...), linear() or the number b, "
                         f"got {activation!r}") from None


def norm(activation: Rectifier | Smooth | float, V0: float, time: float) -> NormDensity | NormalLaw:
    """The law of the norm V of one input at time depth/width, as both go to infinity.

    Shapes: V0 and time numbers, time in units of depth/width; instead of an activation also b.
    Law: asymptotic, error O(1/width) of the network's law at moderate V. For b = 0, thus for every
    shaped ReLU, V is log-normal exactly. Otherwise the Fokker-Planck equation is solved to about
    1e-5, or 1e-4 for |b| above 10; `error` says how well. An exploded norm is an atom at +inf.
    Source: Li, Nica and Roy 2022, norm SDE for smooth shaping and finite-time explosion.
    Raises: ValueError for a V0 or a time that is not above 0, an activation without a norm SDE,
    b V0 above 1000, where the norm explodes at once.

    >>> from deeplimits import activations, densities
    >>> law = densities.norm(activations.shaped_relu(0, -1), 2.0, 1.0)
    >>> law.mean  # the norm of a shaped ReLU network is a martingale
    2.0
    """
    b, start, end = strength(activation), real("V0", V0, above=0), real("time", time, above=0)
    if b == 0:
        return NormalLaw((np.log(start) - end) / ROOT2, np.sqrt(end), LOGARITHM, start,
                         start**2 * float(np.expm1(2 * end)))
    if b * start > MOST_DRIFT:
        raise ValueError(f"V0 must be at most {MOST_DRIFT / b:.6g} for b={b:g}, got {V0!r}; beyond, the norm explodes "
                         f"within {1 / (b * start):.1g} of a unit of time")
    spacing = min(np.sqrt(end) / 256, 0.005, 0.01 / np.sqrt(1 + abs(b)))
    return with_error(lambda width: _solve(b, np.log(start) / ROOT2, end, width), spacing)


def _solve(b: float, start: float, end: float, spacing: float) -> NormDensity:
    """Probabilities of cells at multiples of the spacing in z."""

    def drift(z: FloatArray) -> FloatArray:
        return (b * np.expm1(ROOT2 * np.minimum(z, 200)) - 1) / ROOT2

    time, mean, variance = normal_start(drift, start, 0.0, spacing, 0.0, end, settling=b < 0)
    low, high = _reach(drift, b, mean, end)
    edges = spacing * np.arange(np.floor(low / spacing), np.ceil(high / spacing) + 1)
    masses = np.diff(normal.cdf(edges, mean, np.sqrt(variance)))
    masses = evolve(masses, edges, drift, time, end, absorbing=b > 0)
    return NormDensity(edges, masses if b > 0 else masses / masses.sum(), np.nan)


def _reach(drift, b: float, mean: float, end: float) -> tuple[float, float]:
    """An interval in z that the process, once near `mean`, leaves by explosion only."""
    away = REACH * np.sqrt(end)
    if b > 0:  # the drift is at least -(b + 1) / sqrt(2) and increases in z
        top = np.log(EXPLODED / b) / ROOT2
        gone = lambda _, z: z[0] - top  # noqa: E731
        gone.terminal = True
        path = solve_ivp(lambda _, z: drift(z), (0, end), [min(mean + away, top)], events=gone)
        return mean - (b + 1) / ROOT2 * end - away, min(path.y[0, -1] + 1, top)
    # The drift decreases in z: paths stay within the noise of the path without noise, and the scale
    # density exp(b V) lets nothing through far above both V0 and 1/|b|.
    path = solve_ivp(lambda _, z: drift(z), (0, end), [mean])
    wall = max(mean, np.log(-1 / b) / ROOT2) + np.log(100) / ROOT2
    return path.y[0, -1] - away, min(max(path.y[0, -1], mean) + away, wall)
