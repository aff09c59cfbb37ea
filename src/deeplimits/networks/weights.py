"""Residual networks with their weights, for what needs them: the Jacobian of the state."""

from __future__ import annotations

import numpy as np

from .._checks import FloatArray
from .._run import Run
from ..activations import programs
from ..gaussian import WEIGHTS
from ..loops.weights import Functions, Law, propagate
from ._branches import Branches, Start, root


def derivatives(branches: Branches, x0: Start, run: Run, *, limit: bool) -> tuple[FloatArray, ...]:
    """States, Jacobians with respect to the start, and for the diffusion their inverses.

    Shapes: x0 is (samples, width, m); returns (samples, times?, width, m) and once or twice
        (samples, times?, m, width, width). A sample that overflows is +inf in all of them from there on.
    """
    width, step, inputs = branches.width, branches.time / run.count, x0.states.shape[2]
    law = _law(branches, step, run.refinement, limit)
    functions = functions_of(branches)
    starts = x0._replace(states=np.ascontiguousarray(x0.states.swapaxes(1, 2)))
    shape = (run.samples, len(run.records), inputs)
    states, jacobians = np.empty((*shape, width)), np.empty((*shape, width, width))
    inverses = np.empty((*shape, width, width)) if limit else np.empty((1, *shape[1:], width, width))

    def work(rows: slice, begin: int) -> None:
        propagate(states[rows], jacobians[rows], inverses[rows] if limit else inverses.copy(), run.records,
                  starts.part(rows), functions, law, begin, WEIGHTS, run.seed, run.prototype,
                  programs.scratch(np.float64))

    run.spread(work)
    found = (states.swapaxes(2, 3), jacobians, inverses)[: 3 if limit else 2]
    kept = np.logical_and.reduce([np.isfinite(array).all(tuple(range(2, array.ndim))) for array in found])
    gone = ~np.logical_and.accumulate(kept, axis=1)
    for array in found:
        array[gone] = np.inf
    return tuple(run.shown(array) for array in found)


def log_determinants(jacobians: FloatArray) -> FloatArray:
    """The logarithm of |det| of the last two axes; +inf where a Jacobian has overflowed."""
    gone = ~np.isfinite(jacobians).all((-2, -1))
    whole = np.where(gone[..., None, None], np.eye(jacobians.shape[-1]), jacobians)
    return np.where(gone, np.inf, np.linalg.slogdet(whole)[1])


def functions_of(branches: Branches) -> Functions:
    """The activations of the branches for the loops with weights."""
    return Functions(*(one.program(branches.width, np.float64, derivative=slope)
                       for one in (branches.inner, branches.outer) for slope in (False, True)))


def _law(branches: Branches, step: float, refinement: int, limit: bool) -> Law:
    """The law of the weights in a step."""
    width, identity = branches.width, np.eye(branches.width)
    slope, second = branches.taylor() if limit else (1.0, 0.0)
    columns = identity / width if branches.column_covariance is None else branches.column_covariance
    biases = branches.bias_variance * identity if branches.bias_covariance is None else branches.bias_covariance
    return Law(
        np.sqrt(branches.weight_variance * step),
        identity if branches.row_covariance is None else root(branches.row_covariance),
        root(columns), np.sqrt(step) * root(biases),
        np.zeros((width, width)) if branches.weight_mean is None else step * branches.weight_mean,
        np.zeros(width) if branches.bias_mean is None else step * branches.bias_mean,
        limit, slope, second, refinement)
