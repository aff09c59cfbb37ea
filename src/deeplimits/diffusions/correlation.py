"""The correlation of two inputs in the limit of a deep and wide network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Unpack

import numpy as np

from .._checks import FloatArray, choice, real
from .._run import Diffusion, Steps
from ..activations import Activation, ActivationLike
from ..gaussian import CORRELATION_PATHS, Address
from ..loops.correlation import Flow, walk
from ..loops.flow import displacement_tables
from ..loops.lanes import LANES, noise
from ._grid import check_steps, keep_limit

#: How to write z = artanh(correlation) as the coordinate asked for.
COORDINATES: dict[str, Callable[[FloatArray], FloatArray]] = {
    "rho": np.tanh,
    "angle": lambda z: 2 * np.arctan(np.exp(-z)),
    "z": lambda z: z,
}


@dataclass(frozen=True)
class CorrelationSDE(Diffusion):
    """The correlation of two inputs of a shaped network, as width and depth grow together.

    d rho = [nu(rho) - rho (1 - rho^2)/2] dt + (1 - rho^2) dB. Time is depth/width. Smooth activations without a
    second derivative at the centre (tanh, sin, erf) have nu = 0: the law of a linear network.

    Source: Li, Nica and Roy 2022, correlation SDE of shaped ReLU; for odd smooth activations, ours.
    Raises: ValueError for a time that is not positive, an activation without such a limit, and one with a
        second derivative, whose correlation is no process of its own.

    >>> from deeplimits import activations, diffusions
    >>> rho = diffusions.CorrelationSDE(activations.shaped_relu(0, -1), time=1.0).sample(0.3, samples=1000, seed=1)
    >>> rho.shape, bool(abs(rho).max() <= 1)
    ((1000,), True)
    """

    activation: Activation
    time: float

    if TYPE_CHECKING:  # a string may stand for an activation

        def __init__(self, activation: ActivationLike, time: float) -> None: ...

    def __post_init__(self) -> None:
        keep_limit(self)
        if self.activation.limit.bend != 0:
            raise ValueError(
                f"activation must have no second derivative at its centre, {self.activation.name} has one "
                f"(bend = {self.activation.limit.bend:g}): its correlation depends on the norms; use "
                "CovarianceSDE"
            )

    def sample(
        self,
        initial: float,
        samples: int,
        seed: int,
        at: Sequence[float] | None = None,
        *,
        coordinate: str = "rho",
        **how: Unpack[Steps],
    ) -> FloatArray:
        """Correlations of independent networks of infinite width and depth.

        Shapes: initial is a correlation in [-1, 1]. Returns (samples,) at `time`, or (samples, len(at))
            at the times `at` (depth/width, multiples of time/steps), in their order; 0 is the start.
            `coordinate` is "rho", "angle" (arccos rho, a martingale for linear networks) or "z" (artanh
            rho): the last two keep their digits where rho is close to 1.
        Law: weak order 2 and strong order 1 in the step. Normals and z have single precision;
            `precision="double"` is a reference with numbers of its own. The start 1 stays, and
            so does -1 for a linear network; otherwise -1 is left at once.
            Sample i depends only on (seed, first + i) and the steps. With `noise_steps`, a multiple
            of `steps`, the Brownian path is that of so many steps: coarse and fine paths are coupled.
        Source: Li, Nica and Roy 2022, correlation SDE of shaped ReLU; Strang 1968, splitting.
        Raises: ValueError for an initial value outside [-1, 1], a time off the grid, samples or steps below
            1, noise_steps that are no multiple of steps, steps too long for the drift, an unknown
            coordinate or precision.
        """
        rho = real("initial", initial, least=-1, most=1)
        choice("coordinate", coordinate, COORDINATES)
        run = self._run(samples, seed, at, how)
        step = self.time / run.count
        check_steps(self.time, run.count, gap2=self.activation.gap2)
        half, full, floor = displacement_tables(self.activation.gap2, step, run.dtype)
        with np.errstate(divide="ignore"):
            start = np.arctanh(rho)
        flow = Flow(half.cubics, full.cubics, *(run.dtype.type(number) for number in (half.low, half.rate, floor)))
        spread = run.dtype.type(np.sqrt(step))

        def kernel(out: FloatArray, begin: int) -> None:
            walk(
                out,
                run.records,
                start,
                spread,
                flow,
                noise(1, run.dtype, run.refinement, Address(begin, CORRELATION_PATHS, run.seed)),
            )
            out[...] = COORDINATES[coordinate](out)

        return run.paths(kernel, (), LANES)
