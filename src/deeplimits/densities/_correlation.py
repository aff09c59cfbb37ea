"""The law of the correlation of two inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

from .._checks import FloatArray, real, shown
from .._equations import solve_ivp
from .._finite_volumes import REACH, evolve, normal_start
from ..activations import ActivationLike, angle_defect, angle_of, shaped
from ._laws import GridLaw, not_nan, with_error

#: The longest time: at its end 1 - rho is about exp(-300), and the grid has 3e4 to 6e4 cells.
LONGEST = 300.0
#: The largest squared difference of the shaping constants.
STRONGEST = 1e12


@dataclass(frozen=True)
class Artanh:
    """z = artanh(rho) from an origin; beyond 350, where cosh(z)^2 overflows, rho has long been rounded to 1."""

    origin: float

    def coordinate(self, rho: FloatArray) -> FloatArray:
        """-inf up to -1, inf from 1 on."""
        with np.errstate(divide="ignore"):  # the ends -1 and 1 lie at infinity
            return np.arctanh(np.clip(rho, -1, 1)) - self.origin

    def value(self, z: FloatArray) -> FloatArray:
        """The correlation."""
        return np.tanh(self.origin + z)

    def moved(self, z: FloatArray) -> FloatArray:
        """tanh(origin + z) - tanh(origin)."""
        rho, change = np.tanh(self.origin), np.tanh(z)
        return change * np.cosh(self.origin) ** -2 / (1 + rho * change)

    def slope(self, z: FloatArray) -> FloatArray:
        """1 / (1 - rho^2)."""
        return np.cosh(np.clip(self.origin + z, -350, 350)) ** 2


@dataclass(frozen=True, eq=False)
class CorrelationDensity(GridLaw):
    """The law of a correlation: a `GridLaw` in z = artanh(rho), from the z of the start on.

    >>> from deeplimits import activations, densities
    >>> law = densities.correlation(activations.shaped_relu(0, -1), 0.3, 1.0)
    >>> round(float(law.cdf(law.ppf(0.9))), 4)
    0.9
    """

    chart: Artanh

    def pdf_artanh(self, z: ArrayLike) -> FloatArray:
        """The density per unit of z = artanh(rho), in which it is smooth and spread out.

        Shapes: any shape, the same shape out. Law: second order in the grid.
        Raises: ValueError for NaN.
        """
        return self._pdf(not_nan("z", z) - self.chart.origin)

    def pdf_angle(self, theta: ArrayLike) -> FloatArray:
        """The density per radian of the angle arccos(rho).

        Shapes: any shape, the same shape out; 0 outside (0, pi). Law: second order in the grid.
        Raises: ValueError for NaN.
        """
        theta = not_nan("theta", theta)
        inside = (theta > 0) & (theta < np.pi)
        safe = np.where(inside, theta, 1)
        with np.errstate(divide="ignore"):  # half of the smallest angle is 0
            return np.where(inside, self.pdf_artanh(-np.log(np.tan(safe / 2))) / np.sin(safe), 0)


def correlation(activation: ActivationLike, rho0: float, time: float) -> CorrelationDensity:
    """The law of the correlation of two inputs at time depth/width, as both go to infinity.

    For an odd smooth activation it is that of a linear network, however the norms move.

    Shapes: rho0 in [-1, 1), time in units of depth/width, up to 300 (1 - rho is then about exp(-300)).
    Law: asymptotic, error O(width^-1/2) of the network's law, or O(1/width) if c_plus = -c_minus.
    The equation itself is solved to about 1e-6, or 1e-5 with strong shaping, for long times and
    from near rho0 = -1, on a grid in units of sqrt(time); `error` of the result says it for the case at
    hand. From rho0 = -1 the correlation leaves at once.
    Source: Li, Nica and Roy 2022, correlation SDE for shaped ReLU; in z = artanh(rho), ours:
    dz = [tanh(z) / 2 + nu(rho) / (1 - rho^2)] dt + dB.
    Raises: ValueError for a correlation outside [-1, 1), a time outside (0, 300], opposite
    inputs of a linear network (which stay), an activation whose correlation depends on the norms
    (a second derivative), that has no covariance SDE, or whose constants differ by more than 1e6.

    >>> from deeplimits import activations, densities
    >>> bent = densities.correlation(activations.shaped_relu(0, -1), 0.3, 1.0)
    >>> straight = densities.correlation(activations.linear(), 0.3, 1.0)
    >>> bent.mean() > straight.mean()  # the bend of the activation pulls inputs together
    True
    """
    start = real("rho0", rho0, least=-1, most=1)
    end = real("time", time, above=0, most=LONGEST)
    _, gap2, bend = shaped(activation).limit
    if bend != 0:
        raise ValueError(
            "activation must have no second derivative at 0, or its correlation is no "
            f"process of its own; got {shown(activation)}"
        )
    if gap2 > STRONGEST:
        raise ValueError(
            f"activation must have constants that differ by at most {STRONGEST**0.5:g}, got {activation!r}"
        )
    if start == 1 or (start == -1 and gap2 == 0):
        raise ValueError(f"rho0 must not be {rho0!r}: there the correlation stays for ever, a point without a density")
    spacing = min(np.sqrt(end) / 256, 0.01)
    law = with_error(lambda width: _solve(gap2, start, end, width), spacing)
    # From -1 and for a short time the grid never resolves the law: it is normal but for a skewness.
    return replace(law, error=law.error + np.sqrt(end) / 10) if start == -1 and end < spacing else law


def _solve(gap2: float, rho0: float, end: float, spacing: float) -> CorrelationDensity:
    """Cells in z = artanh(rho) at multiples of the spacing, solved in units of sqrt(end) and of end."""
    repulsion, unit = gap2 / 2, np.sqrt(end)
    width = spacing / unit
    if rho0 > -1:
        origin, born = float(np.arctanh(rho0)), (0.0, 0.0, 0.0)
    else:
        # exp(2 z), which is (1 + rho) / 2 at first, grows at half the repulsion; its noise is linear.
        moment = 1e-6 * min(end, spacing) if end > 1e-12 else end
        origin = float(np.log(repulsion * end / 2)) / 2
        born = np.log(moment / end) / 2 / unit, moment / 3 / end, moment / end

    def drift(y: ArrayLike) -> FloatArray:
        z = np.clip(origin + unit * np.asarray(y), -300, 200)  # the range of cosh(z)^2 and of 1 - rho
        epsilon = 2 / (1 + np.exp(2 * z))
        return unit * (np.tanh(z) / 2 + gap2 / (2 * np.pi) * angle_defect(angle_of(epsilon)) * np.cosh(z) ** 2)

    time, mean, variance = normal_start(drift, *born[:2], width, born[2], 1.0)
    low, high = _reach(drift, (repulsion, origin, unit), mean, variance, time)
    edges = width * np.arange(np.floor(low / width), np.ceil(high / width) + 1)
    masses = np.diff(norm.cdf(edges, mean, np.sqrt(variance)))
    masses = evolve(masses, edges, drift, time, 1.0)
    # The sum is conserved but for rounding, about 1e-11.
    return CorrelationDensity(edges * unit, masses / masses.sum(), np.nan, Artanh(origin))


def _reach(
    drift: Callable[..., Any], scale: tuple[float, float, float], mean: float, variance: float, time: float
) -> tuple[float, float]:
    """An interval of y, z = origin + unit y, that the process, near `mean` at a time, does not leave up to the end."""
    repulsion, origin, unit = scale
    # The drift but for tanh(z) / 2 decreases in z, so that paths stay within the largest rise of
    # the noise above the path without noise; it is never below -1/2.
    path = solve_ivp(lambda _, y: drift(y) + unit * (1 - np.tanh(origin + unit * y)) / 2, (time, 1), [mean], "LSODA")
    # The scale density exp(-repulsion exp(-2 z) / 4) lets nothing through where it is exp(-60) of what it was.
    z = min(max(origin + unit * mean, -350), 350)
    wall = np.log1p(240 / repulsion * np.exp(2 * z)) / 2 / unit if repulsion > 0 else np.inf
    low = mean - min(unit / 2 + REACH, max(wall, REACH * np.sqrt(variance)))
    return low, path.y[0, -1] + REACH
