"""Infinitely wide residual networks: the law of a unit and the tangent kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks
from .._checks import FloatArray, reals, whole
from .._equations import solve_ivp
from ..blocks import Blocks, ConvBlocks, checked_blocks
from ._identity import Riccati
from ._units import ABSOLUTE, TOLERANCE, Expectations, Flow
from .shaped import angle_flow, assemble, separation

#: Explosions of general inner activations are looked for up to this many times the kernel's time.
HORIZON = 100

#: The farthest mean of a start and its largest variance where an ODE tells whether it explodes, and the most blocks of
#: a recursion: beyond, an answer would take too long.
FARTHEST, LARGEST, DEEPEST = 1e20, 1e40, 10**7


class Unit(NamedTuple):
    """The normal law of one unit, jointly over inputs: mean (..., m) and covariance (..., m, m).

    >>> from deeplimits import activations, kernels
    >>> from deeplimits.blocks import Blocks
    >>> kernel = kernels.ResidualKernel(Blocks(activations.plain("tanh"), activations.linear()))
    >>> unit = kernel.finite_depth(0.0, [[1.0, 0.2], [0.2, 1.0]], 10)
    >>> unit.mean.shape, unit.covariance.shape
    ((2,), (2, 2))
    """

    mean: FloatArray
    covariance: FloatArray


class Tangent(NamedTuple):
    """The tangent kernel of one unit, by the parameters that move: each (m, m).

    `inputs` is what the layer before the blocks contributes, 0 unless it is trained.

    >>> from deeplimits import activations, kernels
    >>> from deeplimits.blocks import Blocks
    >>> kernel = kernels.ResidualKernel(Blocks(activations.relu(), activations.linear()))
    >>> found = kernel.ntk(0.0, [[1.0, 0.0], [0.0, 1.0]])
    >>> bool((found.total == found.weights + found.biases + found.inputs).all())
    True
    """

    weights: FloatArray
    biases: FloatArray
    inputs: FloatArray

    @property
    def total(self) -> FloatArray:
        """The sum over all parameters."""
        return self.weights + self.biases + self.inputs


@dataclass(frozen=True)
class ResidualKernel:
    """Residual blocks x + outer(dW inner(x) + db) of infinite width.

    The blocks must be dense, with independent parameters. Units are independent and, after infinitely
    many blocks, normal. The network of Hayou is inner = ReLU, outer = identity, no bias.

    Source: Peluchetti and Favaro 2021, doubly infinite residual networks; Hayou 2023, infinite
    depth then infinite width. Any inner activation, and the mean for outer''(0) != 0: ours.
    Raises: ValueError for convolutional blocks or dependent parameters, an outer activation that is not 0 at
    0 or has fewer than three continuous derivatives there (its blocks would not shrink).

    >>> import numpy as np
    >>> from deeplimits import activations, kernels
    >>> from deeplimits.blocks import Blocks
    >>> kernel = kernels.ResidualKernel(Blocks(activations.relu(), activations.linear()))
    >>> unit = kernel.at(0.0, [[1.0, 0.0], [0.0, 1.0]])
    >>> bool(np.isclose(unit.covariance[0, 0], np.exp(0.5)))  # the variance grows like exp(T / 2)
    True
    """

    blocks: Blocks

    def __post_init__(self) -> None:
        if isinstance(checked_blocks(self.blocks), ConvBlocks) or not self.blocks.independent:
            raise ValueError(
                "blocks must be dense with independent parameters of mean zero to have a kernel, got "
                f"{_checks.shown(self.blocks)}"
            )
        if not self.blocks.outer.smoothness >= 3:
            raise ValueError(
                f"outer must have 3 continuous derivatives at 0, {self.blocks.outer.name} has "
                f"{self.blocks.outer.smoothness:g}; it may be the inner activation"
            )
        if self.blocks.outer.value0 != 0:
            raise ValueError(
                f"outer must be 0 at 0, {self.blocks.outer.name} is {self.blocks.outer.value0:g} there; subtract it"
            )

    @property
    def time(self) -> float:
        """The time that the blocks cover."""
        return self.blocks.time

    def at(self, mean0: ArrayLike, K0: ArrayLike, times: ArrayLike | None = None) -> Unit:
        """The law of a unit after infinitely many blocks, given the normal law it starts with.

        Shapes: mean0 (m,) or a number for all, K0 (m, m), 0 for a fixed start; times within
        [0, time], a number or (k,), None for `time` -> mean (m,) or (k, m), covariance (m, m) or
        (k, m, m). From the explosion of an input on, its mean is infinite with the sign of
        outer''(0), its row and column of the covariance +inf.
        Law: exact for the identity inside, with outer''(0) = 0, and for centred ReLU without bias
        (error 1e-12); else error about 1e-10 of an ODE. Its expectations are closed forms for error functions
        and GELU of centred units. Others are Gaussian quadratures, whose error grows from 1e-10 to 1e-6 where a
        standard deviation is 100 times the length over which the activation bends, and further beyond.
        A start that is not normal leads to that start convolved with the change found here if
        the inner activation is the identity.
        Source: Peluchetti and Favaro 2021, laws of the doubly infinite limit; Hayou 2023, kernel
        of infinite depth then width.
        Raises: ValueError for a start or a time out of range.
        """
        mean, K = self._start(mean0, K0)
        wanted = reals("times", self.time if times is None else times, least=0, most=self.time)
        if wanted.ndim > 1 or wanted.size == 0:
            raise ValueError(f"times must be a number or (k,), got shape {wanted.shape}")
        explosion = self.explosion_time(mean, K)
        grid, position = np.unique(wanted, return_inverse=True)
        units = [self._unit(mean, K, explosion > time, time) for time in grid]
        means = np.array([unit.mean for unit in units])[position]
        covariances = np.array([unit.covariance for unit in units])[position]
        return Unit(means.reshape(*wanted.shape, -1), covariances.reshape(*wanted.shape, *K.shape))

    def ntk(self, mean0: ArrayLike, K0: ArrayLike, inputs: ArrayLike | None = None) -> Tangent:
        """The tangent kernel of one unit with respect to standard normal parameters of the blocks.

        Shapes: as `at`; `inputs` (m, m), the tangent kernel of what comes before the blocks, is 0
        by default and carried through -> three (m, m).
        Law: limit of infinite width and depth, in either order; error about 1e-10. Its mean holds
        at any width for the identity inside and outer''(0) = 0. +inf after an explosion.
        Source: Peluchetti and Favaro 2021, neural tangent kernel of the doubly infinite limit;
        general inner activations and outer''(0) != 0: ours.
        Raises: as `at`.
        """
        mean, K = self._start(mean0, K0)
        alive = self.explosion_time(mean, K) > self.time
        found = np.full((3, *K.shape), np.inf)
        tangents = np.zeros((3, *K.shape))
        tangents[2] = 0 if inputs is None else _semidefinite("inputs", inputs, len(mean))
        both = np.ix_(np.ones(3, bool), alive, alive)
        if np.any(alive):
            found[both] = self._flow.run(mean[alive], K[np.ix_(alive, alive)], tangents[both], self.time)[2]
        return Tangent(*found)

    def finite_depth(self, mean0: ArrayLike, K0: ArrayLike, depth: int, at: Sequence[int] | None = None) -> Unit:
        """The law of a unit after blocks of infinite width, each of length time / depth.

        Shapes: as `at`, with an axis for the blocks `at` if given; 0 = the start.
        Law: exact mean and covariance if inner or outer is linear; otherwise units count as normal
        after each block, with error O(1/depth), or O(1/depth^2) if outer''(0) = 0. Tends to
        `at(mean0, K0)` with error O(1/depth), which is a few per cent at depth 100.
        Source: Peluchetti and Favaro 2021, infinite width at fixed depth; Hayou 2023, likewise.
        Raises: ValueError for a start, a depth or a block out of range.
        """
        wanted, many = _checks.layers(at, whole("depth", depth, most=DEEPEST))
        path = self._recursion(mean0, K0, depth, wanted, tangents=None)
        means, covariances = (np.array([path[block][k] for block in wanted]) for k in (0, 1))
        return Unit(means, covariances) if many else Unit(means[0], covariances[0])

    def finite_depth_ntk(self, mean0: ArrayLike, K0: ArrayLike, depth: int, inputs: ArrayLike | None = None) -> Tangent:
        """The tangent kernel of one unit after blocks of infinite width.

        Shapes: as `ntk`. Law: as `finite_depth`; tends to `ntk` with error O(1/depth).
        Source: ours, the recursion that explains the slow approach of finite networks to the limit.
        Raises: as `finite_depth` and `ntk`.
        """
        K = self._start(mean0, K0)[1]
        tangents = np.zeros((3, *K.shape))
        tangents[2] = 0 if inputs is None else _semidefinite("inputs", inputs, len(K))
        found = self._recursion(mean0, K0, depth, [whole("depth", depth)], tangents)[depth][2]
        assert found is not None
        return Tangent(*found)

    def explosion_time(self, mean0: ArrayLike, K0: ArrayLike) -> FloatArray:
        """When the mean and variance of each input become infinite.

        Shapes: as `at` -> (m,), +inf for inputs that do not explode.
        Law: exact for the identity inside: with outer''(0) != 0 every start explodes but the one
        that never moves. Otherwise to about 1e-6, and +inf beyond 100 `time`.
        Source: Peluchetti and Favaro 2021, explosion time of the doubly infinite limit; its
        constants in closed form are ours. Finite networks never reach infinity.
        Raises: as `at`.
        """
        mean, K = self._start(mean0, K0)
        if self._flow.inner.linear:
            return self._riccati(mean, K).explosion_time()
        if self.blocks.outer.second0 == 0 and self._flow.inner.grows_linearly():
            return np.full(len(mean), np.inf)
        if np.any(np.diag(K) > LARGEST):
            raise ValueError(f"K0 must be at most {LARGEST:g} for these activations, got {_checks.shown(K0)}")
        return np.array(
            [self._flow.explosion_time(m, k, HORIZON * self.time) for m, k in zip(mean, np.diag(K), strict=True)]
        )

    @cached_property
    def _flow(self) -> Flow:
        blocks = self.blocks
        return Flow(
            Expectations(blocks.inner),
            blocks.outer.slope0,
            blocks.outer.second0,
            blocks.weight_variance,
            blocks.bias_variance,
        )

    def _riccati(self, mean: FloatArray, K: FloatArray) -> Riccati:
        slopes, blocks = self._flow.inner.slopes, self.blocks
        assert slopes is not None  # the inner activation is linear here
        slope = slopes[0]
        return Riccati(
            blocks.outer.slope0,
            blocks.outer.second0,
            slope**2 * blocks.weight_variance,
            blocks.bias_variance,
            mean,
            np.diag(K),
        )

    def _start(self, mean0: ArrayLike, K0: ArrayLike) -> tuple[FloatArray, FloatArray]:
        K = _semidefinite("K0", K0)
        mean = reals("mean0", mean0, least=-FARTHEST, most=FARTHEST)
        if mean.shape not in ((), (len(K),)):
            raise ValueError(f"mean0 must be a number or ({len(K)},) like K0, got shape {mean.shape}")
        return np.broadcast_to(mean, (len(K),)).copy(), K

    def _unit(self, mean: FloatArray, K: FloatArray, alive: FloatArray, time: float) -> Unit:
        """The law of a unit at a time, of which some inputs have exploded."""
        both = np.ix_(alive, alive)
        found = Unit(np.full(len(mean), np.copysign(np.inf, self.blocks.outer.second0)), np.full(K.shape, np.inf))
        if np.any(alive):
            found.mean[alive], found.covariance[both] = self._moments(mean[alive], K[both], time)
        return found

    def _moments(self, mean: FloatArray, K: FloatArray, time: float) -> tuple[FloatArray, FloatArray]:
        units, slopes = self._flow, self._flow.inner.slopes
        rate = units.slope**2 * self.blocks.weight_variance
        if time == 0:
            return mean, K
        if units.inner.linear:
            return self._linear(mean, K, time)
        if slopes and not np.any(mean) and self.blocks.bias_variance == units.second == 0 and np.all(np.diag(K) > 0):
            gain = rate * (slopes[0] ** 2 + slopes[1] ** 2) / 2
            clock = rate * (slopes[0] - slopes[1]) ** 2 * time
            return mean, assemble(np.diag(K) * np.exp(gain * time), angle_flow(separation(K), np.array([clock]))[0])
        return units.run(mean, K, np.zeros((0, *K.shape)), time)[:2]

    def _linear(self, mean: FloatArray, K: FloatArray, time: float) -> tuple[FloatArray, FloatArray]:
        """The identity inside: means in closed form, then a linear equation for the covariance."""
        path = self._riccati(mean, K)
        rate = path.slope**2 * path.weight_variance
        source = path.slope**2 * (path.bias_variance + path.weight_variance * (K + np.outer(mean, mean)))
        if path.second == 0:
            growth = np.expm1(rate * time) / rate if rate > 0 else time
            return mean, K + growth * source

        def slope(t: float, c: FloatArray) -> FloatArray:
            now = path.means(t)
            return path.slope**2 * path.bias_variance + rate * (c + np.outer(now, now).ravel())

        atol = ABSOLUTE * max(np.abs(K).max(), np.abs(source).max() * time, 1e-300)
        solution = solve_ivp(slope, (0, time), K.ravel(), "DOP853", rtol=TOLERANCE, atol=atol)
        return path.means(time), solution.y[:, -1].reshape(K.shape)

    def _recursion(
        self, mean0: ArrayLike, K0: ArrayLike, depth: int, wanted: Sequence[int], tangents: FloatArray | None
    ) -> dict[int, tuple[FloatArray, FloatArray, FloatArray | None]]:
        """Mean, covariance and tangents after the blocks wanted, all from the state of the block before."""
        mean, K = self._start(mean0, K0)
        inner, outer, dt = Expectations(self.blocks.inner), Expectations(self.blocks.outer), self.time / depth
        path = {0: (mean, K, tangents)}
        for block in range(1, max(wanted) + 1):
            values, slopes = inner.both(mean, K) if tangents is not None else (inner.values(mean, K), K)
            weights = self.blocks.weight_variance * dt * values
            power = weights + self.blocks.bias_variance * dt
            if tangents is not None:
                gain = self.blocks.weight_variance * dt * slopes
                sources = np.array([weights, np.full_like(K, self.blocks.bias_variance * dt), np.zeros_like(K)])
                tangents = tangents + outer.derivatives(np.zeros_like(mean), power) * (sources + gain * tangents)
            shift = outer.means(np.diag(power))
            K = K + outer.values(np.zeros_like(mean), power) - np.outer(shift, shift)
            mean = mean + shift
            path[block] = mean, K, tangents
        return {block: path[block] for block in wanted}


def _semidefinite(name: str, value: ArrayLike, inputs: int | None = None) -> FloatArray:
    """A covariance in which inputs may have no variance; a number stands for all entries.

    Raises: ValueError that names the argument and what is wrong with it.
    """
    given = _checks.numbers(name, value, 2, "a square covariance matrix")
    if inputs is not None and given.shape == (1, 1):
        value = np.full((inputs, inputs), given[0, 0])
    matrix = _checks.semidefinite(name, value, inputs)
    still = np.diag(matrix) == 0
    if np.any(matrix[still]):
        raise ValueError(f"{name} must be 0 beside a variance of 0, got {_checks.shown(value)}")
    return matrix
