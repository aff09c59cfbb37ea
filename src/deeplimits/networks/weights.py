"""Residual networks with their weights, for what needs them: the Jacobian of the state."""

from __future__ import annotations

import numpy as np

from .._checks import FloatArray, empty
from .._run import Run
from ..activations import programs
from ..blocks import Blocks, matrix
from ..gaussian import WEIGHTS, Address
from ..loops.weights import Functions, Law, propagate
from ._branches import Start, root


def derivatives(blocks: Blocks, x0: Start, run: Run, *, limit: bool) -> tuple[FloatArray, ...]:
    """States, Jacobians with respect to the start, and for the diffusion their inverses.

    Shapes: x0 is (samples, width, m); returns (samples, times?, width, m) and once or twice
        (samples, times?, m, width, width). A sample that overflows is +inf in all of them from there on.
    """
    (width, inputs), step = x0.states.shape[1:], blocks.time / run.count
    law = _law(blocks, width, step, run.refinement, limit)
    functions = functions_of(blocks, width)
    starts = x0._replace(states=np.ascontiguousarray(x0.states.swapaxes(1, 2)))
    shape = (run.samples, len(run.records), inputs)
    jacobians, states = empty("samples", (*shape, width, width)), np.empty((*shape, width))
    inverses = np.empty((*shape, width, width)) if limit else np.empty((1, *shape[1:], width, width))

    def work(rows: slice, begin: int) -> None:
        propagate(
            states[rows],
            jacobians[rows],
            inverses[rows] if limit else inverses.copy(),
            run.records,
            starts.part(rows),
            functions,
            law,
            Address(begin, WEIGHTS, run.seed),
            run.prototype,
            programs.scratch(np.float64),
        )

    run.spread(work)
    found = (states.swapaxes(2, 3), jacobians, inverses)[: 3 if limit else 2]
    kept = np.logical_and.reduce([np.isfinite(array).all(tuple(range(2, array.ndim))) for array in found])
    gone = ~np.logical_and.accumulate(kept, axis=1)
    for array in found:
        array[gone] = np.inf
    return tuple(run.shown(array) for array in found)


def log_determinants(jacobians: FloatArray) -> FloatArray:
    """The logarithm of |det| of the last two axes; +inf where a Jacobian has overflowed."""
    gone = np.logical_not(np.isfinite(jacobians).all((-2, -1)))
    whole = np.where(gone[..., None, None], np.eye(jacobians.shape[-1]), jacobians)
    return np.where(gone, np.inf, np.linalg.slogdet(whole)[1])


def functions_of(blocks: Blocks, width: int) -> Functions:
    """The activations of the blocks for the loops with weights."""
    return Functions(
        *(
            one.program(width, np.float64, derivative=slope)
            for one in (blocks.inner, blocks.outer)
            for slope in (False, True)
        )
    )


def _law(blocks: Blocks, width: int, step: float, refinement: int, limit: bool) -> Law:
    """The law of the weights in a step."""
    identity = np.eye(width)
    slope, second = blocks.taylor() if limit else (1.0, 0.0)
    columns, biases, rows, mean, bias_mean = (
        matrix(blocks, name)
        for name in ("column_covariance", "bias_covariance", "row_covariance", "weight_mean", "bias_mean")
    )
    return Law(
        np.sqrt(blocks.weight_variance * step),
        identity if rows is None else root(rows),
        root(identity / width if columns is None else columns),
        np.sqrt(step) * root(blocks.bias_variance * identity if biases is None else biases),
        np.zeros((width, width)) if mean is None else step * mean,
        np.zeros(width) if bias_mean is None else step * bias_mean,
        limit,
        slope,
        second,
        refinement,
    )
