"""What all diffusions share: the grid of times and the blocks of paths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _checks
from .._checks import FloatArray, real, sequence, whole
from .._parallel import over_samples
from ..activations import Rectifier, Smooth
from ..gaussian import MOST_SAMPLES
from ..loops.lanes import LANES

#: How far a time may be from the grid, in steps.
OFF_GRID = 1e-6

#: A kernel for one piece of the paths: (rows to fill, index of the first path).
Kernel = Callable[[FloatArray, int], None]


class Plan(NamedTuple):
    """The checked arguments of a `sample` call."""

    step: float
    records: NDArray[np.int64]  # steps after which to record, ascending
    refinement: int  # increments of the stream for one step
    seed: np.uint64
    kind: np.dtype  # of the normals
    order: list[int] | None  # where each time asked for stands in `records`; None without an axis
    samples: int
    first: int
    threads: int | None

    def run(self, kernel: Kernel, shape: tuple[int, ...]) -> FloatArray:
        """All paths, cut into pieces of whole blocks for the threads.

        Shapes: (samples, times?, *shape).
        """
        out = np.empty((self.samples, len(self.records), *shape))
        skipped = self.first % LANES

        def piece(start: int, stop: int) -> None:
            low, high = max(start - skipped, 0), min(stop - skipped, self.samples)
            kernel(out[low:high], self.first + low)

        over_samples(piece, self.samples + skipped, self.threads, align=LANES)
        if self.order is None:
            return out[:, 0]
        return out if self.order == list(range(len(self.records))) else out[:, self.order]


def checked_limit(activation: object, time: object) -> float:
    """The time, after a check that it and the activation have a limit of growing width and depth.

    Raises: ValueError that names the argument, its value and what is allowed.
    """
    if not isinstance(activation, Rectifier | Smooth):
        raise ValueError("activation must come from activations.shaped_relu, linear or smooth, "
                         f"got {activation!r}")
    # Both raise for a shaping that is too weak.
    _ = activation.b if isinstance(activation, Smooth) else activation.gap2
    return real("time", time, above=0)


def plan(time: float, samples: int, seed: int, at: Sequence[float] | None, steps: int, noise_steps: int | None,
         first: int, threads: int | None, precision: str) -> Plan:
    """Check the arguments that every diffusion takes.

    Raises: ValueError that names the argument, its value and what is allowed.
    """
    steps = whole("steps", steps, most=2**31 - 1)
    refinement = _checks.refinement("noise_steps", noise_steps, steps)
    samples = whole("samples", samples, most=MOST_SAMPLES)
    whole("first", first, least=0, most=MOST_SAMPLES - samples)
    if precision not in ("single", "double"):
        raise ValueError(f"precision must be 'single' or 'double', got {precision!r}")
    wanted = grid_indices(at, time, steps)
    records = np.unique(np.array(wanted, np.int64))
    return Plan(
        step=time / steps,
        records=records,
        refinement=refinement,
        seed=np.uint64(_checks.seed(seed)),
        kind=np.dtype(np.float32 if precision == "single" else np.float64),
        order=None if at is None else np.searchsorted(records, wanted).tolist(),
        samples=samples,
        first=first,
        threads=None if threads is None else whole("threads", threads),
    )


def grid_indices(at: Sequence[float] | None, time: float, steps: int) -> list[int]:
    """The steps that end at the times asked for; the last one by default.

    Raises: ValueError when a time is off the grid or outside of [0, time].
    """
    return [steps] if at is None else [_grid_index(one, time, steps) for one in sequence("at", at, "time")]


def _grid_index(moment: float, time: float, steps: int) -> int:
    """The step that ends at a time."""
    place = real("at", moment, least=0, most=time * (1 + OFF_GRID / steps)) / time * steps
    index = round(place)
    if abs(place - index) > OFF_GRID:
        raise ValueError(f"at must lie on the grid of {steps} steps in [0, {time}], got {moment!r}; "
                         f"the nearest grid time is {index * time / steps:.12g}")
    return index
