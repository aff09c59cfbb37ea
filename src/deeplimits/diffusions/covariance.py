"""The covariance of any number of inputs in the limit of a deep and wide network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks
from .._checks import FloatArray, real
from .._run import Diffusion, Run, Steps
from ..activations import Activation, ActivationLike, correlation_of
from ..gaussian import COVARIANCE_PATHS, TANGENT_PATHS, Address
from ..loops import matrices, pairs, smooth, tangents
from ..loops.flow import BOUNDED_CELLS, decrement_table, ratio_flow
from ..loops.lanes import FARTHEST, LANES, Drift, Noise, noise, squarings
from ..loops.linear import PIVOT
from ._grid import check_steps, keep_limit

#: Variances above this can leave double precision on the way.
LARGEST = 1e250


def _unbounded(radius: object) -> bool:
    return isinstance(radius, float) and radius == np.inf


@dataclass(frozen=True)
class CovarianceSDE(Diffusion):
    """The covariance of the inputs of a shaped network, as width and depth grow together.

    dV = b(V) dt + Sigma(V)^(1/2) dB, with b from the shaping and Sigma from the random weights. Time is depth/width.

    Source: Li, Nica and Roy 2022, covariance SDE for shaped ReLU and for smooth activations.
    Raises: ValueError for a time that is not positive and an activation without such a limit.

    >>> from deeplimits import activations, diffusions
    >>> limit = diffusions.CovarianceSDE(activations.shaped_relu(0, -1), time=1.0)
    >>> limit.sample([[1.0, 0.3], [0.3, 1.0]], samples=100, seed=1, at=[0.0, 0.5, 1.0]).shape
    (100, 3, 2, 2)
    """

    activation: Activation
    time: float

    if TYPE_CHECKING:  # a string may stand for an activation

        def __init__(self, activation: ActivationLike, time: float) -> None: ...

    def __post_init__(self) -> None:
        keep_limit(self)

    def sample(
        self,
        initial: ArrayLike,
        samples: int,
        seed: int,
        at: Sequence[float] | None = None,
        *,
        radius: float = np.inf,
        **how: Unpack[Steps],
    ) -> FloatArray:
        """Covariances of independent networks of infinite width and depth.

        Shapes: initial is V0, (m, m), the Gram <x, x'>/n_in of the inputs (a number for one input).
            Returns (samples, m, m) at `time`, or (samples, len(at), m, m) at the times `at`
            (depth/width, multiples of time/steps), in their order; 0 is the start.
        Law: weak order 2 in the step, strong order 1/2. V stays positive semi-definite at any step. Exact at any
            step for V11, and, for a linear network, for the mean and the determinant. The drift is the exact
            flow of each correlation; the noise is V <- L A A^T L^T with a random triangular A, whose
            factors are taken in opposite orders in odd and even steps. (The flow is tabulated for a bend gap2 step of
            up to 25; in longer steps, which bring correlations near to 1, it errs by up to 0.06.)
            Two inputs keep 1 - rho to relative precision; more inputs to 1e-15 absolute.
            Normals have single precision, all else double; for two inputs, whose angle is carried, the
            state too, unless cot(angle) could pass 1e12 by `time` (then double): its rounding, about
            1e-7 sqrt(steps) relative in variances and in 1 - rho, is as random as the noise and far
            below it. `precision="double"` is a reference with numbers of its own. Sample i depends
            only on (seed, first + i) and the steps. With `noise_steps`, a multiple of `steps`, the
            Brownian path is that of so many steps: coarse and fine paths are coupled.
            Smooth activations: every entry is +infinity from the explosion of a variance on; a variance below
            1e-300 counts as that. The limit of networks is
            proved up to the first time at which a variance is beyond a radius: with `radius`, paths
            stop at the first step where that is so, and keep their value.
        Source: Li, Nica and Roy 2022, covariance SDE for shaped ReLU; Strang 1968, splitting.
        Raises: ValueError for an initial value that is not a covariance, a time off the grid, samples or steps
            below 1, noise_steps that are no multiple of steps, steps too long for the drift,
            an unknown precision, a radius that is not positive.
        """
        V0 = _checks.covariance("initial", initial)
        run = self._run(samples, seed, at, how)
        if self.activation.rectifier is None:
            return self._run_smooth(V0, run, radius)[0]
        if not _unbounded(radius):
            raise ValueError(f"radius must be inf for {self.activation.name}, which never explodes, got {radius!r}")
        return self._run_rectifier(V0, run)

    def explosion_times(
        self, initial: ArrayLike, samples: int, seed: int, *, radius: float = np.inf, **how: Unpack[Steps]
    ) -> FloatArray:
        """When the covariances that `sample` gives for the same arguments explode, or stop at the radius.

        Shapes: (samples,) in units of depth/width; +infinity for a path that has not by `time`.
        Law: weak order 2 in the step, for explosions; stopping is seen at the end of a step.
        Source: Li, Nica and Roy 2022, criterion for finite time explosion.
        Raises: ValueError as `sample` does.
        """
        V0 = _checks.covariance("initial", initial)
        run = self._run(samples, seed, None, how)
        if self.activation.rectifier is None:
            return self._run_smooth(V0, run, radius)[1]
        return np.full(run.samples, np.inf)

    def tangents(
        self, initial: ArrayLike, samples: int, seed: int, at: Sequence[float] | None = None, **how: Unpack[Steps]
    ) -> FloatArray:
        """Gram matrices of an input and of derivatives along directions, in networks of infinite width and depth.

        For shaped rectifiers it is the covariance of a linear network. For smooth activations the noise is the
        same, V is the norm, and with p = (phi''^2 + phi''')/a^2 the drift is b C (2 V - 1) for the inner products
        C of directions with the input and (p V - b) U + 2 p C C^T for those among directions: for a single one, the
        drift of U is U [p V (1 + 2 rho^2) - b], rho the correlation with the input.

        A random direction at the start of an input with norm V, initial [[V, 0], [0, 1]], gives (V, |J u|^2); this is
        also the limit of (V, |J^T g|^2) for a random direction g at the end.

        Shapes: initial is (1 + k, 1 + k), the Gram <., .>/n_in of the input and of k directions. Returns
            (samples, 1 + k, 1 + k) at `time`, or (samples, len(at), 1 + k, 1 + k) at the times `at` (depth/width,
            multiples of time/steps), in their order; 0 is the start.
        Law: weak order 2 in the step; positive semi-definite at any step. The drift is solved exactly but for
            one integral, by Simpson's rule, which is 0 for odd activations; the noise is that of
            `sample`. Every entry is +infinity from the explosion of V on. It is the limit of
            `networks.ShapedMLP.tangents`, with error O(1/width). Normals, samples and `noise_steps` as for `sample`.
        Source: ours, after the covariance SDE of Li, Nica and Roy 2022.
        Raises: ValueError for an initial value that is not a covariance, a time off the grid, samples or steps
            below 1, noise_steps that are no multiple of steps, an unknown precision.
        """
        start = _checks.covariance("initial", initial)
        run = self._run(samples, seed, at, how)
        step = self.time / run.count
        largest = np.sqrt(step / 2) * FARTHEST + len(start) * step / 2
        times = _checks.empty("samples", (run.samples,))
        b, _, bend = self.activation.limit
        check_steps(self.time, run.count, b)

        def kernel(out: FloatArray, begin: int) -> None:
            rows = slice(begin - run.first, begin - run.first + len(out))
            tangents.walk(
                out,
                times[rows],
                run.records,
                start,
                step,
                squarings(largest),
                b,
                bend / 4,
                _noise(start, run, begin, TANGENT_PATHS),
            )

        return run.paths(kernel, start.shape, LANES)

    def _run_rectifier(self, V0: FloatArray, run: Run) -> FloatArray:
        gap2, step = self.activation.gap2, self.time / run.count
        check_steps(self.time, run.count, gap2=gap2)
        half, full = (decrement_table(gap2, time).cubics if gap2 else np.empty((4, 0)) for time in (step / 2, step))
        loop = self._pair if _is_plain_pair(V0, gap2 * step) else self._matrix
        walk, state, arguments = loop(V0, run)
        drift = Drift(half.astype(state), full.astype(state), state.type(BOUNDED_CELLS))

        def kernel(out: FloatArray, begin: int) -> None:
            walk(out, run.records, V0, *arguments, drift, _noise(V0, run, begin, COVARIANCE_PATHS))

        V = run.paths(kernel, V0.shape, LANES)
        if V0.max() > LARGEST:
            V[~np.isfinite(V).all(axis=(-2, -1))] = np.inf
        return V

    def _run_smooth(self, V0: FloatArray, run: Run, radius: float) -> tuple[FloatArray, FloatArray]:
        """Covariances, and the times of explosion or stopping."""
        radius = np.inf if _unbounded(radius) else real("radius", radius, above=0)
        b, _, bend = self.activation.limit
        check_steps(self.time, run.count, b)
        *_, scheme = self._matrix(V0, run)
        times = _checks.empty("samples", (run.samples,))

        def kernel(out: FloatArray, begin: int) -> None:
            rows = slice(begin - run.first, begin - run.first + len(out))
            smooth.walk(
                out,
                times[rows],
                run.records,
                V0,
                *scheme,
                b,
                bend / 4,
                radius,
                _noise(V0, run, begin, COVARIANCE_PATHS),
            )

        return run.paths(kernel, V0.shape, LANES), times

    def _pair(self, V0: FloatArray, run: Run) -> tuple[Any, ...]:
        """The loop for two inputs, the type of its state and its own arguments."""
        step = self.time / run.count
        epsilon = 1 - correlation_of(V0)[0, 1]
        ratio = ratio_flow(np.array([(2 - epsilon) / epsilon]), self.activation.gap2, step / 2, False)[0]
        start = np.array([ratio - 1, ratio + 1]) / (2 * np.sqrt(ratio))
        spreads = np.sqrt([np.expm1(step), -np.expm1(-step)])
        largest = np.sqrt(step) * FARTHEST * np.sqrt(2) + step / 2
        sizes = np.array([np.sqrt(step / 2), step / 2])
        # A cotangent grows like exp(time/2), with noise of unit size in its logarithm.
        farthest = start[1] * np.exp(min(self.time / 2 + FARTHEST * np.sqrt(self.time), 600))
        state = run.dtype if farthest < pairs.LARGEST[run.dtype] else np.dtype(np.float64)
        kick = pairs.Kick(
            sizes.astype(state), spreads.astype(state), state.type(pairs.LARGEST[state]), squarings(largest)
        )
        return pairs.walk, state, (start.astype(state), step, kick)

    def _matrix(self, V0: FloatArray, run: Run) -> tuple[Any, ...]:
        """The loop for any number of inputs, the type of its state and its own arguments."""
        step = self.time / run.count
        largest = np.sqrt(step / 2) * FARTHEST + len(V0) * step / 2
        return matrices.walk, np.dtype(np.float64), (step, squarings(largest))


def _noise(V0: FloatArray, run: Run, begin: int, stream: int) -> Noise:
    """The noise of the paths from one on: a triangle of normals a step."""
    return noise(len(V0) * (len(V0) + 1) // 2, run.dtype, run.refinement, Address(begin, stream, run.seed))


def _is_plain_pair(V0: FloatArray, bend: float) -> bool:
    """Whether there are two inputs whose angle is, and stays, strictly between 0 and pi.

    Half a step of drift takes opposite inputs to 1 + correlation = bend / 4, bend = gap2 step.
    """
    if len(V0) != 2:
        return False
    rho = correlation_of(V0)[0, 1]
    return 1 - rho > PIVOT and 1 + rho + bend / 4 > PIVOT
