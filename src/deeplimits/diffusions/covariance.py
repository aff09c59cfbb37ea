"""The covariance of any number of inputs in the limit of a deep and wide network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks
from .._checks import FloatArray, real
from ..activations import Rectifier, correlation_of
from . import _matrices, _pairs
from ._flow import BOUNDED_CELLS, decrement_table, ratio_flow
from ._grid import Plan, plan
from ._lanes import FARTHEST, squarings

#: The Gaussian stream of these paths.
STREAM = 17


@dataclass(frozen=True)
class CovarianceSDE:
    """The covariance of the inputs of a shaped ReLU network, as width and depth grow together.

    dV = b(V) dt + Sigma(V)^(1/2) dB, with b from the shaping and Sigma from the random weights. Time is depth/width.

    Source: Li, Nica and Roy 2022, covariance SDE for shaped ReLU.
    Raises: ValueError for a time that is not positive and an activation without such a limit.
    """

    activation: Rectifier
    time: float

    def __post_init__(self) -> None:
        if not isinstance(self.activation, Rectifier):
            raise ValueError(f"activation must be a rectifier of deeplimits.activations, got {self.activation!r}")
        object.__setattr__(self, "time", real("time", self.time, above=0))
        _ = self.activation.gap2

    def sample(
        self,
        initial: ArrayLike,
        samples: int,
        seed: int,
        at: Sequence[float] | None = None,
        *,
        steps: int = 128,
        noise_steps: int | None = None,
        first: int = 0,
        threads: int | None = None,
        precision: str = "single",
    ) -> FloatArray:
        """Covariances of independent networks of infinite width and depth.

        Shapes: initial is V0, (m, m), the Gram <x, x'>/n_in of the inputs (a number for one input).
            Returns (samples, m, m) at `time`, or (samples, len(at), m, m) at the times `at`
            (depth/width, multiples of time/steps), in their order; 0 is the start.
        Law: weak order 2 in the step, strong order 1/2. V stays positive semi-definite at any step. Exact at any
            step for V11, and, for a linear network, for the mean and the determinant. The drift is the exact
            flow of each correlation; the noise is V <- L A A^T L^T with a random triangular A, whose
            factors are taken in opposite orders in odd and even steps. Two inputs keep 1 - rho to
            relative precision; more inputs to 1e-15 absolute.
            Normals have single precision, all else double; `precision="double"` is a
            reference with numbers of its own. Sample i depends only on (seed, first + i) and the
            steps. With `noise_steps`, a multiple of `steps`, the Brownian path is that of so
            many steps: coarse and fine paths are coupled.
        Source: Li, Nica and Roy 2022, covariance SDE for shaped ReLU; Strang 1968, splitting.
        Raises: ValueError for an initial value that is not a covariance, a time off the grid, samples or steps
            below 1, noise_steps that are no multiple of steps, an unknown precision.
        """
        V0 = _checks.covariance("initial", initial)
        chosen = plan(self.time, samples, seed, at, steps, noise_steps, first, threads, precision)
        gap2 = self.activation.gap2
        half, full = (
            (decrement_table(gap2, chosen.step / 2).cubics, decrement_table(gap2, chosen.step).cubics)
            if gap2 else (np.empty((4, 0)),) * 2
        )
        drift_and_noise = (half, full, float(BOUNDED_CELLS), np.empty(0, chosen.kind), chosen.refinement,
                           STREAM, chosen.seed)
        walk, arguments = self._pair(V0, chosen) if _is_plain_pair(V0, gap2) else self._matrix(V0, chosen)

        def kernel(out: FloatArray, begin: int) -> None:
            walk(out, begin, chosen.records, V0, *arguments, *drift_and_noise)

        return chosen.run(kernel, V0.shape)

    def _pair(self, V0: FloatArray, chosen: Plan) -> tuple:
        """The loop for two inputs and its own arguments."""
        epsilon = 1 - correlation_of(V0)[0, 1]
        ratio = ratio_flow(np.array([(2 - epsilon) / epsilon]), self.activation.gap2, chosen.step / 2, False)[0]
        start = np.array([ratio - 1, ratio + 1]) / (2 * np.sqrt(ratio))
        spreads = np.sqrt([np.expm1(chosen.step), -np.expm1(-chosen.step)])
        largest = np.sqrt(chosen.step) * FARTHEST * np.sqrt(2) + chosen.step / 2
        return _pairs.walk, (start, chosen.step, spreads, squarings(largest))

    def _matrix(self, V0: FloatArray, chosen: Plan) -> tuple:
        """The loop for any number of inputs and its own arguments."""
        largest = np.sqrt(chosen.step / 2) * FARTHEST + len(V0) * chosen.step / 2
        return _matrices.walk, (chosen.step, squarings(largest))


def _is_plain_pair(V0: FloatArray, gap2: float) -> bool:
    """Whether there are two inputs whose angle is, and stays, strictly between 0 and pi."""
    if len(V0) != 2:
        return False
    rho = correlation_of(V0)[0, 1]
    return 1 - rho > _matrices.PIVOT and (gap2 > 0 or 1 + rho > _matrices.PIVOT)
