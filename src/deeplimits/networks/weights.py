"""Residual networks with their weights, for what needs them: the Jacobian of the state.

The Jacobian of a deep network is a product over layers, that of its limit a stochastic exponential.
Both run in one loop, driven by the same weights.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._checks import FloatArray
from .._jit import njit
from .._parallel import over_samples
from ..activations import programs
from ..activations.programs import Program
from ..gaussian import WEIGHTS, u64
from ._branches import Branches, Start, Steps, root
from ._elementwise import TILE, draw


class Functions(NamedTuple):
    """Programs of both activations and of their derivatives, in double precision."""

    inner: Program
    inner_slope: Program
    outer: Program
    outer_slope: Program


class Law(NamedTuple):
    """The Gaussian law of the weights of one layer, with the time step."""

    scale: float  # weights are scale rows Z columns + mean
    rows: NDArray[np.float64]  # symmetric roots
    columns: NDArray[np.float64]
    bias: NDArray[np.float64]
    mean: NDArray[np.float64]
    bias_mean: NDArray[np.float64]
    limit: bool
    slope: float
    second: float
    refinement: int


@njit
def _apply(program, source, target, scratch):
    for begin in range(0, source.size, TILE):
        end = min(begin + TILE, source.size)
        programs.apply(program, source[begin:end], target[begin:end], scratch)


@njit
def _network_step(state, jacobians, W, b, functions, scratch):
    """One layer: J grows by diag(phi'(h)) W diag(psi'(x)) J."""
    inputs, width = state.shape
    psi, slope, h, outer_slope = np.empty(width), np.empty(width), np.empty(width), np.empty(width)
    for j in range(inputs):
        _apply(functions.inner, state[j], psi, scratch)
        _apply(functions.inner_slope, state[j], slope, scratch)
        h = np.dot(W, psi) + b
        _apply(functions.outer_slope, h, outer_slope, scratch)
        jacobians[j] += np.dot(W * slope * outer_slope.reshape(-1, 1), jacobians[j])
        _apply(functions.outer, h, psi, scratch)
        state[j] += psi


@njit
def _diffusion_step(state, jacobians, inverses, W, b, law, functions, scratch):
    """One Euler step of the state, of dg = dZ g and of dg^-1 = g^-1 (-dZ + d[Z, Z]).

    The brackets of the weights are scale^2 rows^2 between outputs and columns^2 between inputs.
    """
    inputs, width = state.shape
    psi, slope = np.empty(width), np.empty(width)
    outputs, into = np.dot(law.rows, law.rows), law.scale**2 * np.dot(law.columns, law.columns)
    biases = np.diag(np.dot(law.bias, law.bias))
    for j in range(inputs):
        _apply(functions.inner, state[j], psi, scratch)
        _apply(functions.inner_slope, state[j], slope, scratch)
        seen = np.dot(into, psi)
        corrected = law.slope * W + law.second * np.diag(outputs).reshape(-1, 1) * seen
        dZ = corrected * slope
        bracket = law.slope**2 * np.dot(outputs * slope, into * slope)
        inverses[j] += np.dot(inverses[j], bracket - dZ)
        jacobians[j] += np.dot(dZ, jacobians[j])
        variance = np.diag(outputs) * np.dot(psi, seen) + biases
        state[j] += law.slope * (np.dot(W, psi) + b) + law.second / 2 * variance


@njit
def propagate(states, jacobians, inverses, records, starts, functions, law, begin, stream, seed, kind, scratch):
    """Carry samples begin, begin + 1, ... through the layers and write what is asked for.

    Shapes: states (samples, len(records), m, width), jacobians and inverses (samples, len(records), m, width, width);
        starts (samples or 1, m, width). The inverses belong to the diffusion only.
    """
    inputs, width = starts.shape[1:]
    size = 32 * ((width * width + width + 31) // 32)
    normals, spare = np.empty(size, kind.dtype), np.empty(size, kind.dtype)
    state, J, inverse = np.empty((inputs, width)), np.empty((inputs, width, width)), np.empty((inputs, width, width))
    for i in range(len(states)):
        state[:] = starts[i % len(starts)]
        J[:] = np.eye(width)
        inverse[:] = np.eye(width)
        done = 0
        for place in range(len(records)):
            while done < records[place]:
                draw(normals, spare, size, 0, done, law.refinement, begin + i, stream, seed)
                drawn = normals.astype(np.float64) / np.sqrt(law.refinement)
                Z = drawn[: width * width].reshape(width, width)
                W = law.scale * np.dot(law.rows, np.dot(Z, law.columns)) + law.mean
                b = np.dot(law.bias, drawn[width * width : width * width + width]) + law.bias_mean
                if law.limit:
                    _diffusion_step(state, J, inverse, W, b, law, functions, scratch)
                else:
                    _network_step(state, J, W, b, functions, scratch)
                done += 1
            states[i, place] = state
            jacobians[i, place] = J
            inverses[i % len(inverses), place] = inverse


def derivatives(branches: Branches, x0: Start, walk: Steps, *, limit: bool) -> tuple[FloatArray, ...]:
    """States, Jacobians with respect to the start, and for the diffusion their inverses.

    Shapes: x0 is (samples, width, m); returns (samples, times?, width, m) and once or twice
        (samples, times?, m, width, width). A sample that overflows is +inf in all of them from there on.
    """
    width, step, inputs = branches.width, branches.time / walk.count, x0.states.shape[2]
    law = _law(branches, step, walk.refinement, limit)
    functions = functions_of(branches)
    starts = x0._replace(states=np.ascontiguousarray(x0.states.swapaxes(1, 2)))
    shape = (walk.samples, len(walk.records), inputs)
    states, jacobians = np.empty((*shape, width)), np.empty((*shape, width, width))
    inverses = np.empty((*shape, width, width)) if limit else np.empty((1, *shape[1:], width, width))

    def piece(low: int, high: int) -> None:
        propagate(states[low:high], jacobians[low:high], inverses[low:high] if limit else inverses.copy(), walk.records,
                  starts.part(low, high), functions, law, walk.first + low, WEIGHTS,
                  u64(walk.seed), np.empty(0, walk.kind), programs.scratch(np.float64))

    over_samples(piece, walk.samples, walk.threads)
    found = (states.swapaxes(2, 3), jacobians, inverses)[: 3 if limit else 2]
    kept = np.logical_and.reduce([np.isfinite(array).all(tuple(range(2, array.ndim))) for array in found])
    gone = ~np.logical_and.accumulate(kept, axis=1)
    for array in found:
        array[gone] = np.inf
    return tuple(walk.shown(array) for array in found)


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
