"""A diffusion from its drift and its noise alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks
from .._checks import FloatArray
from .._run import Diffusion, Steps, pieces
from ..gaussian import EQUATION_PATHS, normals

#: Normals that a thread holds at once.
AT_A_TIME = 2**20


class Equation(Diffusion, ABC):
    """dx = drift(x) dt + noise(x, dB): a subclass writes these two, and has a `time`.

    The rest comes from here: the sampler with its seeds, threads and precision, the times to record, coupled paths
    of different steps, and refused arguments. Both methods see many paths at once and must treat each on its own.

    >>> from dataclasses import dataclass
    >>> from deeplimits.diffusions import Equation
    >>> @dataclass(frozen=True)
    ... class Geometric(Equation):
    ...     rate: float
    ...     time: float
    ...
    ...     def drift(self, x):
    ...         return self.rate * x
    ...
    ...     def noise(self, x, dB):
    ...         return x * dB
    >>> Geometric(0.5, time=1.0).sample([1.0], samples=1000, seed=1, at=[0.5, 1.0]).shape
    (1000, 2, 1)
    """

    @abstractmethod
    def drift(self, x: FloatArray) -> FloatArray:
        """The drift, per unit of time.

        Shapes: (paths, *state) in and out.
        """

    @abstractmethod
    def noise(self, x: FloatArray, dB: FloatArray) -> FloatArray:
        """The change of the state by an increment of Brownian motion.

        Shapes: x (paths, *state), dB (paths, *sources), the same shape out as x.
        """

    def sources(self, state: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the Brownian motion for a shape of the state: one for each number of the state."""
        return state

    def sample(
        self, initial: ArrayLike, samples: int, seed: int, at: Sequence[float] | None = None, **how: Unpack[Steps]
    ) -> FloatArray:
        """Paths of the equation.

        Shapes: initial is (*state), the same for all paths. Returns (samples, *state) at `time`, or
            (samples, len(at), *state) at the times `at`, multiples of time/steps, in their order; 0 is the start.
        Law: Euler scheme, weak order 1 and strong order 1/2 in the step where drift and noise are smooth and grow at
            most linearly. Normals have single precision, or double with `precision="double"`, all else is double.
            Sample i depends only on (seed, first + i) and the steps. With `noise_steps`, a multiple of `steps`, the
            Brownian path is that of so many steps: coarse and fine paths are coupled. A path that is no longer finite
            is +inf from there on.
        Source: Maruyama 1955, the Euler scheme.
        Raises: ValueError for an initial value that is not finite, a time off the grid, samples or steps below 1,
            noise_steps that are no multiple of steps, an unknown precision, a drift or noise of another shape.
        """
        x0 = _checks.reals("initial", initial)
        if not x0.size:
            raise ValueError(f"initial must hold at least one number, got shape {x0.shape}")
        run = self._run(samples, seed, at, how)
        step, sources = self.time / run.count, self.sources(x0.shape)
        count = max(int(np.prod(sources)), 1)

        def increments(paths: int, begin: int, done: int) -> FloatArray:
            drawn = np.zeros((paths, count))
            for part in range(run.refinement):
                drawn += normals(
                    int(run.seed),
                    paths,
                    count,
                    layer=done * run.refinement + part,
                    first=begin,
                    stream=EQUATION_PATHS,
                    dtype=run.dtype,
                )
            return drawn.reshape(paths, *sources) * np.sqrt(step / run.refinement)

        def kernel(out: FloatArray, begin: int) -> None:
            x, alive = np.broadcast_to(x0, (len(out), *x0.shape)), np.ones((len(out), *[1] * x0.ndim), bool)
            out[:, run.records == 0] = x[:, None]
            for done in range(run.records[-1]):
                with np.errstate(all="ignore"):
                    moved = self._moved(x, step, increments(len(out), begin, done))
                alive &= np.isfinite(moved).all(axis=tuple(range(1, x.ndim)), keepdims=True)
                x = np.where(alive, moved, x0)
                out[:, run.records == done + 1] = np.where(alive, x, np.inf)[:, None]

        return run.paths(pieces(kernel, max(AT_A_TIME // count, 1)), x0.shape)

    def _moved(self, x: FloatArray, step: float, dB: FloatArray) -> FloatArray:
        """The states after one step."""
        for name, change in (("drift", drift := self.drift(x)), ("noise", noise := self.noise(x, dB))):
            if np.shape(change) != x.shape:
                raise ValueError(f"{name} must have the shape {x.shape} of the states, got {np.shape(change)}")
        return x + drift * step + noise
