"""Training by gradient descent, its stochastic form and Adam, of several independent networks at once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .._checks import FloatArray, choice, flag, numbers, real, sequence, shown, whole
from .._progress import Progress
from ..blocks import filters
from . import _checkpoints
from ._libraries import jax, optax
from .model import TRAINED, Model, stream

METHODS = ("sgd", "adam")

#: Steps in one call of compiled code, at most; a run can be interrupted and saved after each call.
CHUNK = 25
#: Operations in such a call, about: some seconds on one core.
WORK = 1e11
#: Numbers of a hidden state that a look at watched inputs holds at once.
ROOM = 2**25
#: Seconds between two checkpoints.
PAUSE = 10.0


@dataclass(frozen=True)
class Optimiser:
    """How parameters move: by "sgd" or "adam", at a rate, on all inputs or on batches of them.

    Without a batch each step sees all inputs, so that "sgd" is gradient descent. With one, each epoch goes
    through the inputs in a new order, as many whole batches as there are. Adam has the usual constants
    0.9 and 0.999.

    Source: optax. Kingma and Ba 2015, Adam.
    Raises: ValueError that names the argument, its value and what is allowed.

    >>> from deeplimits.training import Optimiser
    >>> Optimiser("adam", 1e-3, batch=32)
    Optimiser(method='adam', rate=0.001, batch=32)
    """

    method: str
    rate: float
    batch: int | None = None

    def __post_init__(self) -> None:
        choice("method", self.method, METHODS)
        object.__setattr__(self, "rate", real("rate", self.rate, above=0))
        if self.batch is not None:
            whole("batch", self.batch)

    def transformation(self) -> Any:
        """The transformation of gradients that optax knows it as."""
        return getattr(optax(), self.method)(self.rate)


class History(NamedTuple):
    """What became of networks while they were trained.

    Shapes: losses (samples, times?), |f - y|^2 / 2 averaged over the inputs trained on; distances
        (samples, times?), the Euclidean norm by which all parameters together have moved; outputs (samples, times?,
        k, outputs) at the watched inputs; parameters as `Model.parameters`, after the last step.

    >>> from deeplimits.training import History
    >>> History._fields
    ('losses', 'distances', 'outputs', 'parameters')
    """

    losses: FloatArray
    distances: FloatArray
    outputs: FloatArray
    parameters: dict[str, np.ndarray]


def train(
    model: Model,
    inputs: ArrayLike,
    targets: ArrayLike,
    optimiser: Optimiser,
    steps: int,
    samples: int,
    seed: int,
    at: Sequence[int] | None = None,
    *,
    watched: ArrayLike | None = None,
    folder: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> History:
    """Train independent networks on the loss |f - y|^2 / (2 N).

    Shapes: inputs (N, inputs), or (N, rows, columns, inputs) for filters, and targets (N, outputs); `watched`
        (k, ...), by default the inputs; `at`, steps to record, 0 = before training, by default the last without an
        axis.
    Law: single precision. Network i, its start and the order of its batches depend only on (seed, i).
        With a `folder` the run leaves a checkpoint there about every ten seconds, but never within a step, and
        when it is interrupted; the same call takes it up and ends with the same bits, or returns at once what is
        finished. A file that is not whole is not used. Any change of the arguments, the data, the code or the
        libraries is another run.
    Source: Peluchetti and Favaro 2021, experiments on trained networks.
    Raises: ValueError for arguments out of range or arrays of other shapes or not finite; FloatingPointError when
        training diverges; ImportError without JAX and optax.

    >>> from deeplimits.blocks import Blocks
    >>> from deeplimits.networks import ResNet
    >>> from deeplimits.training import Model, Optimiser, train
    >>> model = Model(ResNet(Blocks("linear", "tanh"), width=8, depth=4), inputs=2, outputs=1)
    >>> found = train(model, [[0.0, 1.0], [1.0, 0.0]], [[1.0], [-1.0]], Optimiser("sgd", 0.1), steps=20,
    ...               samples=3, seed=1, at=[0, 20], progress=False)
    >>> found.losses.shape, bool((found.losses[:, 1] < found.losses[:, 0]).all())
    ((3, 2), True)
    """
    task = Task.checked(model, inputs, targets, optimiser, steps, samples, seed, at, watched)
    flag("progress", progress)
    if not (folder is None or isinstance(folder, str | os.PathLike)):
        raise ValueError(f"folder must be a path or None, got {shown(folder)}")
    checkpoint = _checkpoints.Checkpoint(folder, _checkpoints.fingerprint(*task) if folder is not None else "")
    run = Run(task, checkpoint.load())
    kept, when = run.step, time.monotonic()
    try:
        with Progress(max(task.steps, 1) * task.batch * task.samples, progress) as bar:
            for step in run.walk():
                bar.at(step * task.batch * task.samples)
                if time.monotonic() > when + PAUSE:
                    checkpoint.save(run.arrays())
                    kept, when = step, time.monotonic()
    finally:
        # Whatever ends the run, what it has reached is kept; a finished run is found finished.
        if run.step > kept:
            checkpoint.save(run.arrays())
    return run.history(at is not None)


class Task(NamedTuple):
    """The checked arguments of a run, all that decides about its result."""

    model: Model
    inputs: np.ndarray
    targets: np.ndarray
    optimiser: Optimiser
    steps: int
    samples: int
    seed: int
    at: list[int]
    watched: np.ndarray

    @property
    def batch(self) -> int:
        """The inputs that a step sees."""
        return self.optimiser.batch or len(self.inputs)

    @property
    def chunk(self) -> int:
        """The steps in one call of compiled code: fewer where one step is much work."""
        return int(np.clip(WORK / (6 * self.samples * self.batch * operations(self.model, self.inputs)), 1, CHUNK))

    @classmethod
    def checked(
        cls,
        model: Model,
        inputs: ArrayLike,
        targets: ArrayLike,
        optimiser: Optimiser,
        steps: int,
        samples: int,
        seed: int,
        at: Sequence[int] | None,
        watched: ArrayLike | None,
    ) -> Task:
        """Raises: ValueError that names the argument, its value and what is allowed."""
        if not isinstance(model, Model) or not isinstance(optimiser, Optimiser):
            raise ValueError(
                f"model and optimiser must be a Model and an Optimiser, got {shown(model)} and {shown(optimiser)}"
            )
        axes = 4 if model.convolutional else 2
        x = _finite("inputs", inputs, axes, model.inputs)
        y = _finite("targets", targets, 2, model.outputs)
        if len(y) != len(x):
            raise ValueError(f"targets must be as many as inputs, {len(x)}, got {len(y)}")
        seen = x if watched is None else _finite("watched", watched, axes, model.inputs)
        if optimiser.batch is not None and optimiser.batch > len(x):
            raise ValueError(f"batch must be at most the number of inputs, {len(x)}, got {optimiser.batch}")
        last = whole("steps", steps, least=0)
        named = [last] if at is None else sequence("at", at, "step")
        wanted = [whole("at", step, least=0, most=last) for step in named]
        stream(seed, 0)
        return cls(model, x, y, optimiser, last, whole("samples", samples), seed, wanted, seen)

    def indices(self, first: int, last: int) -> np.ndarray:
        """The inputs that the steps first, ..., last - 1 see: (samples, last - first, batch)."""
        per_epoch = len(self.inputs) // self.batch
        epochs = range(first // per_epoch, (last - 1) // per_epoch + 1)
        orders = [
            [stream(self.seed, i, epoch).permutation(len(self.inputs))[: per_epoch * self.batch] for epoch in epochs]
            for i in range(self.samples)
        ]
        batches = np.array(orders, np.int32).reshape(self.samples, -1, self.batch)
        return batches[:, first - epochs[0] * per_epoch :][:, : last - first]


class Run:
    """A run and what it has reached: the step, the parameters and what the optimiser remembers, the records."""

    def __init__(self, task: Task, saved: dict[str, np.ndarray] | None) -> None:
        self.task = task
        self.start = task.model.parameters(task.samples, task.seed)
        state = self.start, jax().vmap(task.optimiser.transformation().init)(self.start)
        shapes = {"losses": (), "distances": (), "outputs": (len(task.watched), task.model.outputs)}
        self.records = {name: np.full((task.samples, len(task.at), *shape), np.nan) for name, shape in shapes.items()}
        # One attribute, so that an interrupt finds the step and the state of the same moment. -1: not even looked at.
        self.reached = -1, state
        if saved is not None:
            leaves, structure = jax().tree.flatten(state)
            self.reached = int(saved["step"]), structure.unflatten([saved[f"leaf{i}"] for i in range(len(leaves))])
            self.records = {name: saved[name] for name in self.records}

    @property
    def step(self) -> int:
        """The steps done and recorded."""
        return self.reached[0]

    def arrays(self) -> dict[str, np.ndarray]:
        """All of it, to be saved."""
        step, state = self.reached
        leaves = {f"leaf{i}": np.asarray(leaf) for i, leaf in enumerate(jax().tree.leaves(state))}
        return leaves | self.records | {"step": np.array(step)}

    def history(self, has_axis: bool) -> History:
        """What the caller gets."""
        records = {name: values if has_axis else values[:, 0] for name, values in self.records.items()}
        return History(**records, parameters={name: np.asarray(p) for name, p in self.reached[1][0].items()})

    def walk(self) -> Iterator[int]:
        """Train from where the run is to its end; yields the steps done."""
        task, wanted = self.task, sorted({0, *self.task.at, self.task.steps})
        if self.step == task.steps:
            return
        advance, look = _advance(task.model, task.optimiser), _look(task.model)
        while self.step < task.steps:
            step, state = self.reached
            stop = min(max(step, 0) + task.chunk, next(w for w in wanted if w > step))
            if stop > 0:
                state = advance(state, self._batches(step, stop), task.inputs, task.targets, stop - step)
                jax().block_until_ready(state)
            self._record(stop, state[0], look)
            self.reached = stop, state
            yield stop

    def _batches(self, step: int, stop: int) -> np.ndarray:
        """The batches of a chunk, filled up to its full length so that one program serves all chunks."""
        if self.task.optimiser.batch is None:
            return np.zeros((self.task.samples, 0), np.int32)
        found = self.task.indices(step, stop)
        return np.pad(found, ((0, 0), (0, self.task.chunk - (stop - step)), (0, 0)))

    def _record(self, step: int, parameters: dict[str, Any], look: Callable[..., Any]) -> None:
        moved = np.sqrt(
            sum(
                np.sum((np.asarray(p, np.float64) - self.start[name]) ** 2, axis=tuple(range(1, p.ndim)))
                for name, p in parameters.items()
            )
        )
        if not np.all(np.isfinite(moved)):
            raise FloatingPointError(
                f"training diverged before step {step}; take a rate below {self.task.optimiser.rate:g}"
            )
        places = [place for place, wanted in enumerate(self.task.at) if wanted == step]
        if places:
            losses, outputs = look(parameters, self.task.inputs, self.task.targets, self.task.watched)
            for name, values in (("losses", losses), ("distances", moved), ("outputs", outputs)):
                self.records[name][:, places] = np.asarray(values)[:, None]


@lru_cache(maxsize=32)
def _advance(model: Model, optimiser: Optimiser) -> Callable[..., Any]:
    """The compiled steps from one state to a later one."""
    library, transformation, full = jax(), optimiser.transformation(), optimiser.batch is None
    gradient = library.grad(partial(_loss, model))

    def step(parameters: Any, memory: Any, inputs: Any, targets: Any, chosen: Any) -> tuple[Any, Any]:
        seen = (inputs, targets) if full else (inputs[chosen], targets[chosen])
        change, memory = transformation.update(gradient(parameters, *seen), memory, parameters)
        return optax().apply_updates(parameters, change), memory

    def advance(states: Any, batches: Any, inputs: Any, targets: Any, count: Any) -> Any:
        def one(own: Any) -> Any:
            state, chosen = own
            return library.lax.fori_loop(
                0, count, lambda i, now: step(now[0], now[1], inputs, targets, None if full else chosen[i]), state
            )

        # One network after the other: their numbers do not depend on how many there are, and stay in the cache.
        return library.lax.map(one, (states, batches))

    return library.jit(advance)


@lru_cache(maxsize=32)
def _look(model: Model) -> Callable[..., Any]:
    """The compiled look at losses and outputs."""

    def look(parameters: Any, inputs: Any, targets: Any, watched: Any) -> tuple[Any, Any]:
        def one(p: Any) -> tuple[Any, Any]:
            errors = _in_blocks(model, p, inputs) - targets
            return jax().numpy.sum(errors**2) / (2 * len(inputs)), _in_blocks(model, p, watched)

        return jax().lax.map(one, parameters)

    return jax().jit(look)


def _in_blocks(model: Model, parameters: Any, inputs: Any) -> Any:
    """The outputs of one network at any number of inputs, in bounded memory."""
    size = max(1, ROOM // hidden(model, inputs))
    if len(inputs) <= size:
        return model.apply(parameters, inputs)
    return jax().lax.map(lambda x: model.apply(parameters, x[None])[0], inputs, batch_size=size)


def hidden(model: Model, inputs: Any) -> int:
    """The numbers that one layer holds of one input: what all its filters see."""
    taps = filters(model.blocks)[0] ** 2
    return int(np.prod(inputs.shape[1:-1], dtype=int)) * max(taps * model.width, model.inputs)


def operations(model: Model, inputs: Any) -> int:
    """The multiplications by which one network answers one input."""
    return hidden(model, inputs) * model.width * (model.network.depth + 1)


def _loss(model: Model, parameters: Any, inputs: Any, targets: Any) -> Any:
    moving = TRAINED[model.trained]
    held = {name: p if name in moving else jax().lax.stop_gradient(p) for name, p in parameters.items()}
    return jax().numpy.sum((model.apply(held, inputs) - targets) ** 2) / (2 * len(inputs))


def _finite(name: str, value: ArrayLike, axes: int, size: int) -> np.ndarray:
    with np.errstate(over="ignore"):
        array = numbers(name, value).astype(np.float32)
    if array.ndim != axes or array.shape[-1] != size or array.size == 0 or not np.all(np.isfinite(array)):
        shape = ", ".join(["k", *(["rows", "columns"] if axes == 4 else []), str(size)])
        raise ValueError(f"{name} must be finite, of shape ({shape}), got shape {array.shape}")
    return array
