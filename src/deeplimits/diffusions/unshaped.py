"""The correlation of two inputs of an unshaped ReLU network, where it is close to 1.

Without shaping each layer moves the correlation by an amount of order one, so there is no diffusion
from layer 0. But the correlation soon comes close to 1, and then layer^2 (1 - correlation) has a limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Unpack

import numpy as np

from .. import _checks
from .._checks import FloatArray, real, sequence, whole
from .._run import MOST_STEPS, Diffusion, Grid, checked, known, pieces
from ..gaussian import SINGULAR_PATHS, normals

#: Where layer^2 (1 - correlation) of an infinitely wide ReLU network goes.
PLATEAU = 4.5 * np.pi**2


@dataclass(frozen=True)
class SingularSDE(Diffusion):
    """The limit of layer^2 (1 - correlation) of an unshaped ReLU network, in time layer/width.

    d log q = [2/t (1 - sqrt(2 q) / (3 pi)) - 2] dt + 2 sqrt(2) dB, singular at t = 0, where q = 9 pi^2 / 2.

    Source: Li and Nica 2024, the singular SDE of unshaped ReLU networks.
    Raises: ValueError for a time that is not positive.

    >>> from deeplimits import diffusions
    >>> diffusions.SingularSDE(time=1.0).sample(0.5, samples=100, seed=1, start_time=0.5).shape
    (100,)
    """

    STEPS = 512

    time: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "time", real("time", self.time, above=0))

    def sample(
        self,
        initial: float,
        samples: int,
        seed: int,
        at: Sequence[float] | None = None,
        *,
        start_time: float | None = None,
        **how: Unpack[Grid],
    ) -> FloatArray:
        """Paths of q = layer^2 (1 - correlation).

        Shapes: initial is q at `start_time` (in layer/width, by default time/10^4); near 0 it is PLATEAU.
            Returns (samples,) at `time` or (samples, len(at)) at the times `at`, in their order, each
            in [start_time, time].
        Law: strong order 1 and positive for every step of log time: the singular drift is integrated exactly (it is
            linear in 1/sqrt(q)) and the rest, -2 dt + 2 sqrt(2) dB, as well, in turns. `steps` steps lead from the
            start to `time`, and each time asked for is hit exactly. The deterministic start costs O(start_time).
            With `noise_steps`, a multiple of `steps`, the Brownian path is that of so many steps, without `at`.
        Source: Li and Nica 2024, the singular SDE of unshaped ReLU networks.
        Raises: ValueError for an initial value or start time that is not positive, times outside the range,
            noise_steps that are no multiple of steps.
        """
        begin_time = real(
            "start_time", self.time * 1e-4 if start_time is None else start_time, least=1e-300, most=self.time
        )
        start = np.log(real("initial", initial, above=0))
        moments = (
            [self.time]
            if at is None
            else [real("at", t, least=begin_time, most=self.time) for t in sequence("at", at, "time")]
        )
        given = known(how, Grid)
        steps = whole("steps", given.pop("steps", self.STEPS), most=MOST_STEPS)
        refinement = _checks.refinement("noise_steps", given.pop("noise_steps", None), steps)
        grid = _log_grid(begin_time, np.unique(moments), steps)
        run = checked(len(grid) - 1, np.searchsorted(grid, moments), at is not None, samples, seed, refinement, **given)

        def kernel(out: FloatArray, begin: int) -> None:
            drawn = max(len(grid) - 1, 1) * refinement
            noise = normals(int(run.seed), len(out), drawn, first=begin, stream=SINGULAR_PATHS)
            log_q = np.full(len(out), start)
            for place, now in enumerate(grid):
                if place:
                    before = grid[place - 1]
                    gone = now - before
                    log_q = _pulled_to_plateau(log_q, np.sqrt(before / now)) - 2 * gone
                    lengths = np.diff(np.geomspace(before, now, refinement + 1))
                    moved = noise[:, (place - 1) * refinement : place * refinement] @ np.sqrt(8 * lengths)
                    log_q = _pulled_to_plateau(log_q + moved, np.sqrt(before / now))
                out[:, run.records == place] = np.exp(log_q)[:, None]

        return run.paths(pieces(kernel), ())


def _pulled_to_plateau(log_q: FloatArray, shrink: float) -> FloatArray:
    """q after d log q = 2 (1 - sqrt(q / PLATEAU)) d log t: sqrt(PLATEAU / q) - 1 shrinks by the ratio of the times."""
    # The larger of the two terms is taken out, so that neither a tiny nor a huge q overflows.
    half = (np.log(PLATEAU) - log_q) / 2
    return np.log(PLATEAU) - 2 * np.logaddexp(half + np.log(shrink), np.log1p(-shrink))


def _log_grid(start: float, moments: FloatArray, steps: int) -> FloatArray:
    """Times from the start through all moments, even in log time between them, `steps` or a few more in all."""
    ends = np.concatenate([[start], moments[moments > start]])
    length = max(np.log(ends[-1] / ends[0]), np.finfo(float).tiny)
    pieces = [ends[:1]]
    for low, high in zip(ends[:-1], ends[1:], strict=True):
        count = int(np.ceil(steps * np.log(high / low) / length))
        part = np.geomspace(low, high, count + 1)[1:]
        part[-1] = high
        pieces.append(part)
    return np.concatenate(pieces)
