"""Shaped networks with explicit weights: tangents forward, and a random direction at the end carried back."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .._checks import FloatArray, empty
from .._run import Run
from ..activations import programs
from ..gaussian import SHAPED_WEIGHTS, Address
from ..loops.gradients import Neurons, propagate
from ..wishart import factor_of

if TYPE_CHECKING:
    from .shaped import ShapedMLP


class Gradients(NamedTuple):
    """How networks carry directions at one input forward and a random one at their end back.

    Shapes: tangents (samples, times?, 1 + k, 1 + k), norms (samples, times?).

    >>> import numpy as np
    >>> from deeplimits import activations, networks
    >>> network = networks.ShapedMLP(activations.smooth("tanh"), width=20, depth=20)
    >>> found = network.gradients([[1.0, 0.0], [0.0, 1.0]], samples=100, seed=1)  # an input and one direction
    >>> found.tangents.shape, found.norms.shape
    ((100, 2, 2), (100,))
    """

    tangents: FloatArray
    norms: FloatArray


def backpropagate(network: ShapedMLP, gram: FloatArray, run: Run) -> Gradients:
    """Tangents at the layers asked for, and the squared norms of a direction carried back to them."""
    activation, width, depth = network.activation, network.width, run.count
    factor = factor_of(gram)
    starts = np.zeros((len(gram), width))
    starts[:, : factor.shape[1]] = factor
    # Without a request: once through the whole network, forward and back.
    last = run.records if run.order is not None else np.zeros(1, np.int64)
    tangents = empty("samples", (run.samples, len(last), *gram.shape))
    norms = np.empty((run.samples, len(last)))
    neurons = Neurons(
        depth,
        np.sqrt(activation.normaliser(width) / width),
        *(activation.program(width, np.float64, derivative=slope) for slope in (False, True)),
    )

    def work(rows: slice, begin: int) -> None:
        propagate(
            tangents[rows],
            norms[rows],
            run.records,
            last,
            starts,
            neurons,
            Address(begin, SHAPED_WEIGHTS, run.seed),
            run.prototype,
            programs.scratch(np.float64),
        )

    run.spread(work)
    tangents[~np.isfinite(tangents).all(axis=(2, 3))] = np.inf
    norms[~np.isfinite(norms)] = np.inf
    return Gradients(run.shown(tangents), run.shown(norms))
