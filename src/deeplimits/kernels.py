"""Infinite width: covariances that are no longer random, as ODEs and as layer recursions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp

from ._checks import FloatArray, covariance, layers, whole
from .activations import Rectifier, angle_defect, angle_of

#: Relative error of one step of the ODE, near the limit of double precision.
TOLERANCE = 1e-13


@dataclass(frozen=True)
class CovarianceODE:
    """The covariance of a shaped network whose width goes to infinity before its depth.

    Without the noise of finite width each correlation moves on its own, rho' = nu(rho) per unit of
    depth/width, and the variances stay.

    Source: Li, Nica and Roy 2022, the infinite-width prediction for shaped ReLU.
    Raises: ValueError for an activation that is not a rectifier.
    """

    activation: Rectifier

    def __post_init__(self) -> None:
        if not isinstance(self.activation, Rectifier):
            raise ValueError("activation must be a rectifier (shaped_relu, relu or linear), "
                             f"got {self.activation!r}")

    def at(self, V0: ArrayLike, time: ArrayLike) -> FloatArray:
        """The covariance at a time, or at several.

        Shapes: V0 (m, m), also of deficient rank; time in units of depth/width, a number or (k,)
        in any order -> (m, m) or (k, m, m).
        Law: error below 1e-11 (1 - rho), plus the rounding of V itself. In the long run
        1 - rho ~ 18 pi^2 / (gap2 time)^2.
        Raises: ValueError for a V0 that is no covariance, a time that is negative or not finite,
        an activation without a covariance SDE (plain ReLU, exponent below 1/2).
        """
        V0 = covariance("V0", V0)
        times = np.asarray(time, dtype=np.float64)
        if times.ndim > 1 or times.size == 0 or not np.all(np.isfinite(times) & (times >= 0)):
            raise ValueError(f"time must be a number or (k,), finite and >= 0, got {time!r}")
        grid, position = np.unique(times, return_inverse=True)
        path = _flow(_separation(V0), self.activation.gap2 * grid)
        return _assemble(V0, path[position].reshape(*times.shape, -1))

    def finite_depth(self, V0: ArrayLike, width: int, depth: int,
                     at: Sequence[int] | None = None) -> FloatArray:
        """The covariance after layers of infinitely many neurons, with the slopes of one width.

        Shapes: V0 (m, m) -> (m, m) at the last layer, or (layers, m, m) at chosen ones, 0 = start.
        Law: exact; for shaped ReLU it tends to `at(V0, depth / width)` with error O(width^-1/2),
        and O(1/width) if c_plus = -c_minus. Plain ReLU is allowed.
        Source: arc-cosine kernel of first order, Cho and Saul 2009, for two slopes.
        Raises: ValueError for a V0 that is no covariance, for a width, depth or layer out of range.
        """
        V0 = covariance("V0", V0)
        wanted, many = layers(at, whole("depth", depth, least=0))
        epsilon = _separation(V0)
        path = {0: epsilon}
        for layer in range(1, max(wanted) + 1):
            epsilon = self.activation.epsilon_map(epsilon, width)
            if layer in wanted:
                path[layer] = epsilon
        found = _assemble(V0, np.array([path[layer] for layer in wanted]))
        return found if many else found[0]


def _separation(V0: FloatArray) -> FloatArray:
    """1 - correlation of every pair, the upper triangle in one row."""
    first, second = np.triu_indices(len(V0), k=1)
    size = np.sqrt(np.diag(V0))
    return np.clip(1 - V0[first, second] / (size[first] * size[second]), 0, 2)


def _assemble(V0: FloatArray, epsilon: FloatArray) -> FloatArray:
    """Covariances with the variances of V0 and, along the last axis, 1 - correlation of pairs."""
    first, second = np.triu_indices(len(V0), k=1)
    size = np.sqrt(np.diag(V0))
    V = np.zeros((*epsilon.shape[:-1], *V0.shape))
    V[..., first, second] = (1 - epsilon) * size[first] * size[second]
    return V + np.swapaxes(V, -1, -2) + np.diag(np.diag(V0))


def _flow(epsilon: FloatArray, grid: FloatArray) -> FloatArray:
    """Solve epsilon' = -nu at gap2 = 1 from time 0, on an increasing grid.

    In u = epsilon^-1/2 the equation has a slope between bounds all the way to parallel inputs,
    where epsilon itself creeps as 1/time^2; parallel inputs, u infinite, stay.
    """
    path = np.tile(epsilon, (len(grid), 1))
    moving = epsilon > 0
    if grid[-1] == 0 or not np.any(moving):
        return path

    def slope(_, u):
        return angle_defect(angle_of(u**-2)) * u**3 / (4 * np.pi)

    state, before = epsilon[moving] ** -0.5, 0.0
    for row, now in enumerate(grid):
        if now > before:
            solution = solve_ivp(slope, (before, now), state, "DOP853", rtol=TOLERANCE, atol=0)
            state, before = solution.y[:, -1], now
        path[row, moving] = state**-2.0
    return path
