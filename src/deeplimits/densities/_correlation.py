"""The law of the correlation of two inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp
from scipy.stats import norm

from .._checks import FloatArray, real
from .._finite_volumes import REACH, evolve, normal_start
from ..activations import Rectifier, Smooth, angle_defect, angle_of
from ._laws import Chart, GridLaw, not_nan, with_error


def _artanh(rho: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore"):  # the ends -1 and 1 lie at infinity
        return np.arctanh(np.clip(rho, -1, 1))


#: z = artanh(rho); beyond 350, where cosh(z)^2 overflows, rho has long been rounded to 1.
ARTANH = Chart(_artanh, np.tanh, lambda z: np.cosh(np.clip(z, -350, 350)) ** 2)


@dataclass(frozen=True, eq=False)
class CorrelationDensity(GridLaw):
    """The law of a correlation: a `GridLaw` in z = artanh(rho).

    >>> from deeplimits import activations, densities
    >>> law = densities.correlation(activations.shaped_relu(0, -1), 0.3, 1.0)
    >>> round(float(law.cdf(law.quantile(0.9))), 4)
    0.9
    """

    chart: Chart = ARTANH

    def pdf_artanh(self, z: ArrayLike) -> FloatArray:
        """The density per unit of z = artanh(rho), in which it is smooth and spread out.

        Shapes: any shape, the same shape out. Law: second order in the grid.
        Raises: ValueError for NaN.
        """
        return self._pdf(not_nan("z", z))

    def pdf_angle(self, theta: ArrayLike) -> FloatArray:
        """The density per radian of the angle arccos(rho).

        Shapes: any shape, the same shape out; 0 outside (0, pi). Law: second order in the grid.
        Raises: ValueError for NaN.
        """
        theta = not_nan("theta", theta)
        inside = (theta > 0) & (theta < np.pi)
        safe = np.where(inside, theta, 1)
        return np.where(inside, self.pdf_artanh(-np.log(np.tan(safe / 2))) / np.sin(safe), 0)


def correlation(activation: Rectifier | Smooth, rho0: float, time: float) -> CorrelationDensity:
    """The law of the correlation of two inputs at time depth/width, as both go to infinity.

    For an odd smooth activation it is that of a linear network, however the norms move.

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

    >>> from deeplimits import activations, densities
    >>> bent = densities.correlation(activations.shaped_relu(0, -1), 0.3, 1.0)
    >>> straight = densities.correlation(activations.linear(), 0.3, 1.0)
    >>> bent.mean > straight.mean  # the bend of the activation pulls inputs together
    True
    """
    start = real("rho0", rho0, least=-1, most=1)
    end = real("time", time, above=0)
    if getattr(activation, "second", None) != 0:
        raise ValueError("activation must have no second derivative at 0, or its correlation is no "
                         f"process of its own; got {activation!r}")
    if start == 1 or (start == -1 and activation.gap2 == 0):
        raise ValueError(f"rho0 must not be {rho0!r}: there the correlation stays for ever, "
                         "a point without a density")
    gap2, spacing = activation.gap2, min(np.sqrt(end) / 256, 0.01)
    return with_error(lambda width: CorrelationDensity(*_solve(gap2, start, end, width), error=np.nan), spacing)


def _solve(gap2: float, rho0: float, end: float,
           spacing: float) -> tuple[FloatArray, FloatArray]:
    """Edges of the cells in z = artanh(rho), at multiples of the spacing, and their probabilities."""

    def drift(z: ArrayLike) -> FloatArray:
        z = np.clip(z, -300, 200)  # the range of cosh(z)^2 and of 1 - rho
        epsilon = 2 / (1 + np.exp(2 * z))
        return np.tanh(z) / 2 + gap2 / (2 * np.pi) * angle_defect(angle_of(epsilon)) * np.cosh(z) ** 2

    repulsion = gap2 / 2
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
