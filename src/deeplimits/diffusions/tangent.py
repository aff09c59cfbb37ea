"""How directions at an input grow in shaped networks, as width and depth grow together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks
from .._checks import FloatArray
from .._run import Diffusion, Steps
from ..activations import Rectifier, Smooth
from ..gaussian import TANGENT_PATHS
from ..loops import tangents as _tangents
from ..loops.lanes import FARTHEST, LANES, squarings
from ._grid import checked_limit


@dataclass(frozen=True)
class TangentSDE(Diffusion):
    """The Gram matrix of an input and of derivatives along directions, as width and depth grow together.

    For shaped rectifiers it is the covariance of a linear network. For smooth activations the noise is the
    same, V is the norm, and with p = (phi''^2 + phi''')/a^2 the drift is b C (2 V - 1) for the inner products
    C of directions with the input and (p V - b) U + 2 p C C^T for those among directions: for a single one, the drift
    of U is U [p V (1 + 2 rho^2) - b], rho the correlation with the input. Time is depth/width.

    A random direction at the start of an input with norm V, initial [[V, 0], [0, 1]], gives (V, |J u|^2); this is
    also the limit of (V, |J^T g|^2) for a random direction g at the end.

    Source: ours, after the covariance SDE of Li, Nica and Roy 2022.
    Raises: ValueError for a time that is not positive and an activation without such a limit.
    """

    activation: Rectifier | Smooth
    time: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "time", checked_limit(self.activation, self.time))

    def sample(self, initial: ArrayLike, samples: int, seed: int, at: Sequence[float] | None = None,
               **how: Unpack[Steps]) -> FloatArray:
        """Gram matrices of an input and of its tangents in independent networks of infinite width and depth.

        Shapes: initial is (1 + k, 1 + k), the Gram <., .>/n_in of the input and of k directions. Returns
            (samples, 1 + k, 1 + k) at `time`, or (samples, len(at), 1 + k, 1 + k) at the times `at` (depth/width,
            multiples of time/steps), in their order; 0 is the start.
        Law: weak order 2 in the step; positive semi-definite at any step. The drift is solved exactly but for
            one integral, by Simpson's rule, which is 0 for odd activations; the noise is that of
            `CovarianceSDE`. Every entry is +infinity from the explosion of V on. It is the limit of
            `networks.ShapedMLP.tangents`, with error O(1/width). Normals, samples and `noise_steps` as for
            `CovarianceSDE.sample`.
        Source: ours, after the covariance SDE of Li, Nica and Roy 2022.
        Raises: ValueError for an initial value that is not a covariance, a time off the grid, samples or steps
            below 1, noise_steps that are no multiple of steps, an unknown precision.
        """
        start = _checks.covariance("initial", initial)
        run = self._run(samples, seed, at, how)
        step = self.time / run.count
        b, bend = self._drift()
        largest = np.sqrt(step / 2) * FARTHEST + len(start) * step / 2
        times = np.empty(run.samples)

        def kernel(out: FloatArray, begin: int) -> None:
            rows = slice(begin - run.first, begin - run.first + len(out))
            _tangents.walk(out, times[rows], begin, run.records, start, step, squarings(largest), b, bend,
                           run.prototype, run.refinement, TANGENT_PATHS, run.seed)

        return run.paths(kernel, start.shape, LANES)

    def _drift(self) -> tuple[float, float]:
        """b and phi''^2 / (4 a^2), both 0 for rectifiers and above exponent 1/2."""
        phi = self.activation
        if isinstance(phi, Rectifier) or phi.exponent > 0.5:
            return 0.0, 0.0
        return phi.b, (phi.second / (2 * phi.a)) ** 2
