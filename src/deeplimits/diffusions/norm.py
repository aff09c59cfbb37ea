"""The norm of one input in the limit of a deep and wide network, through its explosion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Unpack

import numpy as np

from .._checks import FloatArray, real
from .._run import Diffusion, Run, Steps
from ..activations import Activation, ActivationLike
from ..gaussian import NORM_PATHS, Address
from ..loops.lanes import FARTHEST, LANES, noise, squarings
from ..loops.norm import walk
from ._grid import check_steps, keep_limit


@dataclass(frozen=True)
class NormSDE(Diffusion):
    """The squared norm of one input of a shaped network, as width and depth grow together.

    dV = b V (V - 1) dt + sqrt(2) V dB, with b = kappa/a^2 for smooth activations and 0 for rectifiers. Time is
    depth/width. With b > 0 the norm explodes in finite time with a probability below 1.

    Source: Li, Nica and Roy 2022, norm SDE and the criterion for finite time explosion.
    Raises: ValueError for a time that is not positive and an activation without such a limit.

    >>> import numpy as np
    >>> from deeplimits import activations, diffusions
    >>> V = diffusions.NormSDE(activations.smooth("silu"), time=2.0).sample(2.0, samples=1000, seed=1)
    >>> V.shape, bool(np.isinf(V).any())  # some have exploded
    ((1000,), True)
    """

    activation: Activation
    time: float

    if TYPE_CHECKING:  # a string may stand for an activation

        def __init__(self, activation: ActivationLike, time: float) -> None: ...

    def __post_init__(self) -> None:
        keep_limit(self)

    @property
    def b(self) -> float:
        """The strength of the drift; the norm can explode if and only if it is positive."""
        return self.activation.limit.b

    def sample(
        self, initial: float, samples: int, seed: int, at: Sequence[float] | None = None, **how: Unpack[Steps]
    ) -> FloatArray:
        """Squared norms of independent networks of infinite width and depth.

        Shapes: initial is a positive number. Returns (samples,) at `time`, or (samples, len(at)) at the times
            `at` (depth/width, multiples of time/steps), in their order; 0 is the start.
        Law: 1/V solves a linear equation, whose explicit solution continues to the explosion; its integral over time
            is taken by a rule of weak order 2 in the step. Exact at any step for b = 0. +infinity from
            the explosion on. Normals have single precision, or double as a reference. Sample i depends only
            on (seed, first + i) and the steps. With `noise_steps`, a multiple of `steps`, the Brownian path
            is that of so many steps: coarse and fine paths are coupled.
        Source: Li, Nica and Roy 2022, norm SDE; the explicit solution is ours.
        Raises: ValueError for an initial value that is not positive, a time off the grid, samples or steps below
            1, noise_steps that are no multiple of steps, steps too long for the drift, an unknown precision.
        """
        run = self._run(samples, seed, at, how)
        return self._norms(initial, run, values=True)

    def explosion_times(self, initial: float, samples: int, seed: int, **how: Unpack[Steps]) -> FloatArray:
        """When the norms that `sample` gives for the same arguments explode.

        Shapes: (samples,) in units of depth/width; +infinity for a path that has not exploded by `time`.
        Law: weak order 2 in the step.
        Source: Li, Nica and Roy 2022, criterion for finite time explosion.
        Raises: ValueError as `sample` does.
        """
        run = self._run(samples, seed, None, how)
        return self._norms(initial, run, values=False)

    def _norms(self, initial: float, run: Run, values: bool) -> FloatArray:
        inverse = 1 / real("initial", initial, least=1e-300, most=1e300)
        check_steps(self.time, run.count, self.b)
        step = self.time / run.count
        times = squarings(np.sqrt(2 * step) * FARTHEST + step)

        def kernel(out: FloatArray, begin: int) -> None:
            walk(
                out,
                run.records,
                inverse,
                self.b,
                step,
                times,
                values,
                noise(1, run.dtype, run.refinement, Address(begin, NORM_PATHS, run.seed)),
            )

        return run.paths(kernel, (), LANES)
