"""Training of lists of blocks without their weights: matrices stay lazy while outer products are added to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks
from .._checks import FloatArray, shown, whole
from ..gaussian import MOST_SAMPLES
from ._parameters import Store, Vector
from ._sampling import ROOM
from .losses import Loss
from .network import Network
from .optimisers import SGD, Adam


class Training(NamedTuple):
    """What became of networks while they were trained.

    Shapes: losses (samples, times?) on all inputs; outputs (samples, times?, ...), the last states at the watched
        inputs.

    >>> from deeplimits.architectures import SGD, mlp, squared, train
    >>> history = train(mlp([50, 1]), [[1.0]], squared([[1.0]]), SGD(0.05), steps=3, samples=2, seed=1, at=[0, 3])
    >>> history.losses.shape, history.outputs.shape
    ((2, 2), (2, 2, 1, 1))
    """

    losses: FloatArray
    outputs: FloatArray


def train(
    network: Network,
    initial: ArrayLike,
    loss: Loss,
    optimiser: SGD | Adam,
    steps: int,
    samples: int,
    seed: int,
    at: Sequence[int] | None = None,
    *,
    batch: int | None = None,
    watched: ArrayLike | None = None,
    first: int = 0,
    precision: str = "single",
    method: str | None = None,
) -> Training:
    """Train independent networks from their initialisation.

    Shapes: initial as for `Network.sample`, the same for all networks; `watched` likewise, by default `initial`; `at`,
        steps to record, 0 = before training, by default the last without an axis.
    Law: exact, jointly over all steps: a step asks each matrix about the inputs and the gradients it meets, and adds
        outer products. With `SGD` a matrix stays lazy until its rank passes a third of its smaller side, and is then
        drawn whole, in the same law; with `Adam` all are drawn whole at once. Without `batch` each step sees all
        inputs; with it, that many in their order, round and round. Sample i depends only on (seed, first + i), to
        rounding, and begins as the networks of `Network.sample` do with this seed and a `method`.
    Source: ours; see `deeplimits.lazy`.
    Raises: ValueError for arguments out of range, what is no network or optimiser, a loss for other inputs, a start
        for each network; FloatingPointError when training diverges.

    >>> import numpy as np
    >>> from deeplimits.architectures import SGD, mlp, squared, train
    >>> history = train(mlp([50, 1]), [[1.0]], squared([[1.0]]), SGD(0.05), steps=20, samples=2, seed=1, at=[0, 20])
    >>> bool(np.all(history.losses[:, 1] < history.losses[:, 0]))
    True
    """
    for name, value, kinds in (("network", network, (Network,)), ("optimiser", optimiser, (SGD, Adam))):
        if not isinstance(value, kinds):
            raise ValueError(f"{name} must be {' or '.join(kind.__name__ for kind in kinds)}, got {shown(value)}")
    steps, samples = whole("steps", steps, least=0), whole("samples", samples)
    whole("first", first, least=0, most=MOST_SAMPLES - samples)
    x, sizes = network._start(initial, 1)
    seen, ends = (x, sizes) if watched is None else network._start(watched, 1, "watched")
    if ends[-1].parameters != sizes[-1].parameters:
        raise ValueError(f"watched must meet the matrices that initial {x.shape[1:]} meets, got shape {seen.shape[1:]}")
    if not isinstance(loss, Loss) or loss.inputs != x.shape[-1]:
        raise ValueError(f"loss must be a Loss of {x.shape[-1]} inputs, got {loss!r}")
    size = whole("batch", x.shape[-1] if batch is None else batch, most=x.shape[-1])
    wanted, has_axis = _checks.layers(at, steps)
    rows = max(1, ROOM // max((steps + 1) * sizes[-1].held, 1))
    found = []
    for low in range(0, samples, rows):
        store = Store(_checks.seed(seed), first + low, min(rows, samples - low), None, precision, method)
        # what diverges is an error, and no warning before it
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            found.append(_chunk(network, store, x, seen, loss, optimiser, size, wanted, steps))
    losses, outputs = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return Training(losses, outputs) if has_axis else Training(losses[:, 0], outputs[:, 0])


def _chunk(
    network: Network,
    store: Store,
    x: FloatArray,
    seen: FloatArray,
    loss: Loss,
    optimiser: SGD | Adam,
    batch: int,
    wanted: list[int],
    steps: int,
) -> tuple[FloatArray, FloatArray]:
    """Losses and outputs of some networks at the steps asked for."""
    records: dict[int, tuple[FloatArray, FloatArray]] = {}
    for step in range(max(wanted) + 1):
        if step in wanted:
            y = _outputs(network, store, x)
            value, out = loss.value(y), y if seen is x else _outputs(network, store, seen)
            if not (np.all(np.isfinite(value)) and np.all(np.isfinite(out))):
                raise FloatingPointError(f"training diverged before step {step}; take a rate below {optimiser.rate:g}")
            records[step] = value, out
        if step < steps:
            inputs = x.shape[-1]
            start = step * batch % inputs
            chosen = np.arange(start, start + batch) % inputs
            _step(network, store, x[..., chosen], loss if batch == inputs else loss.part(chosen), optimiser)
    losses, outputs = (np.stack([records[step][k] for step in wanted], axis=1) for k in range(2))
    return losses, outputs


def _outputs(network: Network, store: Store, x: FloatArray) -> FloatArray:
    for layer in network.layers:
        x, _ = layer.forward(x, store)
    return np.broadcast_to(x, (store.samples, *x.shape[1:]))


def _step(network: Network, store: Store, x: FloatArray, loss: Loss, optimiser: SGD | Adam) -> None:
    backs = []
    for layer in network.layers:
        x, back = layer.forward(x, store)
        backs.append(back)
    g = loss(np.broadcast_to(x, (store.samples, *x.shape[1:])))
    for back in reversed(backs):
        g = back(g)
    if not np.all(np.isfinite(g)):
        raise FloatingPointError(f"training diverged; take a rate below {optimiser.rate:g}")
    for _, parameter in store:
        if parameter.gradient is not None if isinstance(parameter, Vector) else parameter.pending:
            optimiser.move(parameter)
