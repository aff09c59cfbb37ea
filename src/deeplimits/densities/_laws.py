"""Laws of a variable through a coordinate z in which they are normal or known on a grid.

Their methods are those of a frozen distribution of SciPy.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import PchipInterpolator
from scipy.stats import norm

from .._checks import FloatArray, real, reals, whole

Function = Callable[[FloatArray], FloatArray]


class Chart(Protocol):
    """An increasing coordinate z of a variable x."""

    def coordinate(self, x: FloatArray) -> FloatArray:
        """z of x, -inf or inf where x is out of range."""

    def value(self, z: FloatArray) -> FloatArray:
        """x of z."""

    def slope(self, z: FloatArray) -> FloatArray:
        """dz/dx at z."""


class Origin(Chart, Protocol):
    """A chart of a grid, whose z is 0 at the start."""

    def moved(self, z: FloatArray) -> FloatArray:
        """x of z less x of 0, with its digits where z is small."""


class Law(ABC):
    """What all laws answer. `error` bounds the error of a probability.

    >>> from deeplimits import densities
    >>> law = densities.norm(-2.0, 1.0, 0.5)
    >>> isinstance(law, densities.Law), law.rvs(3, random_state=1).shape
    (True, (3,))
    """

    error: float

    @abstractmethod
    def pdf(self, x: ArrayLike) -> FloatArray:
        """The density per unit of the variable.

        Shapes: any shape, the same shape out; 0 out of range.
        Law: second order in the grid, exact without one.
        Raises: ValueError for NaN.
        """

    @abstractmethod
    def cdf(self, x: ArrayLike) -> FloatArray:
        """The probability of a value at or below x.

        Shapes: any shape, the same shape out. Law: within `error`.
        Raises: ValueError for NaN.
        """

    @abstractmethod
    def ppf(self, q: ArrayLike) -> FloatArray:
        """The value below which a given probability lies.

        Shapes: any shape in (0, 1), the same shape out. Law: inverse of `cdf`.
        Raises: ValueError for a probability outside (0, 1).
        """

    @abstractmethod
    def mean(self) -> float:
        """The mean, +inf where it does not exist."""

    @abstractmethod
    def var(self) -> float:
        """The variance, +inf where it does not exist or is beyond double precision."""

    def std(self) -> float:
        """The standard deviation."""
        return float(np.sqrt(self.var()))

    def rvs(self, size: int, random_state: int | np.random.Generator) -> FloatArray:
        """Independent values of this law.

        Shapes: (size,). Law: `ppf` of uniform numbers, within `error`.
        Raises: ValueError for a size below 1 and for what is no seed or generator.
        """
        count = whole("size", size, most=10**9)
        draw = (
            random_state
            if isinstance(random_state, np.random.Generator)
            else np.random.default_rng(whole("random_state", random_state, least=0))
        )
        return self.ppf((draw.integers(2**52, size=count) + 0.5) / 2**52)


class Charted(Law):
    """A law in a coordinate: `_cdf`, `_pdf` and `_quantile` speak in z."""

    chart: Chart

    def pdf(self, x: ArrayLike) -> FloatArray:
        z = self.chart.coordinate(not_nan("x", x))
        middle = self._quantile(np.array(0.5))
        middle = middle if np.isfinite(middle) else np.array(0.0)
        density = np.where(np.isfinite(z), self._pdf(np.where(np.isfinite(z), z, middle)), 0)
        with np.errstate(over="ignore", under="ignore"):
            # Where there is no mass the slope may be infinite.
            return density * self.chart.slope(np.where(density > 0, z, middle))

    def cdf(self, x: ArrayLike) -> FloatArray:
        z = self.chart.coordinate(not_nan("x", x))
        return np.where(z == np.inf, 1, np.clip(self._cdf(z), 0, 1))

    def ppf(self, q: ArrayLike) -> FloatArray:
        return self.chart.value(self._quantile(_inside(q)))

    @abstractmethod
    def _cdf(self, z: FloatArray) -> FloatArray: ...

    @abstractmethod
    def _pdf(self, z: FloatArray) -> FloatArray: ...

    @abstractmethod
    def _quantile(self, p: FloatArray) -> FloatArray: ...


@dataclass(frozen=True, eq=False)
class NormalLaw(Charted):
    """The law of a variable whose coordinate is normal.

    Shapes: location and deviation of the coordinate; moments, the mean and variance of the variable, +inf
    where they do not exist.
    Law: exact.

    >>> import numpy as np
    >>> from deeplimits import densities
    >>> law = densities.norm(0.0, 1.0, 0.5)  # b = 0: log V is normal with mean -T and variance 2 T
    >>> bool(np.isclose(np.log(law.ppf(0.5)), -0.5)), law.mean()
    (True, 1.0)
    """

    location: float
    deviation: float
    chart: Chart
    moments: tuple[float, float]

    #: Nothing is approximated, and nothing explodes.
    error = 0.0
    explosion_probability = 0.0

    def mean(self) -> float:
        return self.moments[0]

    def var(self) -> float:
        return self.moments[1]

    def _cdf(self, z: FloatArray) -> FloatArray:
        with np.errstate(under="ignore", over="ignore"):
            return norm.cdf((z - self.location) / self.deviation)

    def _pdf(self, z: FloatArray) -> FloatArray:
        with np.errstate(under="ignore", over="ignore"):
            return norm.pdf((z - self.location) / self.deviation) / self.deviation

    def _quantile(self, p: FloatArray) -> FloatArray:
        return self.location + self.deviation * norm.ppf(p)


@dataclass(frozen=True, eq=False)
class GridLaw(Charted):
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
    chart: Origin

    @cached_property
    def _distribution(self) -> PchipInterpolator:
        """The distribution function in cells: the sums of cells, monotone and smooth between them."""
        with np.errstate(under="ignore", over="ignore"):
            return PchipInterpolator(np.arange(len(self.edges)), np.concatenate([[0], np.cumsum(self.masses)]))

    @cached_property
    def _density(self) -> PchipInterpolator:
        return self._distribution.derivative()

    @property
    def _width(self) -> float:
        return (self.edges[-1] - self.edges[0]) / len(self.masses)

    def _place(self, z: FloatArray) -> FloatArray:
        """z in cells from the first edge."""
        return (np.clip(z, self.edges[0], self.edges[-1]) - self.edges[0]) / self._width

    def _cdf(self, z: FloatArray) -> FloatArray:
        return self._distribution(self._place(z))

    def _pdf(self, z: FloatArray) -> FloatArray:
        outside = (z < self.edges[0]) | (z > self.edges[-1])
        with np.errstate(over="ignore"):
            return np.where(outside, 0, self._density(self._place(z)) / self._width)

    def _quantile(self, p: FloatArray) -> FloatArray:
        low, high = np.zeros(p.shape), np.full(p.shape, float(len(self.masses)))
        for _ in range(60):  # halves the bracket to the last digit
            middle = (low + high) / 2
            above = self._distribution(middle) > p
            low, high = np.where(above, low, middle), np.where(above, middle, high)
        found = self.edges[0] + self._width * (low + high) / 2
        return np.where(p < self._distribution(len(self.masses)), found, np.inf)

    def expect(self, function: Function) -> float:
        """The expectation of a function of the variable, where it is finite.

        Shapes: a vectorised function of (k,) values.
        Law: second order in the grid, within `error` times the function's variation.
        Raises: ValueError if the function is not finite where the law lives.
        """
        if not callable(function):
            raise ValueError(f"function must be a function of an array, got {function!r}")
        values = reals(
            "function",
            function(self.chart.value(self._nodes)),
            infinite=True,
            what="a function whose values are finite",
        )
        if values.shape not in ((), self._nodes.shape) or not np.all(np.isfinite(values)):
            raise ValueError(
                "function must be finite at every value, got "
                f"{values[~np.isfinite(values)][:1].tolist() or values.shape}"
            )
        return self._mean_of(values)

    def mean(self) -> float:
        start = float(self.chart.value(np.array(0.0)))
        if abs(self._shift) < 1e-3 * abs(start):
            return start + self._shift
        values = self.chart.value(self._nodes)
        unit = max(float(np.abs(values).max()), 1e-300)
        return self._mean_of(values / unit) * unit if np.isfinite(unit) else np.inf

    def var(self) -> float:
        return self._power(2, self._shift)

    @cached_property
    def _shift(self) -> float:
        """How far the mean is from the value at z = 0, where the law starts."""
        return self._power(1, 0.0)

    def _power(self, power: int, centre: float) -> float:
        """E (x - x(0) - centre)^power in units of the largest value, so that nothing overflows before it must."""
        moved = self.chart.moved(self._nodes)
        unit = max(float(np.abs(moved).max()), abs(centre), 1e-300)
        if not np.isfinite(unit):
            return np.inf
        with np.errstate(over="ignore", under="ignore"):
            return float(self._mean_of((moved / unit - centre / unit) ** power) * np.float64(unit) ** power)

    @property
    def _nodes(self) -> FloatArray:
        """Three points of each cell, those of Gauss and Legendre."""
        return self.edges[0] + self._width * self._places.ravel()

    @cached_property
    def _places(self) -> FloatArray:
        return (np.arange(len(self.masses)) + 0.5)[:, None] + np.polynomial.legendre.leggauss(3)[0] / 2

    def _mean_of(self, values: FloatArray) -> float:
        with np.errstate(under="ignore"):
            weights = self._density(self._places) * np.polynomial.legendre.leggauss(3)[1] / 2
            return float(np.sum(values * weights.ravel()))


@dataclass(frozen=True, eq=False)
class Atom(Law):
    """All probability at one value: a start that never moves.

    Raises: ValueError for a value that is not finite.

    >>> from deeplimits import activations, densities
    >>> law = densities.width_one(activations.relu(), -1.0)  # a start where ReLU is 0 never moves
    >>> law.mean(), law.var()
    (-1.0, 0.0)
    """

    value: float

    error = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", real("value", self.value))

    def pdf(self, x: ArrayLike) -> FloatArray:
        """0 away from the value, +inf at it. Shapes: any shape, the same shape out. Raises: ValueError for NaN."""
        return np.where(not_nan("x", x) == self.value, np.inf, 0.0)

    def cdf(self, x: ArrayLike) -> FloatArray:
        return np.where(not_nan("x", x) >= self.value, 1.0, 0.0)

    def ppf(self, q: ArrayLike) -> FloatArray:
        return np.full(_inside(q).shape, self.value)

    def mean(self) -> float:
        return self.value

    def var(self) -> float:
        return 0.0


@dataclass(frozen=True, eq=False)
class Mirror(Law):
    """The law of -x, for a law of x without atoms.

    >>> from deeplimits import activations, densities
    >>> law = densities.width_one(activations.linear(), -2.0)  # below 0: the law of -x from 2
    >>> law.mean(), bool(law.ppf(0.9) < 0)
    (-2.0, True)
    """

    law: Law

    @property
    def error(self) -> float:  # type: ignore[override]
        """That of the law."""
        return self.law.error

    def pdf(self, x: ArrayLike) -> FloatArray:
        return self.law.pdf(-not_nan("x", x))

    def cdf(self, x: ArrayLike) -> FloatArray:
        return 1 - self.law.cdf(-not_nan("x", x))

    def ppf(self, q: ArrayLike) -> FloatArray:
        return -self.law.ppf(1 - _inside(q))

    def mean(self) -> float:
        return -self.law.mean()

    def var(self) -> float:
        return self.law.var()


Grid = TypeVar("Grid", bound=GridLaw)


def with_error(solve: Callable[[float], Grid], spacing: float) -> Grid:
    """The law on a grid of a given spacing, with its error by comparison with twice the spacing."""
    with np.errstate(under="ignore"):
        coarse, fine = solve(2 * spacing), solve(spacing)
        return replace(fine, error=float(np.abs(fine._cdf(coarse.edges) - coarse._cdf(coarse.edges)).max()))


def not_nan(name: str, value: ArrayLike) -> FloatArray:
    """Numbers, infinite ones allowed.

    Raises: ValueError that names the argument.
    """
    return reals(name, value, infinite=True)


def _inside(probability: ArrayLike) -> FloatArray:
    p = reals("q", probability)
    if not np.all((p > 0) & (p < 1)):
        raise ValueError(f"q must lie between 0 and 1, got {probability!r}")
    return p
