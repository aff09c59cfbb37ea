"""Laws of one-dimensional limits without Monte Carlo: Fokker-Planck equations on a grid.

An equation is solved in the coordinate in which its noise is Brownian motion; the law found there
answers in the variable of interest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp
from scipy.interpolate import PchipInterpolator
from scipy.stats import norm

from ._checks import FloatArray, real
from ._finite_volumes import evolve, normal_start
from .activations import Rectifier

#: Standard deviations of Brownian motion that the grid reaches on either side.
REACH = 8.3


@dataclass(frozen=True, eq=False)
class CorrelationDensity:
    """The law of a correlation: probabilities of the cells of a uniform grid in z = artanh(rho).

    Shapes: `edges` (k + 1,) in z, `masses` (k,).
    Law: `error` bounds the error of every probability of an interval from -1: it is the largest
    change of the distribution function when the grid is made twice as coarse, about three times
    the error of the finer grid. An expectation of f errs by at most `error` times the variation
    of f, so the mean by at most 2 `error`.
    """

    edges: FloatArray
    masses: FloatArray
    error: float

    @cached_property
    def _distribution(self) -> PchipInterpolator:
        """The distribution function in z: the sums of cells, monotone and smooth between them."""
        return PchipInterpolator(self.edges, np.concatenate([[0], np.cumsum(self.masses)]))

    @cached_property
    def _density(self) -> PchipInterpolator:
        return self._distribution.derivative()

    def pdf(self, rho: ArrayLike) -> FloatArray:
        """The density per unit of correlation.

        Shapes: any shape, the same shape out; 0 outside (-1, 1).
        Law: second order in the grid. It can be large near 1; see `pdf_artanh` and `pdf_angle`.
        Raises: ValueError for NaN.
        """
        z = _artanh(rho)
        inside = np.abs(z) < 350  # cosh(z)^2 is finite; beyond, rho has long been rounded to 1
        return np.where(inside, self.pdf_artanh(z) * np.cosh(np.where(inside, z, 0)) ** 2, 0)

    def pdf_artanh(self, z: ArrayLike) -> FloatArray:
        """The density per unit of z = artanh(rho), in which it is smooth and spread out.

        Shapes: any shape, the same shape out. Law: second order in the grid.
        Raises: ValueError for NaN.
        """
        z = _not_nan("z", z)
        outside = (z < self.edges[0]) | (z > self.edges[-1])
        return np.where(outside, 0, self._density(np.clip(z, self.edges[0], self.edges[-1])))

    def pdf_angle(self, theta: ArrayLike) -> FloatArray:
        """The density per radian of the angle arccos(rho).

        Shapes: any shape, the same shape out; 0 outside (0, pi). Law: second order in the grid.
        Raises: ValueError for NaN.
        """
        theta = _not_nan("theta", theta)
        inside = (theta > 0) & (theta < np.pi)
        safe = np.where(inside, theta, 1)
        return np.where(inside, self.pdf_artanh(-np.log(np.tan(safe / 2))) / np.sin(safe), 0)

    def cdf(self, rho: ArrayLike) -> FloatArray:
        """The probability of a correlation at or below rho.

        Shapes: any shape, the same shape out. Law: within `error`.
        Raises: ValueError for NaN.
        """
        z = _artanh(rho)
        below = self._distribution(np.clip(z, self.edges[0], self.edges[-1]))
        return np.where(z == np.inf, 1, np.clip(below, 0, 1))

    def quantile(self, probability: ArrayLike) -> FloatArray:
        """The correlation below which a given probability lies.

        Shapes: any shape in (0, 1), the same shape out. Law: inverse of `cdf`.
        Raises: ValueError for a probability outside (0, 1).
        """
        p = np.asarray(probability, dtype=np.float64)
        if not np.all((p > 0) & (p < 1)):
            raise ValueError(f"probability must lie between 0 and 1, got {probability!r}")
        low, high = np.full(p.shape, self.edges[0]), np.full(p.shape, self.edges[-1])
        for _ in range(60):  # halves the bracket to the last digit
            middle = (low + high) / 2
            above = self._distribution(middle) > p
            low, high = np.where(above, low, middle), np.where(above, middle, high)
        return np.tanh((low + high) / 2)

    def expect(self, function: Callable[[FloatArray], ArrayLike]) -> float:
        """The expectation of a function of the correlation.

        Shapes: a vectorised function of (k,) correlations in (-1, 1).
        Law: second order in the grid, within `error` times the function's variation.
        Raises: ValueError if the function is not finite where the law lives.
        """
        nodes, weights = np.polynomial.legendre.leggauss(3)
        width = self.edges[1] - self.edges[0]
        z = ((self.edges[:-1] + self.edges[1:]) / 2)[:, None] + width / 2 * nodes
        values = np.asarray(function(np.tanh(z).ravel()), dtype=np.float64)
        if not np.all(np.isfinite(values)):
            raise ValueError("function must be finite at every correlation, got "
                             f"{values[~np.isfinite(values)][0]}")
        return float(np.sum(values * np.ravel(self._density(z) * weights)) * width / 2)

    @cached_property
    def mean(self) -> float:
        """The mean correlation, within 2 `error`."""
        return self.expect(lambda rho: rho)

    @cached_property
    def variance(self) -> float:
        """The variance of the correlation."""
        return self.expect(lambda rho: (rho - self.mean) ** 2)


def correlation(activation: Rectifier, rho0: float, time: float) -> CorrelationDensity:
    """The law of the correlation of two inputs at time depth/width, as both go to infinity.

    Shapes: rho0 in [-1, 1), time in units of depth/width.
    Law: asymptotic, error O(width^-1/2) of the network's law, or O(1/width) if c_plus = -c_minus.
    The equation itself is solved to about 1e-6, or 1e-5 with strong shaping, for long times and
    from near rho0 = -1; `error` of the result says it for the case at hand. From rho0 = -1 the
    correlation leaves at once.
    Source: Li, Nica and Roy 2022, correlation SDE for shaped ReLU; in z = artanh(rho), ours:
    dz = [tanh(z) / 2 + nu(rho) / (1 - rho^2)] dt + dB.
    Raises: ValueError for a correlation outside [-1, 1), a time that is not above 0, opposite
    inputs of a linear network (which stay), an activation whose correlation depends on the norms
    (a second derivative) or that has no covariance SDE.
    """
    start = real("rho0", rho0, least=-1, most=1)
    end = real("time", time, above=0)
    if getattr(activation, "second", None) != 0:
        raise ValueError("activation must have no second derivative at 0, or its correlation is no "
                         f"process of its own; got {activation!r}")
    if start == 1 or (start == -1 and activation.drift_from_epsilon(2.0) == 0):
        raise ValueError(f"rho0 must not be {rho0!r}: there the correlation stays for ever, "
                         "a point without a density")
    spacing = min(np.sqrt(end) / 256, 0.01)
    coarse = CorrelationDensity(*_solve(activation, start, end, 2 * spacing), error=np.nan)
    fine = CorrelationDensity(*_solve(activation, start, end, spacing), error=np.nan)
    points = np.tanh(coarse.edges)
    return replace(fine, error=float(np.abs(fine.cdf(points) - coarse.cdf(points)).max()))


def _solve(activation: Rectifier, rho0: float, end: float,
           spacing: float) -> tuple[FloatArray, FloatArray]:
    """Edges of the cells in z = artanh(rho), at multiples of the spacing, and their probabilities."""

    def drift(z: ArrayLike) -> FloatArray:
        z = np.clip(z, -300, 200)  # the range of cosh(z)^2 and of 1 - rho
        epsilon = 2 / (1 + np.exp(2 * z))
        return np.tanh(z) / 2 + activation.drift_from_epsilon(epsilon) * np.cosh(z) ** 2

    repulsion = activation.drift_from_epsilon(2.0)
    if rho0 > -1:
        born = 0.0, float(np.arctanh(rho0)), 0.0
    else:
        # exp(2 z), which is (1 + rho) / 2 at first, grows at half the repulsion; its noise is linear.
        moment = 1e-6 * min(end, spacing)
        born = moment, np.log(repulsion * moment / 2) / 2, moment / 3
    time, mean, variance = normal_start(drift, *born[1:], spacing, born[0], end)
    low, high = _reach(drift, repulsion, mean, variance, end)
    edges = spacing * np.arange(np.floor(low / spacing), np.ceil(high / spacing) + 1)
    masses = np.diff(norm.cdf(edges, mean, np.sqrt(variance)))
    masses = evolve(masses, edges, drift, time, end)
    return edges, masses / masses.sum()  # conserved but for rounding, about 1e-11


def _reach(drift: Callable, repulsion: float, mean: float, variance: float,
           end: float) -> tuple[float, float]:
    """An interval in z that the process, once near `mean`, does not leave up to the end."""
    away = REACH * np.sqrt(end)
    # The drift but for tanh(z) / 2 decreases in z, so that paths stay within the largest rise of
    # the noise above the path without noise; it is never below -1/2.
    path = solve_ivp(lambda _, z: drift(z) + (1 - np.tanh(z)) / 2, (0, end), [mean])
    # Down there the scale density exp(-repulsion exp(-2 z) / 4) lets nothing through.
    wall = np.log(repulsion / 240) / 2 if repulsion > 0 else -np.inf
    low = max(mean - end / 2 - away, min(wall, mean - REACH * np.sqrt(variance)))
    return low, path.y[0, -1] + away


def _artanh(rho: ArrayLike) -> FloatArray:
    with np.errstate(divide="ignore"):  # the ends -1 and 1 lie at infinity
        return np.arctanh(np.clip(_not_nan("rho", rho), -1, 1))


def _not_nan(name: str, value: ArrayLike) -> FloatArray:
    array = np.asarray(value, dtype=np.float64)
    if np.any(np.isnan(array)):
        raise ValueError(f"{name} must not be NaN, got {value!r}")
    return array
