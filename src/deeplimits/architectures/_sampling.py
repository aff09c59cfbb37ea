"""One call of `Network.sample`: chunks of networks, forward, and back with every layer run again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._blas import one_blas_thread
from .._checks import FloatArray, empty, room
from .._parallel import cores, over_samples
from .._run import Run
from ._block import Size
from ._parameters import Store
from ._shortcuts import Stretch, stretches

if TYPE_CHECKING:
    from .network import Network

#: Numbers that a chunk of networks holds at once, about: 512 MiB.
ROOM = 2**26

Cotangent = Callable[[FloatArray], FloatArray]


class Gradients(NamedTuple):
    """States of networks, jointly with the gradients of a loss.

    Shapes: states and gradients (samples, layers?, ...) at the same layers: the gradient with respect to the state
        there. parameters: by name, the squared norm of the gradient with respect to a matrix or a vector, (samples,).

    >>> import numpy as np
    >>> from deeplimits.architectures import mlp
    >>> run = mlp([8, 8, 2]).sample(np.ones((3, 1)), samples=5, seed=1, at=[1, 2], backward=True)
    >>> run.states.shape, run.gradients.shape, sorted(run.parameters)
    ((5, 2, 8, 1), (5, 2, 8, 1), ['0/0/0/weight', '1/0/0/weight', '2/0/0/weight'])
    """

    states: FloatArray
    gradients: FloatArray
    parameters: dict[str, FloatArray]


@dataclass(frozen=True)
class Task:
    """What is asked of the networks beside their states."""

    backward: bool | Cotangent
    observe: Callable[[FloatArray], FloatArray] | None
    method: str | None

    def checked(self) -> Task:
        """Raises: ValueError for what is neither a flag nor a function."""
        if not isinstance(self.backward, bool) and not callable(self.backward):
            raise ValueError(f"backward must be True, False or a function of the last state, got {self.backward!r}")
        if self.observe is not None and not callable(self.observe):
            raise ValueError(f"observe must be a function of a state or None, got {self.observe!r}")
        return self

    def cotangent(self, y: FloatArray) -> FloatArray:
        """The gradient of the loss with respect to the last state."""
        if not callable(self.backward):
            return y
        g = np.asarray(self.backward(y), np.float64)
        if g.shape != y.shape:
            raise ValueError(f"backward must return the shape of the last state {y.shape}, got {g.shape}")
        return g

    def look(self, state: FloatArray, gone: NDArray[np.bool_], samples: int) -> FloatArray:
        """What is kept of a state; +inf for networks that have overflowed."""
        state = np.broadcast_to(state, (samples, *state.shape[1:]))
        seen = state if self.observe is None else np.asarray(self.observe(state), np.float64)
        if len(seen) != samples:
            raise ValueError(f"observe must keep the axis of {samples} samples, got shape {seen.shape}")
        return np.where(gone.reshape(-1, *(1,) * (seen.ndim - 1)), np.inf, seen) if gone.any() else seen


class Sampler:
    """One call of `Network.sample`."""

    def __init__(self, network: Network, task: Task, run: Run, x: FloatArray, sizes: list[Size]) -> None:
        self.network, self.task, self.run, self.x = network, task, run, x
        held = sizes[-1].held if task.backward else max(b.held - a.held for a, b in zip(sizes, sizes[1:], strict=False))
        self.rows = max(1, ROOM // cores() // max(held + sum(int(np.prod(size.shape)) for size in sizes), 1))
        room("network", (4, max(int(np.prod(size.shape)) for size in sizes)))  # a state, and what it is made from
        if task.observe is None and len({sizes[layer].shape for layer in run.records}) > 1:
            shapes = [sizes[layer].shape for layer in run.records]
            raise ValueError(f"at must name layers of one shape unless observe= is given, got shapes {shapes}")
        self.stretches: dict[int, Stretch] = {}
        if not task.backward and task.method is None:
            self.stretches = stretches(network, sizes, x, run.records.tolist(), task.observe)
        self.kept: dict[str, FloatArray] = {}
        self.parameters: dict[str, FloatArray] = {}

    def all(self) -> FloatArray | Gradients:
        """All samples, chunk by chunk."""
        with one_blas_thread():
            self._fill()
        states = self.run.shown(self.kept["states"])
        if not self.task.backward:
            return states
        return Gradients(states, self.run.shown(self.kept["gradients"]), self.parameters)

    def _fill(self) -> None:
        # The first network alone: it tells the shape of what is kept.
        self._chunk(slice(0, 1), self.run.first)

        def piece(start: int, stop: int) -> None:
            for low in range(start + 1, stop + 1, self.rows):
                self._chunk(slice(low, min(low + self.rows, stop + 1)), self.run.first + low)

        if self.run.samples > 1:
            # A network that fills the room has all threads for itself.
            over_samples(piece, self.run.samples - 1, self.run.threads if self.rows > 1 else 1)

    def _chunk(self, rows: slice, first: int) -> None:
        # a network that overflows is marked, not a warning
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            self._forward(rows, first)

    def _forward(self, rows: slice, first: int) -> None:
        """States from the first to the last; then the way back."""
        run, count = self.run, rows.stop - rows.start
        threads = 1 if self.rows > 1 else run.threads
        store = Store(
            int(run.seed), first, count, threads, "single" if run.dtype == np.float32 else "double", self.task.method
        )
        x = self.x if len(self.x) == 1 else self.x[rows]
        gone, path, number = np.zeros(count, bool), [x], 0
        if run.records[0] == 0:
            self._keep("states", rows, 0, self.task.look(x, gone, count))
        while number < (run.count if self.task.backward else run.records[-1]):
            if number in self.stretches:
                number, x, gone = self._leap(self.stretches[number], rows, store, x, gone)
                continue
            layer = self.network.layers[number]
            x, gone = _stopped(layer.forward(x, store)[0], gone)
            number += 1
            if self.task.backward:
                path.append(x)
            elif not layer.tied:
                store.release(layer.path)
            if number in run.records:
                self._keep("states", rows, number, self.task.look(x, gone, count))
        if self.task.backward:
            self._back(rows, store, path, gone)

    def _leap(
        self, stretch: Stretch, rows: slice, store: Store, x: FloatArray, gone: NDArray[np.bool_]
    ) -> tuple[int, FloatArray, NDArray[np.bool_]]:
        """Several layers at once: the last of them, the state there, and which networks have overflowed."""
        recorded = [layer for layer in self.run.records.tolist() if stretch.begin < layer <= stretch.end]
        last = min(stretch.end, int(self.run.records[-1]))
        layers = [*recorded, *[last] * (last not in recorded)]
        for layer, state in zip(layers, np.moveaxis(stretch.sample(x, layers, store), 1, 0), strict=True):
            x, gone = _stopped(state, gone)
            if layer in recorded:
                self._keep("states", rows, layer, self.task.look(x, gone, store.samples))
        return last, x, gone

    def _back(self, rows: slice, store: Store, path: list[FloatArray], gone: NDArray[np.bool_]) -> None:
        """Gradients from the last state to the first. A layer is run again, with known answers, for its way back."""
        count = rows.stop - rows.start
        g = self.task.cotangent(np.broadcast_to(path[-1], (count, *path[-1].shape[1:])))
        for number in range(self.run.count, -1, -1):
            if number in self.run.records:
                self._keep("gradients", rows, number, self.task.look(g, gone, count))
            if number:
                layer = self.network.layers[number - 1]
                path.pop()
                g, gone = _stopped(layer.forward(path[-1], store)[1](g), gone)
                if not layer.tied:
                    self._norms(rows, store, layer.path, gone)
        self._norms(rows, store, None, gone)

    def _norms(self, rows: slice, store: Store, path: str | None, gone: NDArray[np.bool_]) -> None:
        """Keep the norms of the gradients of a layer and forget it; of all that is left for None."""
        for key, squared in store.take_gradients(path).items():
            if key not in self.parameters:
                self.parameters[key] = np.empty(self.run.samples)
            self.parameters[key][rows] = np.where(np.isfinite(squared) & ~gone, squared, np.inf)
        if path is not None:
            store.release(path)

    def _keep(self, name: str, rows: slice, number: int, seen: FloatArray) -> None:
        if name not in self.kept:
            self.kept[name] = empty("samples", (self.run.samples, len(self.run.records), *seen.shape[1:]))
        out = self.kept[name]
        if out.shape[2:] != seen.shape[1:]:
            raise ValueError(
                f"observe must return one shape at all layers asked for, got {out.shape[2:]} and {seen.shape[1:]}"
            )
        out[rows, np.searchsorted(self.run.records, number)] = seen


def _stopped(x: FloatArray, gone: NDArray[np.bool_]) -> tuple[FloatArray, NDArray[np.bool_]]:
    """A state in which networks that have overflowed are zero, and which they are."""
    finite = np.isfinite(x.sum(axis=tuple(range(1, x.ndim))))
    if finite.all():
        return x, gone
    return np.where(finite.reshape(-1, *(1,) * (x.ndim - 1)), x, 0.0), gone | ~finite
