"""Laws of a variable through a coordinate z in which they are normal or known on a grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import PchipInterpolator
from scipy.stats import norm

from .._checks import FloatArray

Function = Callable[[FloatArray], FloatArray]


class Chart(NamedTuple):
    """An increasing coordinate z of a variable x.

    `coordinate` gives z of x, -inf or inf where x is out of range; `value` gives x of z, and
    `slope` gives dz/dx at z.
    """

    coordinate: Function
    value: Function
    slope: Function


class Law:
    """What all laws answer; `_cdf`, `_pdf` and `_quantile` speak in z."""

    chart: Chart

    def pdf(self, x: ArrayLike) -> FloatArray:
        """The density per unit of the variable.

        Shapes: any shape, the same shape out; 0 out of range.
        Law: second order in the grid, exact without one.
        Raises: ValueError for NaN.
        """
        z = self.chart.coordinate(not_nan("x", x))
        safe = np.where(np.isfinite(z), z, self._quantile(np.array(0.5)))
        density = np.where(np.isfinite(z), self._pdf(safe), 0)
        # Where there is no mass the slope may be infinite.
        slope = self.chart.slope(np.where(density > 0, safe, self._quantile(np.array(0.5))))
        return density * slope

    def cdf(self, x: ArrayLike) -> FloatArray:
        """The probability of a value at or below x.

        Shapes: any shape, the same shape out. Law: within `error`.
        Raises: ValueError for NaN.
        """
        x = not_nan("x", x)
        return np.where(x == np.inf, 1, np.clip(self._cdf(self.chart.coordinate(x)), 0, 1))

    def quantile(self, probability: ArrayLike) -> FloatArray:
        """The value below which a given probability lies.

        Shapes: any shape in (0, 1), the same shape out. Law: inverse of `cdf`.
        Raises: ValueError for a probability outside (0, 1).
        """
        return self.chart.value(self._quantile(_inside(probability)))


@dataclass(frozen=True, eq=False)
class NormalLaw(Law):
    """The law of a variable whose coordinate is normal.

    Shapes: location and deviation of the coordinate; mean and variance of the variable, +inf
    where they do not exist.
    Law: exact.

    >>> import numpy as np
    >>> from deeplimits import densities
    >>> law = densities.norm(0.0, 1.0, 0.5)  # b = 0: log V is normal with mean -T and variance 2 T
    >>> bool(np.isclose(np.log(law.quantile(0.5)), -0.5)), law.mean
    (True, 1.0)
    """

    location: float
    deviation: float
    chart: Chart
    mean: float
    variance: float

    #: Nothing is approximated, and nothing explodes.
    error = 0.0
    explosion_probability = 0.0

    def _cdf(self, z: FloatArray) -> FloatArray:
        return norm.cdf(z, self.location, self.deviation)

    def _pdf(self, z: FloatArray) -> FloatArray:
        return norm.pdf(z, self.location, self.deviation)

    def _quantile(self, p: FloatArray) -> FloatArray:
        return norm.ppf(p, self.location, self.deviation)


@dataclass(frozen=True, eq=False)
class GridLaw(Law):
    """A law given by probabilities of the cells of a uniform grid in z.

    Shapes: `edges` (k + 1,) in z, `masses` (k,). If they sum to less than 1, the rest is at +inf.
    Law: `error` bounds the error of every probability of an interval that begins at the lower
    end: it is the largest change of the distribution function when the grid is made twice as
    coarse, about three times the error of the finer grid. An expectation of f errs by at most
    `error` times the variation of f.

    >>> import numpy as np
    >>> from deeplimits import activations, densities
    >>> law = densities.correlation(activations.linear(), 0.0, 1.0)
    >>> isinstance(law, densities.GridLaw)
    True
    >>> bool(abs(law.expect(lambda rho: rho)) < 1e-6)  # the correlation of a linear network from 0 is symmetric
    True
    """

    edges: FloatArray
    masses: FloatArray
    error: float
    chart: Chart

    @cached_property
    def _distribution(self) -> PchipInterpolator:
        """The distribution function in z: the sums of cells, monotone and smooth between them."""
        return PchipInterpolator(self.edges, np.concatenate([[0], np.cumsum(self.masses)]))

    @cached_property
    def _density(self) -> PchipInterpolator:
        return self._distribution.derivative()

    def _cdf(self, z: FloatArray) -> FloatArray:
        return self._distribution(np.clip(z, self.edges[0], self.edges[-1]))

    def _pdf(self, z: FloatArray) -> FloatArray:
        outside = (z < self.edges[0]) | (z > self.edges[-1])
        return np.where(outside, 0, self._density(np.clip(z, self.edges[0], self.edges[-1])))

    def _quantile(self, p: FloatArray) -> FloatArray:
        low, high = np.full(p.shape, self.edges[0]), np.full(p.shape, self.edges[-1])
        for _ in range(60):  # halves the bracket to the last digit
            middle = (low + high) / 2
            above = self._distribution(middle) > p
            low, high = np.where(above, low, middle), np.where(above, middle, high)
        return np.where(p < self._distribution(self.edges[-1]), (low + high) / 2, np.inf)

    def expect(self, function: Function) -> float:
        """The expectation of a function of the variable, where it is finite.

        Shapes: a vectorised function of (k,) values.
        Law: second order in the grid, within `error` times the function's variation.
        Raises: ValueError if the function is not finite where the law lives.
        """
        nodes, weights = np.polynomial.legendre.leggauss(3)
        width = self.edges[1] - self.edges[0]
        z = ((self.edges[:-1] + self.edges[1:]) / 2)[:, None] + width / 2 * nodes
        values = np.asarray(function(self.chart.value(z.ravel())), dtype=np.float64)
        if not np.all(np.isfinite(values)):
            raise ValueError("function must be finite at every value, got "
                             f"{values[~np.isfinite(values)][0]}")
        return float(np.sum(values * np.ravel(self._density(z) * weights)) * width / 2)

    @cached_property
    def mean(self) -> float:
        """The mean."""
        return self.expect(lambda x: x)

    @cached_property
    def variance(self) -> float:
        """The variance."""
        return self.expect(lambda x: (x - self.mean) ** 2)


@dataclass(frozen=True, eq=False)
class Atom:
    """All probability at one value: a start that never moves. It has no density.

    >>> from deeplimits import activations, densities
    >>> law = densities.width_one(activations.relu(), -1.0)  # a start where ReLU is 0 never moves
    >>> law.mean, law.variance
    (-1.0, 0.0)
    """

    value: float

    variance = 0.0
    error = 0.0

    @property
    def mean(self) -> float:
        """The value."""
        return self.value

    def cdf(self, x: ArrayLike) -> FloatArray:
        """The probability of a value at or below x. Shapes: any shape, the same shape out."""
        return np.where(not_nan("x", x) >= self.value, 1.0, 0.0)

    def quantile(self, probability: ArrayLike) -> FloatArray:
        """The value, whatever the probability. Shapes: any shape in (0, 1), the same shape out."""
        return np.full(_inside(probability).shape, self.value)


@dataclass(frozen=True, eq=False)
class Mirror:
    """The law of -x, for a law of x without atoms.

    >>> from deeplimits import activations, densities
    >>> law = densities.width_one(activations.linear(), -2.0)  # below 0: the law of -x from 2
    >>> law.mean, bool(law.quantile(0.9) < 0)
    (-2.0, True)
    """

    law: NormalLaw | GridLaw

    @property
    def error(self) -> float:
        """That of the law."""
        return self.law.error

    @property
    def mean(self) -> float:
        """The mean."""
        return -self.law.mean

    @property
    def variance(self) -> float:
        """The variance."""
        return self.law.variance

    def pdf(self, x: ArrayLike) -> FloatArray:
        """The density. Shapes: any shape, the same shape out."""
        return self.law.pdf(-not_nan("x", x))

    def cdf(self, x: ArrayLike) -> FloatArray:
        """The probability of a value at or below x. Shapes: any shape, the same shape out."""
        return 1 - self.law.cdf(-not_nan("x", x))

    def quantile(self, probability: ArrayLike) -> FloatArray:
        """The value below which a given probability lies. Shapes: any shape in (0, 1), the same out."""
        return -self.law.quantile(1 - _inside(probability))


Grid = TypeVar("Grid", bound=GridLaw)


def with_error(solve: Callable[[float], Grid], spacing: float) -> Grid:
    """The law on a grid of a given spacing, with its error by comparison with twice the spacing."""
    coarse, fine = solve(2 * spacing), solve(spacing)
    return replace(fine, error=float(np.abs(fine._cdf(coarse.edges) - coarse._cdf(coarse.edges)).max()))


def not_nan(name: str, value: ArrayLike) -> FloatArray:
    """Numbers, infinite ones allowed.

    Raises: ValueError that names the argument.
    """
    array = np.asarray(value, dtype=np.float64)
    if np.any(np.isnan(array)):
        raise ValueError(f"{name} must not be NaN, got {value!r}")
    return array


def _inside(probability: ArrayLike) -> FloatArray:
    p = np.asarray(probability, dtype=np.float64)
    if not np.all((p > 0) & (p < 1)):
        raise ValueError(f"probability must lie between 0 and 1, got {probability!r}")
    return p
