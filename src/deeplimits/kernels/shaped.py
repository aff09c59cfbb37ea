"""Infinitely wide shaped networks: covariances that are no longer random, as ODE and as recursion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from .._checks import FloatArray, covariance, layers, reals, whole
from .._equations import solve_ivp
from ..activations import Activation, ActivationLike, angle_defect, angle_of, shaped
from ._expectations import Function, pair, single

#: Relative error of one step of the ODE, near the limit of double precision.
TOLERANCE = 1e-13
#: An absolute error of 1 - correlation that no covariance in double precision can show.
NOTHING = 1e-20


@dataclass(frozen=True)
class CovarianceODE:
    """The covariance of a shaped network whose width goes to infinity before its depth.

    Without the noise of finite width each correlation of a shaped ReLU network moves on its own,
    rho' = nu(rho) per unit of depth/width, and the variances stay. Under smooth shaping a variance
    obeys V' = b V (V - 1) and, if b > 0 and it starts above 1, explodes.

    Source: Li, Nica and Roy 2022, the covariance SDEs without their noise.
    Raises: ValueError for what is no activation of deeplimits.

    >>> import numpy as np
    >>> from deeplimits import activations, kernels
    >>> wide = kernels.CovarianceODE(activations.shaped_relu(0, -1))
    >>> V = wide.at([[1.0, 0.3], [0.3, 1.0]], 1.0)
    >>> bool(V[0, 1] > 0.3), bool(np.isclose(V[0, 0], 1))  # inputs come together, and their norms stay
    (True, True)
    """

    activation: Activation

    if TYPE_CHECKING:  # a string may stand for an activation

        def __init__(self, activation: ActivationLike) -> None: ...

    def __post_init__(self) -> None:
        object.__setattr__(self, "activation", shaped(self.activation))

    def at(self, V0: ArrayLike, time: ArrayLike) -> FloatArray:
        """The covariance at a time, or at several.

        Shapes: V0 (m, m), also of deficient rank; time in units of depth/width, a number or (k,)
        in any order -> (m, m) or (k, m, m). From the explosion of an input on, its row and column
        are +inf.
        Law: error below 1e-11 (1 - rho), plus the rounding of V itself. For shaped ReLU
        1 - rho ~ 18 pi^2 / (gap2 time)^2 in the long run.
        Source: Li, Nica and Roy 2022, the covariance SDE without its noise: infinite width.
        Raises: ValueError for a V0 that is no covariance, a time that is negative or not finite,
        an activation without a covariance SDE (unshaped, exponent below 1/2).
        """
        V0 = covariance("V0", V0)
        times = reals("time", time, least=0, most=1e300, what="a number or (k,), finite")
        if times.ndim > 1 or times.size == 0:
            raise ValueError(f"time must be a number or (k,), got shape {times.shape}")
        grid, position = np.unique(times, return_inverse=True)
        b, gap2, bend = self.activation.limit
        variance = _variances(V0, grid, b)
        if bend > 0:
            epsilon = np.array([_curved(separation(V0), np.diag(V0), b, bend, t) for t in grid])
        else:
            epsilon = angle_flow(separation(V0), gap2 * grid)
        V = assemble(variance, epsilon)[position]
        return V.reshape(*times.shape, *V0.shape)

    def explosion_time(self, V0: ArrayLike) -> FloatArray:
        """When the variance of each input becomes infinite, in units of depth/width.

        Shapes: V0 (m, m) -> (m,), +inf for an input that never explodes.
        Law: exact, -log(1 - 1/V0) / b for b > 0 and V0 > 1.
        Source: ours, from V' = b V (V - 1).
        Raises: as `at`.
        """
        V0 = np.diag(covariance("V0", V0))
        return _explosion(V0, self.activation.limit.b)

    def finite_depth(self, V0: ArrayLike, width: int, depth: int, at: Sequence[int] | None = None) -> FloatArray:
        """The covariance after layers of infinitely many neurons, shaped as at one width.

        Shapes: V0 (m, m) -> (m, m) at the last layer, or (layers, m, m) at chosen ones, 0 = start.
        Law: exact, by formula for rectifiers and by Gaussian quadrature otherwise, with the
        network's own normaliser; stable for nearly parallel inputs. It tends to
        `at(V0, depth / width)` with error O(1/width), or O(width^-1/2) for shaped ReLU unless
        c_plus = -c_minus. Unshaped activations are allowed. A variance that leaves double
        precision reads +inf.
        Source: arc-cosine kernel of first order, Cho and Saul 2009, for two slopes.
        Raises: ValueError for a V0 that is no covariance, for a width, depth or layer out of range.
        """
        V0 = covariance("V0", V0)
        wanted, many = layers(at, whole("depth", depth, least=0))
        state = np.diag(V0), separation(V0)
        path = {0: state}
        layer_map = self._layer_map(whole("width", width))
        for layer in range(1, max(wanted) + 1):
            state = layer_map(*state)
            if layer in wanted:
                path[layer] = state
        found = np.array([assemble(*path[layer]) for layer in wanted])
        return found if many else found[0]

    def _layer_map(self, width: int) -> Callable[[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]:
        """The map of variances and 1 - correlations over one layer."""
        if (rectifier := self.activation.rectifier) is not None:
            return lambda variance, epsilon: (variance, rectifier.epsilon_map(epsilon, width))
        normaliser, kinks = self.activation.normaliser(width), self.activation.kinks(width)
        length = self.activation.stretch(width)

        def function(x: FloatArray) -> FloatArray:
            return np.sqrt(normaliser) * self.activation(x, width)

        def layer_map(variance: FloatArray, epsilon: FloatArray) -> tuple[FloatArray, FloatArray]:
            return _layer(function, variance, epsilon, kinks, length)

        return layer_map


def separation(V0: FloatArray) -> FloatArray:
    """1 - correlation of every pair, the upper triangle in one row."""
    first, second = np.triu_indices(len(V0), k=1)
    size = np.sqrt(np.diag(V0))
    return np.clip(1 - V0[first, second] / (size[first] * size[second]), 0, 2)


def assemble(variance: FloatArray, epsilon: FloatArray) -> FloatArray:
    """Covariances from variances (..., m) and, along the last axis, 1 - correlation of pairs."""
    inputs = variance.shape[-1]
    first, second = np.triu_indices(inputs, k=1)
    size = np.sqrt(variance)
    scale = size[..., first] * size[..., second]
    V = np.zeros((*variance.shape, inputs))
    V[..., first, second] = np.multiply(1 - epsilon, scale, out=np.full(scale.shape, np.inf), where=np.isfinite(scale))
    V[..., second, first] = V[..., first, second]
    diagonal = np.arange(inputs)
    V[..., diagonal, diagonal] = variance
    return V


def angle_flow(epsilon: FloatArray, grid: FloatArray) -> FloatArray:
    """Solve epsilon' = -nu at gap2 = 1 from time 0, on an increasing grid.

    In u = epsilon^-1/2 the equation has a slope between bounds all the way to parallel inputs,
    where epsilon itself creeps as 1/time^2; parallel inputs, u infinite, stay.
    """
    path = np.tile(epsilon, (len(grid), 1))
    moving = epsilon > 0
    if grid[-1] == 0 or not np.any(moving):
        return path

    def slope(_: float, u: FloatArray) -> FloatArray:
        return angle_defect(angle_of(np.minimum(u**-2, 2))) * u**3 / (4 * np.pi)

    state, before = epsilon[moving] ** -0.5, 0.0
    for row, now in enumerate(grid):
        if now > before:
            solution = solve_ivp(slope, (before, now), state, "DOP853", rtol=TOLERANCE, atol=0)
            state, before = solution.y[:, -1], now
        path[row, moving] = state**-2.0
    return path


def _variances(V0: FloatArray, grid: FloatArray, b: float) -> FloatArray:
    """Variances at each time, +inf from an explosion on."""
    start = np.diag(V0)
    if b == 0:
        return np.tile(start, (len(grid), 1))
    with np.errstate(divide="ignore"):
        return np.where(grid[:, None] < _explosion(start, b), _variance(start, b, grid[:, None]), np.inf)


def _explosion(V0: FloatArray, b: float) -> FloatArray:
    """When V' = b V (V - 1) becomes infinite, +inf if never."""
    found = np.full(len(V0), np.inf)
    if b > 0:
        found[V0 > 1] = -np.log1p(-1 / V0[V0 > 1]) / b
    return found


def _variance(V0: FloatArray, b: float, time: FloatArray | float) -> FloatArray:
    """V' = b V (V - 1) before it explodes; large V0 and long times keep their digits.

    Law: exact, 1/V - 1 grows like exp(b time); both forms of it below have only decaying exponentials.
    """
    decay, gone = np.exp(-np.abs(b) * time), -np.expm1(-np.abs(b) * time)
    return V0 * decay / np.abs(decay + (1 - V0) * gone) if b > 0 else V0 / (decay + V0 * gone)


def _curved(epsilon: FloatArray, variance: FloatArray, b: float, bend: float, end: float) -> FloatArray:
    """1 - correlation at a time under smooth shaping; 1 for pairs of which an input has exploded.

    The third derivative drops out of the correlation:
    epsilon' = bend [3/8 (r1 - r2)^2 - epsilon (3/8 (r1^2 + r2^2) - r1 r2 + epsilon r1 r2 / 2)]
    with r the roots of the two variances.
    """
    first, second = np.triu_indices(len(variance), k=1)
    alive = end < _explosion(variance, b)
    both = alive[first] & alive[second]
    found = np.ones_like(epsilon)
    if end == 0 or not np.any(both):
        return epsilon.copy() if end == 0 else found

    def slope(time: float, e: FloatArray) -> FloatArray:
        root = np.sqrt(_variance(variance[alive], b, time))
        place = np.cumsum(alive) - 1
        r1, r2 = root[place[first[both]]], root[place[second[both]]]
        middle = 3 / 8 * (r1**2 + r2**2) - r1 * r2 + e * r1 * r2 / 2
        return bend * (3 / 8 * (r1 - r2) ** 2 - e * middle)

    path = solve_ivp(slope, (0, end), epsilon[both], "DOP853", rtol=TOLERANCE, atol=NOTHING)
    found[both] = np.clip(path.y[:, -1], 0, 2)
    return found


def _layer(
    function: Function, variance: FloatArray, epsilon: FloatArray, kinks: Sequence[float], length: float
) -> tuple[FloatArray, FloatArray]:
    """Variances and 1 - correlations after one layer, by quadrature.

    1 - correlation is half the mean square of the difference of the normalised outputs: small
    values keep their digits.
    """
    first, second = np.triu_indices(len(variance), k=1)
    size, moved = np.sqrt(variance), np.ones_like(epsilon)
    with np.errstate(over="ignore", invalid="ignore"):
        powers = np.array(
            [single(lambda x: function(x) ** 2, 0.0, s, kinks, length) if np.isfinite(s) else np.inf for s in size]
        )
        powers = np.where(np.isfinite(powers), powers, np.inf)
    root = np.sqrt(powers)
    for k, (i, j) in enumerate(zip(first, second, strict=True)):
        if np.isfinite(root[i] + root[j]):
            x, y, weights = pair((0.0, 0.0), (size[i], size[j]), epsilon[k], kinks, length)
            gap = function(x) / root[i] - function(y) / root[j]
            moved[k] = np.clip(np.sum(weights * gap**2) / 2, 0, 2)
    return powers, moved
