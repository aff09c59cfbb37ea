"""What all samplers share: a `Process`, the arguments of its `sample`, and the `Run` that they become."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _checks
from ._checks import FloatArray, real, whole
from ._parallel import BLOCK, over_samples
from .gaussian import MOST_SAMPLES

#: Layers and steps are numbered with 31 bits.
MOST_STEPS = 2**31 - 1

#: How far a time may be from the grid, in steps.
OFF_GRID = 1e-6


class How(TypedDict, total=False):
    """How any process is sampled: what changes the work and not the law."""

    first: int
    threads: int | None


class Precise(How, total=False):
    """... and in which precision normals are drawn and activations evaluated."""

    precision: Literal["single", "double"]


class Coupled(How, total=False):
    """... a network that can follow the path of the weights of a deeper one."""

    noise_depth: int | None


class Layers(Coupled, Precise, total=False):
    """... in single or double precision."""


class Grid(How, total=False):
    """... a diffusion in so many steps, which can follow the Brownian path of finer ones."""

    steps: int
    noise_steps: int | None


class Steps(Grid, Precise, total=False):
    """... in single or double precision."""


@dataclass(frozen=True)
class Run:
    """The checked arguments of a `sample` call: which samples, and after which layers or steps they are recorded."""

    samples: int
    seed: np.uint64
    count: int  # layers or steps in all
    records: NDArray[np.int64]  # ascending
    order: list[int] | None  # where each moment asked for stands in `records`; None without an axis
    refinement: int  # layers or steps of the stream for one of these
    first: int
    threads: int | None
    dtype: np.dtype[Any]  # of normals and activations

    @property
    def prototype(self) -> NDArray[Any]:
        """An empty array, which tells compiled code the type of its normals."""
        return np.empty(0, self.dtype)

    def shown(self, out: FloatArray) -> FloatArray:
        """The records in the order asked for, without their axis where there was no request."""
        if self.order is None:
            return out[:, 0]
        return out if self.order == list(range(len(self.records))) else out[:, self.order]

    def spread(self, work: Callable[[slice, int], None], align: int = 1) -> None:
        """Call `work(rows, first sample)` on pieces of the samples, on several threads.

        All pieces but the first begin at a sample whose number is a multiple of `align`.
        """
        skipped = self.first % align

        def piece(start: int, stop: int) -> None:
            low, high = max(start - skipped, 0), min(stop - skipped, self.samples)
            work(slice(low, high), self.first + low)

        over_samples(piece, self.samples + skipped, self.threads, align=align)

    def paths(self, kernel: Callable[[FloatArray, int], None], shape: tuple[int, ...], align: int = 1) -> FloatArray:
        """All samples, filled by `kernel(rows to fill, first sample)`.

        Shapes: (samples, times?, *shape).
        """
        out = _checks.empty("samples", (self.samples, len(self.records), *shape))
        self.spread(lambda rows, begin: kernel(out[rows], begin), align)
        return self.shown(out)

    def blocks(self, block: Callable[[int], FloatArray], shape: tuple[int, ...]) -> FloatArray:
        """All samples, copied out of whole blocks, which are the same for any cut into pieces.

        Shapes: block(number) gives (BLOCK, len(records), *shape); returns (samples, times?, *shape).
        """

        def kernel(out: FloatArray, begin: int) -> None:
            for number in range(begin // BLOCK, (begin + len(out) - 1) // BLOCK + 1):
                low, high = max(begin, number * BLOCK), min(begin + len(out), (number + 1) * BLOCK)
                out[low - begin : high - begin] = block(number)[low - number * BLOCK : high - number * BLOCK]

        return self.paths(kernel, shape, align=BLOCK)


def pieces(kernel: Callable[[FloatArray, int], None], rows: int = 2048) -> Callable[[FloatArray, int], None]:
    """The same kernel on at most so many samples at once, so that memory does not grow with them."""

    def several(out: FloatArray, begin: int) -> None:
        for low in range(0, len(out), rows):
            kernel(out[low : low + rows], begin + low)

    return several


def checked(
    count: int,
    wanted: ArrayLike,
    has_axis: bool,
    samples: int,
    seed: int,
    refinement: int,
    *,
    first: int = 0,
    threads: int | None = None,
    precision: str = "single",
) -> Run:
    """A run after so many layers or steps, recorded after those wanted."""
    samples = whole("samples", samples, most=MOST_SAMPLES)
    whole("first", first, least=0, most=MOST_SAMPLES - samples)
    _checks.choice("precision", precision, ("single", "double"))
    records = np.unique(np.array(wanted, np.int64))
    return Run(
        samples,
        np.uint64(_checks.seed(seed)),
        count,
        records,
        np.searchsorted(records, wanted).tolist() if has_axis else None,
        refinement,
        first,
        None if threads is None else whole("threads", threads),
        np.dtype(np.float32 if precision == "single" else np.float64),
    )


def known(how: Mapping[str, Any], allowed: type) -> dict[str, Any]:
    """The arguments by name, refused if the process has no such argument."""
    names = list(allowed.__annotations__)
    for name in how:
        if name not in names:
            near = difflib.get_close_matches(name, names, 1)
            hint = f"; did you mean {near[0]}?" if near else f": there are {', '.join(names)}"
            raise TypeError(f"unexpected argument {name}{hint}")
    return dict(how)


class Process:
    """A random process along the depth of a network, or along the time of its limit.

    A network and its limit answer to the same call, so that they can be laid side by side.
    """

    #: sample(initial, samples, seed, at=None, **how) -> (samples, ...) at the last moment, or (samples, len(at), ...)
    #: at the moments `at`, in their order. Sample i depends only on (seed, first + i) and the start: `threads` and the
    #: cut into calls change nothing. Each process has keywords of its own, so the type here is the common part.
    sample: Callable[..., FloatArray]


class Network(Process):
    """A process along layers: layer 0 is the start, layer `depth` the last."""

    if TYPE_CHECKING:

        @property
        def depth(self) -> int:
            """The number of layers."""

    def _run(
        self, samples: int, seed: int, at: Sequence[int] | None, how: Mapping[str, Any], allowed: type = Layers
    ) -> Run:
        """The checked arguments of a `sample` call.

        Raises: ValueError that names the argument, its value and what is allowed; TypeError for an unknown one.
        """
        given = known(how, allowed)
        wanted, has_axis = _checks.layers(at, self.depth)
        refinement = _checks.refinement("noise_depth", given.pop("noise_depth", None), self.depth)
        return checked(self.depth, wanted, has_axis, samples, seed, refinement, **given)


class Diffusion(Process):
    """A process along time, on a grid of even steps: 0 is the start, `time` the end."""

    if TYPE_CHECKING:

        @property
        def time(self) -> float:
            """The end."""

    #: Steps from 0 to `time` where none are given.
    STEPS = 128

    def _run(
        self, samples: int, seed: int, at: Sequence[float] | None, how: Mapping[str, Any], allowed: type = Steps
    ) -> Run:
        """The checked arguments of a `sample` call.

        Raises: ValueError that names the argument, its value and what is allowed; TypeError for an unknown one.
        """
        given = known(how, allowed)
        steps = whole("steps", given.pop("steps", self.STEPS), most=MOST_STEPS)
        wanted = [steps] if at is None else [self._index(one, steps) for one in _checks.sequence("at", at, "time")]
        refinement = _checks.refinement("noise_steps", given.pop("noise_steps", None), steps)
        return checked(steps, wanted, at is not None, samples, seed, refinement, **given)

    def _index(self, moment: float, steps: int) -> int:
        """The step that ends at a time."""
        place = real("at", moment, least=0, most=self.time * (1 + OFF_GRID / steps)) / self.time * steps
        index = round(place)
        if abs(place - index) > OFF_GRID:
            raise ValueError(
                f"at must lie on the grid of {steps} steps in [0, {self.time}], got {moment!r}; "
                f"the nearest grid time is {index * self.time / steps:.12g}"
            )
        return index
