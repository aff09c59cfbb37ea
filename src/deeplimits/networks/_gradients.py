"""Shaped networks with explicit weights: tangents forward, and a random direction at the end carried back."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._checks import FloatArray
from .._parallel import over_samples
from ..activations import programs
from ..gaussian import SHAPED_WEIGHTS, u64
from ..loops.gradients import _paths
from ..wishart import factor_of
from ._branches import Steps


class Gradients(NamedTuple):
    """How networks carry directions at one input forward and a random one at their end back.

    Shapes: tangents (samples, times?, 1 + k, 1 + k), norms (samples, times?).
    """

    tangents: FloatArray
    norms: FloatArray


def backpropagate(network, gram: FloatArray, walk: Steps) -> Gradients:
    """Tangents at the layers asked for, and the squared norms of a direction carried back to them."""
    activation, width, depth = network.activation, network.width, walk.count
    factor = factor_of(gram)
    starts = np.zeros((len(gram), width))
    starts[:, : factor.shape[1]] = factor
    # Without a request: once through the whole network, forward and back.
    last = walk.records if walk.order is not None else np.zeros(1, np.int64)
    tangents, norms = np.empty((walk.samples, len(last), *gram.shape)), np.empty((walk.samples, len(last)))
    root = np.sqrt(activation.normaliser(width) / width)
    value, derivative = (activation.program(width, np.float64, derivative=slope) for slope in (False, True))

    def piece(low: int, high: int) -> None:
        _paths(tangents[low:high], norms[low:high], walk.records, last, starts, depth, root, value, derivative,
               walk.first + low, SHAPED_WEIGHTS, u64(walk.seed), np.empty(0, walk.kind), programs.scratch(np.float64))

    over_samples(piece, walk.samples, walk.threads)
    tangents[~np.isfinite(tangents).all(axis=(2, 3))] = np.inf
    norms[~np.isfinite(norms)] = np.inf
    return Gradients(walk.shown(tangents), walk.shown(norms))
